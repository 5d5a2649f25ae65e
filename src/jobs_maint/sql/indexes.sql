-- Our indexes on Procrastinate's tables: optional, built concurrently by `schema apply`.
-- The name of a query is the name of its index. Everything works without them, only slower.
-- A query uses a partial index when it repeats the index's condition word for word: then no plan,
-- not even the generic one of a prepared statement, depends on the values of the parameters.

-- name: jobs_maint_purgeable_idx
-- The purge: the next jobs of one final status in id order, without reading those of another status
-- that are kept longer and lie before them. Sets of failed jobs (`retry --all`), oldest first.
-- Costs one entry when a job ends, none while it waits or runs.
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_maint_purgeable_idx ON procrastinate_jobs (status, id)
    WHERE status IN ('succeeded', 'failed', 'cancelled', 'aborted');

-- name: jobs_maint_counts_idx
-- `stats`: how many jobs of each final status a queue has, from the index alone. Equal keys share
-- an entry, so it is small: about 7 bytes per job. In this order the planner keeps to it when many
-- rows are freshly updated. Costs one entry when a job ends.
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_maint_counts_idx
    ON procrastinate_jobs (status, queue_name)
    WHERE status NOT IN ('todo', 'doing');

-- name: jobs_maint_waiting_idx
-- `stats`: how many jobs of a queue are ready or scheduled ahead, and which have waited longest,
-- without reading a backlog. starts_with() is always true: Procrastinate's workers do not ask for it,
-- so that the planner never takes this index for them, where it would read a backlog at each fetch.
-- Costs one entry when a job is deferred, retried or put back.
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_maint_waiting_idx
    ON procrastinate_jobs (queue_name, scheduled_at, id)
    WHERE status = 'todo' AND starts_with(queue_name, '');

-- name: jobs_maint_own_idx
-- `stats`: our own tasks, which the counts leave out, and how each of them ended last.
-- Costs the team's jobs nothing.
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_maint_own_idx
    ON procrastinate_jobs (task_name, status, id) INCLUDE (queue_name)
    WHERE task_name IN (
        'jobs_maint:rescue_stalled_jobs', 'jobs_maint:purge_finished_jobs', 'chatbot:send_digest');

-- name: jobs_maint_failed_events_idx
-- `failed`, `errors`, digests: when jobs failed for good, newest first, recorded or not.
-- Costs one entry when a job fails for good, at the right end.
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_maint_failed_events_idx
    ON procrastinate_events (at, job_id)
    WHERE type = 'failed';

-- name: jobs_maint_events_at_idx
-- What ended within the last hour and day: 264 kB for 30 million events. `scheduled` events lie in
-- the future and would spoil the ranges. Costs nearly nothing: a range of pages is summarised once.
CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_maint_events_at_idx ON procrastinate_events USING brin (at)
    WITH (pages_per_range = 32, autosummarize = on) WHERE type <> 'scheduled';

-- name: get_index (home, table, name)
-- The table, and the index of this name on it: whether its build ended well, and its definition.
-- `held_by`: a session that builds an index on the table now, or vacuums it by hand; whoever else
-- began a build there would wait for it with a snapshot that it waits for in turn. `taken_by`: another
-- table whose index has the name, as one of ours that was renamed.
SELECT c.oid AS table_id, i.indexrelid AS index_id, i.indisvalid AS valid,
       pg_get_indexdef(i.indexrelid) AS definition, quote_ident(n.nspname) AS home,
       (SELECT l.pid FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'relation' AND l.relation = c.oid AND l.granted
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND l.mode = 'ShareUpdateExclusiveLock' AND l.pid <> pg_backend_pid()
          AND a.backend_type IS DISTINCT FROM 'autovacuum worker' LIMIT 1) AS held_by,
       (SELECT t.relname::text FROM pg_class x JOIN pg_index other ON other.indexrelid = x.oid
        JOIN pg_class t ON t.oid = other.indrelid
        WHERE x.relnamespace = n.oid AND x.relname = %(name)s AND t.oid <> c.oid) AS taken_by
FROM pg_namespace n
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = %(table)s AND c.relkind IN ('r', 'p')
LEFT JOIN (pg_index i JOIN pg_class x ON x.oid = i.indexrelid)
       ON i.indrelid = c.oid AND x.relname = %(name)s
WHERE n.nspname = %(home)s;

-- name: describe_sessions (pids)
SELECT pid, concat_ws(', ', nullif(application_name, ''), 'user ' || usename) AS who,
       extract(epoch FROM now() - xact_start)::float8 AS seconds
FROM pg_stat_activity WHERE pid = ANY (%(pids)s::int[])
ORDER BY xact_start LIMIT 1;

-- name: list_set_aside (home)
-- Indexes that gave their name to a new one and were not dropped yet.
SELECT c.relname::text AS name, quote_ident(n.nspname) AS home
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(home)s AND c.relkind = 'i' AND c.relname LIKE 'jobs\_maint\_old\_%%';

-- name: claim_build (token)
-- One row where nobody else is about to build: for 15 s, until the build itself can be seen in
-- pg_locks. A row, as no lock outlives its transaction behind a proxy, and a concurrent build can
-- stand in none.
INSERT INTO jobs_maint_migrations AS claim (number, name) VALUES (-1, %(token)s)
ON CONFLICT (number) DO UPDATE SET name = excluded.name, applied_at = clock_timestamp()
WHERE claim.name = excluded.name OR claim.applied_at < clock_timestamp() - interval '15 s'
RETURNING number;

-- name: release_build (token)
DELETE FROM jobs_maint_migrations WHERE number = -1 AND name = %(token)s;

-- name: find_waiting_build (beginning)
-- The build that begins with these words, while it waits for somebody: for whom.
SELECT pid, pg_blocking_pids(pid) AS blockers FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND starts_with(query, %(beginning)s)
  AND wait_event_type = 'Lock' AND pid <> pg_backend_pid();

-- name: cancel (pid)
SELECT pg_cancel_backend(%(pid)s);

-- name: get_session
-- The server's own process, which is not the one that the client was told of behind a proxy, and the
-- limits that a statement outside of a transaction meets.
SELECT pg_backend_pid() AS pid,
       (SELECT setting::float8 / 1000 FROM pg_settings WHERE name = 'statement_timeout') AS statement,
       (SELECT setting::float8 / 1000 FROM pg_settings WHERE name = 'lock_timeout') AS lock,
       ARRAY(SELECT ARRAY[name, setting] FROM pg_settings
             WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout')
               AND setting <> '0') AS limits;

-- name: set_for_session (name, value)
SELECT set_config(%(name)s, %(value)s, false);
