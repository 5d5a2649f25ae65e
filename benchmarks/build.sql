-- The steady state of a queue: succeeded jobs of 30 days over failed ones of 90. Ids grow with the
-- time of the defer; of the older ids only the failed jobs are left, so ids have gaps there.

-- name: draft_jobs (per_day, failed_per_day, ahead_share)
-- One row a job: r, s and q are random but the same in every run.
CREATE UNLOGGED TABLE bench_draft AS
WITH ids AS (
    SELECT (i * %(per_day)s::float8 / %(failed_per_day)s)::bigint AS id, true AS old
    FROM generate_series(1, 60 * %(failed_per_day)s) AS i
    UNION ALL
    SELECT id, false FROM generate_series(60 * %(per_day)s + 1, 90 * %(per_day)s) AS id
), random AS (
    SELECT id, old,
           (hashint8extended(id, 1) & 1048575) / 1048576.0 AS r,
           (hashint8extended(id, 2) & 1048575) / 1048576.0 AS s,
           (hashint8extended(id, 3) & 1048575) / 1048576.0 AS q,
           now() - interval '90 days' + (id / %(per_day)s::float8) * interval '1 day' AS deferred_at,
           NOT old AND id %% greatest(%(per_day)s / 289, 2) = 0 AS own
    FROM ids
), chosen AS (
    SELECT *, CASE
        WHEN old THEN 'failed'
        WHEN own THEN 'succeeded'
        WHEN id = 90 * %(per_day)s THEN 'doing'
        WHEN id > 90 * %(per_day)s - 200 THEN 'todo'
        WHEN r < %(failed_per_day)s::float8 / %(per_day)s THEN 'failed'
        WHEN r > 1 - %(ahead_share)s::float8 THEN 'ahead'
        WHEN s < 0.010 THEN 'cancelled'
        WHEN s < 0.013 THEN 'aborted'
        ELSE 'succeeded' END AS status,
        (8 * q * q)::integer %% 8 AS queue
    FROM random
)
SELECT id, status, own, queue, s, q, deferred_at,
       deferred_at + s * interval '40 seconds' AS started_at,
       -- one in fifty was retried for hours before it ended
       least(deferred_at + s * interval '40 seconds' + q * interval '20 seconds'
             + CASE WHEN q BETWEEN 0.5 AND 0.52
                    THEN s * least(now() - deferred_at, interval '20 hours') ELSE '0' END,
             now()) AS ended_at,
       CASE WHEN status = 'ahead' THEN now() + s * interval '30 days' + interval '1 hour'
            WHEN s BETWEEN 0.4 AND 0.41 THEN deferred_at + s * interval '40 seconds' END AS scheduled_at,
       CASE WHEN own THEN CASE WHEN id %% 289 = 0 THEN 'jobs_maint:purge_finished_jobs'
                               ELSE 'jobs_maint:rescue_stalled_jobs' END
            ELSE 'app.tasks.task_' || queue * 5 + (q * 997)::integer %% 5 END AS task
FROM chosen;

-- name: insert_jobs
INSERT INTO procrastinate_jobs (id, queue_name, task_name, args, status, scheduled_at, attempts)
SELECT id, CASE WHEN own THEN 'maintenance' ELSE 'queue_' || queue END, task,
       jsonb_build_object('user_id', id * 7, 'template', 'letter_' || queue, 'note', md5(id::text)),
       (CASE status WHEN 'ahead' THEN 'todo' ELSE status END)::procrastinate_job_status,
       scheduled_at, CASE WHEN status IN ('succeeded', 'failed', 'aborted') THEN 1 ELSE 0 END
FROM bench_draft ORDER BY id;

-- name: insert_events
-- In the order of time, as they were written.
INSERT INTO procrastinate_events (job_id, type, at)
SELECT id, type::procrastinate_job_event_type, at FROM (
    SELECT id, 'deferred' AS type, deferred_at AS at, deferred_at AS written FROM bench_draft
    UNION ALL
    SELECT id, 'scheduled', scheduled_at, deferred_at FROM bench_draft WHERE scheduled_at IS NOT NULL
    UNION ALL
    SELECT id, 'started', started_at, started_at FROM bench_draft
    WHERE status IN ('doing', 'succeeded', 'failed', 'aborted')
    UNION ALL
    SELECT id, status, ended_at, ended_at FROM bench_draft
    WHERE status IN ('succeeded', 'failed', 'cancelled', 'aborted')
) AS events ORDER BY written;

-- name: insert_failures
-- 98 of 100 failures have their record; a group keeps a traceback now and then. 300 groups: forty
-- tasks with seven or eight errors each.
INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,
                                 exception_type, message, traceback_hash, fingerprint, will_retry)
SELECT id, 1, 'queue_' || queue, task, ended_at - interval '4 milliseconds', 'error',
       (ARRAY['ValueError', 'ConnectionError', 'TimeoutError', 'KeyError'])[1 + kind %% 4],
       'request ' || id || ' to host-' || kind || ' was refused: the answer was not what was expected',
       CASE WHEN s < 0.3 THEN decode(md5(task || kind), 'hex') END,
       '2:' || md5(task || kind), false
FROM (SELECT *, floor(s * (7 + queue %% 2))::integer AS kind
      FROM bench_draft WHERE status = 'failed') AS failed
WHERE q NOT BETWEEN 0.90 AND 0.92 ORDER BY ended_at;

-- name: insert_tracebacks
INSERT INTO jobs_maint_tracebacks (hash, body)
SELECT DISTINCT traceback_hash, repeat('  File "app/tasks.py", line 12, in run' || chr(10), 30)
FROM jobs_maint_failures WHERE traceback_hash IS NOT NULL;

-- name: set_sequences
SELECT setval('procrastinate_jobs_id_seq', (SELECT max(id) FROM procrastinate_jobs)),
       setval('procrastinate_events_id_seq', (SELECT max(id) FROM procrastinate_events));

-- name: list_plain_indexes
-- Indexes that belong to no constraint: dropped while the rows come in.
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i
WHERE i.indrelid IN ('procrastinate_jobs'::regclass, 'procrastinate_events'::regclass,
                     'jobs_maint_failures'::regclass)
  AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid);
