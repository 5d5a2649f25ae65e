-- Who did what, with what outcome.

-- name: insert_entry (actor_kind, actor_id, actor_name, channel, word, action, outcome, counts, items, error_code, error, elapsed_seconds)
-- Returns the id. The same statement for acts (in their transaction) and refusals (in their own).
INSERT INTO jobs_maint_audit (actor_kind, actor_id, actor_name, channel, word, action, outcome,
                              counts, items, error_code, error, elapsed_seconds)
VALUES (%(actor_kind)s, %(actor_id)s, %(actor_name)s, %(channel)s, %(word)s, %(action)s,
        %(outcome)s, %(counts)s, %(items)s, %(error_code)s, %(error)s, %(elapsed_seconds)s)
RETURNING id;

-- name: open_run (audit_id, lease_seconds, total, channel, ts)
INSERT INTO jobs_maint_runs (audit_id, lease_until, total, channel, ts)
VALUES (%(audit_id)s, now() + make_interval(secs => %(lease_seconds)s), %(total)s, %(channel)s,
        %(ts)s);

-- name: advance_run (audit_id, lease_seconds, counts)
-- In the transaction of each batch: the counts so far are what was committed. `go_on` is false
-- when the run was asked to stop, and when its lease ran out and another process marked it
-- interrupted: this batch is then its last, and counted all the same.
WITH run AS (
    UPDATE jobs_maint_runs
    SET lease_until = now() + make_interval(secs => %(lease_seconds)s), progress = %(counts)s
    WHERE audit_id = %(audit_id)s AND state = 'running'
    RETURNING stop_requested
)
UPDATE jobs_maint_audit a SET counts = %(counts)s
WHERE a.id = %(audit_id)s AND a.outcome IN ('started', 'interrupted')
RETURNING coalesce((SELECT NOT stop_requested FROM run), false) AS go_on;

-- name: renew_lease (audit_id, lease_seconds)
-- A sign of life during a long statement. Writes nothing while the batches renew the lease; a
-- locked row is renewed by whoever holds it.
UPDATE jobs_maint_runs
SET lease_until = now() + make_interval(secs => %(lease_seconds)s)
WHERE audit_id = (
    SELECT audit_id FROM jobs_maint_runs
    WHERE audit_id = %(audit_id)s AND state = 'running'
      AND lease_until < now() + make_interval(secs => %(lease_seconds)s * 0.75)
    FOR UPDATE SKIP LOCKED);

-- name: keep_untold (audit_id, lease_seconds, channel)
-- A short act that a channel has to be told of: in the act's own transaction.
INSERT INTO jobs_maint_runs (audit_id, lease_until, channel, state)
VALUES (%(audit_id)s, now() + make_interval(secs => %(lease_seconds)s), %(channel)s, 'ended');

-- name: close_run (audit_id, lease_seconds, outcome, counts, error_code, error, elapsed_seconds)
-- Without counts, those of the committed batches are kept. Returns the counts, and no row when the
-- run was already closed. Its own process knows better than the one that marked it interrupted. One
-- with a message in a channel is kept until that is told.
WITH gone AS (
    DELETE FROM jobs_maint_runs WHERE audit_id = %(audit_id)s AND channel IS NULL
), untold AS (
    UPDATE jobs_maint_runs
    SET state = 'ended', lease_until = now() + make_interval(secs => %(lease_seconds)s)
    WHERE audit_id = %(audit_id)s AND channel IS NOT NULL
)
UPDATE jobs_maint_audit
SET outcome = %(outcome)s, counts = coalesce(%(counts)s, counts), error_code = %(error_code)s, error = %(error)s,
    elapsed_seconds = %(elapsed_seconds)s
WHERE id = %(audit_id)s AND outcome IN ('started', 'interrupted')
RETURNING counts;

-- name: interrupt_runs (lease_seconds)
-- Runs whose process is gone: their lease ran out. They took as long as they gave signs of life.
-- Returns how many were marked. One with a message in a channel is kept until a bot has updated that
-- message.
WITH lost AS (
    UPDATE jobs_maint_runs SET state = 'interrupted'
    WHERE state = 'running' AND lease_until < now()
    RETURNING audit_id, lease_until - make_interval(secs => %(lease_seconds)s) AS lived_until
)
UPDATE jobs_maint_audit a SET outcome = 'interrupted',
    elapsed_seconds = greatest(0, extract(epoch FROM lost.lived_until - a.started_at))
FROM lost WHERE a.id = lost.audit_id AND a.outcome = 'started'
RETURNING a.id;

-- name: interrupt_unheld_runs
-- Those of which no row of a run is left, so that nobody will close them: by the index on
-- started_at. Nobody knows how long they took.
UPDATE jobs_maint_audit a SET outcome = 'interrupted'
WHERE a.outcome = 'started' AND a.started_at > now() - interval '30 days'
  AND NOT EXISTS (SELECT FROM jobs_maint_runs r WHERE r.audit_id = a.id);

-- name: ask_to_stop (audit_id)
-- Whose run it is, and its words, if it is still running.
UPDATE jobs_maint_runs r SET stop_requested = true
FROM jobs_maint_audit a
WHERE r.audit_id = %(audit_id)s AND r.state = 'running' AND r.lease_until >= now()
  AND a.id = r.audit_id
RETURNING a.actor_kind, a.actor_id, a.action;

-- name: find_stopper (audit_id)
-- Who asked it to stop last: the request is in the audit too, after it.
SELECT s.actor_kind, s.actor_id, s.actor_name
FROM jobs_maint_audit s JOIN jobs_maint_audit a ON a.id = %(audit_id)s
WHERE s.id > a.id AND s.action = 'stop ' || a.id AND s.outcome = 'done'
  AND (s.actor_kind, s.actor_id) <> (a.actor_kind, a.actor_id)
ORDER BY s.id DESC LIMIT 1;

-- name: forget_silent_runs
-- Interrupted runs without a message: nothing has to be updated for them.
DELETE FROM jobs_maint_runs WHERE state = 'interrupted' AND channel IS NULL;

-- name: take_lost_runs (lease_seconds)
-- Interrupted runs whose message has to say so, and ended acts that were not told because their bot
-- died or Slack did not answer; for one process at a time.
UPDATE jobs_maint_runs r
SET lease_until = now() + make_interval(secs => %(lease_seconds)s)
FROM jobs_maint_audit a
WHERE a.id = r.audit_id AND r.audit_id IN (
    SELECT audit_id FROM jobs_maint_runs
    WHERE state IN ('interrupted', 'ended') AND channel IS NOT NULL AND lease_until < now()
    ORDER BY audit_id LIMIT 20 FOR UPDATE SKIP LOCKED)
RETURNING r.audit_id, r.channel, r.ts, r.total, a.actor_id, a.word, a.action, a.counts,
          a.started_at, a.outcome, a.items, a.error;

-- name: count_skips (audit_id)
-- The jobs that a set has left as they were, by the code of their reason.
SELECT code, sum(cardinality(job_ids))::bigint AS jobs FROM jobs_maint_audit_items
WHERE audit_id = %(audit_id)s AND outcome = 'skipped' GROUP BY code ORDER BY 2 DESC, 1;

-- name: list_changed_by (audit_id)
-- The jobs that an act has changed, by queue: those that wait now, and running ones that it asked to
-- abort.
SELECT j.queue_name, count(*) FILTER (WHERE j.status = 'todo') AS waiting,
       coalesce(array_agg(j.id) FILTER (WHERE j.status = 'doing' AND j.abort_requested), '{}') AS aborting
FROM (
    SELECT unnest(job_ids) AS id FROM jobs_maint_audit_items
    WHERE audit_id = %(audit_id)s AND outcome = 'done'
    UNION
    SELECT (item ->> 'id')::bigint FROM jobs_maint_audit a CROSS JOIN jsonb_array_elements(a.items) item
    WHERE a.id = %(audit_id)s AND item ->> 'outcome' = 'done'
) AS changed
JOIN procrastinate_jobs j ON j.id = changed.id
GROUP BY 1 ORDER BY 2 DESC, 1;

-- name: forget_run (audit_id)
-- It was told. One whose end is not written yet stays, so that it is marked interrupted when its
-- lease runs out, but no message has to say so.
WITH open AS (
    UPDATE jobs_maint_runs SET channel = NULL, ts = NULL
    WHERE audit_id = %(audit_id)s AND state = 'running'
)
DELETE FROM jobs_maint_runs WHERE audit_id = %(audit_id)s AND state <> 'running';

-- name: claim_request (key)
-- One row the first time; none when any replica has already taken the request.
INSERT INTO jobs_maint_requests (key) VALUES (%(key)s) ON CONFLICT DO NOTHING RETURNING key;

-- name: list_audit (actor, since_seconds, limit)
-- Newest first, with how many match in all. An actor is found by each spelling that is shown:
-- `slack:U0EVE (admin)`, `task:jobs_maint:rescue_stalled_jobs`, `the task rescue_stalled_jobs`.
SELECT a.id AS audit_id, a.started_at, a.actor_kind, a.actor_id, a.actor_name, a.channel, a.action,
       a.outcome, a.counts, a.error, a.elapsed_seconds, count(*) OVER () AS total
FROM jobs_maint_audit a
WHERE a.started_at > now() - make_interval(secs => %(since_seconds)s)
  AND (%(actor)s::text IS NULL
       OR strpos(lower(regexp_replace(concat_ws(
                     ' ', a.actor_kind || ':' || a.actor_id || ' (' || a.actor_name || ')',
                     'the', a.actor_kind, regexp_replace(a.actor_id, '^.*:', ''), a.actor_name,
                     a.actor_kind, a.actor_id, a.actor_name), '\s+', ' ', 'g')),
                 lower(%(actor)s)) > 0)
ORDER BY a.started_at DESC, a.id DESC LIMIT %(limit)s;
