-- The failure summary of a window of time.

-- name: give_up_sending (name)
-- A sender that did not come back within five minutes is gone; its window is sent again.
UPDATE jobs_maint_digests SET state = 'failed', error = 'the sender did not come back',
       closed_at = now()
WHERE name = %(name)s AND state = 'sending' AND opened_at < now() - interval '5 minutes';

-- name: find_window (name, period_seconds, behind_seconds, held_seconds, most_seconds)
-- From the end of the last window that Slack accepted to a little behind the clock. Where none was
-- accepted yet, from where the first attempt began.
-- An event has the time at which its transaction began, and is seen when that ends: a worker that
-- waits for a locked job would store a failure behind a closed window. So a window ends before the
-- oldest such wait. `held_since`: it has lasted too long to wait for it. At whole seconds, so that a
-- person can name them.
SELECT begun.at AS since, now_.until,
       (last.until IS NULL
           OR full_.until - last.until >= make_interval(secs => %(period_seconds)s / 2))
       AND now_.until > begun.at AS due,
       begun.at < now_.until - make_interval(secs => %(most_seconds)s) AS too_long,
       now_.until - make_interval(secs => %(most_seconds)s) AS earliest,
       CASE WHEN held.since < full_.until - make_interval(secs => %(held_seconds)s)
           THEN held.since END AS held_since
FROM (SELECT now() - make_interval(secs => %(behind_seconds)s) AS until) AS full_
CROSS JOIN (SELECT min(xact_start) AS since FROM pg_stat_activity
            WHERE datname = current_database() AND state = 'active'
              AND query LIKE '%%procrastinate\_finish\_job%%' AND pid <> pg_backend_pid()) AS held
CROSS JOIN LATERAL (SELECT date_trunc('second', CASE WHEN held.since IS NULL THEN full_.until
    ELSE least(full_.until, greatest(
        held.since, full_.until - make_interval(secs => %(held_seconds)s))) END) AS until) AS now_
LEFT JOIN (SELECT until FROM jobs_maint_digests
           WHERE name = %(name)s AND state IN ('sent', 'quiet')
           ORDER BY until DESC LIMIT 1) AS last ON true
LEFT JOIN (SELECT since FROM jobs_maint_digests WHERE name = %(name)s
           ORDER BY until LIMIT 1) AS first ON last.until IS NULL
CROSS JOIN LATERAL (SELECT coalesce(
    last.until,
    least(first.since, now_.until - make_interval(secs => %(period_seconds)s))) AS at) AS begun;

-- name: insert_window (name, since, until, key)
-- No row when another process is sending this digest now.
INSERT INTO jobs_maint_digests (name, since, until, state, key)
VALUES (%(name)s, %(since)s, %(until)s, 'sending', %(key)s)
ON CONFLICT (name) WHERE state = 'sending' DO NOTHING
RETURNING id;

-- name: drop_window (window_id)
DELETE FROM jobs_maint_digests WHERE id = %(window_id)s AND state = 'sending' RETURNING id;

-- name: lock_windows (window_id)
-- This window and those that tell a part of it: of two senders one sees what the other has done.
SELECT other.id FROM jobs_maint_digests own
JOIN jobs_maint_digests other
    ON other.name = own.name AND other.until > own.since AND other.since < own.until
WHERE own.id = %(window_id)s ORDER BY other.id FOR UPDATE OF other;

-- name: hold_window (window_id, channel, thread)
-- Right before the message is posted: no row where another sender was given the window meanwhile, or
-- where one that was taken for dead has told a part of it after all. Without a channel nothing was
-- posted yet.
UPDATE jobs_maint_digests own
SET opened_at = clock_timestamp(), channel = %(channel)s, thread = %(thread)s
WHERE id = %(window_id)s AND state = 'sending' AND NOT EXISTS (
    SELECT FROM jobs_maint_digests other
    WHERE other.name = own.name AND other.state = 'sent' AND other.id <> own.id
      AND other.until > own.since AND other.since < own.until
) RETURNING id;

-- name: find_told_again (window_id)
-- Whether a message of a later sender has told a part of this window, or may have: this one's was
-- taken for dead.
SELECT EXISTS (
    SELECT 1 FROM jobs_maint_digests own
    JOIN jobs_maint_digests other ON other.name = own.name AND other.until > own.since
    WHERE own.id = %(window_id)s AND other.id > own.id AND other.since < own.until
      AND (other.state = 'sent' OR (other.key IS NOT NULL AND other.channel IS NOT NULL))
) AS again;

-- name: close_window (window_id, state, channel, ts, error, posted_nothing)
-- A window given up by mistake is `sent` when its message turns out to be in the channel.
UPDATE jobs_maint_digests
SET state = %(state)s, channel = %(channel)s, ts = %(ts)s, error = %(error)s, closed_at = now(),
    key = CASE WHEN NOT %(posted_nothing)s THEN key END,
    thread = CASE WHEN NOT %(posted_nothing)s THEN thread END
WHERE id = %(window_id)s
  AND (state = 'sending' OR (state = 'failed' AND %(state)s = 'sent')) RETURNING id;

-- name: list_threads (name)
-- Messages whose thread lacks something that nobody is posting.
SELECT id, channel, ts FROM jobs_maint_digests
WHERE name = %(name)s AND state = 'sent' AND thread IS NOT NULL AND until > now() - interval '7 days'
  AND (thread_sender IS NULL OR opened_at < now() - interval '5 minutes')
ORDER BY id LIMIT 100;

-- name: drop_posted (window_id, key)
-- Whoever completes it leaves it: a reply that comes late can be marked at once.
UPDATE jobs_maint_digests
SET thread = CASE WHEN jsonb_array_length(thread) > 1 THEN thread - 0 END,
    thread_sender = CASE WHEN jsonb_array_length(thread) > 1 THEN thread_sender END
WHERE id = %(window_id)s AND thread -> 0 ->> 'key' = %(key)s RETURNING id;

-- name: add_to_thread (window_id, post)
-- Before the part that is to look, which is the last and waits.
UPDATE jobs_maint_digests
SET thread = CASE WHEN thread @> '[{"key": "look"}]' THEN (thread - (-1)) || %(post)s || (thread -> (-1))
                  ELSE coalesce(thread, '[]') || %(post)s END
WHERE id = %(window_id)s RETURNING id;

-- name: hold_thread (window_id, sender)
-- The next post, for a sender that has the thread or is given it now. Where it is taken from one
-- that was silent, which may still post a reply and die, its last part is to look for that, later.
UPDATE jobs_maint_digests
SET opened_at = clock_timestamp(), thread_sender = %(sender)s,
    thread = CASE WHEN thread_sender <> %(sender)s AND NOT thread @> '[{"key": "look"}]'
                  THEN thread || jsonb_build_array(jsonb_build_object(
                      'key', 'look', 'after', extract(epoch FROM now() + interval '15 minutes')))
                  ELSE thread END
WHERE id = %(window_id)s AND state = 'sent' AND thread IS NOT NULL
  AND (thread_sender IS NULL OR thread_sender = %(sender)s
       OR opened_at < now() - interval '5 minutes')
RETURNING thread -> 0 AS post, extract(epoch FROM now())::float8 AS now;

-- name: leave_thread (window_id, sender, refused)
UPDATE jobs_maint_digests
SET thread_sender = NULL, thread = CASE WHEN NOT %(refused)s THEN thread END
WHERE id = %(window_id)s AND thread_sender = %(sender)s RETURNING id;

-- name: list_unsure_windows (name)
-- Windows whose message may be in the channel though nobody closed them as sent.
SELECT id, key, channel, until FROM jobs_maint_digests
WHERE name = %(name)s AND state IN ('sending', 'failed')
  AND key IS NOT NULL AND channel IS NOT NULL
  AND until > now() - interval '7 days'
ORDER BY until DESC LIMIT 500;

-- name: group_failures (since, until, queues, tasks, reach, ours, alike, limit, aliases, mains, slots, slot_seconds, slots_end)
-- Final failures in the window and in the one of the same length before it, by task, type and
-- fingerprint. From the `failed` events of the jobs that still exist (jobs_maint_failed_events_idx),
-- each with the error recorded since that run started; and from the records of jobs that were
-- deleted (`gone`), of which another may have the id now.
-- `plain`: nearly every failure is the only one of its job here, and the newest record of its last
-- minute says that no retry follows. That record is of this run, and it names the task, so that
-- neither the job nor its start is looked up: two ranges by time are read and joined. Only the
-- others are looked up one by one. NOT IN is hashed, whatever the planner thinks of the sizes.
-- `unused`: a worker that died between a record and the end of its job left that job running; the
-- record `worker_lost` of the same attempt says what became of it.
-- `slots`: at most twelve, up to `slots_end`; what is before the first or after that counts as well.
-- `error_at`: when the first error was raised, which is just before the end of its job.
-- `aliases`: fingerprints under an older rule, each with the one in `mains` that stands for it.
-- More than `alike` groups of one task and type become one, with the message of the largest of
-- them. At most `limit` rows are returned, each with the sums over all, and with the message of its
-- newest record, the one with the largest id, of a job that is there if one is: only these are read.
-- To sort the messages, or to keep a list of each group, takes seconds where there are thousands of them.
WITH span AS (
    SELECT %(since)s::timestamptz - (%(until)s::timestamptz - %(since)s::timestamptz) AS since
), ended AS MATERIALIZED (
    SELECT job_id, at, count(*) OVER (PARTITION BY job_id) AS times FROM procrastinate_events
    WHERE type = 'failed' AND at < %(until)s
      AND at >= %(since)s::timestamptz - (%(until)s::timestamptz - %(since)s::timestamptz)
                - interval '1 minute'
), records AS MATERIALIZED (
    SELECT id AS record_id, job_id, attempt, queue_name, task_name, failed_at, kind, exception_type,
           fingerprint, will_retry
    FROM jobs_maint_failures
    WHERE failed_at <= %(until)s::timestamptz + interval '10 seconds'
      AND failed_at >= %(since)s::timestamptz - (%(until)s::timestamptz - %(since)s::timestamptz)
                       - interval '2 minutes'
), plain AS MATERIALIZED (
    SELECT * FROM (
        SELECT DISTINCT ON (e.job_id) e.job_id, e.at, f.queue_name, f.task_name, f.exception_type,
               f.record_id, f.fingerprint, f.will_retry, f.failed_at
        FROM ended e JOIN records f ON f.job_id = e.job_id
        WHERE e.times = 1 AND f.failed_at <= e.at + interval '10 seconds'
          AND f.failed_at >= e.at - interval '1 minute'
        ORDER BY e.job_id, f.failed_at DESC
    ) AS newest WHERE NOT will_retry
), others AS MATERIALIZED (
    SELECT * FROM ended WHERE job_id NOT IN (SELECT job_id FROM plain)
), unused AS MATERIALIZED (
    SELECT * FROM records
    WHERE NOT will_retry AND kind <> 'aborted' AND failed_at < %(until)s
      AND (job_id, failed_at) NOT IN (SELECT job_id, failed_at FROM plain)
      AND (kind = 'worker_lost' OR (job_id, attempt) NOT IN (
          SELECT job_id, attempt FROM records WHERE kind = 'worker_lost'))
), failed AS (
    SELECT job_id, at, queue_name, task_name, exception_type, record_id, fingerprint, failed_at,
           true AS recorded, false AS gone
    FROM plain
    UNION ALL
    SELECT e.job_id, e.at, j.queue_name, j.task_name, f.exception_type, f.id,
           coalesce(f.fingerprint, '-'), f.failed_at, f.kind IS NOT NULL, false
    FROM others e
    JOIN procrastinate_jobs j ON j.id = e.job_id
    LEFT JOIN LATERAL (
        SELECT f.id, f.kind, f.exception_type, f.fingerprint, f.failed_at FROM jobs_maint_failures f
        WHERE f.job_id = e.job_id AND f.failed_at - interval '10 seconds' <= e.at
        ORDER BY (f.failed_at, f.id) DESC LIMIT 1
    ) AS f ON f.failed_at >= coalesce((
        SELECT coalesce(max(s.at) FILTER (WHERE s.type = 'started' AND s.at <= e.at),
                        min(s.at) FILTER (WHERE s.type <> 'scheduled'))
        FROM procrastinate_events s WHERE s.job_id = e.job_id), '-infinity')
    UNION ALL
    SELECT f.job_id, f.failed_at, f.queue_name, f.task_name, f.exception_type, f.record_id,
           f.fingerprint, f.failed_at, true, true
    FROM unused f
    WHERE NOT EXISTS (
        SELECT 1 FROM procrastinate_jobs j WHERE j.id = f.job_id
          AND f.failed_at >= coalesce((SELECT min(e.at) FROM procrastinate_events e
                                       WHERE e.job_id = j.id AND e.type <> 'scheduled'),
                                      '-infinity'))
), wanted AS (
    SELECT failed.*, coalesce(alias.main, failed.fingerprint) AS print,
           CASE WHEN at >= %(since)s THEN greatest(1, least(%(slots)s, width_bucket(
               extract(epoch FROM at - %(slots_end)s::timestamptz)::float8,
               -%(slots)s * %(slot_seconds)s::float8, 0, %(slots)s))) END AS slot
    FROM failed CROSS JOIN span
    LEFT JOIN unnest(%(aliases)s::text[], %(mains)s::text[]) AS alias (old, main)
        ON alias.old = failed.fingerprint
    WHERE at >= span.since
      AND task_name <> ALL (%(ours)s)
      AND (%(queues)s::text[] IS NULL OR queue_name LIKE ANY (%(queues)s))
      AND (%(reach)s::text[] IS NULL OR queue_name LIKE ANY (%(reach)s))
      AND (%(tasks)s::text[] IS NULL OR task_name LIKE ANY (%(tasks)s))
), one AS (
    SELECT task_name AS task, exception_type, print AS fingerprint, bool_or(recorded) AS recorded,
           count(*) FILTER (WHERE at >= %(since)s) AS count,
           count(*) FILTER (WHERE at < %(since)s) AS count_before,
           count(*) FILTER (WHERE at >= %(since)s AND gone) AS deleted,
           min(at) FILTER (WHERE at >= %(since)s) AS first_at, max(at) AS last_at,
           min(failed_at) FILTER (WHERE at >= %(since)s) AS error_at,
           coalesce(max(record_id) FILTER (WHERE NOT gone), max(record_id)) AS record_id,
           max(job_id) FILTER (WHERE record_id IS NULL) AS job_id,
           count(*) FILTER (WHERE slot = 1) AS s1, count(*) FILTER (WHERE slot = 2) AS s2,
           count(*) FILTER (WHERE slot = 3) AS s3, count(*) FILTER (WHERE slot = 4) AS s4,
           count(*) FILTER (WHERE slot = 5) AS s5, count(*) FILTER (WHERE slot = 6) AS s6,
           count(*) FILTER (WHERE slot = 7) AS s7, count(*) FILTER (WHERE slot = 8) AS s8,
           count(*) FILTER (WHERE slot = 9) AS s9, count(*) FILTER (WHERE slot = 10) AS s10,
           count(*) FILTER (WHERE slot = 11) AS s11, count(*) FILTER (WHERE slot = 12) AS s12
    FROM wanted GROUP BY 1, 2, 3
), counted AS (
    SELECT one.*, count(*) OVER (PARTITION BY task, exception_type) > %(alike)s AS many,
           row_number() OVER (PARTITION BY task, exception_type
                              ORDER BY count DESC, count_before DESC, last_at DESC,
                                       record_id DESC NULLS LAST) AS place
    FROM one
), folded AS (
    SELECT task, exception_type, CASE WHEN NOT many THEN fingerprint END AS fingerprint,
           bool_or(recorded) AS recorded, sum(count)::bigint AS count,
           sum(count_before)::bigint AS count_before, sum(deleted)::bigint AS deleted, min(first_at) AS first_at,
           min(error_at) AS error_at, max(last_at) AS last_at, count(*) AS unlike, count(*) FILTER (WHERE count > 0) AS unlike_now,
           max(record_id) FILTER (WHERE place = 1 OR NOT many) AS record_id,
           max(job_id) FILTER (WHERE place = 1 OR NOT many) AS job_id,
           sum(s1)::bigint AS s1, sum(s2)::bigint AS s2, sum(s3)::bigint AS s3,
           sum(s4)::bigint AS s4, sum(s5)::bigint AS s5, sum(s6)::bigint AS s6,
           sum(s7)::bigint AS s7, sum(s8)::bigint AS s8, sum(s9)::bigint AS s9,
           sum(s10)::bigint AS s10, sum(s11)::bigint AS s11, sum(s12)::bigint AS s12
    FROM counted GROUP BY 1, 2, 3
), shown AS (
    SELECT task, exception_type, fingerprint, recorded, count, count_before, deleted, first_at, error_at,
           last_at, unlike, unlike_now, job_id, record_id,
           ARRAY[s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12] AS slots,
           sum(count) OVER ()::bigint AS all_failed, sum(count_before) OVER ()::bigint AS all_before,
           count(*) OVER () AS all_groups,
           count(*) FILTER (WHERE count > 0 AND recorded) OVER () AS all_recorded,
           count(*) FILTER (WHERE count > 0 AND NOT recorded) OVER () AS all_not_recorded,
           coalesce(sum(count) FILTER (WHERE NOT recorded) OVER (), 0)::bigint AS failures_not_recorded,
           ARRAY[sum(s1) OVER ()::bigint, sum(s2) OVER ()::bigint, sum(s3) OVER ()::bigint,
                 sum(s4) OVER ()::bigint, sum(s5) OVER ()::bigint, sum(s6) OVER ()::bigint,
                 sum(s7) OVER ()::bigint, sum(s8) OVER ()::bigint, sum(s9) OVER ()::bigint,
                 sum(s10) OVER ()::bigint, sum(s11) OVER ()::bigint, sum(s12) OVER ()::bigint] AS all_slots
    FROM folded ORDER BY count DESC, count_before DESC, last_at DESC LIMIT %(limit)s
)
SELECT shown.*, coalesce(f.job_id, shown.job_id) AS sample_job_id, coalesce(f.message, '') AS message
FROM shown LEFT JOIN jobs_maint_failures f ON f.id = shown.record_id
ORDER BY count DESC, count_before DESC, last_at DESC;

-- name: count_messages (since, until, queues, tasks, reach, ours, fingerprints, aliases, mains)
-- Different messages of failures alike that were final. `aliases` and `mains` as in group_failures.
SELECT task_name AS task, exception_type, coalesce(alias.main, fingerprint) AS fingerprint,
       count(DISTINCT md5(message)) AS messages
FROM jobs_maint_failures
LEFT JOIN unnest(%(aliases)s::text[], %(mains)s::text[]) AS alias (old, main)
    ON alias.old = fingerprint
WHERE failed_at >= %(since)s AND failed_at < %(until)s AND NOT will_retry
  AND fingerprint = ANY (%(fingerprints)s) AND task_name <> ALL (%(ours)s)
  AND (%(queues)s::text[] IS NULL OR queue_name LIKE ANY (%(queues)s))
  AND (%(reach)s::text[] IS NULL OR queue_name LIKE ANY (%(reach)s))
  AND (%(tasks)s::text[] IS NULL OR task_name LIKE ANY (%(tasks)s))
GROUP BY 1, 2, 3;

-- name: count_other_ends (since, until, queues, reach, tasks, ours)
-- By jobs_maint_events_at_idx.
SELECT e.type::text AS type, count(*) AS jobs
FROM procrastinate_events e JOIN procrastinate_jobs j ON j.id = e.job_id
WHERE e.type IN ('succeeded', 'deferred_for_retry') AND e.type <> 'scheduled'
  AND e.at >= %(since)s AND e.at < %(until)s
  AND j.task_name <> ALL (%(ours)s)
  AND (%(queues)s::text[] IS NULL OR j.queue_name LIKE ANY (%(queues)s))
  AND (%(reach)s::text[] IS NULL OR j.queue_name LIKE ANY (%(reach)s))
  AND (%(tasks)s::text[] IS NULL OR j.task_name LIKE ANY (%(tasks)s))
GROUP BY 1;

-- name: count_put_back (since, until, queues, tasks, ours)
-- One job may have been put back several times.
SELECT count(DISTINCT job_id) AS jobs, count(*) AS times FROM jobs_maint_failures f
WHERE f.kind = 'worker_lost' AND f.will_retry
  AND f.failed_at >= %(since)s AND f.failed_at < %(until)s
  AND f.task_name <> ALL (%(ours)s)
  AND (%(queues)s::text[] IS NULL OR f.queue_name LIKE ANY (%(queues)s))
  AND (%(tasks)s::text[] IS NULL OR f.task_name LIKE ANY (%(tasks)s));

-- name: count_running (queues, tasks, ours)
-- Now, by Procrastinate's index on what runs.
SELECT count(*) AS jobs FROM procrastinate_jobs
WHERE status = 'doing' AND task_name <> ALL (%(ours)s)
  AND (%(queues)s::text[] IS NULL OR queue_name LIKE ANY (%(queues)s))
  AND (%(tasks)s::text[] IS NULL OR task_name LIKE ANY (%(tasks)s));

-- name: count_purged (since, until)
-- Jobs the purge deleted, by its audit rows that began in the window.
SELECT coalesce(sum(c.value::bigint), 0)::bigint AS jobs
FROM jobs_maint_audit a
CROSS JOIN LATERAL jsonb_each_text(a.counts) AS c
WHERE a.word = 'purge' AND a.started_at >= %(since)s AND a.started_at < %(until)s
  AND c.key IN ('succeeded', 'failed', 'cancelled', 'aborted');

-- name: count_expiring (due, soon, most, queues, tasks, ours)
-- Jobs that failed between `due` and `soon` and are failed since: the purge deletes them soon. By
-- jobs_maint_failed_events_idx; `ended` is how many failures there were at all: with more than
-- `most` of them no job is looked at.
SELECT ended, CASE WHEN ended <= %(most)s THEN (
    SELECT count(*) FROM procrastinate_events e
    JOIN procrastinate_jobs j ON j.id = e.job_id AND {{found_failed}}
    WHERE e.type = 'failed' AND e.at >= %(due)s AND e.at < %(soon)s
      AND j.task_name <> ALL (%(ours)s)
      AND (%(queues)s::text[] IS NULL OR j.queue_name LIKE ANY (%(queues)s))
      AND (%(tasks)s::text[] IS NULL OR j.task_name LIKE ANY (%(tasks)s))
      AND NOT EXISTS (SELECT 1 FROM procrastinate_events later
                      WHERE later.job_id = e.job_id AND later.at > e.at
                        AND later.type <> 'scheduled')) END AS jobs
FROM (
    SELECT count(*) AS ended FROM (
        SELECT FROM procrastinate_events
        WHERE type = 'failed' AND at >= %(due)s AND at < %(soon)s LIMIT 100000
    ) AS every
) AS counted;
