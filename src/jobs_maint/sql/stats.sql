-- The queues now and lately. Our own tasks are left out; where a query uses one of our partial
-- indexes it repeats the index's condition word for word (`indexes.sql`).

-- name: list_queues
-- Names of all queues with jobs, by a loose scan of procrastinate_jobs_queue_name_idx_v1: one
-- index lookup per queue, whatever the number of jobs.
WITH RECURSIVE queue AS (
    (SELECT queue_name FROM procrastinate_jobs ORDER BY queue_name LIMIT 1)
    UNION ALL
    SELECT (SELECT j.queue_name FROM procrastinate_jobs j
            WHERE j.queue_name > queue.queue_name ORDER BY j.queue_name LIMIT 1)
    FROM queue WHERE queue.queue_name IS NOT NULL
)
SELECT queue_name FROM queue WHERE queue_name IS NOT NULL;

-- name: count_ended (queue)
-- Ended jobs by queue and status, from jobs_maint_counts_idx alone; our own tasks among them.
SELECT queue_name, status::text AS status, count(*) AS jobs FROM procrastinate_jobs
WHERE status NOT IN ('todo', 'doing') AND (%(queue)s::text IS NULL OR queue_name = %(queue)s)
GROUP BY procrastinate_jobs.status, queue_name;

-- name: count_own (queue)
-- Our own tasks by queue and status as above, which the counts leave out, from jobs_maint_own_idx.
SELECT queue_name, status::text AS status, count(*) AS jobs FROM procrastinate_jobs
WHERE task_name IN (
    'jobs_maint:rescue_stalled_jobs', 'jobs_maint:purge_finished_jobs', 'chatbot:send_digest')
  AND status NOT IN ('todo', 'doing') AND (%(queue)s::text IS NULL OR queue_name = %(queue)s)
GROUP BY procrastinate_jobs.status, queue_name
UNION ALL
SELECT queue_name,
       CASE WHEN status = 'doing' THEN 'doing' WHEN scheduled_at > now() THEN 'scheduled'
            ELSE 'ready' END,
       count(*)
FROM procrastinate_jobs
WHERE task_name IN (
    'jobs_maint:rescue_stalled_jobs', 'jobs_maint:purge_finished_jobs', 'chatbot:send_digest')
  AND status IN ('todo', 'doing') AND (%(queue)s::text IS NULL OR queue_name = %(queue)s)
GROUP BY 1, 2;

-- name: count_waiting (queues, ready, ahead)
-- Jobs that are ready, scheduled ahead, or run, by queue, from jobs_maint_waiting_idx and
-- Procrastinate's own index on what runs; our own tasks among them. At most `ready` jobs and one more
-- of those that wait for no time and of those that are due, and `ahead` and one more of those
-- scheduled ahead are counted; all where it is null. In the order of the index: a plan without one
-- would read the table until it has found so many, and that of another sorts a backlog.
-- `first_ready`: the first 1000 ids of each kind of ready jobs.
SELECT queue_name, coalesce(doing.jobs, 0) AS doing, (
    SELECT count(*) FROM (
        SELECT FROM procrastinate_jobs j
        WHERE j.status = 'todo' AND starts_with(j.queue_name, '')
          AND j.queue_name = queue.queue_name AND j.scheduled_at IS NULL
        ORDER BY j.scheduled_at, j.id LIMIT %(ready)s::bigint + 1
    ) AS first
) + (
    SELECT count(*) FROM (
        SELECT FROM procrastinate_jobs j
        WHERE j.status = 'todo' AND starts_with(j.queue_name, '')
          AND j.queue_name = queue.queue_name AND j.scheduled_at <= now()
        ORDER BY j.scheduled_at, j.id LIMIT %(ready)s::bigint + 1
    ) AS first
) AS ready, (
    SELECT count(*) FROM (
        SELECT FROM procrastinate_jobs j
        WHERE j.status = 'todo' AND starts_with(j.queue_name, '')
          AND j.queue_name = queue.queue_name AND j.scheduled_at > now()
        ORDER BY j.scheduled_at, j.id LIMIT %(ahead)s::bigint + 1
    ) AS first
) AS scheduled, ARRAY(
    SELECT j.id FROM procrastinate_jobs j
    WHERE j.status = 'todo' AND starts_with(j.queue_name, '')
      AND j.queue_name = queue.queue_name AND j.scheduled_at IS NULL
    ORDER BY j.scheduled_at, j.id LIMIT 1000
) || ARRAY(
    SELECT j.id FROM procrastinate_jobs j
    WHERE j.status = 'todo' AND starts_with(j.queue_name, '')
      AND j.queue_name = queue.queue_name AND j.scheduled_at <= now()
    ORDER BY j.scheduled_at, j.id LIMIT 1000
) AS first_ready
FROM unnest(%(queues)s::text[]) AS queue (queue_name)
LEFT JOIN (
    SELECT queue_name, count(*) AS jobs FROM procrastinate_jobs WHERE status = 'doing'
    GROUP BY queue_name
) AS doing USING (queue_name);

-- name: find_untouched (queues, ours)
-- Of each queue the first ready job that was never put back, of those that wait for no time: the jobs
-- before it may all have been put back a moment ago, and hide for how long it has waited. Found by
-- halving, as if none behind it had been put back: `low` was, what is from `high` on was not.
WITH RECURSIVE search AS (
    SELECT queue.queue_name, first.id AS low, last.id + 1 AS high
    FROM unnest(%(queues)s::text[]) AS queue (queue_name)
    CROSS JOIN LATERAL (
        SELECT j.id FROM procrastinate_jobs j
        WHERE j.status = 'todo' AND starts_with(j.queue_name, '')
          AND j.queue_name = queue.queue_name AND j.scheduled_at IS NULL
        ORDER BY j.scheduled_at, j.id LIMIT 1
    ) AS first
    CROSS JOIN LATERAL (
        SELECT j.id FROM procrastinate_jobs j
        WHERE j.status = 'todo' AND starts_with(j.queue_name, '')
          AND j.queue_name = queue.queue_name AND j.scheduled_at IS NULL
        ORDER BY j.scheduled_at DESC, j.id DESC LIMIT 1
    ) AS last
    UNION ALL
    SELECT search.queue_name, CASE WHEN middle.put_back THEN middle.id ELSE search.low END,
           CASE WHEN middle.put_back THEN search.high ELSE (search.low + search.high) / 2 END
    FROM search CROSS JOIN LATERAL (
        SELECT j.id, (SELECT min(e.at) < max(e.at) FROM procrastinate_events e
                      WHERE e.job_id = j.id AND e.type <> 'scheduled') AS put_back
        FROM procrastinate_jobs j
        WHERE j.status = 'todo' AND starts_with(j.queue_name, '')
          AND j.queue_name = search.queue_name AND j.scheduled_at IS NULL
          AND j.id >= (search.low + search.high) / 2
        ORDER BY j.scheduled_at, j.id LIMIT 1
    ) AS middle
    WHERE search.high - search.low > 1
)
SELECT found.queue_name AS queue, found.id AS job_id, found.task_name AS task, entered.at AS since,
       found.lock, (SELECT h.id FROM procrastinate_jobs h
                    WHERE h.status = 'doing' AND h.lock = found.lock) AS holder
FROM (SELECT queue_name, min(high) AS high FROM search GROUP BY 1) AS at
CROSS JOIN LATERAL (
    SELECT j.* FROM procrastinate_jobs j
    WHERE j.status = 'todo' AND starts_with(j.queue_name, '')
      AND j.queue_name = at.queue_name AND j.scheduled_at IS NULL AND j.id >= at.high
      AND j.task_name <> ALL (%(ours)s)
    ORDER BY j.scheduled_at, j.id LIMIT 1
) AS found
CROSS JOIN LATERAL (
    SELECT max(e.at) AS at FROM procrastinate_events e
    WHERE e.job_id = found.id AND e.type <> 'scheduled'
) AS entered
WHERE isfinite(entered.at);

-- name: read_waiting (queue)
-- As count_waiting, all of them and without our indexes: each one is read. `first_ready`: the first
-- 1000 ids of all ready jobs, and 200 of the others.
SELECT queue_name, doing, ready, scheduled, ids[1:1000] || ARRAY(
    SELECT ids[1000 + (cardinality(ids) - 1000) * number / 200] FROM generate_series(1, 200) AS number
    WHERE cardinality(ids) > 1000
) AS first_ready
FROM (
    SELECT queue_name,
           count(*) FILTER (WHERE status = 'doing') AS doing,
           count(*) FILTER (WHERE is_ready) AS ready,
           count(*) FILTER (WHERE status = 'todo' AND NOT is_ready) AS scheduled,
           array_agg(id ORDER BY id) FILTER (WHERE is_ready) AS ids
    FROM (
        SELECT id, queue_name, status,
               status = 'todo' AND (scheduled_at > now()) IS NOT TRUE AS is_ready
        FROM procrastinate_jobs
        WHERE status IN ('todo', 'doing') AND (%(queue)s::text IS NULL OR queue_name = %(queue)s)
    ) AS job
    GROUP BY queue_name
) AS waiting;

-- name: judge_counts
-- What an exact count would cost: rows, those changed since the last vacuum (an index alone does not
-- show whether they still exist), pages of 8 kB, and whether our indexes are there to count by.
SELECT greatest(c.reltuples, t.n_live_tup, 0)::bigint AS rows,
       coalesce(t.n_dead_tup + t.n_ins_since_vacuum, 0) AS changed,
       pg_relation_size(c.oid) / current_setting('block_size')::integer AS pages,
       EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('jobs_maint_counts_idx')
               AND indisvalid) AS indexed,
       EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('jobs_maint_waiting_idx')
               AND indisvalid) AS waiting_indexed
FROM pg_class c LEFT JOIN pg_stat_user_tables t ON t.relid = c.oid
WHERE c.oid = 'procrastinate_jobs'::regclass;

-- name: count_small (queue, most)
-- As count_ended, but at most `most` jobs and one more of each queue and status are counted: more
-- means that there are too many, and how many is estimated by sample_pages.
WITH RECURSIVE key AS (
    (SELECT status, queue_name FROM procrastinate_jobs
     WHERE status NOT IN ('todo', 'doing') ORDER BY status, queue_name LIMIT 1)
    UNION ALL
    SELECT next.status, next.queue_name FROM key CROSS JOIN LATERAL (
        SELECT j.status, j.queue_name FROM procrastinate_jobs j
        WHERE j.status NOT IN ('todo', 'doing')
          AND (j.status, j.queue_name) > (key.status, key.queue_name)
        ORDER BY j.status, j.queue_name LIMIT 1
    ) AS next
)
SELECT key.queue_name, key.status::text AS status, (
    SELECT count(*) FROM (
        SELECT FROM procrastinate_jobs j
        WHERE j.status = key.status AND j.queue_name = key.queue_name
          AND j.status NOT IN ('todo', 'doing')
        LIMIT %(most)s::bigint + 1
    ) AS first
) AS jobs
FROM key WHERE %(queue)s::text IS NULL OR key.queue_name = %(queue)s;

-- name: sample_pages (queue, pages, sampled)
-- Jobs by queue and status, those that wait as `ready` or `scheduled`, on `sampled` of the table's
-- `pages`: one chosen at random from each of as many equal parts.
WITH page AS MATERIALIZED (
    SELECT floor((part + random()) * %(pages)s::float8 / %(sampled)s)::bigint AS number
    FROM generate_series(0, %(sampled)s::bigint - 1) AS part
), bounds AS MATERIALIZED (
    SELECT ('(' || number || ',0)')::tid AS first, ('(' || number + 1 || ',0)')::tid AS next
    FROM page
)
SELECT j.queue_name,
       CASE WHEN j.status <> 'todo' THEN j.status::text WHEN j.ahead THEN 'scheduled'
            ELSE 'ready' END AS status,
       count(*) AS jobs
FROM bounds
CROSS JOIN LATERAL (
    SELECT queue_name, status,
           status = 'todo' AND coalesce(scheduled_at > now(), false) AS ahead
    FROM procrastinate_jobs
    WHERE ctid >= bounds.first AND ctid < bounds.next
      AND (%(queue)s::text IS NULL OR queue_name = %(queue)s)
    OFFSET 0
) AS j
GROUP BY j.queue_name, j.status, j.ahead;

-- name: limit_statement (limit)
-- For this transaction only; returns what to set it back to, and the limit in seconds.
SELECT before.value, set_config('statement_timeout', %(limit)s, true),
       extract(epoch FROM %(limit)s::text::interval)::float8 AS seconds
FROM (SELECT current_setting('statement_timeout') AS value) AS before;

-- name: find_oldest_ready (ids, ours)
-- Seconds the oldest ready job of each queue has been ready: since it was deferred, retried, put
-- back or due; our own tasks are left out. Among the first 1000 ids of either kind of a queue and the
-- first of those behind them that was never put back. Null where no event tells.
SELECT j.queue_name,
       max(CASE WHEN isfinite(r.since) THEN greatest(extract(epoch FROM now() - r.since), 0) END)::float8
           AS seconds
FROM procrastinate_jobs j
CROSS JOIN LATERAL (
    SELECT greatest(j.scheduled_at, max(e.at)) AS since FROM procrastinate_events e
    WHERE e.job_id = j.id AND e.type <> 'scheduled'
) AS r
WHERE j.id = ANY (%(ids)s::bigint[]) AND j.status = 'todo' AND j.task_name <> ALL (%(ours)s)
GROUP BY 1;

-- name: count_put_back (queue, ours)
-- Jobs that were put back because their worker died, and how often: their `deferred_for_retry`
-- events are no retries of the task.
SELECT queue_name, count(*) AS last_day, count(DISTINCT job_id) AS jobs,
       count(*) FILTER (WHERE failed_at > now() - interval '1 hour') AS last_hour
FROM jobs_maint_failures
WHERE failed_at > now() - interval '24 hours' AND kind = 'worker_lost' AND will_retry
  AND (%(queue)s::text IS NULL OR queue_name = %(queue)s)
  AND task_name <> ALL (%(ours)s)
GROUP BY 1;

-- name: count_workers (newest, newest_at)
-- `beats`: of those that are live and beat, for how long each has been silent, and how often it beats.
-- Of the live ones neither those that are `stopping` nor those that are `unregistered` take jobs.
SELECT count(*) FILTER (WHERE w.live) AS live, count(*) FILTER (WHERE NOT w.live) AS silent,
       count(*) FILTER (WHERE w.live AND w.queues = '{}') AS stopping,
       count(*) FILTER (WHERE w.live AND w.id IS NULL AND w.queues IS DISTINCT FROM '{}')
           AS unregistered,
       count(*) FILTER (WHERE w.live AND w.delete_jobs <> 'never') AS deleting,
       count(*) FILTER (WHERE w.live AND w.delete_jobs = 'always') AS deleting_all,
       coalesce(jsonb_agg(jsonb_build_array(
           extract(epoch FROM now() - greatest(w.last_heartbeat, w.beat_at)), w.beat_seconds
       )) FILTER (WHERE w.live AND w.beat_seconds IS NOT NULL), '[]') AS beats
FROM {{workers}} WHERE {{still_told}};

-- name: list_maintenance (queue)
-- The last end of each of our tasks of maintenance, by jobs_maint_own_idx: the events of its twenty
-- newest jobs of each status, as an older one ends last if it was retried.
SELECT DISTINCT ON (task.task_name) task.task_name AS task, e.at AS finished_at,
       e.type = 'succeeded' AS succeeded
FROM unnest(ARRAY['jobs_maint:purge_finished_jobs', 'jobs_maint:rescue_stalled_jobs']) AS task (task_name)
CROSS JOIN unnest(enum_range(NULL::procrastinate_job_status)) AS any_status (status)
CROSS JOIN LATERAL (
    SELECT j.id FROM procrastinate_jobs j
    WHERE j.task_name IN (
        'jobs_maint:rescue_stalled_jobs', 'jobs_maint:purge_finished_jobs', 'chatbot:send_digest')
      AND j.task_name = task.task_name AND j.status = any_status.status AND j.queue_name = %(queue)s
    ORDER BY j.id DESC LIMIT 20
) AS j
JOIN procrastinate_events e ON e.job_id = j.id AND e.type IN ('succeeded', 'failed')
ORDER BY task.task_name, e.at DESC;

-- name: list_maintenance_defers
-- The last defer of each of our tasks of maintenance: its tick, and when its job was deferred, which
-- may be minutes later; and its run as far as the audit has it where the job was deleted.
SELECT DISTINCT ON (d.task_name) d.task_name AS task, to_timestamp(d.defer_timestamp) AS due_at,
       (SELECT min(e.at) FROM procrastinate_events e
        WHERE e.job_id = d.job_id AND e.type = 'deferred') AS deferred_at,
       d.job_id IS NULL AS job_deleted, audited.finished_at
FROM procrastinate_periodic_defers d
LEFT JOIN LATERAL (
    SELECT a.started_at + make_interval(secs => coalesce(a.elapsed_seconds, 0)) AS finished_at
    FROM jobs_maint_audit a
    WHERE a.started_at >= to_timestamp(d.defer_timestamp) AND a.actor_kind = 'task'
      AND a.word = substring(d.task_name FROM ':([a-z]+)_') AND a.outcome IN ('done', 'partly')
    ORDER BY a.started_at DESC LIMIT 1
) AS audited ON d.job_id IS NULL
WHERE d.task_name = ANY (ARRAY['jobs_maint:purge_finished_jobs', 'jobs_maint:rescue_stalled_jobs'])
  AND d.defer_timestamp IS NOT NULL
ORDER BY d.task_name, d.defer_timestamp DESC;
