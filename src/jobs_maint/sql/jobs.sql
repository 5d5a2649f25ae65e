-- One job, and retrying jobs.

-- name: find_job (job_id, most)
-- `host` and `pid` of who runs it, or ran it last where it is `unreported`: nobody can be said to run
-- it. `silent_seconds`: as in list_running.
-- Arguments as text: what is longer than `most` bytes is cut here, value by value, so that neither
-- the network nor who reads them has to bear it. Cut between words: half a secret is not known for
-- one any more.
SELECT j.id, j.queue_name, j.task_name, j.priority, j.lock, j.queueing_lock,
       whole.bytes AS args_bytes,
       CASE WHEN %(most)s::bigint IS NULL OR whole.bytes <= %(most)s THEN j.args::text
            WHEN jsonb_typeof(j.args) = 'object' THEN (
                SELECT jsonb_object_agg(left(key, 200), {{cut_value}})
                FROM (SELECT * FROM jsonb_each(j.args) LIMIT 60) AS each)::text
            WHEN jsonb_typeof(j.args) = 'array' THEN (
                SELECT jsonb_agg({{cut_value}})
                FROM jsonb_array_elements(jsonb_path_query_array(j.args, '$[0 to 59]')) AS each (value))::text
            ELSE (SELECT {{cut_value}} FROM (SELECT j.args AS value) AS each)::text END AS args,
       j.status::text AS status, j.scheduled_at, j.attempts, j.abort_requested, j.worker_id,
       coalesce(j.worker_id, known.worker_id, s.worker_id) AS last_worker_id,
       coalesce(known.host, m.host) AS host, coalesce(known.pid, m.pid) AS pid,
       j.status = 'doing' AND {{unreported}} AS unreported,
       coalesce(known.beat_seconds, m.beat_seconds) AS beat_seconds,
       extract(epoch FROM now() - greatest(
           coalesce(known.beat_at, m.beat_at), w.last_heartbeat, CASE WHEN isfinite(started.at) THEN started.at END
       ))::float8 AS silent_seconds, now() AS now
FROM {{running_jobs}}
LEFT JOIN jobs_maint_suspects s ON s.job_id = j.id AND s.attempt = j.attempts
     AND s.started_at IS NOT DISTINCT FROM started.at
LEFT JOIN jobs_maint_workers m ON m.worker_id = s.worker_id
CROSS JOIN LATERAL (SELECT octet_length(j.args::text) AS bytes OFFSET 0) AS whole
WHERE j.id = %(job_id)s;

-- name: find_lock_holder (job_id)
-- Why a job that is due is not fetched: the first of those that Procrastinate lets go before it, as
-- they have its lock. Columns as in find_job.
SELECT j.id, j.queue_name, j.task_name, j.status::text AS status, started.at AS started_at,
       CASE WHEN j.status = 'todo' AND j.scheduled_at > now() THEN j.scheduled_at END AS scheduled_at,
       coalesce(j.worker_id, known.worker_id) AS last_worker_id, known.host, known.pid,
       j.status = 'doing' AND {{unreported}} AS unreported
FROM {{running_jobs}}
WHERE j.id = (
    SELECT o.id FROM procrastinate_jobs o JOIN procrastinate_jobs due ON due.lock = o.lock
    WHERE due.id = %(job_id)s AND due.status = 'todo' AND o.id <> due.id
      AND (due.scheduled_at IS NULL OR due.scheduled_at <= now())
      AND o.status IN ('todo', 'doing')
      AND (o.status = 'doing' OR (o.priority, -o.id) > (due.priority, -due.id))
    ORDER BY (o.status = 'doing') DESC, o.priority DESC, o.id LIMIT 1);

-- name: list_events (job_id, most)
-- The newest, oldest first; `all_events` tells how many there are. Procrastinate's columns may be
-- NULL.
SELECT * FROM (
    SELECT coalesce(type::text, 'unknown') AS type, coalesce(at, '-infinity') AS at, id,
           count(*) OVER () AS all_events
    FROM procrastinate_events
    WHERE job_id = %(job_id)s ORDER BY 2 DESC, id DESC LIMIT %(most)s
) AS newest ORDER BY at, id;

-- name: list_failures (job_id, most, whole, queues)
-- The newest attempts, oldest first; the newest `whole` of them with their traceback, the others
-- with the head of their message. Since the job was deferred: after a TRUNCATE ... RESTART IDENTITY an
-- older record is of another job that had this id.
-- `alike_job_id` and so on: where it has no traceback, the newest before it of the same fingerprint,
-- which has the task in it, that has one, in `queues`: of the newest 1000 of jobs_maint_failures_kept_idx.
SELECT n.attempt, n.failed_at, n.kind, n.exception_type, n.will_retry, n.all_failures,
       CASE WHEN n.place <= %(whole)s OR length(n.message) <= 500 THEN n.message
            ELSE regexp_replace(left(n.message, 500), '\S*$', '') || '...' END AS message,
       t.body AS traceback,
       n.place > %(whole)s AND n.traceback_hash IS NOT NULL AS traceback_left_out,
       alike.job_id AS alike_job_id, alike.attempt AS alike_attempt,
       alike.failed_at AS alike_failed_at, alike.body AS alike_traceback
FROM (
    SELECT f.*, count(*) OVER () AS all_failures,
           row_number() OVER (ORDER BY f.failed_at DESC, f.id DESC) AS place
    FROM jobs_maint_failures f WHERE f.job_id = %(job_id)s
      AND f.failed_at >= coalesce((
          SELECT min(e.at) FROM procrastinate_events e
          WHERE e.job_id = %(job_id)s AND e.type <> 'scheduled'), '-infinity')
    ORDER BY f.failed_at DESC, f.id DESC LIMIT %(most)s
) AS n
LEFT JOIN jobs_maint_tracebacks t ON t.hash = n.traceback_hash AND n.place <= %(whole)s
LEFT JOIN LATERAL (
    SELECT kept.job_id, kept.attempt, kept.failed_at, its.body
    FROM (
        SELECT k.job_id, k.attempt, k.failed_at, k.queue_name, k.traceback_hash
        FROM jobs_maint_failures k
        WHERE k.fingerprint = n.fingerprint AND k.failed_at <= n.failed_at
          AND k.traceback_hash IS NOT NULL
        ORDER BY k.failed_at DESC LIMIT 1000
    ) AS kept
    JOIN jobs_maint_tracebacks its ON its.hash = kept.traceback_hash
    WHERE %(queues)s::text[] IS NULL OR kept.queue_name LIKE ANY (%(queues)s)
    ORDER BY kept.failed_at DESC LIMIT 1
) AS alike ON n.kind = 'error' AND n.traceback_hash IS NULL AND n.place <= %(whole)s
ORDER BY n.failed_at, n.id;

-- name: find_queues (ids)
SELECT coalesce(array_agg(DISTINCT queue_name), ARRAY[]::text[]) AS queues
FROM procrastinate_jobs WHERE id = ANY (%(ids)s::bigint[]);

-- name: lock_jobs (ids)
-- In id order: two acts on overlapping sets wait for each other instead of deadlocking.
SELECT id, status::text AS status, queue_name, task_name, queueing_lock, scheduled_at, attempts,
       abort_requested
FROM procrastinate_jobs WHERE id = ANY (%(ids)s::bigint[]) ORDER BY id FOR UPDATE;

-- name: list_kept (ids)
-- Those of the jobs that could not be locked and are there: row-level security lets no change of them.
SELECT id, status::text AS status, queue_name, task_name, queueing_lock, scheduled_at, attempts,
       abort_requested
FROM procrastinate_jobs
WHERE id = ANY (%(ids)s::bigint[]) AND row_security_active('procrastinate_jobs');

-- name: find_waiting_siblings (queueing_locks)
-- Waiting jobs that hold one of these queueing locks, by procrastinate_jobs_queueing_lock_idx_v1, or
-- by one look at each waiting job.
SELECT queueing_lock, id FROM procrastinate_jobs
WHERE status = 'todo' AND queueing_lock = ANY (%(queueing_locks)s::text[]);

-- name: find_taken_locks (ids)
-- The queueing locks of these jobs that a waiting job holds.
SELECT queueing_lock FROM procrastinate_jobs
WHERE id = ANY (%(ids)s::bigint[]) AND queueing_lock IS NOT NULL
INTERSECT
{{waiting_locks}};

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
-- Procrastinate's trigger writes `retried` for failed -> todo only; the timeline of a cancelled or
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

-- name: follow_jobs (ids, request)
-- What has become of the jobs with these ids, or of those that a request put back. By primary key;
-- the error is looked up only for those that failed again. `locked`: of jobs with one queueing lock one
-- can wait, if none does yet.
WITH wanted AS (
    SELECT unnest(%(ids)s::bigint[]) AS id
    UNION
    SELECT unnest(job_ids) FROM jobs_maint_audit_items
    WHERE audit_id = %(request)s AND outcome = 'done'
), found AS (
    SELECT wanted.id, j.status::text AS status, j.queueing_lock, f.exception_type AS error
    FROM wanted LEFT JOIN procrastinate_jobs j USING (id)
    LEFT JOIN LATERAL (
        SELECT exception_type FROM jobs_maint_failures
        WHERE job_id = j.id AND j.status = 'failed' ORDER BY (failed_at, id) DESC LIMIT 1
    ) AS f ON true
), locked AS MATERIALIZED (
    SELECT found.*, taken.queueing_lock IS NOT NULL AS is_taken
    FROM found FULL JOIN (
        {{waiting_locks}}
          AND EXISTS (SELECT FROM found WHERE status = 'failed' AND queueing_lock IS NOT NULL)
    ) AS taken USING (queueing_lock)
)
SELECT now() AS as_of, count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
       count(*) FILTER (WHERE status = 'failed') AS failed,
       count(*) FILTER (WHERE status IN ('todo', 'doing', 'aborting')) AS pending,
       count(*) FILTER (WHERE status IN ('cancelled', 'aborted')) AS ended,
       count(*) FILTER (WHERE status IS NULL) AS gone,
       mode() WITHIN GROUP (ORDER BY error) FILTER (WHERE status = 'failed') AS error,
       count(DISTINCT error) FILTER (WHERE status = 'failed') AS errors,
       coalesce((array_agg(id ORDER BY id) FILTER (WHERE status = 'failed'))[:5],
                ARRAY[]::bigint[]) AS failed_ids,
       count(queueing_lock) FILTER (WHERE status = 'failed')
       - count(DISTINCT queueing_lock) FILTER (WHERE status = 'failed' AND NOT is_taken) AS locked
FROM locked WHERE id IS NOT NULL;

-- name: list_newest_tasks (most, queues)
-- Tasks of the `most` newest jobs, by the primary key, as far as their queues are in reach.
SELECT DISTINCT task_name FROM (
    SELECT task_name, queue_name FROM procrastinate_jobs ORDER BY id DESC LIMIT %(most)s
) AS newest
WHERE %(queues)s::text[] IS NULL OR queue_name LIKE ANY (%(queues)s);

-- name: count_lost (ids, until)
-- Jobs among these whose last run ended because their worker was lost.
SELECT count(*) AS jobs, min(j.id) AS first_id
FROM procrastinate_jobs j JOIN jobs_maint_failures f ON f.id = {{own_record}}
WHERE j.id = ANY (%(ids)s::bigint[]) AND f.kind = 'worker_lost';
