-- Who holds the lock that we waited for.

-- name: find_holders (seconds)
-- Sessions whose transaction has been open this long and may hold rows or a whole table of
-- Procrastinate, of ours, or of the team's that refers to jobs: first those that hold a whole table,
-- then those that wait for nobody, then the oldest. No view shows row locks themselves. Only members
-- of pg_read_all_stats see what other roles do; others get no time. `fetching`: a worker that searches
-- for its next job.
SELECT a.pid, concat_ws(', ', nullif(a.application_name, ''), 'user ' || a.usename) AS who,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds,
       coalesce(a.state = 'active' AND a.query LIKE '%%procrastinate_fetch_job%%', false) AS fetching,
       bool_or(l.mode NOT IN ('RowShareLock', 'RowExclusiveLock')) AS whole_table
FROM pg_locks l
JOIN pg_class c ON c.oid = l.relation
JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.pid <> pg_backend_pid() AND a.datname = current_database()
  AND c.relkind IN ('r', 'p')
  AND (c.relname LIKE ANY ('{procrastinate\_%%,jobs\_maint\_%%}')
       OR c.oid IN (SELECT conrelid FROM pg_constraint
                    WHERE contype = 'f' AND confrelid = to_regclass('procrastinate_jobs')))
  AND l.mode IN ('RowShareLock', 'RowExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock',
                 'ExclusiveLock', 'AccessExclusiveLock')
  AND (a.xact_start IS NULL OR a.xact_start < clock_timestamp() - make_interval(secs => %(seconds)s))
GROUP BY a.pid, who, a.xact_start, a.wait_event_type, fetching
ORDER BY whole_table DESC, a.wait_event_type IS NOT DISTINCT FROM 'Lock', a.xact_start;
