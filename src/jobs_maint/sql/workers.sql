-- Running jobs and the workers that run them.

-- name: list_running (limit)
-- Every running job: since when, whether a fresh beat names it, and what the rescue thinks.
-- The partial unique index on (lock) WHERE status = 'doing' holds every running job.
SELECT j.id AS job_id, j.queue_name AS queue, j.task_name AS task, j.attempts, started.at AS started_at,
       CASE WHEN isfinite(started.at) THEN extract(epoch FROM now() - started.at) END::float8
           AS running_seconds,
       coalesce(named.worker_id, j.worker_id) AS worker_id, named.worker_id IS NOT NULL AS named,
       CASE WHEN m.host IS NOT NULL THEN m.host || ' pid ' || m.pid END AS worker,
       extract(epoch FROM now() - s.first_noticed_at)::float8 AS noticed_seconds, s.had_recorder,
       coalesce(w.last_heartbeat > now() - interval '30 seconds', false) AS heartbeat_fresh
FROM procrastinate_jobs j
CROSS JOIN LATERAL (SELECT max(e.at) AS at FROM procrastinate_events e
                    WHERE e.job_id = j.id AND e.type = 'started') AS started
LEFT JOIN LATERAL (
    SELECT m.worker_id FROM jobs_maint_workers m
    WHERE j.id = ANY (m.job_ids)
      AND m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds)
    ORDER BY m.beat_at DESC LIMIT 1) AS named ON true
LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
LEFT JOIN jobs_maint_suspects s ON s.job_id = j.id
LEFT JOIN jobs_maint_workers m ON m.worker_id = coalesce(named.worker_id, j.worker_id, s.worker_id)
WHERE j.status = 'doing'
ORDER BY started.at NULLS FIRST, j.id LIMIT %(limit)s;

-- name: list_workers
-- Worker processes by their beat and by Procrastinate's heartbeat; silent ones for an hour.
SELECT coalesce(w.id, m.worker_id) AS worker_id, m.host, m.pid, m.queues,
       m.worker_id IS NOT NULL AS recorder,
       coalesce(w.last_heartbeat > now() - interval '30 seconds', false)
           OR coalesce(m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds), false) AS live,
       extract(epoch FROM now() - greatest(w.last_heartbeat, m.beat_at))::float8 AS seen_seconds
FROM procrastinate_workers w
FULL JOIN jobs_maint_workers m ON m.worker_id = w.id
WHERE w.id IS NOT NULL OR m.beat_at > now() - interval '1 hour'
ORDER BY live DESC, 1;
