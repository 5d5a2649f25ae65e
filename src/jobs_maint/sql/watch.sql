-- What the watch measures every few seconds. Each query is bounded by an index or a LIMIT, and reads
-- little where nothing is wrong.

-- name: measure_workers
-- How many are alive, when the last gave a sign of life, and to which queues the live ones listen, each
-- with the last sign of one that does. `all_at`: that of one that listens to all. `unknown`: of one it is
-- not known, as it has not beaten yet.
SELECT count(*) FILTER (WHERE w.live) AS live, max(greatest(w.last_heartbeat, w.beat_at)) AS seen_at,
       max(greatest(w.last_heartbeat, w.beat_at))
           FILTER (WHERE {{listens}} AND w.beaten_id IS NOT NULL AND w.queues IS NULL) AS all_at,
       coalesce(bool_or({{listens}} AND w.beaten_id IS NULL), false) AS unknown,
       (SELECT coalesce(jsonb_object_agg(name, at), '{}') FROM (
            SELECT unnest(w.queues) AS name, max(greatest(w.last_heartbeat, w.beat_at)) AS at
            FROM {{workers}} WHERE {{listens}} GROUP BY 1
        ) AS heard) AS queues
FROM {{workers}};

-- name: find_last_work (since, until, queues)
-- Of each queue when a worker last took a job and when one last did anything, by
-- jobs_maint_events_at_idx. Events of other types come from people and apps, too.
SELECT j.queue_name AS queue, max(e.at) AS at, max(e.at) FILTER (WHERE e.type = 'started') AS started_at
FROM procrastinate_events e JOIN procrastinate_jobs j ON j.id = e.job_id
WHERE e.at > %(since)s AND e.at <= %(until)s AND e.type <> 'scheduled'
  AND e.type IN ('started', 'succeeded')
  AND (%(queues)s::text[] IS NULL OR j.queue_name = ANY (%(queues)s))
GROUP BY 1;

-- name: list_ready (ours)
-- Of each queue with ready jobs the first one that waits for no time and the first that is due, by
-- jobs_maint_waiting_idx, and since when each is ready. `put_back`: it was put back, so that others
-- behind it may have waited longer. `holder`: the running job whose lock it waits for, if any.
WITH RECURSIVE queue AS (
    (SELECT queue_name FROM procrastinate_jobs
     WHERE status = 'todo' AND starts_with(queue_name, '') ORDER BY queue_name LIMIT 1)
    UNION ALL
    SELECT (SELECT j.queue_name FROM procrastinate_jobs j
            WHERE j.status = 'todo' AND starts_with(j.queue_name, '')
              AND j.queue_name > queue.queue_name ORDER BY j.queue_name LIMIT 1)
    FROM queue WHERE queue.queue_name IS NOT NULL
), first AS (
    SELECT queue.queue_name, ready.* FROM queue CROSS JOIN LATERAL (
        (SELECT j.id, j.task_name, j.scheduled_at, j.lock FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND starts_with(j.queue_name, '')
           AND j.queue_name = queue.queue_name AND j.scheduled_at IS NULL
           AND j.task_name <> ALL (%(ours)s)
         ORDER BY j.scheduled_at, j.id LIMIT 1)
        UNION ALL
        (SELECT j.id, j.task_name, j.scheduled_at, j.lock FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND starts_with(j.queue_name, '')
           AND j.queue_name = queue.queue_name AND j.scheduled_at <= now()
           AND j.task_name <> ALL (%(ours)s)
         ORDER BY j.scheduled_at, j.id LIMIT 1)
    ) AS ready
)
SELECT first.queue_name AS queue, first.id AS job_id, first.task_name AS task,
       greatest(first.scheduled_at, entered.last_at) AS since,
       CASE WHEN first.scheduled_at IS NULL THEN entered.last_at > entered.first_at
            ELSE entered.last_at > first.scheduled_at END AS put_back,
       first.lock, (SELECT h.id FROM procrastinate_jobs h
                    WHERE h.status = 'doing' AND h.lock = first.lock) AS holder
FROM first CROSS JOIN LATERAL (
    SELECT min(e.at) AS first_at, max(e.at) AS last_at FROM procrastinate_events e
    WHERE e.job_id = first.id AND e.type <> 'scheduled'
) AS entered
WHERE isfinite(greatest(first.scheduled_at, entered.last_at));

-- name: list_ready_behind (queue, ours, most)
-- The oldest of the first `most` jobs of each kind, and the oldest of those that wait for the lock of
-- a running job, where the first of one was put back or waits for one.
SELECT DISTINCT ON (h.id IS NULL) j.id AS job_id, j.task_name AS task, r.since, j.lock, h.id AS holder
FROM (
    (SELECT id, task_name, scheduled_at, lock FROM procrastinate_jobs
     WHERE status = 'todo' AND starts_with(queue_name, '') AND queue_name = %(queue)s
       AND scheduled_at IS NULL AND task_name <> ALL (%(ours)s)
     ORDER BY scheduled_at, id LIMIT %(most)s)
    UNION ALL
    (SELECT id, task_name, scheduled_at, lock FROM procrastinate_jobs
     WHERE status = 'todo' AND starts_with(queue_name, '') AND queue_name = %(queue)s
       AND scheduled_at <= now() AND task_name <> ALL (%(ours)s)
     ORDER BY scheduled_at, id LIMIT %(most)s)
) AS j
CROSS JOIN LATERAL (
    SELECT greatest(j.scheduled_at, max(e.at)) AS since FROM procrastinate_events e
    WHERE e.job_id = j.id AND e.type <> 'scheduled'
) AS r
LEFT JOIN procrastinate_jobs h ON h.status = 'doing' AND h.lock = j.lock
WHERE isfinite(r.since) ORDER BY h.id IS NULL, r.since;

-- name: list_fates (ids)
-- What became of jobs, by the primary key.
SELECT id, status::text AS status, queue_name AS queue FROM procrastinate_jobs
WHERE id = ANY (%(ids)s::bigint[]);

-- name: count_failed (since, until, ours, most)
-- Jobs that failed, by queue, from the newest `most` failures after `since` and up to `until`, by
-- jobs_maint_failed_events_idx, and {{standing}} of these jobs. `from_at`: up to where these reach back,
-- where there were more.
WITH failed AS MATERIALIZED (
    SELECT at, job_id FROM procrastinate_events
    WHERE type = 'failed' AND at > %(since)s AND at <= %(until)s
    ORDER BY at DESC LIMIT %(most)s
)
SELECT queue_name AS queue, sum(times)::bigint AS failed,
       (SELECT CASE WHEN count(*) = %(most)s THEN min(at) END FROM failed) AS from_at,
       {{standing}}
FROM (
    SELECT j.queue_name, j.status, count(*) AS times FROM failed CROSS JOIN LATERAL (
        SELECT queue_name, status FROM procrastinate_jobs
        WHERE id = failed.job_id AND task_name <> ALL (%(ours)s) OFFSET 0
    ) AS j
    GROUP BY failed.job_id, j.queue_name, j.status
) AS job
GROUP BY 1;

-- name: count_succeeded (since, queue, most)
-- Jobs of the queue that succeeded since then, by jobs_maint_events_at_idx; `most` are enough.
SELECT count(*) AS jobs FROM (
    SELECT FROM procrastinate_events e JOIN procrastinate_jobs j ON j.id = e.job_id
    WHERE e.at > %(since)s AND e.type <> 'scheduled' AND e.type = 'succeeded'
      AND j.queue_name = %(queue)s
    LIMIT %(most)s
) AS first;

-- name: find_first_event
-- When the first thing happened that the database tells of, by the primary key; now, if nothing has.
SELECT coalesce((SELECT at FROM procrastinate_events WHERE type <> 'scheduled' ORDER BY id LIMIT 1),
                now()) AS at;

-- name: list_rates (quarters)
SELECT quarter, failed FROM jobs_maint_rates WHERE quarter = ANY (%(quarters)s::timestamptz[]);

-- name: note_rate (quarter, failed)
INSERT INTO jobs_maint_rates (quarter, failed) VALUES (%(quarter)s, %(failed)s)
ON CONFLICT (quarter) DO UPDATE SET failed = excluded.failed;

-- name: drop_rates (until)
DELETE FROM jobs_maint_rates WHERE quarter < %(until)s;

-- name: list_groups (least, most, most_failures, most_of_a_task, alike, quiet_seconds)
-- Groups of errors that are new or came back within a day, with so many failures in the last hour; and
-- first those that are an open incident, however many they have. Others that are muted, alone or with
-- all groups of their kind, are left out. Where more than `alike` of a kind failed in the last hour, and
-- the kind is new or came back within a day, they are one ({{wholes}}), until that is no incident any more.
-- The oldest first, so that the same ones are told in each pass, `most_of_a_task` of each task; those
-- whose jobs are all dealt with take no place from others. Each is counted by itself, so that none hides behind a storm of another:
-- {{alike}}. `at_least`: so many that no more were counted. `last`: of the newest failure when it was,
-- its job and its record, in an array as that has an order; the message is its, too.
WITH told AS MATERIALIZED (
    SELECT name, bool_and(failed_now IS NOT DISTINCT FROM '0') AS settled FROM (
        SELECT subject AS name, facts -> 'standing' ->> 'failed_now' AS failed_now
        FROM jobs_maint_incidents WHERE state = 'open' AND kind = 'group'
        UNION ALL
        SELECT part ->> 'subject', part -> 'facts' -> 'standing' ->> 'failed_now'
        FROM jobs_maint_incidents, jsonb_array_elements(folded) AS part
        WHERE state = 'open' AND part ->> 'kind' = 'group' AND part ->> 'over_at' IS NULL
    ) AS one GROUP BY name
), {{wholes}}, as_one AS MATERIALIZED (
    SELECT wholes.* FROM wholes LEFT JOIN told USING (name)
    WHERE told.name IS NOT NULL OR (recent > %(alike)s AND since > now() - interval '1 day')
), known AS MATERIALIZED (
    SELECT g.*, coalesce(whole.prints, g.fingerprints) AS prints,
           told.name IS NOT NULL AS told, coalesce(told.settled, false) AS settled,
           coalesce(whole.since, g.returned_at, g.first_at) AS since,
           CASE WHEN whole.name IS NOT NULL THEN whole.quiet
                WHEN g.returned_at IS NOT NULL THEN g.quiet_seconds END AS quiet,
           now() - interval '1 hour' AS from_at
    FROM jobs_maint_groups g LEFT JOIN told USING (name) LEFT JOIN as_one AS whole USING (name)
    WHERE (g.fingerprints <> '{}' OR whole.name IS NOT NULL) AND (
        told.name IS NOT NULL
        OR (coalesce(whole.since, g.returned_at, g.first_at) > now() - interval '1 day'
            AND g.last_at > now() - interval '1 hour' AND g.failures >= %(least)s
            AND (whole.name IS NOT NULL OR NOT EXISTS (
                SELECT FROM as_one WHERE as_one.task_name = g.task_name
                AND as_one.exception_type IS NOT DISTINCT FROM g.exception_type))))
), recent AS MATERIALIZED (
    SELECT g.*, said.taken_by AS by, said.taken_at AS by_at, said.muted_until AS until,
           said.muted_above AS above
    FROM known g CROSS JOIN {{said}} WHERE g.told OR said.muted_until IS NULL
), wanted AS MATERIALIZED (
    SELECT * FROM (
        SELECT *, row_number() OVER (
            PARTITION BY task_name, settled ORDER BY NOT told, since, name) AS place
        FROM recent AS wanted
        WHERE told OR %(least)s <= (
            SELECT count(*) FROM (
                SELECT FROM unnest(wanted.prints) AS one (fingerprint) CROSS JOIN LATERAL (
                    SELECT FROM jobs_maint_failures f WHERE {{alike}}
                    ORDER BY f.fingerprint DESC, f.failed_at DESC LIMIT %(least)s
                ) AS each LIMIT %(least)s
            ) AS first)
    ) AS enough
    WHERE told OR place <= %(most_of_a_task)s
    ORDER BY NOT told, settled, place, since, name
    LIMIT %(most)s::bigint + (SELECT least(count(*), 2 * %(most)s::bigint) FROM told WHERE settled)
), counted AS (
    SELECT wanted.name, part.queue_name, part.failures,
           ARRAY[extract(epoch FROM part.last_at), newest.job_id, newest.id] AS last
    FROM wanted CROSS JOIN LATERAL (
        SELECT queue_name, sum(failures)::bigint AS failures, max(last_at) AS last_at,
               (array_agg(fingerprint ORDER BY last_at DESC))[1] AS fingerprint
        FROM (
            SELECT queue_name, fingerprint, count(*) AS failures, max(failed_at) AS last_at FROM (
                SELECT each.* FROM unnest(wanted.prints) AS one (fingerprint) CROSS JOIN LATERAL (
                    SELECT f.queue_name, f.fingerprint, f.failed_at FROM jobs_maint_failures f
                    WHERE {{alike}}
                    ORDER BY f.fingerprint DESC, f.failed_at DESC LIMIT %(most_failures)s
                ) AS each LIMIT %(most_failures)s
            ) AS newest GROUP BY 1, 2
        ) AS print GROUP BY 1
    ) AS part
    CROSS JOIN LATERAL (
        SELECT f.job_id, f.id FROM jobs_maint_failures f
        WHERE NOT f.will_retry AND f.kind <> 'aborted' AND f.task_name = wanted.task_name
          AND f.queue_name = part.queue_name
          AND f.fingerprint = part.fingerprint AND f.failed_at = part.last_at
        ORDER BY f.job_id DESC, f.id DESC LIMIT 1
    ) AS newest
), summed AS (
    SELECT name, sum(failures)::bigint AS failures, max(last) AS last,
           jsonb_object_agg(queue_name, jsonb_build_object(
               'failures', failures, 'job_id', last[2]::bigint)) AS by_queue
    FROM counted GROUP BY 1
)
SELECT wanted.name, wanted.told, wanted.task_name AS task, wanted.queues, wanted.exception_type,
       coalesce((SELECT left(f.message, 2000) FROM jobs_maint_failures f
                 WHERE f.id = summed.last[3]::bigint), wanted.message) AS message,
       to_timestamp(summed.last[1]::float8) AS last_at, coalesce(summed.failures, 0) AS failures,
       coalesce(summed.by_queue, '{}') AS by_queue,
       coalesce(summed.failures >= %(most_failures)s, false) AS at_least,
       wanted.since, summed.last[2]::bigint AS job_id,
       wanted.quiet AS quiet_seconds,
       wanted.by AS taken_by, wanted.by_at AS taken_at, wanted.above AS muted_above,
       CASE WHEN wanted.until <> 'infinity' THEN wanted.until END AS muted_until
FROM wanted LEFT JOIN summed USING (name)
ORDER BY NOT told, since, name;

-- name: find_uncollected
-- Whether there are failures that the groups do not count yet.
SELECT coalesce((SELECT max(id) FROM jobs_maint_failures), 0)
       > coalesce((SELECT last_failure_id FROM jobs_maint_collected), 0) AS uncollected;

-- name: list_stuck (seconds)
-- Running jobs that nobody can be said to run, for so long.
SELECT * FROM (
    SELECT j.id AS job_id, j.queue_name AS queue, j.task_name AS task,
           greatest(started.at, known.beat_at, w.last_heartbeat) AS since
    FROM {{running_jobs}}
    WHERE j.status = 'doing' AND {{unreported}}
) AS job
WHERE since < now() - make_interval(secs => %(seconds)s) AND isfinite(since)
ORDER BY since, job_id LIMIT 500;

-- name: list_ticks (ours)
-- The periodic tasks of the live workers' apps, without ours, each with its last tick.
WITH known AS (
    SELECT m.crons, min(m.started_at) AS since
    FROM {{workers}} JOIN jobs_maint_workers m ON m.worker_id = w.beaten_id
    WHERE w.live AND m.crons IS NOT NULL
    GROUP BY m.crons
), wanted AS (
    SELECT cron.value ->> 0 AS task, cron.value ->> 1 AS periodic_id, cron.value ->> 2 AS cron,
           min(known.since) AS known_since
    FROM known CROSS JOIN LATERAL jsonb_array_elements(known.crons) AS cron
    WHERE cron.value ->> 0 <> ALL (%(ours)s)
    GROUP BY 1, 2, 3
)
SELECT wanted.*, to_timestamp(last.defer_timestamp) AS last, coalesce(j.status = 'todo', false) AS waits
FROM wanted
LEFT JOIN LATERAL (
    SELECT d.defer_timestamp, d.job_id FROM procrastinate_periodic_defers d
    WHERE d.task_name = wanted.task AND d.periodic_id = wanted.periodic_id
    ORDER BY d.defer_timestamp DESC LIMIT 1
) AS last ON true
LEFT JOIN procrastinate_jobs j ON j.id = last.job_id
ORDER BY 1, 2, 3 LIMIT 500;

-- name: find_crons
-- Whether a live worker has told which periodic tasks its app has.
SELECT EXISTS (
    SELECT FROM {{workers}} JOIN jobs_maint_workers m ON m.worker_id = w.beaten_id
    WHERE w.live AND m.crons IS NOT NULL
) AS crons_known;

-- name: list_last_runs (queue)
-- When rescue and purge last succeeded, by jobs_maint_own_idx; the job of a later run that failed.
SELECT duty.task, good.at AS succeeded_at, CASE WHEN bad.at > good.at THEN bad.job_id END AS job_id
FROM unnest(ARRAY['jobs_maint:purge_finished_jobs', 'jobs_maint:rescue_stalled_jobs']) AS duty (task)
CROSS JOIN LATERAL (
    SELECT max(e.at) AS at FROM (
        SELECT id FROM procrastinate_jobs
        WHERE task_name IN (
            'jobs_maint:rescue_stalled_jobs', 'jobs_maint:purge_finished_jobs', 'chatbot:send_digest')
          AND task_name = duty.task AND status = 'succeeded' AND queue_name = %(queue)s
        ORDER BY id DESC LIMIT 3
    ) AS j JOIN procrastinate_events e ON e.job_id = j.id AND e.type = 'succeeded'
) AS good
LEFT JOIN LATERAL (
    SELECT e.at, e.job_id FROM (
        SELECT id FROM procrastinate_jobs
        WHERE task_name IN (
            'jobs_maint:rescue_stalled_jobs', 'jobs_maint:purge_finished_jobs', 'chatbot:send_digest')
          AND task_name = duty.task AND status = 'failed' AND queue_name = %(queue)s
        ORDER BY id DESC LIMIT 3
    ) AS j JOIN procrastinate_events e ON e.job_id = j.id AND e.type = 'failed'
    ORDER BY e.at DESC LIMIT 1
) AS bad ON true;

-- name: list_digest_plans
-- The digests of the workers' apps, each as the newest worker that has it told it. Only of live workers,
-- unless none lives. Older recorders tell only a cron in UTC that includes all its times.
SELECT DISTINCT ON (name) plan ->> 1 AS name, plan ->> 3 AS cron, plan ->> 4 AS timezone
FROM (
    SELECT m.crons, m.started_at, m.worker_id, w.live, bool_or(w.live) OVER () AS any_live
    FROM {{workers}} JOIN jobs_maint_workers m ON m.worker_id = w.beaten_id
    WHERE m.crons IS NOT NULL
) AS told CROSS JOIN LATERAL jsonb_path_query(told.crons, '$[*]') AS plan
WHERE (told.live OR NOT told.any_live)
  AND plan ->> 0 = 'chatbot:send_digest' AND plan ->> 1 IS NOT NULL
  AND plan ->> 3 IS NOT NULL AND plan ->> 4 IS NOT NULL
ORDER BY name, told.started_at DESC, told.worker_id DESC LIMIT 100;

-- name: list_digests (names)
-- Up to where the failures of each digest were told, when, and why its last attempt failed.
SELECT wanted.name, told.until, coalesce(told.closed_at, told.until) AS sent_at,
       CASE WHEN last.state = 'failed' THEN last.error END AS error
FROM unnest(%(names)s::text[]) AS wanted (name)
LEFT JOIN LATERAL (
    SELECT until, closed_at FROM jobs_maint_digests d
    WHERE d.name = wanted.name AND d.state IN ('sent', 'quiet') ORDER BY until DESC LIMIT 1
) AS told ON true
LEFT JOIN LATERAL (
    SELECT state, error FROM jobs_maint_digests d
    WHERE d.name = wanted.name ORDER BY until DESC LIMIT 1
) AS last ON true;

-- name: list_recorders
-- Of workers that are alive by Procrastinate's heartbeat; `silent`: stopped to beat while it went on.
SELECT m.worker_id, m.host, m.pid, m.beat_at,
       w.last_heartbeat > m.beat_at + make_interval(secs => 3 * m.beat_seconds) AS silent
FROM procrastinate_workers w JOIN jobs_maint_workers m ON m.worker_id = w.id
WHERE w.last_heartbeat > now() - interval '30 seconds'
ORDER BY silent DESC, m.worker_id LIMIT 1000;
