-- The queues now and lately. Our own tasks (names like %(ours)s) are left out.

-- name: list_queues
-- Names of all queues with jobs, by a loose scan of procrastinate_jobs_queue_name_idx_v1: one
-- index lookup a queue, whatever the number of jobs.
WITH RECURSIVE queue AS (
    (SELECT queue_name FROM procrastinate_jobs ORDER BY queue_name LIMIT 1)
    UNION ALL
    SELECT (SELECT j.queue_name FROM procrastinate_jobs j
            WHERE j.queue_name > queue.queue_name ORDER BY j.queue_name LIMIT 1)
    FROM queue WHERE queue.queue_name IS NOT NULL
)
SELECT queue_name FROM queue WHERE queue_name IS NOT NULL;

-- name: count_jobs (queue, ours)
-- Jobs by queue, status and whether they wait for a later time.
SELECT queue_name, status::text AS status,
       status = 'todo' AND coalesce(scheduled_at > now(), false) AS ahead, count(*) AS jobs
FROM procrastinate_jobs
WHERE (%(queue)s::text IS NULL OR queue_name = %(queue)s)
  AND NOT task_name LIKE ANY (%(ours)s)
GROUP BY 1, 2, 3;

-- name: find_oldest_ready (queues, ours)
-- Seconds the oldest ready job of each queue has been ready: since it was deferred, put back or
-- due. Looks at the first 1000 ready ids of a queue: an older one behind them would have to have
-- been put back later than they were deferred.
SELECT q.queue_name, max(extract(epoch FROM now() - r.since))::float8 AS seconds
FROM unnest(%(queues)s::text[]) AS q (queue_name)
CROSS JOIN LATERAL (
    SELECT j.id, j.scheduled_at FROM procrastinate_jobs j
    WHERE j.queue_name = q.queue_name AND j.status = 'todo'
      AND (j.scheduled_at IS NULL OR j.scheduled_at <= now())
      AND NOT j.task_name LIKE ANY (%(ours)s)
    ORDER BY j.id LIMIT 1000
) AS j
CROSS JOIN LATERAL (
    SELECT greatest(j.scheduled_at, max(e.at)) AS since FROM procrastinate_events e
    WHERE e.job_id = j.id AND e.type <> 'scheduled'
) AS r
GROUP BY 1;

-- name: count_finished (queue, ours)
-- Ends and retries of the last hour and day by queue. `scheduled` events lie in the future and
-- are none of these types.
SELECT j.queue_name, e.type::text AS type, count(*) AS last_day,
       count(*) FILTER (WHERE e.at > now() - interval '1 hour') AS last_hour
FROM procrastinate_events e
JOIN procrastinate_jobs j ON j.id = e.job_id
WHERE e.at > now() - interval '24 hours' AND e.at <= now()
  AND e.type IN ('succeeded', 'failed', 'deferred_for_retry')
  AND (%(queue)s::text IS NULL OR j.queue_name = %(queue)s)
  AND NOT j.task_name LIKE ANY (%(ours)s)
GROUP BY 1, 2;

-- name: count_put_back (queue, ours)
-- Jobs that were put back because their worker died: their `deferred_for_retry` events are no
-- retries of the task.
SELECT queue_name, count(*) AS last_day,
       count(*) FILTER (WHERE failed_at > now() - interval '1 hour') AS last_hour
FROM jobs_maint_failures
WHERE failed_at > now() - interval '24 hours' AND kind = 'worker_lost' AND will_retry
  AND (%(queue)s::text IS NULL OR queue_name = %(queue)s)
  AND NOT task_name LIKE ANY (%(ours)s)
GROUP BY 1;

-- name: count_workers
-- Live: a fresh beat (within three of its own) or a fresh heartbeat of Procrastinate. Silent: the
-- others that Procrastinate still lists, or whose last beat names a job that is still running. One
-- that is neither ended without a goodbye and left nothing behind.
SELECT count(*) FILTER (WHERE live) AS live, count(*) FILTER (WHERE NOT live) AS silent
FROM (
    SELECT coalesce(w.last_heartbeat > now() - interval '30 seconds', false)
           OR coalesce(m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds), false) AS live
    FROM procrastinate_workers w
    FULL JOIN jobs_maint_workers m ON m.worker_id = w.id
    WHERE w.id IS NOT NULL
       OR m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds)
       OR EXISTS (SELECT 1 FROM procrastinate_jobs j
                  WHERE j.id = ANY (m.job_ids) AND j.status = 'doing')
) AS workers;

-- name: list_maintenance (queue)
-- The last end of each of our tasks, by the index on queue_name: our queue is small.
SELECT DISTINCT ON (j.task_name) j.task_name AS task, e.at AS finished_at,
       e.type = 'succeeded' AS succeeded
FROM procrastinate_jobs j
JOIN procrastinate_events e ON e.job_id = j.id AND e.type IN ('succeeded', 'failed')
WHERE j.queue_name = %(queue)s AND j.task_name LIKE 'jobs\_maint:%%'
ORDER BY j.task_name, e.at DESC;

-- name: get_time
SELECT now() AS now;
