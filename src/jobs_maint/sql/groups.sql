-- Groups of errors with a memory.

-- name: find_access
-- Whether this role may read the groups, and keep them; neither where the tables are not there, and not the second on a standby.
SELECT coalesce(has_table_privilege(to_regclass('jobs_maint_groups'), 'SELECT')
                AND has_table_privilege(to_regclass('jobs_maint_collected'), 'SELECT'), false)
           AS readable,
       coalesce(has_table_privilege(to_regclass('jobs_maint_groups'), 'SELECT')
                AND has_table_privilege(to_regclass('jobs_maint_groups'), 'INSERT')
                AND has_table_privilege(to_regclass('jobs_maint_groups'), 'UPDATE')
                AND has_table_privilege(to_regclass('jobs_maint_collected'), 'SELECT')
                AND has_table_privilege(to_regclass('jobs_maint_collected'), 'INSERT')
                AND has_table_privilege(to_regclass('jobs_maint_collected'), 'UPDATE')
                AND NOT current_setting('transaction_read_only')::boolean, false)
           AS writable;

-- name: take_turn
-- No row while another pass counts: nobody waits. What it returns is as the last pass left it.
SELECT last_failure_id FROM jobs_maint_collected FOR UPDATE SKIP LOCKED;

-- name: insert_turn
-- The first time; where the row is there, this waits for nobody.
INSERT INTO jobs_maint_collected DEFAULT VALUES ON CONFLICT DO NOTHING;

-- name: find_last_failure
SELECT coalesce(max(id), 0) AS id FROM jobs_maint_failures;

-- name: list_writers
-- Transactions that may have stored failures that nobody sees yet: each of them holds this lock from
-- before it was given an id until its end.
SELECT l.virtualtransaction AS writer, a.xact_start AS begun
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.relation = 'jobs_maint_failures'::regclass
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode = 'RowExclusiveLock' AND l.granted AND l.pid <> pg_backend_pid();

-- name: count_failures (after, last, before, most, most_groups, quiet_seconds, ours)
-- The next failures by id (the primary key), at most `most` and of at most `most_groups` groups, up to
-- the first that is younger than `before`. Each row is a stretch of one group without a pause of
-- `quiet_seconds`; `last_id`: the last failure that was looked at, on every row. Attempts that were
-- retried, aborted jobs and our own are looked at and not counted.
WITH next AS MATERIALIZED (
    SELECT id, task_name, queue_name, exception_type, fingerprint, failed_at,
           NOT will_retry AND kind <> 'aborted' AND task_name <> ALL (%(ours)s) AS final
    FROM jobs_maint_failures
    WHERE id > %(after)s AND id <= %(last)s
    ORDER BY id LIMIT %(most)s
), bound AS (
    SELECT least(
        (SELECT min(id) FROM next WHERE failed_at >= %(before)s::timestamptz),
        (SELECT min(id) FROM next WHERE final GROUP BY task_name, fingerprint
         ORDER BY 1 OFFSET %(most_groups)s LIMIT 1)) AS id
), taken AS (
    SELECT next.* FROM next, bound WHERE bound.id IS NULL OR next.id < bound.id
), paused AS (
    SELECT *, coalesce(failed_at - lag(failed_at) OVER alike
                       >= make_interval(secs => %(quiet_seconds)s), false) AS after_pause
    FROM taken WHERE final
    WINDOW alike AS (PARTITION BY task_name, fingerprint ORDER BY failed_at, id)
), numbered AS (
    SELECT *, count(*) FILTER (WHERE after_pause)
              OVER (PARTITION BY task_name, fingerprint ORDER BY failed_at, id) AS stretch
    FROM paused
), counted AS (
    SELECT task_name, fingerprint, min(exception_type) AS exception_type, count(*) AS failures,
           min(failed_at) AS first_at, max(failed_at) AS last_at, min(id) AS sample_id,
           (array_agg(DISTINCT queue_name))[:50] AS queues
    FROM numbered GROUP BY task_name, fingerprint, stretch
)
SELECT reached.last_id, reached.looked_at, counted.*
FROM (SELECT max(id) AS last_id, count(*) AS looked_at FROM taken) AS reached
LEFT JOIN counted ON true
ORDER BY counted.first_at;

-- name: list_messages (ids)
SELECT id, message FROM jobs_maint_failures WHERE id = ANY (%(ids)s::bigint[]);

-- name: find_groups (fingerprints)
-- The groups that have had one of these; what was said of {{the_whole}} counts where nothing was said of
-- the group itself. The table is small: it is read whole.
SELECT g.name, g.task_name, g.exception_type, g.fingerprints, g.queues, g.failures, g.first_at,
       g.last_at, g.returned_at, g.quiet_seconds, said.*
FROM jobs_maint_groups g CROSS JOIN {{said}}
WHERE g.fingerprints && %(fingerprints)s::text[];

-- name: find_kinds (tasks, since)
-- {{kind}}, of these tasks; with the name of the whole, and what was said of it.
SELECT g.*, whole.name, whole.taken_by, whole.taken_at, whole.muted_until, whole.muted_above
FROM (
    SELECT task_name, exception_type, {{kind}}
    FROM jobs_maint_groups WHERE task_name = ANY (%(tasks)s::text[]) AND fingerprints <> '{}'
    GROUP BY 1, 2
) AS g LEFT JOIN {{the_whole}};

-- name: free_kinds (names, begun, quiet_seconds)
-- Who is on a whole that comes back is not any more; `begun`: the first failure that was just counted.
UPDATE jobs_maint_groups k SET taken_by = NULL, taken_at = NULL
FROM unnest(%(names)s::text[], %(begun)s::timestamptz[]) AS wanted (name, begun)
WHERE k.name = wanted.name AND k.fingerprints = '{}' AND k.taken_by IS NOT NULL
  AND wanted.begun - k.last_at >= make_interval(secs => %(quiet_seconds)s);

-- name: store_kinds (names, tasks, types, most)
-- A row for each of these tasks and exception types that has more than `most` groups: {{the_whole}}.
INSERT INTO jobs_maint_groups AS k (
    name, task_name, exception_type, message, fingerprints, queues, failures, first_at, last_at)
SELECT counted.name, counted.task, counted.type, to_char(counted.groups, 'FM999,999,999') || ' different messages, e.g. ' || counted.message,
       '{}', ARRAY(SELECT DISTINCT unnest(g.queues) FROM jobs_maint_groups g
                   WHERE g.task_name = counted.task AND g.exception_type IS NOT DISTINCT FROM counted.type
                   ORDER BY 1 LIMIT 50),
       counted.failures, counted.first_at, counted.last_at
FROM (
    SELECT wanted.*, count(*) AS groups, sum(g.failures)::bigint AS failures, min(g.first_at) AS first_at,
           max(g.last_at) AS last_at, left((array_agg(g.message ORDER BY g.last_at DESC))[1], 1900) AS message
    FROM unnest(%(names)s::text[], %(tasks)s::text[], %(types)s::text[]) AS wanted (name, task, type)
    JOIN jobs_maint_groups g ON g.task_name = wanted.task
         AND g.exception_type IS NOT DISTINCT FROM wanted.type AND g.fingerprints <> '{}'
    GROUP BY 1, 2, 3 HAVING count(*) > %(most)s
) AS counted
ON CONFLICT (name) DO UPDATE SET
    message = excluded.message, queues = excluded.queues, failures = excluded.failures,
    first_at = excluded.first_at, last_at = excluded.last_at
WHERE k.fingerprints = '{}' AND k.task_name = excluded.task_name
RETURNING name;

-- name: count_news (since, queue, queues, ours, alike, quiet_seconds)
-- The groups that failed for the first time, or came back, since then. More than `alike` of one task
-- and exception type that failed in the span up to now, or in that of the same length before it, count
-- as one: {{kind}}. `incomplete`: some failures since then are not counted yet; those of the last
-- seconds are about to be.
WITH counted AS (
    SELECT {{kind}},
           count(*) FILTER (WHERE reached AND greatest(first_at, returned_at) >= %(since)s) AS news,
           count(*) FILTER (WHERE reached AND last_at >= %(since)s - (now() - %(since)s::timestamptz))
               > %(alike)s AS many
    FROM (
        SELECT *, (%(queue)s::text IS NULL OR %(queue)s = ANY (queues))
                  AND (%(queues)s::text[] IS NULL OR EXISTS (
                      SELECT FROM unnest(queues) AS queue WHERE queue LIKE ANY (%(queues)s))) AS reached
        FROM jobs_maint_groups WHERE fingerprints <> '{}'
    ) AS g GROUP BY task_name, exception_type
)
SELECT coalesce(sum(CASE WHEN NOT many THEN news
                         WHEN first_at >= %(since)s OR quiet_seconds >= %(quiet_seconds)s THEN 1
                         ELSE 0 END), 0)::bigint AS groups, EXISTS (
    SELECT FROM jobs_maint_failures f
    WHERE f.id > coalesce((SELECT last_failure_id FROM jobs_maint_collected), 0)
      AND f.failed_at BETWEEN %(since)s AND now() - interval '10 seconds'
      AND NOT f.will_retry AND f.kind <> 'aborted' AND f.task_name <> ALL (%(ours)s)
      AND (%(queue)s::text IS NULL OR f.queue_name = %(queue)s)
      AND (%(queues)s::text[] IS NULL OR f.queue_name LIKE ANY (%(queues)s))) AS incomplete
FROM counted;

-- name: list_queues
SELECT DISTINCT unnest(queues) AS queue_name FROM jobs_maint_groups;

-- name: list_tasks (queues)
-- Tasks with a recorded error in the queues in reach (LIKE patterns, NULL for all).
SELECT DISTINCT task_name FROM jobs_maint_groups
WHERE %(queues)s::text[] IS NULL
   OR EXISTS (SELECT 1 FROM unnest(queues) AS queue WHERE queue LIKE ANY (%(queues)s));

-- name: list_aliases
-- The first fingerprint stands for all that a group has had.
SELECT fingerprints FROM jobs_maint_groups WHERE cardinality(fingerprints) > 1;

-- name: find_last_error (job_id)
-- The last error of a job that is still there, or of one that is gone.
SELECT coalesce(j.queue_name, f.queue_name) AS queue_name, f.task_name, f.fingerprint
FROM (SELECT %(job_id)s::bigint AS id) AS asked
LEFT JOIN procrastinate_jobs j ON j.id = asked.id
LEFT JOIN LATERAL (
    SELECT queue_name, task_name, fingerprint FROM jobs_maint_failures
    WHERE job_id = asked.id ORDER BY (failed_at, id) DESC LIMIT 1
) AS f ON true
WHERE j.id IS NOT NULL OR f.fingerprint IS NOT NULL;

-- name: find_queues_of_group (name)
SELECT queues FROM jobs_maint_groups WHERE name = %(name)s;

-- name: find_group (name, queues)
-- Where it has occurred in these queues: as is remembered, or else lately.
SELECT g.task_name, g.exception_type, g.fingerprints
FROM jobs_maint_groups g
WHERE g.name = %(name)s AND (
    %(queues)s::text[] IS NULL
    OR EXISTS (SELECT FROM unnest(g.queues) AS queue WHERE queue LIKE ANY (%(queues)s))
    OR EXISTS (SELECT FROM jobs_maint_failures f
               WHERE f.fingerprint = ANY (g.fingerprints) AND f.task_name = g.task_name
                 AND f.queue_name LIKE ANY (%(queues)s)));

-- name: find_newest_error (ids, until, whole)
-- The newest of these records, and how many different messages they have; of the `whole` of a kind, as
-- `errors` tells it, how many different fingerprints.
WITH chosen AS (
    SELECT id, failed_at, exception_type, message, fingerprint FROM jobs_maint_failures
    WHERE id = ANY (%(ids)s::bigint[]) AND failed_at <= coalesce(%(until)s::timestamptz, 'infinity')
)
SELECT exception_type, message,
       (SELECT count(DISTINCT CASE WHEN %(whole)s THEN fingerprint ELSE md5(message) END)
        FROM chosen) AS messages
FROM chosen ORDER BY failed_at DESC, id DESC LIMIT 1;

-- name: find_records_of_group (task, fingerprints, statuses, gone, earlier, queues)
-- The last record of each job of the task in one of these statuses, where it has one of these
-- fingerprints; `gone`: also of jobs that were deleted; `earlier`: also records before the last.
SELECT f.id, f.job_id
FROM jobs_maint_failures f LEFT JOIN procrastinate_jobs j ON j.id = f.job_id
WHERE f.fingerprint = ANY (%(fingerprints)s::text[])
  AND coalesce(j.task_name, f.task_name) = %(task)s
  AND (j.status = ANY (%(statuses)s::procrastinate_job_status[]) OR (%(gone)s AND j.id IS NULL))
  AND (%(queues)s::text[] IS NULL OR coalesce(j.queue_name, f.queue_name) LIKE ANY (%(queues)s))
  AND (%(earlier)s OR NOT EXISTS (
      SELECT 1 FROM jobs_maint_failures later
      WHERE later.job_id = f.job_id AND (later.failed_at, later.id) > (f.failed_at, f.id)));

-- name: find_records_of_kind (task, exception_type, statuses, gone, earlier, queues)
-- The same of all groups of an exception type. Our table is read once.
SELECT f.id, f.job_id
FROM jobs_maint_failures f LEFT JOIN procrastinate_jobs j ON j.id = f.job_id
WHERE coalesce(j.task_name, f.task_name) = %(task)s
  AND f.exception_type IS NOT DISTINCT FROM %(exception_type)s
  AND (j.status = ANY (%(statuses)s::procrastinate_job_status[]) OR (%(gone)s AND j.id IS NULL))
  AND (%(queues)s::text[] IS NULL OR coalesce(j.queue_name, f.queue_name) LIKE ANY (%(queues)s))
  AND (%(earlier)s OR NOT EXISTS (
      SELECT 1 FROM jobs_maint_failures later
      WHERE later.job_id = f.job_id AND (later.failed_at, later.id) > (f.failed_at, f.id)));

-- name: lock_group (name)
SELECT * FROM jobs_maint_groups WHERE name = %(name)s FOR UPDATE;

-- name: find_whole (name)
-- {{the_whole}} that this group is of.
SELECT whole.name, whole.taken_by, whole.taken_at, whole.muted_until, whole.muted_above
FROM jobs_maint_groups g JOIN {{the_whole}} WHERE g.name = %(name)s AND g.fingerprints <> '{}';

-- name: list_names
SELECT name, queues FROM jobs_maint_groups ORDER BY last_at DESC LIMIT 1000;

-- name: take_group (name, taken_by)
UPDATE jobs_maint_groups
SET taken_by = %(taken_by)s,
    taken_at = CASE WHEN %(taken_by)s::text IS NOT NULL THEN clock_timestamp() END
WHERE name = %(name)s RETURNING *;

-- name: count_last_hour (name)
SELECT {{last_hour}} AS failures FROM jobs_maint_groups g WHERE g.name = %(name)s;

-- name: mute_group (name, seconds, above)
UPDATE jobs_maint_groups
SET muted_until = CASE WHEN %(seconds)s::float8 IS NOT NULL
                       THEN now() + make_interval(secs => %(seconds)s::float8)
                       WHEN %(above)s::integer IS NOT NULL THEN 'infinity' END,
    muted_above = %(above)s::integer
WHERE name = %(name)s RETURNING *;

-- name: take_groups (names, lead, before, taken_by)
-- Those of an incident that somebody takes or (`taken_by` NULL) gives back: the one that leads it, and
-- of the others those that whoever was on the incident `before` is on, or nobody.
UPDATE jobs_maint_groups
SET taken_by = %(taken_by)s, taken_at = CASE WHEN %(taken_by)s::text IS NOT NULL THEN now() END
WHERE name = ANY (%(names)s::text[])
  AND (name = %(lead)s OR taken_by IS NOT DISTINCT FROM %(before)s::text);

-- name: mute_groups (names, until)
UPDATE jobs_maint_groups SET muted_until = %(until)s, muted_above = NULL
WHERE name = ANY (%(names)s::text[]);

-- name: list_marks (names)
-- As {{said}}.
SELECT g.name, said.taken_by, said.taken_at, said.muted_above, said.muted_as,
       CASE WHEN said.muted_until <> 'infinity' THEN said.muted_until END AS muted_until
FROM jobs_maint_groups g CROSS JOIN {{said}} WHERE g.name = ANY (%(names)s::text[]);

-- name: count_standing (names, queues, most, most_of_all, quiet_seconds)
-- {{standing}} of the jobs of these groups, in these queues, that failed since each group began or came
-- back: {{alike}}. No row for a group with `most` failures, nor for the larger ones where all have more
-- than `most_of_all`. A job that was put back and failed again with another error is not failed with
-- this one.
WITH {{wholes}}, wanted AS MATERIALIZED (
    SELECT g.name, g.task_name, coalesce(whole.prints, g.fingerprints) AS fingerprints,
           coalesce(whole.since, g.returned_at, g.first_at) AS from_at
    FROM jobs_maint_groups g LEFT JOIN wholes AS whole USING (name)
    WHERE name = ANY (%(names)s::text[])
), found AS MATERIALIZED (
    SELECT wanted.name, wanted.task_name, newest.job_id, newest.queue_name
    FROM wanted CROSS JOIN LATERAL (
        SELECT each.* FROM unnest(wanted.fingerprints) AS one (fingerprint) CROSS JOIN LATERAL (
            SELECT f.job_id, f.queue_name FROM jobs_maint_failures f WHERE {{alike}}
            ORDER BY f.fingerprint DESC, f.failed_at DESC LIMIT %(most)s
        ) AS each LIMIT %(most)s
    ) AS newest
), sized AS (
    SELECT name, count(*) AS failures, sum(count(*)) OVER (ORDER BY count(*), name) AS up_to
    FROM found GROUP BY name
), one AS MATERIALIZED (
    SELECT DISTINCT name, task_name, job_id FROM found JOIN sized USING (name)
    WHERE failures < %(most)s AND up_to <= %(most_of_all)s
      AND (%(queues)s::text[] IS NULL OR queue_name LIKE ANY (%(queues)s))
)
SELECT job.name, {{standing}}, count(*) FILTER (WHERE otherwise) AS failed_otherwise
FROM (
    SELECT one.name, now.otherwise, CASE WHEN now.otherwise THEN 'todo' ELSE j.status END AS status
    FROM one
    LEFT JOIN LATERAL (
        SELECT status FROM procrastinate_jobs
        WHERE id = one.job_id AND task_name = one.task_name OFFSET 0
    ) AS j ON true
    LEFT JOIN LATERAL (
        SELECT (array_agg(f.fingerprint ORDER BY f.failed_at DESC))[1] AS fingerprint
        FROM jobs_maint_failures f
        WHERE f.job_id = one.job_id AND NOT f.will_retry AND f.kind <> 'aborted'
          AND j.status = 'failed'
    ) AS last ON true
    CROSS JOIN LATERAL (
        SELECT coalesce(j.status = 'failed', false) AND ((one.name, last.fingerprint) IN (
            SELECT wanted.name, unnest(wanted.fingerprints) FROM wanted)) IS NOT TRUE AS otherwise
    ) AS now
) AS job
GROUP BY job.name;

-- name: count_settled (names, since, until, queues, reach, most)
-- {{standing}} of the jobs of these groups, in these queues, that failed within the span: {{alike}}. No
-- row for a group with `most` failures in it.
WITH wanted AS MATERIALIZED (
    SELECT name, task_name, fingerprints, %(since)s::timestamptz AS from_at
    FROM jobs_maint_groups WHERE name = ANY (%(names)s::text[])
), found AS MATERIALIZED (
    SELECT wanted.name, wanted.task_name, newest.*
    FROM wanted CROSS JOIN LATERAL (
        SELECT each.* FROM unnest(wanted.fingerprints) AS one (fingerprint) CROSS JOIN LATERAL (
            SELECT f.job_id, f.queue_name FROM jobs_maint_failures f
            WHERE {{alike}} AND (f.fingerprint, f.failed_at) < (one.fingerprint, %(until)s::timestamptz)
            ORDER BY f.fingerprint DESC, f.failed_at DESC LIMIT %(most)s
        ) AS each LIMIT %(most)s
    ) AS newest
)
SELECT job.name, {{standing}}
FROM (
    SELECT one.name, j.status
    FROM (
        SELECT DISTINCT name, task_name, job_id FROM found
        WHERE name IN (SELECT name FROM found GROUP BY name HAVING count(*) < %(most)s)
          AND (%(queues)s::text[] IS NULL OR queue_name LIKE ANY (%(queues)s))
          AND (%(reach)s::text[] IS NULL OR queue_name LIKE ANY (%(reach)s))
    ) AS one
    LEFT JOIN LATERAL (
        SELECT status FROM procrastinate_jobs
        WHERE id = one.job_id AND task_name = one.task_name OFFSET 0
    ) AS j ON true
) AS job
GROUP BY job.name;

-- name: find_standing (names, queues, most, quiet_seconds)
-- Those of these groups that still have a failed job, in these queues, among their newest `most` failures
-- each: as in `count_standing`. Of each, the first one found is enough.
WITH {{wholes}}
SELECT wanted.name
FROM (
    SELECT g.name, g.task_name, coalesce(whole.prints, g.fingerprints) AS fingerprints,
           coalesce(whole.since, g.returned_at, g.first_at) AS from_at
    FROM jobs_maint_groups g LEFT JOIN wholes AS whole USING (name)
    WHERE name = ANY (%(names)s::text[])
) AS wanted
WHERE EXISTS (
    SELECT FROM (
        SELECT each.* FROM unnest(wanted.fingerprints) AS one (fingerprint) CROSS JOIN LATERAL (
            SELECT f.job_id, f.queue_name FROM jobs_maint_failures f WHERE {{alike}}
            ORDER BY f.fingerprint DESC, f.failed_at DESC LIMIT %(most)s
        ) AS each LIMIT %(most)s
    ) AS newest
    CROSS JOIN LATERAL (
        SELECT FROM procrastinate_jobs
        WHERE id = newest.job_id AND task_name = wanted.task_name AND status::text = 'failed' OFFSET 0
    ) AS j
    WHERE (%(queues)s::text[] IS NULL OR newest.queue_name LIKE ANY (%(queues)s))
      AND wanted.fingerprints @> (
          SELECT (array_agg(f.fingerprint ORDER BY f.failed_at DESC))[:1] FROM jobs_maint_failures f
          WHERE f.job_id = newest.job_id AND NOT f.will_retry AND f.kind <> 'aborted'));

-- name: list_taken_names (names)
SELECT name FROM jobs_maint_groups WHERE name = ANY (%(names)s::text[]);

-- name: store_groups (groups)
-- New groups, and what has changed of the others. Who came back needs somebody anew.
INSERT INTO jobs_maint_groups AS g (
    name, task_name, exception_type, message, fingerprints, queues, failures, first_at, last_at,
    returned_at, quiet_seconds)
SELECT name, task_name, exception_type, message, fingerprints, queues, failures, first_at, last_at,
       returned_at, quiet_seconds
FROM jsonb_to_recordset(%(groups)s::jsonb) AS r (
    name text, task_name text, exception_type text, message text, fingerprints text[], queues text[],
    failures bigint, first_at timestamptz, last_at timestamptz, returned_at timestamptz,
    quiet_seconds double precision)
ON CONFLICT (name) DO UPDATE SET
    fingerprints = excluded.fingerprints, queues = excluded.queues,
    failures = excluded.failures, first_at = excluded.first_at, last_at = excluded.last_at,
    returned_at = excluded.returned_at, quiet_seconds = excluded.quiet_seconds,
    taken_by = CASE WHEN excluded.returned_at IS NOT DISTINCT FROM g.returned_at
                      OR g.taken_at > excluded.returned_at THEN g.taken_by END,
    taken_at = CASE WHEN excluded.returned_at IS NOT DISTINCT FROM g.returned_at
                      OR g.taken_at > excluded.returned_at THEN g.taken_at END;

-- name: unmute_groups (names)
-- Those that fail more often than they may: {{last_hour}}.
UPDATE jobs_maint_groups g SET muted_until = NULL, muted_above = NULL
WHERE g.name = ANY (%(names)s::text[]) AND g.muted_above IS NOT NULL
  AND g.muted_above < {{last_hour}}
RETURNING g.name;

-- name: note_collected (last_failure_id)
UPDATE jobs_maint_collected SET last_failure_id = %(last_failure_id)s, collected_at = now();
