-- What several operations need in their own transaction.

-- name: without_jit
-- Compiling takes longer than these statements; for this transaction only.
SELECT set_config('jit', 'off', true);

-- name: identify_database
-- The cluster, the database in it and its jobs table: no two databases share all three, except a
-- physical copy. A restart or a failover changes none.
SELECT (SELECT system_identifier FROM pg_control_system())::text AS cluster,
       (SELECT oid FROM pg_database WHERE datname = current_database())::text AS database,
       coalesce(to_regclass('procrastinate_jobs')::oid, 0)::text AS jobs;

-- name: get_time
SELECT now() AS now;
