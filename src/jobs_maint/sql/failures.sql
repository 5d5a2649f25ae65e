-- Failed jobs and their recorded errors.

-- name: count_failed (queue, queues, most)
-- Failed jobs within reach, at most `most` and one more, and those outside; from
-- jobs_maint_counts_idx alone.
SELECT (
    SELECT count(*) FROM (
        SELECT FROM procrastinate_jobs
        WHERE status = 'failed' AND status NOT IN ('todo', 'doing')
          AND (%(queue)s::text IS NULL OR queue_name = %(queue)s)
          AND (%(queues)s::text[] IS NULL OR queue_name LIKE ANY (%(queues)s))
        LIMIT %(most)s::bigint + 1
    ) AS first
) AS reached, (
    SELECT count(*) FROM procrastinate_jobs
    WHERE status = 'failed' AND status NOT IN ('todo', 'doing')
      AND (%(queue)s::text IS NULL OR queue_name = %(queue)s)
      AND %(queues)s::text[] IS NOT NULL AND NOT queue_name LIKE ANY (%(queues)s)
) AS hidden;

-- name: list_newest_failed (queue, queues, most, limit)
-- The same rows as list_failed_jobs without further conditions, found from the newest `most`
-- events `failed` (jobs_maint_failed_events_idx): fewer than asked for when most of those jobs
-- have been retried since. Nearly every failure is its job's only one there, and the job's newest
-- record is of the minute before and says that no retry follows: then it is the failure's record
-- (`plain`).
-- The others are looked up one by one, and the jobs that have such a record but no such event: a
-- job put back while it ran fails with the event `cancelled`.
WITH newest AS MATERIALIZED (
    SELECT job_id, at FROM procrastinate_events
    WHERE type = 'failed' AND at IS NOT NULL ORDER BY at DESC LIMIT %(most)s
), horizon AS MATERIALIZED (
    SELECT min(at) AS at FROM newest
), ended AS MATERIALIZED (
    SELECT job_id, max(at) AS at, count(*) AS times FROM newest GROUP BY job_id
), records AS MATERIALIZED (
    SELECT DISTINCT ON (job_id) * FROM (
        SELECT job_id, failed_at, kind, exception_type, message, fingerprint, will_retry
        FROM jobs_maint_failures
        WHERE failed_at >= (SELECT at FROM horizon) - interval '1 minute'
        ORDER BY failed_at DESC LIMIT 5 * %(most)s
    ) AS latest
    ORDER BY job_id, failed_at DESC
), plain AS MATERIALIZED (
    SELECT e.job_id, e.at, f.kind, f.exception_type, f.message, f.fingerprint
    FROM ended e JOIN records f ON f.job_id = e.job_id
    WHERE e.times = 1 AND NOT f.will_retry
      AND f.failed_at >= e.at - interval '1 minute' AND f.failed_at <= e.at + interval '10 seconds'
), others AS MATERIALIZED (
    SELECT job_id FROM ended WHERE job_id NOT IN (SELECT job_id FROM plain)
    UNION
    SELECT job_id FROM records
    WHERE NOT will_retry AND failed_at >= (SELECT at FROM horizon)
      AND job_id NOT IN (SELECT job_id FROM plain)
), failed AS (
    SELECT j.id, j.queue_name, j.task_name, j.attempts, p.at AS failed_at, p.kind,
           p.exception_type, p.message, p.fingerprint
    FROM plain p JOIN procrastinate_jobs j ON j.id = p.job_id AND {{found_failed}}
    UNION ALL
    SELECT j.id, j.queue_name, j.task_name, j.attempts, ended.at, f.kind, f.exception_type,
           f.message, f.fingerprint
    FROM others
    JOIN procrastinate_jobs j ON j.id = others.job_id AND {{found_failed}}
    CROSS JOIN LATERAL (
        SELECT coalesce(max(e.at) FILTER (WHERE e.type = 'started'),
                        min(e.at) FILTER (WHERE e.type <> 'scheduled')) AS started_at,
               coalesce(max(e.at) FILTER (WHERE e.type = 'failed'),
                        max(e.at) FILTER (WHERE e.type <> 'scheduled')) AS at
        FROM procrastinate_events e WHERE e.job_id = j.id
    ) AS ended
    LEFT JOIN LATERAL (
        SELECT f.kind, f.exception_type, f.message, f.fingerprint, f.failed_at
        FROM jobs_maint_failures f WHERE f.job_id = j.id
        ORDER BY (f.failed_at, f.id) DESC LIMIT 1
    ) AS f ON f.failed_at >= coalesce(ended.started_at, '-infinity')
)
SELECT * FROM failed
WHERE failed_at >= (SELECT at FROM horizon)
  AND (%(queue)s::text IS NULL OR queue_name = %(queue)s)
  AND (%(queues)s::text[] IS NULL OR queue_name LIKE ANY (%(queues)s))
ORDER BY failed_at DESC, id DESC LIMIT %(limit)s;

-- name: list_queues
-- Queues of the recorded failures: the table is read whole.
SELECT DISTINCT queue_name FROM jobs_maint_failures;

-- name: find_failed_since (since_seconds, every, now, queue, queues, task, only_queues, only_tasks, most)
-- Jobs that may have failed within the span, {{asked}}, or `every` one; `now`: of those that are
-- failed. By jobs_maint_failed_events_idx, our records, which have those of deleted jobs, and the
-- `cancelled` events (jobs_maint_events_at_idx): a job put back while it ran fails with that one,
-- and without a recorder nothing else tells of it.
SELECT DISTINCT found.job_id FROM (
    SELECT job_id, NULL AS queue_name, NULL AS task_name FROM procrastinate_events
    WHERE type = 'failed' AND at > now() - make_interval(secs => %(since_seconds)s)
    UNION ALL
    SELECT e.job_id, NULL, NULL FROM procrastinate_events e
    JOIN procrastinate_jobs j ON j.id = e.job_id AND {{found_failed}}
    WHERE e.type = 'cancelled' AND e.type <> 'scheduled'
      AND e.at > now() - make_interval(secs => %(since_seconds)s)
    UNION ALL
    SELECT job_id, queue_name, task_name FROM jobs_maint_failures
    WHERE failed_at > now() - make_interval(secs => %(since_seconds)s) AND NOT will_retry
) AS found
LEFT JOIN procrastinate_jobs of ON of.id = found.job_id
WHERE (NOT %(now)s OR of.status::text = 'failed')
  AND (%(every)s OR EXISTS (
      SELECT FROM (VALUES (of.queue_name, of.task_name), (found.queue_name, found.task_name))
          AS j (queue_name, task_name)
      WHERE {{asked}}))
LIMIT %(most)s;

-- name: find_errors_with (piece, statuses, gone, queues, queue, task, most)
-- Unlike errors with the text, each with the records that have it, of jobs in these statuses (`gone`:
-- also of deleted ones) within reach. Our table is read once, not once a job. `too_many`: more than
-- `most` characters of them, which are not returned.
WITH found AS (
    SELECT shown.text, array_agg(f.id) AS records,
           array_agg(f.job_id) AS jobs
    FROM jobs_maint_failures f
    LEFT JOIN procrastinate_jobs j ON j.id = f.job_id
    CROSS JOIN LATERAL (
        SELECT coalesce(j.queue_name, f.queue_name) AS queue, coalesce(j.task_name, f.task_name) AS task
    ) AS of
    CROSS JOIN LATERAL (
        SELECT concat_ws(': ', CASE WHEN f.kind = 'worker_lost' THEN 'worker lost' END,
                         f.exception_type, f.message) AS text
    ) AS shown
    WHERE strpos(lower(shown.text), lower(%(piece)s::text)) > 0
      AND (j.status = ANY (%(statuses)s::procrastinate_job_status[])
           OR (%(gone)s AND j.id IS NULL))
      AND (%(queues)s::text[] IS NULL OR of.queue LIKE ANY (%(queues)s))
      AND (%(queue)s::text IS NULL OR of.queue LIKE %(queue)s)
      AND (%(task)s::text IS NULL OR lower(of.task) LIKE lower(%(task)s))
    GROUP BY 1
), measured AS (
    SELECT text, records, jobs, sum(length(text)) OVER () > %(most)s AS too_many FROM found
)
SELECT text, records, jobs, false AS too_many FROM measured WHERE NOT too_many
UNION ALL
(SELECT '', ARRAY[]::bigint[], ARRAY[]::bigint[], true FROM measured WHERE too_many LIMIT 1);

-- name: list_failed_jobs (queue, queues, task, only_queues, only_tasks, records, since_seconds, until, ids, limit)
-- {{failed_jobs}}, newest failure first. `total` counts all that match, `hidden` those in queues the
-- actor does not reach.
WITH failed AS (
    {{failed_jobs}}
)
SELECT *, count(*) FILTER (WHERE reached) OVER () AS total,
       count(*) FILTER (WHERE NOT reached) OVER () AS hidden
FROM failed ORDER BY reached DESC, failed_at DESC NULLS LAST, id DESC LIMIT %(limit)s;

-- name: group_failed_jobs (queue, queues, task, only_queues, only_tasks, records, since_seconds, until, ids, limit, most_ids, texts, folded, alike, aliases, mains)
-- {{failed_jobs}}, those of one task and one error as one row, the largest group first; the error is
-- that of its newest job. At most `limit` groups, of each the newest `most_ids` ids; each row has
-- the sums over all. `texts`: whether to read the messages; `folded`: tasks with exception types all of
-- whose errors are one group, and so are those with more than `alike`, if that is not null. `aliases`:
-- fingerprints under an older rule, each with the one in `mains` that stands for it. `retriable`: of jobs
-- with one queueing lock one can wait, if none does yet.
WITH failed AS (
    {{failed_jobs}}
), named AS (
    SELECT failed.*, coalesce(alias.main, fingerprint) AS main
    FROM failed LEFT JOIN unnest(%(aliases)s::text[], %(mains)s::text[]) AS alias (old, main)
        ON alias.old = failed.fingerprint
), locked AS MATERIALIZED (
    SELECT named.*, taken.queueing_lock IS NOT NULL AS is_taken
    FROM named FULL JOIN (
        {{waiting_locks}} AND EXISTS (SELECT FROM named WHERE queueing_lock IS NOT NULL)
    ) AS taken USING (queueing_lock)
), chatty AS MATERIALIZED (
    SELECT task_name, exception_type FROM named WHERE reached
    GROUP BY 1, 2 HAVING count(DISTINCT main) > %(alike)s::integer
), alike AS (
    SELECT reached, task_name AS task, kind, exception_type,
           CASE WHEN concat_ws(' ', task_name, exception_type) <> ALL (%(folded)s::text[])
                 AND NOT EXISTS (SELECT FROM chatty WHERE chatty.task_name = locked.task_name
                                 AND chatty.exception_type = locked.exception_type)
                THEN main END AS fingerprint, count(*) AS count,
           CASE WHEN %(texts)s THEN count(DISTINCT main) ELSE 1 END AS unlike,
           min(queue_name) AS queue, count(DISTINCT queue_name) AS queues,
           min(failed_at) AS first_at, max(failed_at) AS last_at, min(error_at) AS error_at,
           (array_agg(id ORDER BY failed_at DESC NULLS LAST, id DESC))[:%(most_ids)s] AS job_ids,
           (array_agg(record_id ORDER BY failed_at DESC NULLS LAST, id DESC))[1] AS record_id,
           count(*) FILTER (WHERE queueing_lock IS NULL)
           + count(DISTINCT queueing_lock) FILTER (WHERE NOT is_taken) AS retriable
    FROM locked WHERE id IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5
), summed AS (
    SELECT *, coalesce(sum(count) FILTER (WHERE reached) OVER (), 0)::bigint AS total,
           coalesce(sum(count) FILTER (WHERE NOT reached) OVER (), 0)::bigint AS hidden,
           count(*) FILTER (WHERE reached) OVER () AS all_groups,
           min(first_at) FILTER (WHERE reached) OVER () AS all_first_at,
           max(last_at) FILTER (WHERE reached) OVER () AS all_last_at,
           CASE WHEN min(task) FILTER (WHERE reached) OVER () = max(task) FILTER (WHERE reached) OVER ()
                THEN task END AS only_task
    FROM alike
)
SELECT summed.*, coalesce(f.message, '') AS message
FROM summed LEFT JOIN jobs_maint_failures f ON %(texts)s AND f.id = summed.record_id
ORDER BY reached DESC, count DESC, last_at DESC NULLS LAST LIMIT %(limit)s;

-- name: count_messages_of_jobs (places, ids)
-- Different messages of the newest records of some jobs, by group.
SELECT place, count(DISTINCT md5(message)) AS messages
FROM (
    SELECT DISTINCT ON (wanted.job_id) wanted.place, f.message
    FROM unnest(%(places)s::int[], %(ids)s::bigint[]) AS wanted (place, job_id)
    JOIN jobs_maint_failures f ON f.job_id = wanted.job_id
    ORDER BY wanted.job_id, f.failed_at DESC
) AS newest
GROUP BY 1;

-- name: list_jobs_that_failed (records, since, until)
-- Jobs that failed for good with these records in a span.
SELECT DISTINCT job_id FROM jobs_maint_failures
WHERE id = ANY (%(records)s::bigint[]) AND NOT will_retry AND failed_at > %(since)s
  AND failed_at <= coalesce(%(until)s::timestamptz, 'infinity');

-- name: find_failed (queue, queues, task, only_queues, only_tasks, records, ids, until, most)
-- At most `most` jobs that are failed, {{asked}}, with one of these {{own_record}}, in no order; by
-- jobs_maint_counts_idx.
SELECT j.id AS job_id FROM procrastinate_jobs j
WHERE j.status = 'failed' AND j.status NOT IN ('todo', 'doing') AND {{asked}}
  AND (%(ids)s::bigint[] IS NULL OR j.id = ANY (%(ids)s))
  AND (%(records)s::bigint[] IS NULL OR {{own_record}} = ANY (%(records)s))
LIMIT %(most)s;

-- name: find_newest_failed (queue, queues, task, only_queues, only_tasks, records, ids, since_seconds, until, most)
-- Of jobs as in `find_failed`, those of the newest `most` events `failed` of the span, by
-- jobs_maint_failed_events_idx.
SELECT DISTINCT job_id FROM (
    SELECT e.job_id FROM procrastinate_events e
    WHERE e.type = 'failed' AND e.at IS NOT NULL
      AND (%(since_seconds)s::float8 IS NULL
           OR e.at > now() - make_interval(secs => %(since_seconds)s))
      AND (%(until)s::timestamptz IS NULL OR e.at <= %(until)s)
      AND (%(ids)s::bigint[] IS NULL OR e.job_id = ANY (%(ids)s))
      AND (
          SELECT true FROM procrastinate_jobs j
          WHERE j.id = e.job_id AND {{found_failed}} AND {{asked}}
            AND (%(records)s::bigint[] IS NULL OR {{own_record}} = ANY (%(records)s)))
    ORDER BY e.at DESC LIMIT %(most)s
) AS newest;

-- name: count_left_behind (queue, queues, task, only_queues, only_tasks, since, until, ids, ours)
-- {{standing}} of the jobs that failed within the span (to `until`, if that is not null); of deleted
-- ones as far as their errors were recorded: {{gone}}. `life`: of several jobs that had one id, each
-- began anew with its first attempt.
WITH {{gone}}
SELECT {{standing}}
FROM (
    SELECT DISTINCT f.job_id AS id, row_number() OVER (PARTITION BY f.job_id, f.attempt) AS life,
           NULL::procrastinate_job_status AS status
    FROM gone f
    WHERE f.job_id = ANY (%(ids)s::bigint[])
      AND (%(queue)s::text IS NULL OR f.queue_name = %(queue)s)
      AND (%(queues)s::text[] IS NULL OR f.queue_name LIKE ANY (%(queues)s))
      AND (%(task)s::text IS NULL OR lower(f.task_name) LIKE lower(%(task)s))
      AND (%(only_queues)s::text[] IS NULL OR f.queue_name LIKE ANY (%(only_queues)s))
      AND (%(only_tasks)s::text[] IS NULL OR f.task_name LIKE ANY (%(only_tasks)s))
    UNION ALL
    SELECT DISTINCT j.id, 0, j.status
    FROM procrastinate_events e JOIN procrastinate_jobs j ON j.id = e.job_id
    WHERE e.type = 'failed' AND e.at > %(since)s
      AND (%(until)s::timestamptz IS NULL OR e.at < %(until)s)
      AND e.job_id = ANY (%(ids)s::bigint[]) AND j.task_name <> ALL (%(ours)s)
      AND {{asked}}
) AS job;

-- name: insert_traceback (hash, body)
-- Touched at most once a day, so that a storm does not rewrite one row again and again.
INSERT INTO jobs_maint_tracebacks AS t (hash, body) VALUES (%(hash)s, %(body)s)
ON CONFLICT (hash) DO UPDATE SET last_seen_at = now()
WHERE t.last_seen_at < now() - interval '1 day';

-- name: insert_failure (job_id, attempt, queue_name, task_name, waited, kind, exception_type, message, traceback_hash, fingerprint, will_retry)
-- `waited`: seconds since it happened, many where the database was away. Its time is told by the
-- database's clock, as those of the events are, which it is matched with.
INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,
                                 exception_type, message, traceback_hash, fingerprint, will_retry)
VALUES (%(job_id)s, %(attempt)s, %(queue_name)s, %(task_name)s,
        clock_timestamp() - make_interval(secs => %(waited)s), %(kind)s, %(exception_type)s,
        %(message)s, %(traceback_hash)s, %(fingerprint)s, %(will_retry)s);

-- name: count_kept_tracebacks (fingerprint, most)
-- How many failures of this group kept their traceback in this hour; reads at most `most` rows of
-- jobs_maint_failures_kept_idx. `hour` tells the caller until when the answer "full" holds.
SELECT count(*) AS kept,
       extract(epoch FROM date_trunc('hour', now()) + interval '1 hour' - now())::float8 AS seconds_left
FROM (SELECT 1 FROM jobs_maint_failures
      WHERE fingerprint = %(fingerprint)s AND failed_at >= date_trunc('hour', now())
        AND traceback_hash IS NOT NULL
      LIMIT %(most)s) AS kept;
