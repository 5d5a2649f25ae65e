-- Our indexes on Procrastinate's tables: optional, built concurrently by `schema apply`.
-- The name of a query is the name of its index. Everything works without them, only slower.

-- name: jobs_maint_purgeable_idx
-- The purge: the next deletable jobs in id order, without reading the failed ones that are kept
-- longer and lie before them. Costs one entry when a job ends, none while it waits or runs.
CREATE INDEX CONCURRENTLY jobs_maint_purgeable_idx ON procrastinate_jobs (id)
    WHERE status IN ('succeeded', 'cancelled', 'aborted');

-- name: find_index (name)
-- Whether it is there, and whether its build ended well.
SELECT i.indisvalid AS valid FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.oid = to_regclass(%(name)s);

-- name: find_blocker
-- Whose transaction a concurrent build waits for: the oldest one of this database.
SELECT pid, coalesce(nullif(application_name, ''), usename, 'unnamed') AS who,
       extract(epoch FROM now() - xact_start)::float8 AS seconds
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
ORDER BY xact_start LIMIT 1;
