-- Failed jobs and their recorded errors.

-- name: list_failed_jobs (queue, queues, task, error, since_seconds, limit)
-- Jobs that failed for good, newest failure first. A record belongs to the failure shown when it
-- was written after the job's last start: an older one is of an attempt before.
-- `total` counts all that match, `hidden` those in queues the actor does not reach.
WITH failed AS (
    SELECT j.id, j.queue_name, j.task_name, j.attempts, ended.at AS failed_at, f.kind,
           f.exception_type, f.message, f.fingerprint,
           (%(queues)s::text[] IS NULL OR j.queue_name LIKE ANY (%(queues)s)) AS reached
    FROM procrastinate_jobs j
    CROSS JOIN LATERAL (
        SELECT max(e.at) FILTER (WHERE e.type = 'started') AS started_at,
               coalesce(max(e.at) FILTER (WHERE e.type = 'failed'),
                        max(e.at) FILTER (WHERE e.type <> 'scheduled')) AS at
        FROM procrastinate_events e WHERE e.job_id = j.id
    ) AS ended
    LEFT JOIN LATERAL (
        SELECT f.kind, f.exception_type, f.message, f.fingerprint
        FROM jobs_maint_failures f
        WHERE f.job_id = j.id
          AND f.failed_at >= coalesce(ended.started_at, '-infinity')
        ORDER BY f.failed_at DESC, f.id DESC LIMIT 1
    ) AS f ON true
    WHERE j.status = 'failed'
      AND (%(queue)s::text IS NULL OR j.queue_name = %(queue)s)
      AND (%(task)s::text IS NULL OR strpos(lower(j.task_name), lower(%(task)s)) > 0)
      AND (%(error)s::text IS NULL
           OR strpos(lower(concat_ws(': ', f.exception_type, f.message)), lower(%(error)s)) > 0)
      AND (%(since_seconds)s::float8 IS NULL
           OR ended.at > now() - make_interval(secs => %(since_seconds)s))
)
SELECT *, count(*) FILTER (WHERE reached) OVER () AS total,
       count(*) FILTER (WHERE NOT reached) OVER () AS hidden
FROM failed ORDER BY reached DESC, failed_at DESC NULLS LAST, id DESC LIMIT %(limit)s;

-- name: insert_traceback (hash, body)
-- Touched at most once a day, so that a storm does not rewrite one row again and again.
INSERT INTO jobs_maint_tracebacks AS t (hash, body) VALUES (%(hash)s, %(body)s)
ON CONFLICT (hash) DO UPDATE SET last_seen_at = now()
WHERE t.last_seen_at < now() - interval '1 day';

-- name: insert_failure (job_id, attempt, queue_name, task_name, kind, exception_type, message, traceback_hash, fingerprint, will_retry)
INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,
                                 exception_type, message, traceback_hash, fingerprint, will_retry)
VALUES (%(job_id)s, %(attempt)s, %(queue_name)s, %(task_name)s, clock_timestamp(), %(kind)s,
        %(exception_type)s, %(message)s, %(traceback_hash)s, %(fingerprint)s, %(will_retry)s);

-- name: count_kept_tracebacks (fingerprint, most)
-- How many failures of this group kept their traceback in this hour; reads at most `most` rows of
-- jobs_maint_failures_kept_idx. `hour` tells the caller until when the answer "full" holds.
SELECT count(*) AS kept,
       extract(epoch FROM date_trunc('hour', now()) + interval '1 hour' - now())::float8 AS seconds_left
FROM (SELECT 1 FROM jobs_maint_failures
      WHERE fingerprint = %(fingerprint)s AND failed_at >= date_trunc('hour', now())
        AND traceback_hash IS NOT NULL
      LIMIT %(most)s) AS kept;
