-- Taking out of the database what `schema apply` and our tasks put there.

-- name: list_homes (names)
-- Schemas that hold tables of ours, also those that this role may not use. `mine`: beside the jobs of
-- Procrastinate that the search path finds, or on it and beside none.
SELECT n.nspname::text AS schema,
       n.oid IS NOT DISTINCT FROM
           (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('procrastinate_jobs'))
       OR (n.nspname = ANY (current_schemas(false)) AND NOT EXISTS (
           SELECT 1 FROM pg_class o WHERE o.relnamespace = n.oid AND o.relname = 'procrastinate_jobs'))
       AS mine
FROM pg_namespace n WHERE n.oid IN (
    SELECT relnamespace FROM pg_class
    WHERE relname = ANY (%(names)s::text[]) AND relkind IN ('r', 'p'))
ORDER BY 1;

-- name: list_tables (homes, names)
-- Those of our tables that are there, with their size in bytes, indexes included.
SELECT n.nspname::text AS schema, c.relname::text AS name,
       pg_total_relation_size(c.oid) AS size_bytes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(homes)s::text[]) AND c.relname = ANY (%(names)s::text[])
  AND c.relkind IN ('r', 'p')
ORDER BY c.relname, 1;

-- name: list_indexes (home, names)
-- Our indexes on tables that are not ours, and those that a broken build left there. Quoted for SQL.
SELECT quote_ident(n.nspname) AS home, x.relname::text AS name
FROM pg_class x JOIN pg_namespace n ON n.oid = x.relnamespace
JOIN pg_index i ON i.indexrelid = x.oid JOIN pg_class t ON t.oid = i.indrelid
WHERE n.nspname = %(home)s AND t.relname LIKE 'procrastinate\_%%'
  AND (x.relname = ANY (%(names)s::text[]) OR x.relname LIKE 'jobs\_maint\_old\_%%')
ORDER BY x.relname;

-- name: list_dependents (homes, names)
-- What is not ours and would go with our tables or stop their drop: a view, a foreign key, a table
-- that inherits, a function whose arguments or body PostgreSQL reads. What belongs to our tables
-- (`auto`, `internal`) goes with them and is not named. Identified, not described: never translated.
WITH ours AS (
    SELECT c.oid, c.reltype, t.typarray FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_type t ON t.oid = c.reltype
    WHERE n.nspname = ANY (%(homes)s::text[]) AND c.relname = ANY (%(names)s::text[])
      AND c.relkind IN ('r', 'p')
), found AS (
    SELECT DISTINCT d.classid, d.objid FROM pg_depend d JOIN ours
      ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = ours.oid)
      OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (ours.reltype, ours.typarray))
    WHERE d.deptype = 'n' AND NOT EXISTS (
        SELECT 1 FROM pg_depend o JOIN ours own ON o.refobjid = own.oid
        WHERE o.refclassid = 'pg_class'::regclass AND o.classid = d.classid
          AND o.objid = d.objid AND o.deptype <> 'n')
)
SELECT DISTINCT o.type || ' ' || o.identity AS name
FROM found LEFT JOIN pg_rewrite r ON found.classid = 'pg_rewrite'::regclass AND r.oid = found.objid
CROSS JOIN LATERAL pg_identify_object(
    CASE WHEN r.oid IS NULL THEN found.classid ELSE 'pg_class'::regclass END,
    coalesce(r.ev_class, found.objid), 0) AS o
ORDER BY 1;

-- name: count_jobs (tasks)
-- Rows that our own tasks left in Procrastinate's tables.
SELECT (SELECT count(*) FROM procrastinate_jobs
        WHERE task_name = ANY (%(tasks)s::text[])) AS jobs,
       (SELECT count(*) FROM procrastinate_periodic_defers
        WHERE task_name = ANY (%(tasks)s::text[])) AS periodic;

-- name: list_stuck (tasks, stalled_after, stalled_after_unknown, heard_from)
-- Running jobs of the team that nobody can be said to run: without our tables nobody knows that.
SELECT extract(epoch FROM due.at - now())::float8 AS due_in, {{by_hand}}
FROM {{running_jobs}}
LEFT JOIN jobs_maint_suspects s ON s.job_id = j.id AND s.attempt = j.attempts
     AND s.started_at IS NOT DISTINCT FROM started.at
{{due}}
WHERE j.status = 'doing' AND j.task_name <> ALL (%(tasks)s::text[]) AND {{unreported}}
LIMIT 5000;

-- name: list_beating
-- Workers whose recorder beats: they would go on writing into tables that are gone.
SELECT host, pid, extract(epoch FROM now() - beat_at)::float8 AS seconds FROM jobs_maint_workers
WHERE beat_at > now() - make_interval(secs => 3 * beat_seconds)
ORDER BY host, pid;

-- name: list_mute
-- Workers that live by Procrastinate's heartbeat, which went on for three beats after the last one
-- of their recorder: it may come back, and then writes.
SELECT m.host, m.pid, extract(epoch FROM now() - m.beat_at)::float8 AS seconds
FROM jobs_maint_workers m JOIN procrastinate_workers w ON w.id = m.worker_id
WHERE w.last_heartbeat > now() - interval '30 seconds'
  AND w.last_heartbeat > m.beat_at + make_interval(secs => 3 * m.beat_seconds)
  AND m.beat_at <= now() - make_interval(secs => 3 * m.beat_seconds)
ORDER BY m.host, m.pid;

-- name: count_unknown
-- Live workers that have neither beaten nor run a job: a recorder shows from a worker's first job on.
SELECT count(*) AS workers
FROM procrastinate_workers w LEFT JOIN jobs_maint_workers m ON m.worker_id = w.id
WHERE w.last_heartbeat > now() - interval '30 seconds' AND m.worker_id IS NULL AND NOT {{ran}};

-- name: list_sessions (names)
-- Bots that are connected to this database. A worker is known by its beats: behind a proxy such as
-- PgBouncer a session keeps the name of whoever used it last.
SELECT split_part(application_name, ' ', 1) AS name, min(pid) AS pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name = ANY (%(names)s::text[])
  AND pid <> pg_backend_pid()
GROUP BY 1 ORDER BY 1;

-- name: delete_periodic (tasks)
DELETE FROM procrastinate_periodic_defers WHERE task_name = ANY (%(tasks)s::text[]);

-- name: delete_jobs (tasks, limit)
-- Their events go with them.
DELETE FROM procrastinate_jobs WHERE id IN (
    SELECT id FROM procrastinate_jobs
    WHERE task_name = ANY (%(tasks)s::text[]) LIMIT %(limit)s)
RETURNING id;
