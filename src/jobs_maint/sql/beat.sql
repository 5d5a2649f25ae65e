-- The workers' beat.

-- name: beat (worker_id, host, pid, queues, recorder_version, delete_jobs, beat_seconds, job_ids)
-- "I am alive, and I run these jobs." A beat clears the suspicion of the jobs it names, so a
-- suspect has not been named since it was noticed, not even between two passes of the rescue.
-- The id 0 stands for a job whose id the worker has not read yet. It may be any suspect of this worker.
-- Reads no table of Procrastinate's: a lock on the jobs, as of ALTER TABLE, must not stop the beats.
-- `steady_since`: since when no gap between two beats was longer than three beats.
WITH cleared AS (
    DELETE FROM jobs_maint_suspects s
    WHERE s.job_id = ANY (%(job_ids)s::bigint[])
       OR (0 = ANY (%(job_ids)s::bigint[]) AND s.worker_id = %(worker_id)s)
)
INSERT INTO jobs_maint_workers AS w (worker_id, host, pid, queues, recorder_version, delete_jobs,
                                     beat_seconds, job_ids)
VALUES (%(worker_id)s, %(host)s, %(pid)s, %(queues)s, %(recorder_version)s, %(delete_jobs)s,
        %(beat_seconds)s, %(job_ids)s::bigint[])
ON CONFLICT (worker_id) DO UPDATE
    SET job_ids = excluded.job_ids, beat_at = now(), beat_seconds = excluded.beat_seconds,
        steady_since = CASE WHEN w.beat_at > now() - make_interval(secs => 3 * w.beat_seconds)
                            THEN w.steady_since ELSE now() END;

-- name: may_hold_others (worker_id)
-- Of a beat with the id 0: the worker's row was pruned, which took its name off the jobs it holds, and
-- there are suspects of which nobody knows who took them.
SELECT EXISTS (SELECT 1 FROM jobs_maint_suspects WHERE worker_id IS NULL)
   AND NOT EXISTS (SELECT 1 FROM procrastinate_workers WHERE id = %(worker_id)s);

-- name: clear_others (queues)
-- Then the unread job may be any of these in its queues.
DELETE FROM jobs_maint_suspects s
WHERE s.worker_id IS NULL
  AND EXISTS (SELECT 1 FROM procrastinate_jobs j
              WHERE j.id = s.job_id AND j.worker_id IS NULL
                AND (%(queues)s::text[] IS NULL OR j.queue_name = ANY (%(queues)s::text[])));

-- name: stop_listening (worker_id)
-- Of a worker that is ending and waits for its last jobs: it listens to no queue any more.
UPDATE jobs_maint_workers SET queues = '{}' WHERE worker_id = %(worker_id)s;

-- name: note_app (worker_id, crons, settings)
-- Once, after the first beat, which must be possible before the schema is upgraded.
UPDATE jobs_maint_workers SET crons = %(crons)s, settings = %(settings)s
WHERE worker_id = %(worker_id)s;

-- name: note_crons (worker_id, crons)
-- The same in tables without a place for the settings.
UPDATE jobs_maint_workers SET crons = %(crons)s WHERE worker_id = %(worker_id)s;

-- name: note_settings (worker_id, queues, settings)
-- What counts while no worker is live that acts on it: only of one that listens to its maintenance.
INSERT INTO jobs_maint_settings AS s (worker_id, settings)
SELECT %(worker_id)s, given.settings FROM (SELECT %(settings)s::jsonb AS settings) AS given
WHERE %(queues)s::text[] IS NULL OR given.settings ->> 'queue' = ANY (%(queues)s::text[])
ON CONFLICT (one) DO UPDATE
    SET worker_id = excluded.worker_id, settings = excluded.settings, told_at = excluded.told_at;

-- name: note_unstored (worker_id, waiting, dropped, late, reason)
-- With a beat, while failures wait in the memory of the worker's process, or were dropped there.
-- `late`: seconds since the oldest one.
UPDATE jobs_maint_workers
SET settings = CASE WHEN jsonb_typeof(settings) = 'object' THEN settings ELSE '{}' END
               || jsonb_build_object('unstored', jsonb_build_object(
                   'waiting', %(waiting)s::int, 'dropped', %(dropped)s::int, 'reason', %(reason)s::text,
                   'since', now() - make_interval(secs => %(late)s)))
WHERE worker_id = %(worker_id)s;

-- name: clear_unstored (worker_id)
UPDATE jobs_maint_workers SET settings = settings - 'unstored'
WHERE worker_id = %(worker_id)s AND jsonb_typeof(settings) = 'object';

-- name: say_goodbye (worker_id, left)
-- A worker that ended. One that leaves a running job behind, whose end it could not store, keeps its
-- row: it shows who had the job, and that no beat is to come. Its last beats may not name the job, nor
-- be from after its start: a start within three beats of the last one was its own, a later one may be
-- another worker's.
WITH behind AS (
    SELECT j.id FROM procrastinate_jobs j
    JOIN jobs_maint_workers m ON m.worker_id = %(worker_id)s
    WHERE j.status = 'doing'
      AND (j.worker_id = m.worker_id
           OR (j.worker_id IS NULL AND j.id = ANY (m.job_ids || %(left)s::bigint[])))
), ended AS (
    DELETE FROM jobs_maint_workers
    WHERE worker_id = %(worker_id)s AND NOT EXISTS (SELECT 1 FROM behind)
)
UPDATE jobs_maint_workers m
SET job_ids = ARRAY(SELECT id FROM behind),
    beat_at = greatest(beat_at, (
        SELECT max(e.at) FROM procrastinate_events e JOIN behind ON behind.id = e.job_id
        WHERE e.type = 'started' AND e.at < m.beat_at + make_interval(secs => 3 * m.beat_seconds)))
WHERE worker_id = %(worker_id)s AND EXISTS (SELECT 1 FROM behind);
