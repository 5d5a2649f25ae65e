-- Which rows other sessions hold, and who holds the lock that we waited for.

-- name: is_guarded
-- Whether row-level security may forbid locks of rows that can be seen.
SELECT row_security_active('procrastinate_jobs') AS guarded;

-- name: lock_now (ids)
-- Raises at the first row that another session holds. What a policy forbids is not locked, nor waited
-- for.
SELECT id FROM procrastinate_jobs WHERE id = ANY (%(ids)s::bigint[]) ORDER BY id FOR UPDATE NOWAIT;

-- name: find_lockers (ids)
-- The transactions that locked or changed these jobs last; most of them have ended.
SELECT DISTINCT xmax::text AS xid FROM procrastinate_jobs WHERE id = ANY (%(ids)s::bigint[]);

-- name: find_holders (seconds, xids)
-- Sessions and prepared transactions. `sure`: 2 for those that have one of the numbers `xids`, which
-- stood on a row; 1 for those that hold a whole table, 0 for those that may hold rows. Both have been
-- open this long and hold a table of Procrastinate, of ours, or of the team's that refers to jobs.
-- Then first those that wait for nobody, then the oldest. No view shows row locks themselves. Only
-- members of pg_read_all_stats see what other roles do; others get no time. `fetching`: a worker that
-- searches for its next job.
SELECT a.pid, p.gid, concat_ws(', ', nullif(a.application_name, ''),
                               'user ' || coalesce(a.usename, p.owner)) AS who,
       extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared))::float8 AS seconds,
       coalesce(a.state = 'active' AND a.query LIKE '%%procrastinate_fetch_job%%', false) AS fetching,
       max(CASE WHEN l.locktype = 'transactionid' THEN 2
                WHEN l.mode NOT IN ('RowShareLock', 'RowExclusiveLock') THEN 1 ELSE 0 END) AS sure
FROM pg_locks l
LEFT JOIN pg_class c ON l.locktype = 'relation' AND c.oid = l.relation AND c.relkind IN ('r', 'p')
     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
-- A prepared transaction has no session; its locks have in common what they were taken by.
LEFT JOIN pg_locks t ON l.pid IS NULL AND t.pid IS NULL AND t.locktype = 'transactionid'
     AND t.virtualtransaction = l.virtualtransaction
LEFT JOIN pg_prepared_xacts p ON p.transaction = t.transactionid
WHERE l.granted AND l.pid IS DISTINCT FROM pg_backend_pid() AND (a.pid IS NOT NULL OR p.gid IS NOT NULL)
  AND (l.locktype = 'transactionid' AND l.transactionid::text = ANY (%(xids)s::text[])
       OR (c.relname LIKE ANY ('{procrastinate\_%%,jobs\_maint\_%%}')
           OR c.oid IN (SELECT conrelid FROM pg_constraint
                        WHERE contype = 'f' AND confrelid = to_regclass('procrastinate_jobs')))
          AND l.mode IN ('RowShareLock', 'RowExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock',
                         'ExclusiveLock', 'AccessExclusiveLock')
          AND coalesce(a.xact_start, p.prepared, '-infinity')
              < clock_timestamp() - make_interval(secs => %(seconds)s))
GROUP BY a.pid, p.gid, p.owner, a.application_name, a.usename, a.xact_start, p.prepared, a.wait_event_type, a.state, a.query
ORDER BY sure DESC, a.wait_event_type IS NOT DISTINCT FROM 'Lock', coalesce(a.xact_start, p.prepared);
