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
-- the two ids: they lie together, are read at once and hashed; the others are looked up. A plain
-- join reads the whole table of jobs, or four pages per job.
WITH ended AS (
    SELECT j.queue_name, e.type, e.at > %(hour_ago)s AS last_hour,
           j.task_name = ANY (%(ours)s) AS own,
           CASE WHEN j.id IS NULL THEN e.job_id END AS looked_up, count(*) AS jobs
    FROM procrastinate_events e
    LEFT JOIN procrastinate_jobs j
        ON j.id = e.job_id AND j.id > %(after_id)s AND j.id <= %(last_id)s
    WHERE e.at > %(since)s AND e.at <= %(until)s AND e.type <> 'scheduled'
      AND e.type IN ('succeeded', 'failed', 'deferred_for_retry')
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
