-- Is the schema there, of which version, and is it what the migrations make of it.

-- name: find_tables
-- One row: the schemas (namespaces) of Procrastinate's jobs table and of our table of migrations, as
-- the search path finds them, or NULL. `new_home`: where Procrastinate's tables would be made.
-- `left_over`: what stands there of them without the jobs; `lost`: what is missing beside the jobs.
SELECT jobs.nspname AS jobs_schema, ours.nspname AS our_schema,
       to_regclass('jobs_maint_migrations') IS NOT NULL AS ours,
       to_regclass('procrastinate_workers') IS NOT NULL
           AND to_regproc('procrastinate_retry_job_v2') IS NOT NULL AS supported,
       made.home AS new_home, current_schema() AS current_schema,
       current_setting('search_path') AS search_path,
       ARRAY(SELECT t.typname::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
             WHERE jobs.oid IS NULL AND n.nspname = made.home AND t.typname IN (
                 'procrastinate_events', 'procrastinate_periodic_defers', 'procrastinate_workers',
                 'procrastinate_job_status', 'procrastinate_job_event_type')
             ORDER BY t.typtype, 1) AS left_over,
       ARRAY(SELECT name FROM unnest(ARRAY['procrastinate_events', 'procrastinate_periodic_defers'])
             AS name
             WHERE jobs.oid IS NOT NULL AND NOT EXISTS (
                 SELECT 1 FROM pg_class c WHERE c.relnamespace = jobs.oid AND c.relname = name)
             ORDER BY 1) AS lost
FROM (SELECT 1) AS one
LEFT JOIN pg_class j ON j.oid = to_regclass('procrastinate_jobs')
LEFT JOIN pg_namespace jobs ON jobs.oid = j.relnamespace
LEFT JOIN pg_class m ON m.oid = to_regclass('jobs_maint_migrations')
LEFT JOIN pg_namespace ours ON ours.oid = m.relnamespace
CROSS JOIN LATERAL (SELECT coalesce(ours.nspname, current_schema()) AS home) AS made;

-- name: find_strays (names)
-- Tables of ours that the search path finds beside no jobs table of Procrastinate, while there is one
-- elsewhere on it. `twice`: they hide others, which stand where they should.
SELECT n.nspname::text AS schema, quote_ident(n.nspname) AS quoted, home.nspname::text AS home,
       quote_ident(home.nspname) AS quoted_home, bool_or(twin.oid IS NOT NULL) AS twice
FROM unnest(%(names)s::text[]) AS name
JOIN pg_class c ON c.oid = to_regclass(name)
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class j ON j.oid = to_regclass('procrastinate_jobs')
JOIN pg_namespace home ON home.oid = j.relnamespace
LEFT JOIN pg_class twin ON twin.relnamespace = home.oid AND twin.relname = name
WHERE n.oid <> home.oid AND NOT EXISTS (
    SELECT 1 FROM pg_class o WHERE o.relnamespace = n.oid AND o.relname = 'procrastinate_jobs')
GROUP BY n.nspname, home.nspname ORDER BY 1 LIMIT 1;

-- name: find_foreign (tables, columns, names, indexes)
-- What stands beside the jobs, or on the search path, with one of our names and is not ours: a table
-- with fewer than half of these columns, and what is no table, or no index, at all.
WITH schemas AS (
    SELECT n.oid FROM pg_namespace n
    WHERE n.nspname = ANY (current_schemas(false))
       OR n.oid = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('procrastinate_jobs'))
)
SELECT c.oid::regclass::text AS place, 'table' AS kind, 'table' AS of_kind,
       array_agg(want.column_name ORDER BY want.place) FILTER (WHERE a.attnum IS NULL) AS missing
FROM unnest(%(tables)s::text[], %(columns)s::text[])
     WITH ORDINALITY AS want (table_name, column_name, place)
JOIN pg_class c ON c.relname = want.table_name AND c.relkind IN ('r', 'p')
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = want.column_name AND NOT a.attisdropped
WHERE c.relnamespace IN (SELECT oid FROM schemas)
GROUP BY c.oid HAVING 2 * count(a.attnum) < count(*)
UNION ALL
SELECT c.oid::regclass::text, kind.name,
       CASE WHEN c.relname = ANY (%(names)s::text[]) THEN 'table' ELSE 'index' END, NULL
FROM pg_class c
JOIN (VALUES ('r', 'table'), ('p', 'table'), ('i', 'index'), ('I', 'index'), ('v', 'view'),
             ('m', 'materialized view'), ('S', 'sequence'), ('f', 'foreign table'), ('c', 'type'))
     AS kind (letter, name) ON kind.letter = c.relkind::text
WHERE c.relnamespace IN (SELECT oid FROM schemas)
  AND (c.relname = ANY (%(names)s::text[]) AND kind.name <> 'table'
       OR c.relname = ANY (%(indexes)s::text[]) AND kind.name <> 'index')
UNION ALL
SELECT t.oid::regtype::text, 'type', 'table', NULL
FROM pg_type t
WHERE t.typnamespace IN (SELECT oid FROM schemas) AND t.typrelid = 0
  AND t.typname = ANY (%(names)s::text[])
ORDER BY 1;

-- name: list_applied
-- Numbers of the migrations that were applied; below zero stands who builds indexes now.
SELECT number FROM jobs_maint_migrations WHERE number > 0 ORDER BY number;

-- name: create_migrations
CREATE TABLE IF NOT EXISTS jobs_maint_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: go_home
-- What the printed SQL begins with: for this transaction only, our tables go beside Procrastinate's;
-- where that is no use, an error whose text says so. In ASCII.
DO $$
DECLARE
    home text := (SELECT quote_ident(n.nspname) FROM pg_class c JOIN pg_namespace n
                  ON n.oid = c.relnamespace WHERE c.oid = to_regclass('procrastinate_jobs'));
    ours text := (SELECT quote_ident(n.nspname) FROM pg_class c JOIN pg_namespace n
                  ON n.oid = c.relnamespace WHERE c.oid = to_regclass('jobs_maint_migrations')
                  AND NOT EXISTS (SELECT 1 FROM pg_class j WHERE j.relnamespace = n.oid
                                  AND j.relname = 'procrastinate_jobs'));
    path text := current_setting('search_path');
BEGIN
    IF home IS NULL THEN
        RAISE EXCEPTION USING MESSAGE = 'Procrastinate''s tables are not on the search path ('
            || path || '); nothing was changed. Create them first, or put their schema on it.';
    ELSIF ours IS NOT NULL THEN
        RAISE EXCEPTION USING MESSAGE = 'Tables of procrastinate-ops are in the schema ' || ours
            || ', and Procrastinate''s in ' || home || '; nothing was changed. '
            || 'Run `jobs-maint schema status`, which says how to move them.';
    END IF;
    PERFORM set_config('search_path', home || ', ' || path, true);
END $$;

-- name: give_tables
-- Our tables go to the role that owns Procrastinate's jobs, whoever made them; their sequences and
-- indexes go along. OUR_TABLES stands for their names. In ASCII.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT 'ALTER TABLE ' || c.oid::regclass || ' OWNER TO ' || quote_ident(pg_get_userbyid(j.relowner))
        FROM pg_class j JOIN pg_class c ON c.relnamespace = j.relnamespace AND c.relowner <> j.relowner
        WHERE j.oid = to_regclass('procrastinate_jobs') AND c.relkind IN ('r', 'p')
          AND c.relname IN (OUR_TABLES)
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;

-- name: record_migration (number, name)
INSERT INTO jobs_maint_migrations (number, name) VALUES (%(number)s, %(name)s);

-- name: try_lock
-- One boolean; the lock is held until the transaction ends. Polled, never waited for: a session that
-- waits for it holds a snapshot that CREATE INDEX CONCURRENTLY waits for, a deadlock.
SELECT pg_try_advisory_xact_lock(7310598, hashtext(coalesce(current_schema(), ''))) AS locked;

-- name: find_lock_holder
-- Who applies the schema right now.
SELECT a.pid, a.application_name, a.client_addr::text AS client, a.xact_start
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.classid = 7310598 AND l.granted
LIMIT 1;

-- name: use_schema (search_path)
-- For this transaction only: our tables go beside Procrastinate's.
SELECT set_config('search_path', %(search_path)s, true);

-- name: find_right_to_create
-- Whether the user may create tables in the schema that new ones go to.
SELECT quote_ident(current_user) AS login, quote_ident(current_schema()) AS home,
       current_schema() IS NULL OR has_schema_privilege(current_schema(), 'CREATE') AS allowed;

-- name: find_right_to_alter (home)
-- Whether the user may create tables beside Procrastinate's, and which tables, its and ours, belong
-- to roles whose rights the user does not have. `owners`: of all of them. `members`: who has the rights
-- of those where nobody logs in as that. `owner`: of the jobs, which also gets our tables;
-- `owner_allowed`: whether it may have some there.
WITH owned AS (
    SELECT c.relname::text AS name, c.relowner, pg_has_role(c.relowner, 'USAGE') AS usable
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(home)s AND c.relkind IN ('r', 'p')
      AND (c.relname IN ('procrastinate_jobs', 'procrastinate_events')
           OR c.relname LIKE 'jobs\_maint\_%%')
), foreign_table AS (
    SELECT name, relowner FROM owned WHERE NOT usable
)
SELECT quote_ident(current_user) AS login, quote_ident(n.nspname) AS home,
       has_schema_privilege(n.oid, 'CREATE') AS allowed,
       ARRAY(SELECT name FROM foreign_table ORDER BY name LIKE 'jobs%%', 1) AS foreign_tables,
       ARRAY(SELECT DISTINCT quote_ident(pg_get_userbyid(relowner))
             FROM owned ORDER BY 1) AS owners,
       ARRAY(SELECT quote_ident(r.rolname) FROM pg_roles r
             WHERE r.rolcanlogin AND NOT r.rolsuper AND EXISTS (
                 SELECT FROM foreign_table f JOIN pg_roles o ON o.oid = f.relowner
                 WHERE NOT o.rolcanlogin AND pg_has_role(r.oid, o.oid, 'USAGE'))
             ORDER BY 1 LIMIT 3) AS members,
       quote_ident(pg_get_userbyid(j.relowner)) AS owner,
       u.rolsuper OR j.oid IS NULL OR has_schema_privilege(j.relowner, n.oid, 'CREATE') AS owner_allowed
FROM pg_namespace n JOIN pg_roles u ON u.rolname = current_user
LEFT JOIN pg_class j ON j.relnamespace = n.oid AND j.relname = 'procrastinate_jobs'
WHERE n.nspname = %(home)s;

-- name: find_other_owners (home, names)
-- Our tables that belong to another role than the jobs (`wanted`). `may`: the user may change that.
SELECT c.relname::text AS name, quote_ident(pg_get_userbyid(c.relowner)) AS owner,
       quote_ident(pg_get_userbyid(j.relowner)) AS wanted,
       u.rolsuper OR (pg_has_role(c.relowner, 'USAGE') AND pg_has_role(j.relowner, 'MEMBER')
                      AND has_schema_privilege(j.relowner, n.oid, 'CREATE')) AS may
FROM pg_namespace n JOIN pg_roles u ON u.rolname = current_user
JOIN pg_class j ON j.relnamespace = n.oid AND j.relname = 'procrastinate_jobs'
JOIN pg_class c ON c.relnamespace = n.oid AND c.relowner <> j.relowner
WHERE n.nspname = %(home)s AND c.relname = ANY (%(names)s::text[]) AND c.relkind IN ('r', 'p')
ORDER BY 1;

-- name: compare_columns (home, tables, columns, types)
-- What stands in our tables for each column that should be there; NULL where it does not. A type is
-- compared as PostgreSQL understands it, not as it is spelt. `keyed`: it is the primary key, alone.
SELECT want.place, c.oid IS NOT NULL AS table_there, a.attnum IS NOT NULL AS there,
       format_type(a.atttypid, a.atttypmod) AS type,
       a.atttypid = want.type::regtype AS same_type,
       a.attnotnull AS not_null, a.atthasdef OR a.attidentity <> '' AS filled,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid
               AND i.indkey::text = a.attnum::text) AS keyed
FROM unnest(%(tables)s::text[], %(columns)s::text[], %(types)s::text[])
     WITH ORDINALITY AS want (table_name, column_name, type, place)
JOIN pg_namespace n ON n.nspname = %(home)s
LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = want.table_name
                    AND c.relkind IN ('r', 'p')
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = want.column_name
                        AND NOT a.attisdropped
ORDER BY want.place;

-- name: find_renamed (home, tables)
-- Which of these tables, that are not there, have another name now: it has their primary key.
SELECT want.name, t.relname::text AS now, quote_ident(t.relname) AS quoted
FROM unnest(%(tables)s::text[]) AS want (name)
JOIN pg_namespace n ON n.nspname = %(home)s
JOIN pg_class x ON x.relnamespace = n.oid AND x.relname = want.name || '_pkey'
JOIN pg_index i ON i.indexrelid = x.oid
JOIN pg_class t ON t.oid = i.indrelid AND t.relname <> want.name
ORDER BY 1;

-- name: get_search_path
-- The schema for new tables, and whether somebody chose it: for the connection, the role or the database.
SELECT current_schema() AS schema,
       EXISTS (SELECT FROM pg_settings WHERE name = 'search_path'
               AND source IN ('client', 'session', 'user', 'database', 'database user')) AS chosen;

-- name: move_sequence (home, table, column, last)
SELECT setval(pg_get_serial_sequence(format('%%I.%%I', %(home)s::text, %(table)s::text), %(column)s),
              %(last)s);
