-- Does the schema exist, and in which version?

-- name: find_tables
-- One row: the schema (namespace) of Procrastinate's jobs table on the search path, or NULL, and
-- whether our table of migrations is in the same schema.
SELECT (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = to_regclass('procrastinate_jobs')) AS jobs_schema,
       to_regclass('jobs_maint_migrations') IS NOT NULL AS ours,
       to_regclass('procrastinate_workers') IS NOT NULL
           AND to_regproc('procrastinate_retry_job_v2') IS NOT NULL AS supported,
       current_schema() AS current_schema,
       current_setting('search_path') AS search_path;

-- name: list_applied
-- Numbers of the migrations that were applied.
SELECT number FROM jobs_maint_migrations ORDER BY number;

-- name: create_migrations
CREATE TABLE IF NOT EXISTS jobs_maint_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: record_migration (number, name)
INSERT INTO jobs_maint_migrations (number, name) VALUES (%(number)s, %(name)s);

-- name: try_lock
-- One boolean. Polled in autocommit, never waited for: a session that waits in pg_advisory_lock
-- holds a snapshot that CREATE INDEX CONCURRENTLY waits for, a deadlock.
SELECT pg_try_advisory_lock(7310598, hashtext(coalesce(current_schema(), ''))) AS locked;

-- name: unlock
SELECT pg_advisory_unlock(7310598, hashtext(coalesce(current_schema(), '')));

-- name: find_lock_holder
-- Who applies the schema right now.
SELECT a.pid, a.application_name, a.client_addr::text AS client, a.xact_start
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.classid = 7310598 AND l.granted
LIMIT 1;

-- name: use_schema_for_session (search_path)
-- A concurrent build cannot run in a transaction.
SELECT set_config('search_path', %(search_path)s, false);

-- name: use_schema (search_path)
-- For this transaction only: our tables go into the schema of Procrastinate's.
SELECT set_config('search_path', %(search_path)s, true);
