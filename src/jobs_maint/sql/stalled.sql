-- The rescue of jobs whose worker died.
--
-- A job is *named* when a worker's fresh beat (within three of its own beats) lists it. A beat
-- clears the suspicion of the jobs it names, so a suspect row always means: not named since.

-- name: drop_suspects
-- Suspects that somebody runs now, no longer running, or in another attempt.
DELETE FROM jobs_maint_suspects s
WHERE NOT EXISTS (
    SELECT 1 FROM {{running_jobs}}
    WHERE j.id = s.job_id AND j.status = 'doing' AND j.attempts = s.attempt
      AND started.at IS NOT DISTINCT FROM s.started_at
      AND {{unreported}}
);

-- name: notice_suspects
-- Running jobs that nobody can be said to run. `had_recorder`: its worker beat once, a beat since
-- this start names the job, or a recorder stored the error of this attempt. A suspect of which nothing
-- new is known is not touched: another pass may be acting on it.
INSERT INTO jobs_maint_suspects (job_id, attempt, started_at, worker_id, had_recorder)
SELECT j.id, j.attempts, started.at, coalesce(j.worker_id, known.worker_id),
       recorder.seen
FROM {{running_jobs}}
CROSS JOIN LATERAL (
    SELECT known.worker_id IS NOT NULL OR EXISTS (
        SELECT 1 FROM jobs_maint_failures f
        WHERE f.job_id = j.id AND f.kind <> 'worker_lost' AND f.failed_at >= started.at
          AND f.attempt = least(j.attempts, 2147483646) + 1) AS seen
) AS recorder
WHERE j.status = 'doing' AND {{unreported}}
  AND NOT EXISTS (
      SELECT 1 FROM jobs_maint_suspects s
      WHERE s.job_id = j.id
        AND (s.worker_id IS NOT NULL OR coalesce(j.worker_id, known.worker_id) IS NULL)
        AND (s.had_recorder OR NOT recorder.seen))
ON CONFLICT (job_id) DO UPDATE
    SET worker_id = coalesce(jobs_maint_suspects.worker_id, excluded.worker_id),
        had_recorder = jobs_maint_suspects.had_recorder OR excluded.had_recorder;

-- name: find_beat
-- Whether any worker beats and is not late, as `others_beat` has it.
SELECT EXISTS (SELECT 1 FROM jobs_maint_workers
               WHERE beat_at > now() - make_interval(secs => 1.25 * beat_seconds + 1.5)) AS beats;

-- name: count_unreported (ids)
-- Running jobs among these that nobody can be said to run.
SELECT count(*) AS jobs, min(j.id) AS first_id FROM {{running_jobs}}
WHERE j.status = 'doing' AND j.id = ANY (%(ids)s::bigint[]) AND {{unreported}};

-- name: lock_due (stalled_after, stalled_after_unknown, heard_from, until, limit)
-- Suspects for long enough at `until`, in id order. Rows another session holds are left for the next pass.
-- What is returned may be out of date by the time it is locked: the change re-checks.
SELECT j.id, j.queue_name, j.task_name, j.queueing_lock, s.attempt, s.started_at, s.worker_id,
       s.had_recorder, s.first_noticed_at, m.host, m.pid, m.beat_at, m.job_ids,
       coalesce(m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds), false) AS beats
FROM jobs_maint_suspects s
JOIN procrastinate_jobs j ON j.id = s.job_id
{{due}}
WHERE j.status = 'doing' AND due.at <= %(until)s
ORDER BY j.id LIMIT %(limit)s
FOR UPDATE OF j SKIP LOCKED;

-- name: list_not_locked (stalled_after, stalled_after_unknown, heard_from, until, seen, limit)
-- Due suspects that were left out though they are not too many: another session holds their rows, or
-- row-level security lets nobody lock them.
SELECT s.job_id AS id, j.queue_name, j.task_name
FROM jobs_maint_suspects s
JOIN procrastinate_jobs j ON j.id = s.job_id
{{due}}
WHERE j.status = 'doing' AND due.at <= %(until)s AND s.job_id <> ALL (%(seen)s::bigint[])
ORDER BY s.job_id LIMIT %(limit)s;

-- name: put_back (job_id, attempt, started_at, forced)
-- A second statement with a fresh snapshot: still running, the same attempt, and unless a person
-- forces it still named by nobody, still suspected. `attempts` counts the lost run.
UPDATE procrastinate_jobs j
SET status = 'todo', attempts = attempts + 1, worker_id = NULL, scheduled_at = NULL
WHERE j.id = %(job_id)s AND j.status = 'doing' AND j.attempts = %(attempt)s
  AND NOT j.abort_requested
  AND (SELECT max(e.at) FROM procrastinate_events e
       WHERE e.job_id = j.id AND e.type = 'started') IS NOT DISTINCT FROM %(started_at)s
  AND (%(forced)s OR (
      EXISTS (SELECT 1 FROM jobs_maint_suspects s WHERE s.job_id = j.id)
      AND NOT EXISTS (
          SELECT 1 FROM jobs_maint_workers m
          WHERE j.id = ANY (m.job_ids)
            AND m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds))))
RETURNING j.id, j.queue_name;

-- name: finish (job_id, attempt, started_at, status, forced)
-- The same re-check; ends the job as failed or aborted instead.
UPDATE procrastinate_jobs j
SET status = %(status)s::procrastinate_job_status, attempts = least(attempts, 2147483646) + 1,
    abort_requested = false, worker_id = NULL
WHERE j.id = %(job_id)s AND j.status = 'doing' AND j.attempts = %(attempt)s
  AND (SELECT max(e.at) FROM procrastinate_events e
       WHERE e.job_id = j.id AND e.type = 'started') IS NOT DISTINCT FROM %(started_at)s
  AND (%(forced)s OR (
      EXISTS (SELECT 1 FROM jobs_maint_suspects s WHERE s.job_id = j.id)
      AND NOT EXISTS (
          SELECT 1 FROM jobs_maint_workers m
          WHERE j.id = ANY (m.job_ids)
            AND m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds))))
RETURNING j.id, j.queue_name;

-- name: judge_jobs (ids, stalled_after, stalled_after_unknown, heard_from)
-- What is known about jobs that a person named, whose rows are locked: who runs them, whether that
-- worker is alive, whether they are suspects in this attempt, and when the rescue would act.
SELECT j.id, j.status::text AS status, j.queue_name, j.task_name, j.queueing_lock,
       j.attempts AS attempt, started.at AS started_at,
       coalesce(s.worker_id, known.worker_id, j.worker_id) AS worker_id,
       coalesce(known.host, m.host) AS host, coalesce(known.pid, m.pid) AS pid,
       coalesce(known.beat_at, m.beat_at) AS beat_at, coalesce(known.job_ids, m.job_ids) AS job_ids,
       coalesce(known.names_it_now, false) AS named,
       w.last_heartbeat,
       coalesce(w.last_heartbeat > now() - interval '30 seconds', false) AS heartbeat_fresh,
       s.first_noticed_at, s.job_id IS NOT NULL AS suspected, {{by_hand}},
       extract(epoch FROM now() - s.first_noticed_at)::float8 AS noticed_seconds,
       extract(epoch FROM now() - coalesce(known.beat_at, m.beat_at))::float8 AS silent_seconds,
       extract(epoch FROM due.at - now())::float8 AS due_in, now() AS looked_at
FROM {{running_jobs}}
LEFT JOIN jobs_maint_suspects s ON s.job_id = j.id AND s.attempt = j.attempts
     AND s.started_at IS NOT DISTINCT FROM started.at
{{due}}
WHERE j.id = ANY (%(ids)s::bigint[])
ORDER BY j.id;

-- name: get_states (job_ids)
-- Of locked rows: was an abort requested, and how often was it put back since a person last
-- retried it (an event `retried`). Records from before its defer belong to another job that had
-- this id.
SELECT j.id, j.abort_requested,
       (SELECT count(*) FROM jobs_maint_failures f
        WHERE f.job_id = j.id AND f.kind = 'worker_lost' AND f.will_retry
          AND f.failed_at > coalesce((SELECT max(e.at) FROM procrastinate_events e
                                      WHERE e.job_id = j.id AND e.type = 'retried'),
                                     '-infinity')
          AND f.failed_at >= coalesce((SELECT min(e.at) FROM procrastinate_events e
                                       WHERE e.job_id = j.id AND e.type <> 'scheduled'),
                                      '-infinity')) AS rescues
FROM procrastinate_jobs j WHERE j.id = ANY (%(job_ids)s::bigint[]);

-- name: drop_suspect (job_id)
DELETE FROM jobs_maint_suspects WHERE job_id = %(job_id)s;

-- name: count_suspects (refused)
-- How many there are besides those just refused.
SELECT count(*) AS suspects FROM jobs_maint_suspects s
WHERE s.job_id <> ALL (%(refused)s::bigint[]);

-- name: list_due (stalled_after, stalled_after_unknown, heard_from, refused, limit)
-- In how many seconds the rescue may act on each of the first, besides those just refused.
-- `waits_for_beat`: sooner, once a worker beats.
SELECT s.job_id, extract(epoch FROM due.at - now())::float8 AS due_in,
       s.had_recorder AND heard.at IS NULL AND due.at > now() AS waits_for_beat
FROM jobs_maint_suspects s
{{due}}
WHERE s.job_id <> ALL (%(refused)s::bigint[])
ORDER BY due.at, s.job_id LIMIT %(limit)s;

-- name: find_untaken (task, queue, seconds)
-- Whether a rescue has been ready for so long and no worker took it, by jobs_maint_own_idx.
SELECT EXISTS (
    SELECT 1 FROM procrastinate_jobs j
    WHERE j.task_name IN (
        'jobs_maint:rescue_stalled_jobs', 'jobs_maint:purge_finished_jobs', 'chatbot:send_digest')
      AND j.task_name = %(task)s AND j.status = 'todo' AND j.queue_name = %(queue)s
      AND (SELECT greatest(j.scheduled_at, max(e.at)) FROM procrastinate_events e
           WHERE e.job_id = j.id AND e.type <> 'scheduled') < now() - make_interval(secs => %(seconds)s)
) AS untaken;

-- name: judge_listeners (queue)
-- Of the live workers that listen to the queue, or may do so: whether one that beats is `prompt`, it has
-- missed no sign of life; whether one has not begun to beat (`unheard`); and whether one beats, or
-- `will_beat` from its first job on.
SELECT coalesce(bool_or(w.beaten_id IS NOT NULL
                        AND greatest(w.last_heartbeat, w.beat_at) > now() - make_interval(
                            secs => w.beat_seconds + greatest(1.5, w.beat_seconds / 4))),
                false) AS prompt,
       coalesce(bool_or(w.beaten_id IS NULL), false) AS unheard,
       coalesce(bool_or(NOT w.mute), false) AS will_beat
FROM {{workers}} WHERE {{listens}} AND coalesce(%(queue)s = ANY (w.queues), true);

-- name: find_unheard (task)
-- Where no worker that beats has the rescue: whether another may have it, as it has run no job yet, so
-- that its recorder has not begun, or ran a rescue of late; and the last tick that was deferred.
SELECT EXISTS (
           SELECT 1 FROM procrastinate_workers w
           WHERE w.last_heartbeat > now() - interval '30 seconds'
             AND NOT EXISTS (SELECT 1 FROM jobs_maint_workers m WHERE m.worker_id = w.id)
             AND (NOT {{ran}}
                  OR w.id IN (SELECT worker_id FROM procrastinate_jobs
                              WHERE task_name IN (
                                  'jobs_maint:rescue_stalled_jobs', 'jobs_maint:purge_finished_jobs',
                                  'chatbot:send_digest')
                                AND task_name = %(task)s AND status = 'succeeded'
                              ORDER BY id DESC LIMIT 3))) AS unheard,
       (SELECT to_timestamp(max(d.defer_timestamp)) FROM procrastinate_periodic_defers d
        WHERE d.task_name = %(task)s) AS due_at;

-- name: drop_silent_workers (hours)
-- Workers that ended long ago and whose last beat names no running job. One that lives stays known,
-- for however long its recorder cannot beat.
DELETE FROM jobs_maint_workers m
WHERE m.beat_at < now() - make_interval(hours => %(hours)s)
  AND NOT EXISTS (SELECT 1 FROM procrastinate_workers w
                  WHERE w.id = m.worker_id AND w.last_heartbeat > now() - interval '30 seconds')
  AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j
                  WHERE j.id = ANY (m.job_ids) AND j.status = 'doing');
