-- What several operations need in their own transaction.

-- name: without_jit
-- Compiling takes longer than these statements; for this transaction only.
SELECT set_config('jit', 'off', true);

-- name: walk_indexes
-- In a storm the planner knows of few of its rows yet: it would gather all of them and sort them,
-- where an index has the newest ones first.
SELECT current_setting('enable_seqscan') AS seqscan, current_setting('enable_bitmapscan') AS bitmapscan,
       set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true);

-- name: walk_as_before (seqscan, bitmapscan)
SELECT set_config('enable_seqscan', %(seqscan)s, true),
       set_config('enable_bitmapscan', %(bitmapscan)s, true);

-- name: identify_database
-- The cluster, the database in it and its jobs table: no two databases share all three, except a
-- physical copy. A restart or a failover changes none.
SELECT (SELECT system_identifier FROM pg_control_system())::text AS cluster,
       (SELECT oid FROM pg_database WHERE datname = current_database())::text AS database,
       coalesce(to_regclass('procrastinate_jobs')::oid, 0)::text AS jobs;

-- name: get_time
SELECT now() AS now;
