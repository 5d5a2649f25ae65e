-- Jobs that ended in the last day: the whole hours that are noted, and the rest.

-- name: find_hours
-- Whether hours can be noted (the table is there) and found (the index is valid, or each count of an
-- hour reads all events).
SELECT to_regclass('jobs_maint_hours') IS NOT NULL
       AND EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('jobs_maint_events_at_idx')
                   AND indisvalid) AS noted;

-- name: list_hours (since, until)
-- The noted hours that begin between the two.
SELECT hour, ended FROM jobs_maint_hours
WHERE hour >= %(since)s AND hour <= %(until)s;

-- name: note_hour (hour, ended)
INSERT INTO jobs_maint_hours (hour, ended) VALUES (%(hour)s, %(ended)s) ON CONFLICT DO NOTHING;

-- name: drop_hours (until)
DELETE FROM jobs_maint_hours WHERE hour < %(until)s;

-- name: count_ended (since, until, hour_ago, after_id, last_id, queue, ours)
-- Ends and retries by queue, after `since` and up to `until`: the events of the pages that
-- jobs_maint_events_at_idx names. Nearly all of their jobs were deferred in that time too, between
-- the two ids: they lie together and are read at once; the others are looked up. The planner expects
-- far too few events where jobs are scheduled ahead: a FULL JOIN is never one lookup per event.
WITH found AS MATERIALIZED (
    SELECT e.job_id, e.type, e.at, j.queue_name, j.task_name
    FROM (SELECT job_id, type, at FROM procrastinate_events
          WHERE at > %(since)s AND at <= %(until)s AND type <> 'scheduled'
            AND type IN ('succeeded', 'failed', 'deferred_for_retry')) AS e
    FULL JOIN (SELECT id, queue_name, task_name FROM procrastinate_jobs
               WHERE id > %(after_id)s AND id <= %(last_id)s) AS j ON j.id = e.job_id
), ended AS (
    SELECT queue_name, type, at > %(hour_ago)s AS last_hour, task_name = ANY (%(ours)s) AS own,
           CASE WHEN queue_name IS NULL THEN job_id END AS looked_up, count(*) AS jobs
    FROM found WHERE job_id IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5
), counted AS (
    SELECT queue_name, type, last_hour, jobs FROM ended WHERE NOT own
    UNION ALL
    SELECT j.queue_name, ended.type, ended.last_hour, ended.jobs
    FROM ended
    CROSS JOIN LATERAL (
        SELECT queue_name FROM procrastinate_jobs
        WHERE id = ended.looked_up AND task_name <> ALL (%(ours)s)
        OFFSET 0
    ) AS j
)
SELECT queue_name, type::text, sum(jobs)::bigint AS jobs,
       coalesce(sum(jobs) FILTER (WHERE last_hour), 0)::bigint AS last_hour
FROM counted WHERE %(queue)s::text IS NULL OR queue_name = %(queue)s
GROUP BY queue_name, counted.type;

-- name: count_gone (since, until, hour_ago, queue, ours)
-- Failures by queue of jobs that were deleted since: {{gone}}.
WITH {{gone}}
SELECT queue_name, 'failed' AS type, count(*) AS jobs,
       count(*) FILTER (WHERE failed_at > %(hour_ago)s) AS last_hour
FROM gone WHERE %(queue)s::text IS NULL OR queue_name = %(queue)s
GROUP BY queue_name;
