-- One job, and retrying jobs.

-- name: find_job (job_id)
-- `host` and `pid` of who runs it, `unreported` when nobody can be said to.
SELECT j.id, j.queue_name, j.task_name, j.priority, j.lock, j.queueing_lock, j.args,
       j.status::text AS status, j.scheduled_at, j.attempts, j.abort_requested, j.worker_id,
       CASE WHEN {{unreported}} THEN NULL ELSE known.host END AS host,
       CASE WHEN {{unreported}} THEN NULL ELSE known.pid END AS pid,
       j.status = 'doing' AND {{unreported}} AS unreported, now() AS now
FROM {{running_jobs}}
WHERE j.id = %(job_id)s;

-- name: list_events (job_id)
SELECT type::text AS type, at FROM procrastinate_events
WHERE job_id = %(job_id)s ORDER BY at, id;

-- name: list_failures (job_id)
-- Since the job was deferred: after a TRUNCATE … RESTART IDENTITY an older record is of another job
-- that had this id.
SELECT f.attempt, f.failed_at, f.kind, f.exception_type, f.message, f.will_retry,
       t.body AS traceback
FROM jobs_maint_failures f
LEFT JOIN jobs_maint_tracebacks t ON t.hash = f.traceback_hash
WHERE f.job_id = %(job_id)s
  AND f.failed_at >= coalesce((SELECT min(e.at) FROM procrastinate_events e
                               WHERE e.job_id = %(job_id)s AND e.type <> 'scheduled'), '-infinity')
ORDER BY f.failed_at, f.id;

-- name: lock_jobs (ids)
-- In id order: two acts on overlapping sets wait for each other instead of deadlocking.
SELECT id, status::text AS status, queue_name, task_name, queueing_lock, scheduled_at
FROM procrastinate_jobs WHERE id = ANY (%(ids)s::bigint[]) ORDER BY id FOR UPDATE;

-- name: find_waiting_siblings (queueing_locks)
-- Waiting jobs that hold a queueing lock, by procrastinate_jobs_queueing_lock_idx_v1.
SELECT queueing_lock, id FROM procrastinate_jobs
WHERE status = 'todo' AND queueing_lock = ANY (%(queueing_locks)s::text[]);

-- name: put_back (ids, reset_attempts)
-- The status is checked once more: only what was locked in a final status is retried. A failed
-- or aborted job runs now; a cancelled one keeps a time in the future. `abort_requested` must
-- be false for a waiting job.
UPDATE procrastinate_jobs
SET status = 'todo', abort_requested = false, worker_id = NULL,
    attempts = CASE WHEN %(reset_attempts)s THEN 0 ELSE attempts END,
    scheduled_at = CASE WHEN status = 'cancelled' AND scheduled_at > now() THEN scheduled_at END
WHERE id = ANY (%(ids)s::bigint[]) AND status IN ('failed', 'cancelled', 'aborted')
RETURNING id, queue_name, scheduled_at;

-- name: insert_retried_events (ids)
-- Procrastinate's trigger writes `retried` for failed → todo only; the timeline of a cancelled or
-- aborted job would not show that a person retried it.
INSERT INTO procrastinate_events (job_id, type)
SELECT id, 'retried' FROM unnest(%(ids)s::bigint[]) AS id;

-- name: notify_all (channels, payloads)
SELECT pg_notify(message.channel, message.payload)
FROM unnest(%(channels)s::text[], %(payloads)s::text[]) AS message (channel, payload);

-- name: find_key (schema, table, name)
-- The column of a table that a foreign key of this name holds to the id of a job.
SELECT a.attname::text AS column
FROM pg_constraint c
JOIN pg_class t ON t.oid = c.conrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
JOIN pg_attribute k ON k.attrelid = c.confrelid AND k.attnum = c.confkey[1]
WHERE c.contype = 'f' AND c.conname = %(name)s AND n.nspname = %(schema)s AND t.relname = %(table)s
  AND c.confrelid = to_regclass('procrastinate_jobs') AND k.attname = 'id'
  AND array_length(c.conkey, 1) = 1;
