-- Our indexes on Procrastinate's tables: optional, built concurrently by `schema apply`.
-- The name of a query is the name of its index. Everything works without them, only slower.
-- A query uses a partial index when it repeats the index's condition word for word: then no plan,
-- not even the generic one of a prepared statement, depends on the values of the parameters.

-- name: jobs_maint_purgeable_idx
-- The purge: the next jobs of one final status in id order, without reading those of another status
-- that are kept longer and lie before them. Sets of failed jobs (`retry --all`), oldest first.
-- Costs one entry when a job ends, none while it waits or runs.
CREATE INDEX CONCURRENTLY jobs_maint_purgeable_idx ON procrastinate_jobs (status, id)
    WHERE status IN ('succeeded', 'failed', 'cancelled', 'aborted');

-- name: jobs_maint_counts_idx
-- `stats`: how many jobs of each final status a queue has, from the index alone. Equal keys share
-- an entry, so it is small: about 7 bytes per job. In this order the planner keeps to it when many
-- rows are freshly updated. Costs one entry when a job ends.
CREATE INDEX CONCURRENTLY jobs_maint_counts_idx ON procrastinate_jobs (status, queue_name)
    WHERE status NOT IN ('todo', 'doing');

-- name: jobs_maint_waiting_idx
-- `stats`: how many jobs of a queue are ready or scheduled ahead, and which have waited longest,
-- without reading a backlog. starts_with() is always true: Procrastinate's workers do not ask for it,
-- so that the planner never takes this index for them, where it would read a backlog at each fetch.
-- Costs one entry when a job is deferred, retried or put back.
CREATE INDEX CONCURRENTLY jobs_maint_waiting_idx ON procrastinate_jobs (queue_name, scheduled_at, id)
    WHERE status = 'todo' AND starts_with(queue_name, '');

-- name: jobs_maint_own_idx
-- `stats`: our own tasks, which the counts leave out, and how each of them ended last.
-- Costs the team's jobs nothing.
CREATE INDEX CONCURRENTLY jobs_maint_own_idx
    ON procrastinate_jobs (task_name, status, id) INCLUDE (queue_name)
    WHERE task_name IN (
        'jobs_maint:rescue_stalled_jobs', 'jobs_maint:purge_finished_jobs', 'chatbot:send_digest');

-- name: jobs_maint_failed_events_idx
-- `failed`, `errors`, digests: when jobs failed for good, newest first, recorded or not.
-- Costs one entry when a job fails for good, at the right end.
CREATE INDEX CONCURRENTLY jobs_maint_failed_events_idx ON procrastinate_events (at, job_id)
    WHERE type = 'failed';

-- name: jobs_maint_events_at_idx
-- What ended within the last hour and day: 264 kB for 30 million events. `scheduled` events lie in
-- the future and would spoil the ranges. Costs nearly nothing: a range of pages is summarised once.
CREATE INDEX CONCURRENTLY jobs_maint_events_at_idx ON procrastinate_events USING brin (at)
    WITH (pages_per_range = 32, autosummarize = on) WHERE type <> 'scheduled';

-- name: find_index (name)
-- Whether it exists, and whether its build finished.
SELECT i.indisvalid AS valid FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.oid = to_regclass(%(name)s);

-- name: find_blocker
-- The transaction that a concurrent build waits for: the oldest in this database.
SELECT pid, coalesce(nullif(application_name, ''), usename, 'unnamed') AS who,
       extract(epoch FROM now() - xact_start)::float8 AS seconds
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
ORDER BY xact_start LIMIT 1;
