-- The failure summary of a window of time.

-- name: give_up_sending (name)
-- A sender that did not come back within five minutes is gone; its window is sent again.
UPDATE jobs_maint_digests SET state = 'failed', error = 'the sender did not come back',
       closed_at = now()
WHERE name = %(name)s AND state = 'sending' AND opened_at < now() - interval '5 minutes';

-- name: find_window (name, period_seconds, behind_seconds, most_seconds)
-- From the end of the last window that Slack accepted to a little behind the clock: transactions
-- that write the last events of a window must be over when it is counted.
SELECT coalesce(last.until, now_.until - make_interval(secs => %(period_seconds)s)) AS since,
       now_.until,
       last.until IS NULL
           OR now_.until - last.until >= make_interval(secs => %(period_seconds)s / 2) AS due,
       last.until < now_.until - make_interval(secs => %(most_seconds)s) AS too_long,
       now_.until - make_interval(secs => %(most_seconds)s) AS earliest
FROM (SELECT now() - make_interval(secs => %(behind_seconds)s) AS until) AS now_
LEFT JOIN (SELECT until FROM jobs_maint_digests
           WHERE name = %(name)s AND state IN ('sent', 'quiet')
           ORDER BY until DESC LIMIT 1) AS last ON true;

-- name: insert_window (name, since, until)
-- No row when somebody else is sending this digest now.
INSERT INTO jobs_maint_digests (name, since, until, state)
VALUES (%(name)s, %(since)s, %(until)s, 'sending')
ON CONFLICT (name) WHERE state = 'sending' DO NOTHING
RETURNING id;

-- name: close_window (window_id, state, channel, ts, error)
-- A window given up by mistake is `sent` when its message turns out to be in the channel.
UPDATE jobs_maint_digests
SET state = %(state)s, channel = %(channel)s, ts = %(ts)s, error = %(error)s, closed_at = now()
WHERE id = %(window_id)s
  AND (state = 'sending' OR (state = 'failed' AND %(state)s = 'sent')) RETURNING id;

-- name: group_failures (since, until, queues, tasks, ours)
-- Failures for good in the window and in the one of the same length before it, by task, type and
-- fingerprint. From the `failed` events of the jobs that are there, each with the error recorded
-- since that run started; and from the records of jobs that were deleted.
WITH failed AS (
    SELECT e.job_id, e.at, j.task_name, f.exception_type, f.message,
           coalesce(f.fingerprint, '-') AS fingerprint, f.kind IS NOT NULL AS recorded
    FROM procrastinate_events e
    JOIN procrastinate_jobs j ON j.id = e.job_id
    LEFT JOIN LATERAL (
        SELECT max(s.at) AS at FROM procrastinate_events s
        WHERE s.job_id = e.job_id AND s.type = 'started' AND s.at <= e.at
    ) AS started ON true
    LEFT JOIN LATERAL (
        SELECT f.kind, f.exception_type, f.message, f.fingerprint FROM jobs_maint_failures f
        WHERE f.job_id = e.job_id AND f.failed_at >= coalesce(started.at, '-infinity')
          AND f.failed_at <= e.at + interval '10 seconds'
        ORDER BY f.failed_at DESC LIMIT 1
    ) AS f ON true
    WHERE e.type = 'failed' AND e.at < %(until)s
      AND e.at >= %(since)s::timestamptz - (%(until)s::timestamptz - %(since)s::timestamptz)
      AND NOT j.task_name LIKE ANY (%(ours)s)
      AND (%(queues)s::text[] IS NULL OR j.queue_name LIKE ANY (%(queues)s))
      AND (%(tasks)s::text[] IS NULL OR j.task_name LIKE ANY (%(tasks)s))
    UNION ALL
    SELECT f.job_id, f.failed_at, f.task_name, f.exception_type, f.message, f.fingerprint, true
    FROM jobs_maint_failures f
    WHERE NOT f.will_retry AND f.kind <> 'aborted' AND f.failed_at < %(until)s
      AND f.failed_at >= %(since)s::timestamptz - (%(until)s::timestamptz - %(since)s::timestamptz)
      AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.id = f.job_id)
      AND NOT f.task_name LIKE ANY (%(ours)s)
      AND (%(queues)s::text[] IS NULL OR f.queue_name LIKE ANY (%(queues)s))
      AND (%(tasks)s::text[] IS NULL OR f.task_name LIKE ANY (%(tasks)s))
)
SELECT task_name AS task, exception_type, fingerprint, bool_or(recorded) AS recorded,
       count(*) FILTER (WHERE at >= %(since)s) AS count,
       count(*) FILTER (WHERE at < %(since)s) AS count_before,
       min(at) FILTER (WHERE at >= %(since)s) AS first_at, max(at) AS last_at,
       (array_agg(job_id ORDER BY at DESC))[1] AS sample_job_id,
       coalesce((array_agg(message ORDER BY at DESC))[1], '') AS message
FROM failed GROUP BY task_name, exception_type, fingerprint
ORDER BY count DESC, count_before DESC, last_at DESC;

-- name: count_other_ends (since, until, queues, tasks, ours)
SELECT e.type::text AS type, count(*) AS jobs
FROM procrastinate_events e JOIN procrastinate_jobs j ON j.id = e.job_id
WHERE e.type IN ('succeeded', 'deferred_for_retry') AND e.at >= %(since)s AND e.at < %(until)s
  AND NOT j.task_name LIKE ANY (%(ours)s)
  AND (%(queues)s::text[] IS NULL OR j.queue_name LIKE ANY (%(queues)s))
  AND (%(tasks)s::text[] IS NULL OR j.task_name LIKE ANY (%(tasks)s))
GROUP BY 1;

-- name: count_put_back (since, until, queues, tasks, ours)
SELECT count(*) AS jobs FROM jobs_maint_failures f
WHERE f.kind = 'worker_lost' AND f.will_retry
  AND f.failed_at >= %(since)s AND f.failed_at < %(until)s
  AND NOT f.task_name LIKE ANY (%(ours)s)
  AND (%(queues)s::text[] IS NULL OR f.queue_name LIKE ANY (%(queues)s))
  AND (%(tasks)s::text[] IS NULL OR f.task_name LIKE ANY (%(tasks)s));

-- name: count_purged (since, until)
-- Jobs the purge deleted, by its audit rows that began in the window.
SELECT coalesce(sum(c.value::bigint), 0)::bigint AS jobs
FROM jobs_maint_audit a
CROSS JOIN LATERAL jsonb_each_text(a.counts) AS c
WHERE a.word = 'purge' AND a.started_at >= %(since)s AND a.started_at < %(until)s
  AND c.key IN ('succeeded', 'failed', 'cancelled', 'aborted');
