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
-- Failures by queue, after `since` and up to `until`, of jobs that were deleted since: their events
-- are gone with them, their records are left. Of which failures a record tells is as in
-- `group_failures`. Jobs with as many `failed` events of that time (jobs_maint_failed_events_idx) as
-- records are not looked at; the others are looked up, one by one. A record from before the first event
-- of a job is of another that had its id.
WITH record AS MATERIALIZED (
    SELECT job_id, attempt, queue_name, failed_at, kind, will_retry FROM jobs_maint_failures
    WHERE failed_at > %(since)s AND failed_at <= %(until)s AND task_name <> ALL (%(ours)s)
      AND (%(queue)s::text IS NULL OR queue_name = %(queue)s)
), final AS (
    SELECT job_id, queue_name, failed_at FROM record
    WHERE NOT will_retry AND kind <> 'aborted'
      AND (kind = 'worker_lost' OR (job_id, attempt) NOT IN (
          SELECT job_id, attempt FROM record WHERE kind = 'worker_lost'))
), more_records AS (
    SELECT job_id, min(queue_name) AS queue_name,
           array_agg(failed_at) FILTER (WHERE failed_at IS NOT NULL) AS times
    FROM (
        SELECT job_id, queue_name, failed_at FROM final
        UNION ALL
        SELECT job_id, NULL, NULL FROM procrastinate_events
        WHERE type = 'failed' AND at > %(since)s::timestamptz - interval '1 minute'
          AND at <= %(until)s::timestamptz + interval '1 minute'
    ) AS either
    GROUP BY job_id HAVING count(failed_at) > count(*) - count(failed_at)
)
SELECT queue_name, 'failed' AS type, sum(gone.jobs)::bigint AS jobs,
       sum(gone.last_hour)::bigint AS last_hour
FROM more_records
LEFT JOIN LATERAL (
    SELECT coalesce((SELECT min(e.at) FROM procrastinate_events e
                     WHERE e.job_id = j.id AND e.type <> 'scheduled'), '-infinity') AS first_at
    FROM procrastinate_jobs j WHERE j.id = more_records.job_id
) AS job ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS jobs, count(*) FILTER (WHERE at > %(hour_ago)s) AS last_hour
    FROM unnest(times) AS at WHERE at < coalesce(job.first_at, 'infinity')
) AS gone
GROUP BY queue_name HAVING sum(gone.jobs) > 0;
