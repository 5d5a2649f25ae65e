-- Is the set-up sound? Each query is bounded: by an index, a LIMIT or a sample, and all of them
-- by the caller's statement timeout.

-- name: set_read_only
SET TRANSACTION READ ONLY;

-- name: get_server
-- One row; needs no table.
SELECT now() AS now, current_user::text AS login, current_database()::text AS database,
       current_setting('server_version_num')::int AS version_number,
       split_part(current_setting('server_version'), ' ', 1) AS version,
       current_setting('default_transaction_isolation') AS isolation;

-- name: set_small_memory
-- Temporary files go where the database has its tables, unless those are told another place.
SELECT set_config('work_mem', '64kB', true), set_config('temp_tablespaces', '', true);

-- name: write_to_disk
-- More rows than fit into that memory: 5 MB in a file that is gone with the statement. It leaves no
-- trace, needs no right and fires no trigger, and a standby takes it, too.
SELECT count(*) AS rows FROM generate_series(1, 200000);

-- name: get_clock
SELECT clock_timestamp() AS now;

-- name: list_objects
-- What is in the schema of Procrastinate's jobs table and works: tables, functions, valid indexes,
-- enabled triggers.
WITH home AS (SELECT relnamespace AS id FROM pg_class WHERE oid = to_regclass('procrastinate_jobs'))
SELECT 'function' AS kind, p.proname::text AS name
FROM pg_proc p JOIN home ON p.pronamespace = home.id
WHERE p.proname LIKE 'procrastinate\_%%'
UNION
SELECT CASE WHEN c.relkind IN ('r', 'p') THEN 'table' ELSE 'index' END, c.relname::text
FROM pg_class c JOIN home ON c.relnamespace = home.id
LEFT JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'i', 'I') AND coalesce(i.indisvalid, true)
  AND c.relname LIKE ANY ('{%%procrastinate\_%%,jobs\_maint\_%%}')
UNION
SELECT 'trigger', t.tgname::text
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN home ON c.relnamespace = home.id
WHERE NOT t.tgisinternal AND t.tgenabled <> 'D';

-- name: count_recorded (newest, most)
-- Of the jobs that failed for good in the last day, since our tables are there: how many have
-- their error recorded. Reads the newest events by their primary key, not the table: there is no
-- index on type or time. `cut`: these do not reach back a day. `fresh`: not recorded yet, of the
-- last seconds: the recorder collects some errors for a second.
WITH failed AS MATERIALIZED (
    SELECT e.job_id, e.at FROM procrastinate_events e
    WHERE e.id > (SELECT max(id) FROM procrastinate_events) - %(newest)s
      AND e.type = 'failed' AND e.at > now() - interval '24 hours'
      AND e.at <= now() AND e.at > (SELECT applied_at FROM jobs_maint_migrations WHERE number = 1)
    ORDER BY e.id DESC LIMIT %(most)s
), judged AS (
    SELECT failed.job_id, failed.at > now() - interval '10 seconds' AS fresh, EXISTS (
        SELECT 1 FROM jobs_maint_failures f
        WHERE f.job_id = failed.job_id AND f.failed_at <= failed.at + interval '10 seconds'
          AND f.failed_at >= coalesce(
              (SELECT max(s.at) FROM procrastinate_events s
               WHERE s.job_id = failed.job_id AND s.type = 'started' AND s.at <= failed.at),
              '-infinity')) AS recorded
    FROM failed
)
SELECT count(*) AS failed, count(*) FILTER (WHERE recorded) AS recorded,
       count(*) FILTER (WHERE NOT recorded AND fresh) AS fresh,
       count(DISTINCT job_id) FILTER (WHERE NOT recorded AND NOT fresh) AS unrecorded,
       (array_agg(DISTINCT job_id ORDER BY job_id DESC)
           FILTER (WHERE NOT recorded AND NOT fresh))[1:3] AS sample,
       EXISTS (SELECT 1 FROM jobs_maint_workers m
               WHERE m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds)) AS beating,
       coalesce((SELECT e.at > now() - interval '24 hours' FROM procrastinate_events e
                 WHERE e.id <= (SELECT max(id) FROM procrastinate_events) - %(newest)s
                   AND e.type <> 'scheduled'
                 ORDER BY e.id DESC LIMIT 1), false) AS cut
FROM judged;

-- name: list_silent_recorders
-- Workers that are alive by Procrastinate's heartbeat but do not beat. A worker beats from its
-- first job on, so one that ran none shows nothing. `goes_on`: the heartbeat went on for three beats
-- after the last beat. Without that, both may have ended together a moment ago.
SELECT w.id AS worker_id, m.worker_id IS NOT NULL AS beat_once, {{ran}} AS ran,
       coalesce(w.last_heartbeat > m.beat_at + make_interval(secs => 3 * m.beat_seconds), false)
           AS goes_on
FROM procrastinate_workers w LEFT JOIN jobs_maint_workers m ON m.worker_id = w.id
WHERE w.last_heartbeat > now() - interval '30 seconds'
  AND (m.worker_id IS NULL OR m.beat_at <= now() - make_interval(secs => 3 * m.beat_seconds))
ORDER BY w.id;

-- name: count_ready (most, ours)
-- Ready jobs, up to `most`, by the partial index on todo; `own` of them are of our own tasks.
SELECT count(*) AS jobs, count(*) FILTER (WHERE task_name = ANY (%(ours)s)) AS own FROM (
    SELECT task_name FROM procrastinate_jobs
    WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now()) LIMIT %(most)s) AS ready;

-- name: is_there_a_trace (newest)
-- Of any worker: its row, or a job among the newest events that it began.
SELECT EXISTS (SELECT FROM jobs_maint_workers)
    OR EXISTS (SELECT FROM procrastinate_workers)
    OR EXISTS (SELECT FROM (SELECT type FROM procrastinate_events ORDER BY id DESC LIMIT %(newest)s) AS e
               WHERE e.type = 'started') AS there;

-- name: find_listeners (queue, ours)
-- Who listens to our queue, and which jobs of ours wait there. `unknown`: live workers of which nobody
-- knows that, as they have not beaten yet.
SELECT fleet.*, waiting.jobs AS waiting, waiting.seconds::float8 AS seconds,
       EXISTS (SELECT 1 FROM jobs_maint_digests) AS digests
FROM (SELECT count(*) FILTER (WHERE w.live) AS live,
             count(*) FILTER (WHERE {{listens}} AND w.beaten_id IS NOT NULL
                              AND coalesce(%(queue)s = ANY (w.queues), true)) AS listening,
             count(*) FILTER (WHERE {{listens}} AND w.beaten_id IS NULL) AS unknown
      FROM {{workers}}) AS fleet
CROSS JOIN (
    SELECT count(*) AS jobs, max(CASE WHEN isfinite(r.since) THEN extract(epoch FROM now() - r.since) END) AS seconds
    FROM (SELECT id, scheduled_at FROM procrastinate_jobs
          WHERE status = 'todo' AND queue_name = %(queue)s AND task_name = ANY (%(ours)s)
            AND (scheduled_at IS NULL OR scheduled_at <= now())
          LIMIT 1000) AS j
    CROSS JOIN LATERAL (SELECT greatest(j.scheduled_at, max(e.at)) AS since
                        FROM procrastinate_events e
                        WHERE e.job_id = j.id AND e.type <> 'scheduled') AS r) AS waiting;

-- name: find_last_run (queue, task, word)
-- When a periodic task of ours last succeeded and failed, by the index on queue_name, and by the
-- audit where workers delete what succeeded. `deleted_at`: the tick of the last run, if a worker
-- deleted its job; Procrastinate keeps the row of the last one alone.
-- `started_at`: since when a live worker beats.
SELECT runs.failed_at, runs.failed_job_id, tables.applied_at, now() AS now,
       greatest(runs.succeeded_at, audited.at) AS succeeded_at,
       (SELECT to_timestamp(max(d.defer_timestamp)) FROM procrastinate_periodic_defers d
        WHERE d.task_name = %(task)s AND d.job_id IS NULL) AS deleted_at,
       (SELECT min(m.started_at) FROM jobs_maint_workers m
        WHERE m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds)) AS started_at
FROM (SELECT max(e.at) FILTER (WHERE e.type = 'succeeded') AS succeeded_at,
             max(e.at) FILTER (WHERE e.type = 'failed') AS failed_at,
             (array_agg(j.id ORDER BY e.at DESC) FILTER (WHERE e.type = 'failed'))[1]
                 AS failed_job_id
      FROM procrastinate_jobs j
      JOIN procrastinate_events e ON e.job_id = j.id AND e.type IN ('succeeded', 'failed')
      WHERE j.queue_name = %(queue)s AND j.task_name = %(task)s) AS runs
CROSS JOIN (SELECT max(started_at) AS at FROM jobs_maint_audit
            WHERE started_at > now() - interval '40 days' AND word = %(word)s
              AND actor_kind = 'task' AND outcome IN ('done', 'partly')) AS audited
CROSS JOIN (SELECT max(applied_at) FILTER (WHERE number = 1) AS applied_at
            FROM jobs_maint_migrations) AS tables;

-- name: list_digests
-- Each digest by its last eight windows that were sent: how far they reach and how long they are;
-- and how the very last one ended.
SELECT d.name, count(*) FILTER (WHERE d.sent) AS windows,
       extract(epoch FROM now() - max(d.until) FILTER (WHERE d.sent))::float8 AS behind_seconds,
       max(extract(epoch FROM d.until - d.since)) FILTER (WHERE d.sent)::float8 AS longest_seconds,
       (array_agg(d.state ORDER BY d.id DESC))[1] AS last_state,
       (array_agg(d.error ORDER BY d.id DESC))[1] AS last_error,
       (array_agg(d.opened_at ORDER BY d.id DESC))[1] < now() - interval '5 minutes' AS gone
FROM (SELECT *, state IN ('sent', 'quiet') AS sent,
             row_number() OVER (PARTITION BY name, state IN ('sent', 'quiet')
                                ORDER BY id DESC) AS place
      FROM jobs_maint_digests) AS d
WHERE d.place <= 8 GROUP BY d.name ORDER BY d.name LIMIT 100;

-- name: list_lost_runs
-- Acts that are `started` in the audit and whose process is gone.
SELECT a.id AS audit_id, a.word, extract(epoch FROM now() - a.started_at)::float8 AS seconds,
       count(*) OVER () AS total
FROM jobs_maint_audit a LEFT JOIN jobs_maint_runs r ON r.audit_id = a.id
WHERE a.outcome = 'started' AND a.started_at > now() - interval '30 days'
  AND coalesce(r.lease_until < now(), true)
ORDER BY a.id DESC LIMIT 5;

-- name: list_blocking_jobs (most)
-- Locks whose next job cannot run while ready jobs wait behind it: it waits for a later time, or
-- it is running and no live worker reports it. The order is the one in which Procrastinate fetches.
-- Reads at most `most` unfinished jobs with a lock, by the partial index on (id, lock). Shown are those
-- of either kind that hold up most.
WITH held AS MATERIALIZED (
    SELECT id, lock, priority, status, scheduled_at, worker_id, queue_name, task_name
    FROM procrastinate_jobs
    WHERE lock IS NOT NULL AND status IN ('todo', 'doing') ORDER BY id LIMIT %(most)s
), heads AS (
    SELECT DISTINCT ON (lock) * FROM held
    ORDER BY lock, (status = 'doing') DESC, priority DESC, id
), blocking AS (
    SELECT h.* FROM heads h
    WHERE (h.status = 'todo' AND h.scheduled_at > now())
       OR (h.status = 'doing'
           AND h.id IN (SELECT j.id FROM {{running_jobs}} WHERE j.status = 'doing' AND {{unreported}}))
), counted AS (
    SELECT b.id AS job_id, b.lock, b.queue_name AS queue, b.task_name AS task,
           b.status = 'doing' AS stuck, b.scheduled_at, count(*) AS waiting
    FROM blocking b
    JOIN held h ON h.lock = b.lock AND h.id <> b.id AND h.status = 'todo'
         AND (h.scheduled_at IS NULL OR h.scheduled_at <= now())
    GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT * FROM (
    SELECT counted.*, (SELECT count(*) FROM held) AS looked_at, count(*) OVER () AS locks,
           sum(waiting) OVER () AS all_waiting,
           row_number() OVER (PARTITION BY stuck ORDER BY waiting DESC, job_id) AS place
    FROM counted) AS placed
WHERE place <= 5 ORDER BY stuck DESC, place;

-- name: list_deleting_workers
SELECT w.beaten_id AS worker_id, w.delete_jobs FROM {{workers}}
WHERE w.live AND w.delete_jobs <> 'never' ORDER BY 1 LIMIT 100;

-- name: list_slow_fetches (slow_seconds)
-- Searches of workers for their next job that go on, the longest first, and who blocks it. Of other
-- roles' sessions a role without pg_read_all_stats sees no text.
SELECT pid, extract(epoch FROM clock_timestamp() - query_start)::float8 AS seconds,
       pg_blocking_pids(pid) AS blockers, usename::text AS role
FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
  AND query LIKE '%%procrastinate_fetch_job%%'
  AND query_start < clock_timestamp() - make_interval(secs => %(slow_seconds)s)
ORDER BY query_start LIMIT 100;

-- name: list_prepared (seconds)
-- Prepared transactions that hold a table of Procrastinate or of ours for this long, the oldest first:
-- only a person ends them, and pg_stat_activity does not show them.
SELECT p.gid, p.owner::text AS owner, extract(epoch FROM clock_timestamp() - p.prepared)::float8 AS seconds
FROM pg_prepared_xacts p
WHERE p.database = current_database()
  AND p.prepared < clock_timestamp() - make_interval(secs => %(seconds)s)
  AND EXISTS (
      SELECT FROM pg_locks t JOIN pg_locks l ON l.virtualtransaction = t.virtualtransaction
      JOIN pg_class c ON c.oid = l.relation
      WHERE t.locktype = 'transactionid' AND t.transactionid = p.transaction AND t.pid IS NULL
        AND l.pid IS NULL AND l.mode <> 'AccessShareLock'
        AND c.relname LIKE ANY ('{procrastinate\_%%,jobs\_maint\_%%}'))
ORDER BY p.prepared LIMIT 100;

-- name: measure_jobs
-- Pages of the jobs table, and whether an index helps when a worker ends: Procrastinate's
-- own covers running jobs only and does not.
SELECT (pg_relation_size(c.oid) / current_setting('block_size')::int)::bigint AS pages,
       EXISTS (
           SELECT 1 FROM pg_index i
           JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
           WHERE i.indrelid = c.oid AND i.indisvalid AND a.attname = 'worker_id'
             AND (i.indpred IS NULL
                  OR pg_get_expr(i.indpred, i.indrelid) = '(worker_id IS NOT NULL)')) AS indexed
FROM pg_class c WHERE c.oid = to_regclass('procrastinate_jobs');

-- name: list_foreign_keys
-- Keys of other tables onto the jobs, and onto what goes with a job (ON DELETE CASCADE), which is
-- where their own keys count too. `blocks`: a job that is named there cannot be deleted. `slow`: a
-- table of more than a megabyte without an index for the key is read at each delete.
WITH RECURSIVE gone (relid) AS (
    SELECT to_regclass('procrastinate_jobs')::oid
    UNION
    SELECT c.conrelid FROM gone JOIN pg_constraint c
        ON c.confrelid = gone.relid AND c.contype = 'f' AND c.confdeltype = 'c'
), keys AS (
    SELECT c.oid, c.conname, c.conrelid, c.confrelid, c.conkey, c.confkey, c.confdeltype,
           c.condeferrable, c.condeferred,
           quote_ident(n.nspname) || '.' || quote_ident(t.relname) AS table_name,
           EXISTS (SELECT 1 FROM pg_attribute a
                   WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) AND a.attnotnull)
               AS required,
           EXISTS (SELECT 1 FROM pg_attribute a
                   WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) AND a.atthasdef)
               AS defaulted,
           pg_relation_size(c.conrelid) > 1000000 AND NOT EXISTS (
               SELECT 1 FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indisvalid
                 AND i.indpred IS NULL AND i.indkey[0] = ANY (c.conkey)) AS slow
    FROM gone
    JOIN pg_constraint c ON c.confrelid = gone.relid AND c.contype = 'f' AND c.conparentid = 0
    JOIN pg_class t ON t.oid = c.conrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE t.relname NOT LIKE 'procrastinate\_%%'
      AND coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true)
)
SELECT k.table_name, quote_ident(k.conname) AS key, k.slow, k.required,
       concat(CASE WHEN k.condeferrable THEN ' DEFERRABLE' END,
              CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' END) AS deferred,
       CASE k.confdeltype WHEN 'n' THEN k.required WHEN 'd' THEN k.required OR k.defaulted
                          ELSE k.confdeltype IN ('a', 'r') END AS blocks,
       k.confrelid = to_regclass('procrastinate_jobs') AS direct,
       k.confrelid::regclass::text AS target,
       (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY s.place)
        FROM unnest(k.conkey) WITH ORDINALITY AS s (number, place)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = s.number) AS columns,
       (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY s.place)
        FROM unnest(k.confkey) WITH ORDINALITY AS s (number, place)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = s.number) AS target_columns
FROM keys k ORDER BY blocks DESC, k.table_name, k.conname;

-- name: list_far_triggers
-- Triggers of the team's on the jobs or their events whose function names dblink or a foreign table.
SELECT t.tgname::text AS trigger, t.tgrelid::regclass::text AS table_name,
       p.oid::regprocedure::text AS function
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid IN (to_regclass('procrastinate_jobs'), to_regclass('procrastinate_events'))
  AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgname NOT LIKE 'procrastinate\_%%'
  AND (p.prosrc ~* '\mdblink'
       OR EXISTS (SELECT FROM pg_class f WHERE f.relkind = 'f' AND f.relname = ANY (regexp_split_to_array(p.prosrc, '[^\w$]+'))))
ORDER BY 1, 2;

-- name: sample_worker_ids (percent)
-- Jobs on a sample of the pages, and finished ones among them that carry a worker id.
SELECT count(*) AS jobs, count(worker_id) FILTER (WHERE status <> 'doing') AS carrying
FROM procrastinate_jobs TABLESAMPLE SYSTEM (%(percent)s);

-- name: get_watch
-- Since when no bot has looked for incidents, and whether the last one could look at all; no row: none
-- ever did.
SELECT extract(epoch FROM now() - watched_at)::float8 AS silent_seconds, complete
FROM jobs_maint_watch WHERE watched_at IS NOT NULL;

-- name: list_untold_incidents
-- Incidents of the last day that Slack did not take as it should; the open ones first, then the newest.
SELECT id, told_error AS error, ts IS NOT NULL AS posted FROM jobs_maint_incidents
WHERE (state = 'open' OR resolved_at > now() - interval '1 day') AND told_error IS NOT NULL
ORDER BY state <> 'open', id DESC LIMIT 100;
