-- Which right or schema a role lacks.

-- name: is_seen
-- Whether Procrastinate's jobs table is found on the search path, which leaves out the schemas that
-- the role may not use.
SELECT to_regclass('procrastinate_jobs') IS NOT NULL AS is_seen;

-- name: get_read_only
-- Whether changes are refused, and why.
SELECT pg_is_in_recovery() AS standby, quote_ident(current_user) AS login,
       current_setting('default_transaction_read_only')::boolean AS read_only;

-- name: get_place
-- Which database was asked, and where in it tables are looked for.
SELECT current_database()::text AS database, current_setting('search_path') AS search_path;

-- name: find_elsewhere (names)
-- Schemas that hold a table of one of these names, whether or not the search path reaches them.
SELECT n.nspname::text AS schema, quote_ident(n.nspname) AS quoted,
       has_schema_privilege(n.oid, 'USAGE') AS usable, quote_ident(current_user) AS login
FROM pg_namespace n WHERE n.oid IN (
    SELECT relnamespace FROM pg_class
    WHERE relname = ANY (%(names)s::text[]) AND relkind IN ('r', 'p'))
ORDER BY 1;

-- name: find_barred
-- Schemas on the search path that the role may not use, those with Procrastinate's tables first.
SELECT n.nspname::text AS schema, quote_ident(n.nspname) AS quoted,
       quote_ident(current_user) AS login, c.oid IS NOT NULL AS holds_jobs
FROM pg_namespace n
LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'procrastinate_jobs'
                    AND c.relkind IN ('r', 'p')
WHERE NOT has_schema_privilege(n.oid, 'USAGE')
  AND n.nspname IN (SELECT replace(btrim(name, ' "'), '$user', current_user)
                    FROM unnest(string_to_array(current_setting('search_path'), ',')) AS name)
ORDER BY 4 DESC, 1;

-- name: list_missing_rights (tables, rights)
-- Of these pairs, the privileges that the current user lacks on an existing table.
SELECT r.table_name, r.privilege, quote_ident(current_user) AS login
FROM unnest(%(tables)s::text[], %(rights)s::text[])
     WITH ORDINALITY AS r (table_name, privilege, place)
JOIN pg_class c ON c.oid = to_regclass(r.table_name)
WHERE NOT CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, r.privilege)
               ELSE has_table_privilege(c.oid, r.privilege) END
ORDER BY r.place;

-- name: list_ours
-- Our tables, as far as they are on the search path.
SELECT relname::text AS name FROM pg_class
WHERE relname LIKE 'jobs\_maint\_%%' AND relkind IN ('r', 'p') AND pg_table_is_visible(oid)
ORDER BY relname;

-- name: list_policies (tables)
-- Of these tables, those of which policies may hide rows from the current user.
SELECT table_name, quote_ident(current_user) AS login FROM unnest(%(tables)s::text[]) AS table_name
WHERE row_security_active(to_regclass(table_name));
