-- The rescue of jobs whose worker died.
--
-- A job is *named* when a worker's fresh beat (within three of its own beats) lists it. A beat
-- clears the suspicion of the jobs it names, so a suspect row always means: not named since.

-- name: drop_suspects
-- Suspects that are named now, no longer running, or in another attempt.
DELETE FROM jobs_maint_suspects s
WHERE NOT EXISTS (
    SELECT 1 FROM procrastinate_jobs j
    WHERE j.id = s.job_id AND j.status = 'doing' AND j.attempts = s.attempt
      AND (SELECT max(e.at) FROM procrastinate_events e
           WHERE e.job_id = j.id AND e.type = 'started') IS NOT DISTINCT FROM s.started_at
      AND NOT EXISTS (
          SELECT 1 FROM jobs_maint_workers m
          WHERE j.id = ANY (m.job_ids)
            AND m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds))
      AND NOT EXISTS (
          SELECT 1 FROM procrastinate_workers w
          LEFT JOIN jobs_maint_workers m ON m.worker_id = w.id
          WHERE w.id = j.worker_id AND w.last_heartbeat > now() - interval '30 seconds'
            AND (m.worker_id IS NULL
                 OR w.last_heartbeat > m.beat_at + make_interval(secs => 3 * m.beat_seconds)))
      AND NOT EXISTS (
          SELECT 1 FROM procrastinate_workers w JOIN jobs_maint_workers m ON m.worker_id = w.id
          WHERE w.id = j.worker_id AND w.last_heartbeat <= now() - interval '30 seconds'
            AND m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds))
);

-- name: notice_suspects
-- Running jobs that nobody names. Four kinds are left alone: a job that started after the last
-- beat of its live worker (which has had no chance to name it yet); a job of a worker that
-- beats while Procrastinate's heartbeat has stopped (its event loop is blocked: it may have
-- fetched the job without starting it, and still will); and, while Procrastinate's heartbeat is fresh, a
-- job of a worker that never beat (no recorder there) or whose heartbeat went on for three beats
-- after its last beat (the process lives, only its recorder does not).
-- `had_recorder`: its worker beat once, or a beat since this start names the job; a beat before it
-- was from another worker and shows nothing about the one that runs it now.
-- The partial unique index on (lock) WHERE status = 'doing' holds every running job.
INSERT INTO jobs_maint_suspects (job_id, attempt, started_at, worker_id, had_recorder)
SELECT j.id, j.attempts, started.at, coalesce(j.worker_id, known.worker_id),
       known.worker_id IS NOT NULL
FROM procrastinate_jobs j
CROSS JOIN LATERAL (
    SELECT max(e.at) AS at FROM procrastinate_events e
    WHERE e.job_id = j.id AND e.type = 'started'
) AS started
LEFT JOIN LATERAL (
    SELECT m.worker_id, m.beat_at, m.beat_seconds,
           m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds) AS fresh,
           j.id = ANY (m.job_ids) AS names_it
    FROM jobs_maint_workers m
    WHERE m.worker_id = j.worker_id OR (j.id = ANY (m.job_ids) AND m.beat_at >= started.at)
    ORDER BY names_it DESC, m.beat_at DESC LIMIT 1
) AS known ON true
LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
WHERE j.status = 'doing'
  AND NOT EXISTS (
      SELECT 1 FROM jobs_maint_workers m
      WHERE j.id = ANY (m.job_ids)
        AND m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds))
  AND NOT (coalesce(known.fresh, false) AND started.at > known.beat_at)
  AND NOT (coalesce(known.fresh, false)
           AND coalesce(w.last_heartbeat <= now() - interval '30 seconds', false))
  AND NOT coalesce(
      w.last_heartbeat > now() - interval '30 seconds'
      AND (known.worker_id IS NULL
           OR w.last_heartbeat > known.beat_at + make_interval(secs => 3 * known.beat_seconds)),
      false)
ON CONFLICT (job_id) DO UPDATE
    SET worker_id = coalesce(jobs_maint_suspects.worker_id, excluded.worker_id),
        had_recorder = jobs_maint_suspects.had_recorder OR excluded.had_recorder;

-- name: lock_due (stalled_after, stalled_after_unknown, limit)
-- Suspects for long enough, in id order. Rows another session holds are left for the next pass.
-- What is returned may be out of date by the time it is locked: the change re-checks.
-- Silence counts only if some worker is reporting: after a database outage the first pass may come
-- before the first beat. So some worker must have sent three beats without a gap; where no worker
-- beats at all, the longer span decides.
SELECT j.id, j.queue_name, j.task_name, j.queueing_lock, s.attempt, s.started_at, s.worker_id,
       s.had_recorder, s.first_noticed_at, m.host, m.pid, m.beat_at
FROM jobs_maint_suspects s
JOIN procrastinate_jobs j ON j.id = s.job_id
LEFT JOIN jobs_maint_workers m ON m.worker_id = s.worker_id
WHERE j.status = 'doing'
  AND s.first_noticed_at <= now() - make_interval(secs =>
      CASE WHEN s.had_recorder AND EXISTS (
                    SELECT 1 FROM jobs_maint_workers b
                    WHERE b.beat_at > now() - make_interval(secs => 3 * b.beat_seconds)
                      AND b.steady_since <= now() - make_interval(
                          secs => 3 * greatest(b.beat_seconds, m.beat_seconds)))
           THEN %(stalled_after)s::float8
           ELSE %(stalled_after_unknown)s::float8 END)
ORDER BY j.id LIMIT %(limit)s
FOR UPDATE OF j SKIP LOCKED;

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
SET status = %(status)s::procrastinate_job_status, attempts = attempts + 1,
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

-- name: judge_jobs (ids)
-- What is known about jobs that a person named, whose rows are locked: who runs them, by a beat that
-- names them or as their worker; whether it is alive; whether they are suspects in this attempt;
-- and whether some worker is reporting, as in lock_due. `quiet_seconds`: three beats of their worker.
SELECT j.id, j.status::text AS status, j.queue_name, j.task_name, j.queueing_lock,
       j.attempts AS attempt, started.at AS started_at,
       coalesce(s.worker_id, known.worker_id, j.worker_id) AS worker_id,
       known.host, known.pid, known.beat_at, coalesce(known.fresh, false) AS beats,
       coalesce(known.names_it, false) AND coalesce(known.fresh, false) AS named,
       w.last_heartbeat,
       coalesce(w.last_heartbeat > now() - interval '30 seconds', false) AS heartbeat_fresh,
       s.first_noticed_at, s.job_id IS NOT NULL AS suspected, coalesce(s.had_recorder, false) AS had_recorder,
       extract(epoch FROM now() - s.first_noticed_at)::float8 AS noticed_seconds,
       3 * coalesce(known.beat_seconds, 10)::float8 AS quiet_seconds,
       EXISTS (SELECT 1 FROM jobs_maint_workers b
               WHERE b.beat_at > now() - make_interval(secs => 3 * b.beat_seconds)
                 AND b.steady_since <= now() - make_interval(
                     secs => 3 * greatest(b.beat_seconds, known.beat_seconds))) AS heard
FROM procrastinate_jobs j
CROSS JOIN LATERAL (
    SELECT max(e.at) AS at FROM procrastinate_events e
    WHERE e.job_id = j.id AND e.type = 'started'
) AS started
LEFT JOIN LATERAL (
    SELECT m.worker_id, m.host, m.pid, m.beat_at, m.beat_seconds,
           m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds) AS fresh,
           j.id = ANY (m.job_ids) AS names_it
    FROM jobs_maint_workers m
    WHERE m.worker_id = j.worker_id
       OR (j.id = ANY (m.job_ids)
           AND (m.beat_at >= started.at
                OR m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds)))
    ORDER BY names_it DESC, m.beat_at DESC LIMIT 1
) AS known ON true
LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
LEFT JOIN jobs_maint_suspects s ON s.job_id = j.id AND s.attempt = j.attempts
     AND s.started_at IS NOT DISTINCT FROM started.at
WHERE j.id = ANY (%(ids)s::bigint[])
ORDER BY j.id;

-- name: get_state (job_id)
-- Of a locked row: was an abort requested, and how often was it put back since a person last
-- retried it (an event `retried`). Records from before its defer belong to another job that had
-- this id.
SELECT j.abort_requested,
       (SELECT count(*) FROM jobs_maint_failures f
        WHERE f.job_id = j.id AND f.kind = 'worker_lost' AND f.will_retry
          AND f.failed_at > coalesce((SELECT max(e.at) FROM procrastinate_events e
                                      WHERE e.job_id = j.id AND e.type = 'retried'),
                                     '-infinity')
          AND f.failed_at >= coalesce((SELECT min(e.at) FROM procrastinate_events e
                                       WHERE e.job_id = j.id AND e.type <> 'scheduled'),
                                      '-infinity')) AS rescues
FROM procrastinate_jobs j WHERE j.id = %(job_id)s;

-- name: drop_suspect (job_id)
DELETE FROM jobs_maint_suspects WHERE job_id = %(job_id)s;

-- name: count_suspects
SELECT count(*) AS suspects FROM jobs_maint_suspects;

-- name: drop_silent_workers (hours)
-- Workers that ended long ago and whose last beat names no running job.
DELETE FROM jobs_maint_workers m
WHERE m.beat_at < now() - make_interval(hours => %(hours)s)
  AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j
                  WHERE j.id = ANY (m.job_ids) AND j.status = 'doing');
