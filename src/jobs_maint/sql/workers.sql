-- Running jobs and the workers that run them.

-- name: list_running (limit, stalled_after, stalled_after_unknown, heard_from)
-- Every running job: since when, whether a fresh beat names it, and what the rescue thinks. `worker_id`:
-- of who runs it, or ran it last; a worker that starts later takes a dead one's id off its jobs.
-- `unreported`: the rescue has noticed that nobody runs it, or will at its next pass. `silent_seconds`:
-- since the last sign of life of a worker that beats every `beat_seconds`. Those that nobody runs come
-- first, so that no limit hides one.
SELECT j.id AS job_id, j.queue_name AS queue, j.task_name AS task, j.attempts, started.at AS started_at,
       CASE WHEN isfinite(started.at) THEN extract(epoch FROM now() - started.at) END::float8
           AS running_seconds,
       coalesce(CASE WHEN known.names_it_now THEN known.worker_id END, j.worker_id, known.worker_id,
                s.worker_id) AS worker_id,
       coalesce(known.names_it_now, false) AS named,
       CASE WHEN known.host IS NOT NULL THEN known.host || ' pid ' || known.pid
            WHEN m.host IS NOT NULL THEN m.host || ' pid ' || m.pid END AS worker,
       {{unreported}} AS unreported, known.beat_seconds,
       extract(epoch FROM now() - greatest(
           known.beat_at, w.last_heartbeat, CASE WHEN isfinite(started.at) THEN started.at END
       ))::float8 AS silent_seconds,
       extract(epoch FROM now() - s.first_noticed_at)::float8 AS noticed_seconds,
       extract(epoch FROM due.at - now())::float8 AS due_in_seconds, {{by_hand}}
FROM {{running_jobs}}
LEFT JOIN jobs_maint_suspects s ON s.job_id = j.id AND s.attempt = j.attempts
     AND s.started_at IS NOT DISTINCT FROM started.at
{{due}}
WHERE j.status = 'doing'
ORDER BY unreported DESC, started.at NULLS FIRST, j.id LIMIT %(limit)s;

-- name: count_running
-- All of them, by queue.
SELECT queue_name AS queue, count(*) AS jobs FROM procrastinate_jobs WHERE status = 'doing' GROUP BY 1;

-- name: count_stuck (stalled_after, stalled_after_unknown, heard_from, most)
-- Of the running jobs that are `unreported`, at most `most`, by queue: how many, how many the rescue
-- should have put back by now, and how long ago it noticed the first.
SELECT queue, count(*) AS jobs,
       count(*) FILTER (WHERE due_at < now() - interval '15 minutes') AS overdue,
       extract(epoch FROM now() - min(first_noticed_at))::float8 AS noticed_seconds,
       (array_agg(job_id ORDER BY job_id))[1:3] AS sample
FROM (
    SELECT j.id AS job_id, j.queue_name AS queue, s.first_noticed_at, due.at AS due_at
    FROM {{running_jobs}}
    LEFT JOIN jobs_maint_suspects s ON s.job_id = j.id AND s.attempt = j.attempts
         AND s.started_at IS NOT DISTINCT FROM started.at
    {{due}}
    WHERE j.status = 'doing' AND {{unreported}}
    LIMIT %(most)s
) AS stuck
GROUP BY queue;

-- name: list_workers (newest, newest_at)
-- Worker processes, live or silent. `ran`: it has run a job. `registered`: Procrastinate has its row.
SELECT coalesce(w.id, w.beaten_id) AS worker_id, w.host, w.pid, w.queues,
       w.id IS NOT NULL AS registered, w.beaten_id IS NOT NULL AS recorder, w.beat_seconds, w.live,
       NOT w.live AS silent, w.beaten_id IS NOT NULL OR {{ran}} AS ran,
       extract(epoch FROM now() - greatest(w.last_heartbeat, w.beat_at))::float8 AS seen_seconds
FROM {{workers}} WHERE {{still_told}}
ORDER BY live DESC, 1;

-- name: list_told
-- Which settings of maintenance the workers told, each once, with the newest workers that go by it; the
-- newest first. Of those that `maintain`: live ones that listen to the queue of their maintenance; where
-- there are none, of any live worker, or else of any. Older tables have no such column, so it is asked of
-- the row.
SELECT settings, count(*) AS workers, weight = 3 AS maintain,
       (array_agg(worker_id ORDER BY worker_id DESC))[1:3] AS sample
FROM (
    SELECT told.*, max(weight) OVER () AS heaviest FROM (
        SELECT m.worker_id, m.started_at, row.settings,
               CASE WHEN {{listens}}
                         AND (w.queues IS NULL OR row.settings ->> 'queue' = ANY (w.queues)) THEN 3
                    WHEN w.live THEN 2 ELSE 1 END AS weight
        FROM {{workers}} JOIN jobs_maint_workers m ON m.worker_id = w.beaten_id
        CROSS JOIN LATERAL (SELECT to_jsonb(m) #- '{settings,unstored}' -> 'settings' AS settings) AS row
    ) AS told
    WHERE jsonb_typeof(settings) = 'object' AND settings <> '{}'
) AS weighed
WHERE weight = heaviest
GROUP BY settings, weight
ORDER BY max(ARRAY[extract(epoch FROM started_at), worker_id]) DESC;

-- name: can_read_last
-- Older tables have no place for them.
SELECT coalesce(has_table_privilege(to_regclass('jobs_maint_settings'), 'SELECT'), false) AS readable;

-- name: get_last_told
-- What the last worker told that listens to the queue of its maintenance; it may have ended.
SELECT settings, 1 AS workers, ARRAY[worker_id] AS sample
FROM jobs_maint_settings WHERE jsonb_typeof(settings) = 'object';

-- name: get_newest
SELECT worker_id AS newest, told_at AS newest_at FROM jobs_maint_settings;

-- name: list_unstored
-- Live workers whose process holds failures that it cannot store; the most first.
SELECT m.worker_id, m.host, m.pid, m.queues, told.*
FROM jobs_maint_workers m
CROSS JOIN jsonb_to_record(coalesce(nullif(to_jsonb(m) #> '{settings,unstored}', 'null'), '{}'))
    AS told (waiting int, dropped int, reason text, since timestamptz)
WHERE told.waiting + told.dropped > 0
  AND m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds)
ORDER BY told.waiting + told.dropped DESC, 1;

-- name: get_awaited_since (seconds)
-- From when on a failure without a record may still get one; null where no recorder is live.
SELECT CASE WHEN EXISTS (
    SELECT FROM jobs_maint_workers m
    WHERE m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds)
) THEN now() - make_interval(secs => %(seconds)s) END AS since;

-- name: get_listeners
-- The queues that live workers listen to. `to_all`: one listens to all, or nobody knows to which.
SELECT coalesce(bool_or(w.live), false) AS live,
       coalesce(bool_or({{listens}} AND w.queues IS NULL), false) AS to_all,
       ARRAY(SELECT DISTINCT unnest(w.queues) FROM {{workers}} WHERE {{listens}}) AS queues
FROM {{workers}};
