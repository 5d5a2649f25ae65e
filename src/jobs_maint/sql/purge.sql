-- Deleting old finished jobs, and trimming our own tables.

-- name: take_turn
-- Held until the transaction that opens a run ends: two that begin in the same instant check one
-- after the other, whatever their search paths. The next number after that of `schema apply`.
SELECT pg_advisory_xact_lock(7310599, hashtext('jobs_maint_runs'::regclass::oid::text));

-- name: find_running_purge
-- Who is running a purge, since when, and how far it got.
-- One whose lease ran out belongs to a process that is gone.
SELECT a.id, a.actor_kind, a.actor_id, a.actor_name, a.started_at, a.counts
FROM jobs_maint_runs r JOIN jobs_maint_audit a ON a.id = r.audit_id
WHERE a.word = 'purge' AND a.outcome = 'started'
  AND r.state = 'running' AND r.lease_until >= now()
ORDER BY a.id LIMIT 1;

-- name: find_ends
-- Smallest and largest id, and the time.
SELECT min(id) AS first_id, max(id) AS last_id, now() AS now FROM procrastinate_jobs;

-- name: probe_job (id)
-- The first job with at least this id, and when it was deferred: two index lookups. A `scheduled`
-- event lies in the future.
SELECT j.id, (SELECT min(e.at) FROM procrastinate_events e
              WHERE e.job_id = j.id AND e.type <> 'scheduled') AS at
FROM (SELECT id FROM procrastinate_jobs WHERE id >= %(id)s ORDER BY id LIMIT 1) AS j;

-- name: find_oldest (status, after)
-- The finished job of this status with the smallest id, and when it was deferred: none that ended
-- before it was deferred can follow, so a young one ends the walk before it begins.
SELECT j.id, (SELECT min(e.at) FROM procrastinate_events e
              WHERE e.job_id = j.id AND e.type <> 'scheduled') AS at
FROM (
    SELECT id FROM procrastinate_jobs
    WHERE status = %(status)s::text::procrastinate_job_status
      AND status IN ('succeeded', 'failed', 'cancelled', 'aborted') AND id > %(after)s
    ORDER BY id LIMIT 1
) AS j;

-- name: find_batch (after, bound, status, limit, queue)
-- The next jobs of one final status in id order: how many there are, and the last of them. By
-- jobs_maint_purgeable_idx, whose condition is repeated: jobs of another status that lie before the
-- bound are not read. Not to be prepared: a plan for any values takes the primary key.
SELECT count(*) AS looked_at, max(id) AS last FROM (
    SELECT id FROM procrastinate_jobs
    WHERE id > %(after)s AND id <= %(bound)s
      AND status = %(status)s::text::procrastinate_job_status
      AND status IN ('succeeded', 'failed', 'cancelled', 'aborted')
      AND (%(queue)s::text IS NULL OR queue_name = %(queue)s)
    ORDER BY id LIMIT %(limit)s
) AS next;

-- name: delete_batch (after, last, status, cutoff, proven, queue)
-- In REPEATABLE READ: a job that somebody changed meanwhile (put back, ended again, young) is an
-- error and stays, though this statement would see its old events.
DELETE FROM procrastinate_jobs j
WHERE j.id > %(after)s AND j.id <= %(last)s
  AND j.status = %(status)s::text::procrastinate_job_status
  AND j.status IN ('succeeded', 'failed', 'cancelled', 'aborted')
  AND (%(queue)s::text IS NULL OR j.queue_name = %(queue)s)
  AND {{old_enough}};

-- name: list_finished_batch (after, bound, status, cutoff, proven, limit, queue)
-- The same jobs, by id.
SELECT j.id FROM procrastinate_jobs j
WHERE j.id > %(after)s AND j.id <= %(bound)s
  AND j.status = %(status)s::text::procrastinate_job_status
  AND j.status IN ('succeeded', 'failed', 'cancelled', 'aborted')
  AND (%(queue)s::text IS NULL OR j.queue_name = %(queue)s)
  AND {{old_enough}}
ORDER BY j.id LIMIT %(limit)s;

-- name: lock_finished (ids)
-- Those that nobody holds.
SELECT j.id FROM procrastinate_jobs j WHERE j.id = ANY (%(ids)s::bigint[])
ORDER BY j.id FOR UPDATE OF j SKIP LOCKED;

-- name: list_left (ids, status)
-- Those that are still there, in the same status.
SELECT j.id FROM procrastinate_jobs j
WHERE j.id = ANY (%(ids)s::bigint[]) AND j.status = %(status)s::text::procrastinate_job_status
ORDER BY j.id;

-- name: delete_locked_batch (ids, status, cutoff, proven)
-- A second statement, because the first one's snapshot is older than its locks: a job put back and
-- ended again in between is in a final status once more, but young. Returns one row.
WITH gone AS (
    DELETE FROM procrastinate_jobs j
    WHERE j.id = ANY (%(ids)s::bigint[])
      AND j.status = %(status)s::text::procrastinate_job_status
      AND {{old_enough}}
    RETURNING j.id
)
SELECT %(status)s::text AS status, count(*) AS deleted FROM gone HAVING count(*) > 0;

-- name: list_kept (ids, status, cutoff, proven)
-- Those of the jobs that are still there and old enough: a trigger or a policy kept them.
SELECT j.id FROM procrastinate_jobs j
WHERE j.id = ANY (%(ids)s::bigint[])
  AND j.status = %(status)s::text::procrastinate_job_status
  AND {{old_enough}}
ORDER BY j.id;

-- name: list_spared (after, last, status, cutoff, proven, queue)
-- Those of the jobs of delete_batch that are still there: a policy kept them.
SELECT j.id FROM procrastinate_jobs j
WHERE j.id > %(after)s AND j.id <= %(last)s
  AND j.status = %(status)s::text::procrastinate_job_status
  AND j.status IN ('succeeded', 'failed', 'cancelled', 'aborted')
  AND (%(queue)s::text IS NULL OR j.queue_name = %(queue)s)
  AND {{old_enough}}
ORDER BY j.id;

-- name: find_keepers
-- Whether a trigger or a policy of the team's may keep a row: only then such rows are looked for.
SELECT row_security_active('procrastinate_jobs') AS has_policy, EXISTS (
    SELECT FROM pg_trigger t
    WHERE t.tgrelid = 'procrastinate_jobs'::regclass AND NOT t.tgisinternal
      AND t.tgenabled <> 'D' AND (t.tgtype & 1) <> 0 AND (t.tgtype & 8) <> 0 AND (t.tgtype & 2) <> 0
      AND t.tgname NOT LIKE 'procrastinate\_%%'
) AS has_trigger;

-- name: count_finished (bound, status, cutoff, proven, queue)
-- What the purge would delete: the same conditions, selecting.
SELECT %(status)s::text AS status, count(*) AS jobs FROM procrastinate_jobs j
WHERE j.id <= %(bound)s
  AND j.status = %(status)s::text::procrastinate_job_status
  AND j.status IN ('succeeded', 'failed', 'cancelled', 'aborted')
  AND (%(queue)s::text IS NULL OR j.queue_name = %(queue)s)
  AND {{old_enough}}
HAVING count(*) > 0;

-- name: list_referred (after, bound, status, cutoff, proven, queue)
-- Of the jobs that the purge would delete those that other tables refer to, by key: a CASE that tells
-- which stands for the NULL.
SELECT key, count(*) AS jobs, (array_agg(id ORDER BY id))[1:5] AS sample
FROM (
    SELECT j.id, NULL::int AS key FROM procrastinate_jobs j
    WHERE j.id > %(after)s AND j.id <= %(bound)s
      AND j.status = %(status)s::text::procrastinate_job_status
      AND j.status IN ('succeeded', 'failed', 'cancelled', 'aborted')
      AND (%(queue)s::text IS NULL OR j.queue_name = %(queue)s)
      AND {{old_enough}}
) AS old
WHERE key IS NOT NULL GROUP BY key ORDER BY key;

-- name: find_young (after, bound, cutoff, limit)
-- Among the next events in the order of their jobs: the first job that was not deferred before the
-- cut-off, how many events there are, and the job of the last of them.
SELECT count(*) AS looked_at, max(job_id) AS last,
       min(job_id) FILTER (
           WHERE at >= %(cutoff)s
             AND (SELECT min(e.at) FROM procrastinate_events e
                  WHERE e.job_id = next.job_id AND e.type <> 'scheduled') >= %(cutoff)s) AS young
FROM (
    SELECT job_id, at FROM procrastinate_events
    WHERE job_id > %(after)s AND job_id <= %(bound)s AND type <> 'scheduled'
    ORDER BY job_id LIMIT %(limit)s
) AS next;

-- name: find_dated (before)
-- The last job before this one that has events.
SELECT (SELECT job_id FROM procrastinate_events
        WHERE job_id < %(before)s AND type <> 'scheduled' ORDER BY job_id DESC LIMIT 1) AS id;

-- name: find_extent
-- Smallest and largest id, and about how many jobs there are; where nobody has counted, as many as
-- fit into the pages.
SELECT (SELECT min(id) FROM procrastinate_jobs) AS first_id,
       (SELECT max(id) FROM procrastinate_jobs) AS last_id,
       CASE WHEN reltuples > 0 THEN reltuples::bigint ELSE pg_relation_size(oid) / 100 + 1 END AS rows
FROM pg_class WHERE oid = 'procrastinate_jobs'::regclass;

-- name: survey (after, last, walked, status, cutoff, queue, limit)
-- The next finished jobs of one status: how many are old and lie behind what was walked, and how many
-- have no events that tell their age. Not to be prepared, as find_batch.
SELECT count(*) AS looked_at, max(id) AS last,
       count(*) FILTER (WHERE at < %(cutoff)s AND id > %(walked)s) AS late,
       count(*) FILTER (WHERE at IS NULL) AS undated,
       (array_agg(id ORDER BY id) FILTER (WHERE at IS NULL))[1:5] AS sample
FROM (
    SELECT id FROM procrastinate_jobs
    WHERE id > %(after)s AND id <= %(last)s
      AND status = %(status)s::text::procrastinate_job_status
      AND status IN ('succeeded', 'failed', 'cancelled', 'aborted')
      AND (%(queue)s::text IS NULL OR queue_name = %(queue)s)
    ORDER BY id LIMIT %(limit)s
) AS j
CROSS JOIN LATERAL (
    SELECT max(e.at) AS at FROM procrastinate_events e
    WHERE e.job_id = j.id AND e.type <> 'scheduled'
) AS ended;

-- name: find_surveyed (since)
-- What the purges since then have surveyed, by jobs_maint_audit_started_at_idx.
SELECT item, a.started_at AS at
FROM jobs_maint_audit a CROSS JOIN LATERAL jsonb_array_elements(a.items) AS item
WHERE a.started_at > %(since)s AND a.word = 'purge' AND item ->> 'outcome' = 'surveyed'
ORDER BY a.id DESC;

-- name: note_survey (audit_id, item)
UPDATE jobs_maint_audit SET items = items || jsonb_build_array(%(item)s::jsonb)
WHERE id = %(audit_id)s;

-- name: find_oldest_left (statuses, queue)
-- The last event of the finished job with the smallest id, of one queue or of all: then it is one
-- index entry a status.
SELECT (SELECT max(e.at) FROM procrastinate_events e
        WHERE e.job_id = oldest.id AND e.type <> 'scheduled') AS at
FROM unnest(%(statuses)s::procrastinate_job_status[]) AS wanted (status)
CROSS JOIN LATERAL (
    SELECT j.id FROM procrastinate_jobs j
    WHERE j.status = wanted.status
      AND j.status IN ('succeeded', 'failed', 'cancelled', 'aborted')
      AND (%(queue)s::text IS NULL OR j.queue_name = %(queue)s)
    ORDER BY j.id LIMIT 1
) AS oldest
ORDER BY oldest.id LIMIT 1;

-- name: trim_failures (cutoff, limit)
-- Failures of jobs that are gone, by jobs_maint_failures_failed_at_idx. A job that was deferred
-- after the failure is another one that has the id now.
DELETE FROM jobs_maint_failures f WHERE f.id IN (
    SELECT old.id FROM jobs_maint_failures old
    WHERE old.failed_at < %(cutoff)s
      AND NOT EXISTS (
          SELECT 1 FROM procrastinate_jobs j WHERE j.id = old.job_id
            AND old.failed_at >= coalesce((SELECT min(e.at) FROM procrastinate_events e
                                           WHERE e.job_id = j.id AND e.type <> 'scheduled'),
                                          '-infinity'))
    ORDER BY old.failed_at LIMIT %(limit)s);

-- name: trim_tracebacks (cutoff, limit)
-- Not seen for a long time, and not used by a failure that is kept.
-- The age is checked on the row itself as well: a recorder may have touched it meanwhile.
DELETE FROM jobs_maint_tracebacks t WHERE t.last_seen_at < %(cutoff)s AND t.hash IN (
    SELECT old.hash FROM jobs_maint_tracebacks old
    WHERE old.last_seen_at < %(cutoff)s
      AND NOT EXISTS (SELECT 1 FROM jobs_maint_failures f WHERE f.traceback_hash = old.hash)
    LIMIT %(limit)s);

-- name: trim_audit (cutoff, limit)
DELETE FROM jobs_maint_audit a WHERE a.id IN (
    SELECT id FROM jobs_maint_audit WHERE started_at < %(cutoff)s AND outcome <> 'started'
    ORDER BY started_at LIMIT %(limit)s);

-- name: trim_audit_items (cutoff, limit)
-- Of entries that are gone or go now.
DELETE FROM jobs_maint_audit_items i WHERE i.id IN (
    SELECT old.id FROM jobs_maint_audit_items old
    WHERE NOT EXISTS (SELECT 1 FROM jobs_maint_audit a
                      WHERE a.id = old.audit_id AND a.started_at >= %(cutoff)s)
    ORDER BY old.id LIMIT %(limit)s);

-- name: trim_selections (cutoff, limit)
DELETE FROM jobs_maint_selections s WHERE s.key IN (
    SELECT key FROM jobs_maint_selections WHERE expires_at < %(cutoff)s LIMIT %(limit)s);

-- name: trim_requests (cutoff, limit)
DELETE FROM jobs_maint_requests r WHERE r.key IN (
    SELECT key FROM jobs_maint_requests WHERE taken_at < %(cutoff)s LIMIT %(limit)s);

-- name: trim_digests (cutoff, limit)
-- The last window of each name is kept: the next one begins where it ended.
DELETE FROM jobs_maint_digests d WHERE d.id IN (
    SELECT id FROM jobs_maint_digests old WHERE until < %(cutoff)s
      AND EXISTS (SELECT 1 FROM jobs_maint_digests newer
                  WHERE newer.name = old.name AND newer.until > old.until
                    AND newer.state IN ('sent', 'quiet'))
    LIMIT %(limit)s);

-- name: trim_groups (cutoff, limit)
-- Groups that were not seen for long, and beyond 5,000 those that were not seen for longest. A mute
-- that lasts keeps its group.
DELETE FROM jobs_maint_groups g WHERE g.name IN (
    SELECT name FROM (
        SELECT name, last_at, row_number() OVER (ORDER BY last_at DESC) AS place
        FROM jobs_maint_groups WHERE muted_until IS NULL OR muted_until < now()
    ) AS old WHERE last_at < %(cutoff)s OR place > 5000
    LIMIT %(limit)s);

-- name: trim_incidents (cutoff, limit)
-- By jobs_maint_incidents_resolved_idx.
DELETE FROM jobs_maint_incidents i WHERE i.id IN (
    SELECT id FROM jobs_maint_incidents
    WHERE resolved_at < %(cutoff)s AND coalesce(muted_until < now(), true)
    ORDER BY resolved_at LIMIT %(limit)s);

-- name: give_ids (ids)
-- A block takes no parameters: it reads them from a setting of this transaction.
SELECT set_config('jobs_maint.ids', %(ids)s, true);

-- name: try_each
-- Each row in a savepoint of its own, and which of them are refused, and why. Of errors that are not
-- of the row (connection, races, resources, operator, system) the first ends it.
DO $block$
DECLARE
    one bigint;
    refused json[] := '{}';
    state text;
    said text;
    found_table text;
    found_constraint text;
    found_context text;
BEGIN
    FOREACH one IN ARRAY string_to_array(current_setting('jobs_maint.ids'), ',')::bigint[] LOOP
        BEGIN
            DELETE FROM procrastinate_jobs WHERE id = one;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, said = MESSAGE_TEXT,
                found_table = TABLE_NAME, found_constraint = CONSTRAINT_NAME,
                found_context = PG_EXCEPTION_CONTEXT;
            IF state = '55P03' OR left(state, 2) IN ('08', '25', '40', '53', '57', '58') THEN
                RAISE;
            END IF;
            refused := refused || json_build_object(
                'id', one, 'state', state, 'said', left(said, 300),
                'table', found_table, 'constraint', found_constraint, 'context', left(found_context, 3000));
        END;
    END LOOP;
    PERFORM set_config('jobs_maint.refused', array_to_json(refused)::text, true);
END
$block$;

-- name: get_refused
SELECT current_setting('jobs_maint.refused') AS refused;
