-- Deleting old finished jobs, and trimming our own tables.

-- name: find_bound (cutoff)
-- The largest id of a job deferred before the cut-off: a job that ended before it was deferred
-- before it, and ids grow with the time of the defer. A binary search over the primary key and
-- the index on events (job_id): about 25 lookups, whatever the size of the table.
-- Only a bound: the check of each row stays the judge.
WITH RECURSIVE search AS (
    SELECT (SELECT min(id) FROM procrastinate_jobs) - 1 AS low,
           (SELECT max(id) FROM procrastinate_jobs) AS high
    UNION ALL
    SELECT CASE WHEN probe.old THEN probe.id ELSE s.low END,
           CASE WHEN probe.old THEN s.high ELSE probe.mid - 1 END
    FROM search s
    CROSS JOIN LATERAL (SELECT s.low + (s.high - s.low + 1) / 2 AS mid) AS half
    CROSS JOIN LATERAL (
        -- the first job at or after the middle; none there or a young one: go left
        SELECT half.mid, j.id,
               coalesce(j.id <= s.high, false)
               AND coalesce((SELECT min(e.at) FROM procrastinate_events e
                             WHERE e.job_id = j.id AND e.type <> 'scheduled') < %(cutoff)s,
                            true) AS old
        FROM (SELECT 1) AS one
        LEFT JOIN LATERAL (SELECT id FROM procrastinate_jobs WHERE id >= half.mid
                           ORDER BY id LIMIT 1) AS j ON true
    ) AS probe
    WHERE s.low < s.high
)
SELECT low AS bound FROM search WHERE low >= high OR high IS NULL LIMIT 1;

-- name: lock_finished_batch (after, bound, statuses, cutoff, limit, queue)
-- The next finished jobs in id order whose newest event that is not `scheduled` (that one lies in
-- the future) is older than the cut-off. Rows somebody holds are left for the next night.
SELECT j.id FROM procrastinate_jobs j
WHERE j.id > %(after)s AND j.id <= %(bound)s
  AND (%(queue)s::text IS NULL OR j.queue_name = %(queue)s)
  AND j.status = ANY (%(statuses)s::procrastinate_job_status[])
  AND (SELECT max(e.at) FROM procrastinate_events e
       WHERE e.job_id = j.id AND e.type <> 'scheduled') < %(cutoff)s
ORDER BY j.id LIMIT %(limit)s FOR UPDATE OF j SKIP LOCKED;

-- name: delete_locked_batch (ids, statuses, cutoff)
-- A second statement, because the first one's snapshot is older than its locks: a job put back and
-- ended again in between is in a final status once more, but young. Returns one row a status.
WITH gone AS (
    DELETE FROM procrastinate_jobs j
    WHERE j.id = ANY (%(ids)s::bigint[])
      AND j.status = ANY (%(statuses)s::procrastinate_job_status[])
      AND (SELECT max(e.at) FROM procrastinate_events e
           WHERE e.job_id = j.id AND e.type <> 'scheduled') < %(cutoff)s
    RETURNING j.status
)
SELECT status::text AS status, count(*) AS deleted FROM gone GROUP BY 1;

-- name: count_finished (bound, statuses, cutoff, queue)
-- What the purge would delete: the same conditions, selecting.
SELECT j.status::text AS status, count(*) AS jobs FROM procrastinate_jobs j
WHERE j.id <= %(bound)s AND (%(queue)s::text IS NULL OR j.queue_name = %(queue)s)
  AND j.status = ANY (%(statuses)s::procrastinate_job_status[])
  AND (SELECT max(e.at) FROM procrastinate_events e
       WHERE e.job_id = j.id AND e.type <> 'scheduled') < %(cutoff)s
GROUP BY 1;

-- name: find_oldest_left (statuses)
-- The last event of the finished job with the smallest id.
SELECT (SELECT max(e.at) FROM procrastinate_events e
        WHERE e.job_id = j.id AND e.type <> 'scheduled') AS at
FROM procrastinate_jobs j WHERE j.status = ANY (%(statuses)s::procrastinate_job_status[])
ORDER BY j.id LIMIT 1;

-- name: trim_failures (cutoff, limit)
-- Failures of jobs that are gone, by jobs_maint_failures_failed_at_idx.
DELETE FROM jobs_maint_failures f WHERE f.id IN (
    SELECT old.id FROM jobs_maint_failures old
    WHERE old.failed_at < %(cutoff)s
      AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.id = old.job_id)
    ORDER BY old.failed_at LIMIT %(limit)s);

-- name: trim_tracebacks (cutoff, limit)
-- Not seen for long and belonging to no failure that is kept.
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
-- The last window of each name stays: the next one begins where it ended.
DELETE FROM jobs_maint_digests d WHERE d.id IN (
    SELECT id FROM jobs_maint_digests old WHERE until < %(cutoff)s
      AND EXISTS (SELECT 1 FROM jobs_maint_digests newer
                  WHERE newer.name = old.name AND newer.until > old.until
                    AND newer.state IN ('sent', 'quiet'))
    LIMIT %(limit)s);
