-- Running jobs and the workers that run them.

-- name: list_running (limit, stalled_after, stalled_after_unknown)
-- Every running job: since when, whether a fresh beat names it, and what the rescue thinks.
-- `unreported`: the rescue has noticed that nobody runs it, or will at its next pass.
SELECT j.id AS job_id, j.queue_name AS queue, j.task_name AS task, j.attempts, started.at AS started_at,
       CASE WHEN isfinite(started.at) THEN extract(epoch FROM now() - started.at) END::float8
           AS running_seconds,
       coalesce(CASE WHEN known.names_it_now THEN known.worker_id END, j.worker_id) AS worker_id,
       coalesce(known.names_it_now, false) AS named,
       CASE WHEN known.host IS NOT NULL THEN known.host || ' pid ' || known.pid
            WHEN m.host IS NOT NULL THEN m.host || ' pid ' || m.pid END AS worker,
       {{unreported}} AS unreported,
       extract(epoch FROM now() - s.first_noticed_at)::float8 AS noticed_seconds,
       extract(epoch FROM due.at - now())::float8 AS due_in_seconds
FROM {{running_jobs}}
LEFT JOIN jobs_maint_suspects s ON s.job_id = j.id AND s.attempt = j.attempts
     AND s.started_at IS NOT DISTINCT FROM started.at
{{due}}
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
