-- What several queries must agree on: who runs a job, whether anybody does, when the rescue acts.
-- A beat is fresh within three of its own beats.

-- name: running_jobs
-- Jobs `j` with the time `started.at` of their last start, their registered worker `w`, and `known`: the
-- recorder that says most about them. That is one whose beat names the job, or else that of its
-- worker. A beat before this start was from another run and shows nothing about the one that runs it
-- now. The partial unique index on (lock) WHERE status = 'doing' holds every running job. Which beats
-- name a job is read once for all of them (`naming`), and each beat found by its key: a table that is
-- much written has many dead rows, and to read it for each job takes minutes.
procrastinate_jobs j
LEFT JOIN (
    SELECT named.id, array_agg(m.worker_id) AS worker_ids
    FROM jobs_maint_workers m CROSS JOIN LATERAL unnest(m.job_ids) AS named (id)
    GROUP BY named.id
) AS naming ON naming.id = j.id
CROSS JOIN LATERAL (
    SELECT max(e.at) AS at FROM procrastinate_events e
    WHERE e.job_id = j.id AND e.type = 'started'
) AS started
LEFT JOIN LATERAL (
    SELECT *, names_it AND fresh AS names_it_now
    FROM (
        SELECT m.worker_id, m.host, m.pid, m.beat_at, m.beat_seconds, m.job_ids,
               m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds) AS fresh,
               j.id = ANY (m.job_ids) AS names_it
        FROM jobs_maint_workers m
        WHERE m.worker_id = j.worker_id OR m.worker_id = ANY (naming.worker_ids)
    ) AS m
    WHERE m.worker_id = j.worker_id OR m.fresh OR m.beat_at >= started.at
    ORDER BY names_it_now DESC, names_it DESC, beat_at DESC LIMIT 1
) AS known ON true
LEFT JOIN procrastinate_workers w ON w.id = j.worker_id

-- name: unreported
-- Of a running job among {{running_jobs}}: nobody can be said to run it. Not so are: a job that a
-- fresh beat names; a job that started after the last beat of its live worker, or within two seconds
-- before (which has had no chance to name it yet: a beat is put together before it is stored); a job
-- of a worker that beats while Procrastinate's heartbeat has stopped, or that has an answer to read (id
-- 0): its event loop is blocked, so it may have fetched the job without starting it, and still will;
-- while Procrastinate's heartbeat is fresh, a job of a worker that never beat (no recorder there) or
-- whose heartbeat went on for three beats after its last beat (the process lives, only its recorder does
-- not); and a job that may be the unread one (id 0) of a worker whose row was pruned, which took the
-- worker's id off the job.
(NOT coalesce(known.names_it_now, false)
 AND NOT (coalesce(known.fresh, false) AND started.at > known.beat_at - interval '2 seconds')
 AND NOT (coalesce(known.fresh, false)
          AND (coalesce(w.last_heartbeat <= now() - interval '30 seconds', false)
               OR 0 = ANY (known.job_ids)))
 AND NOT coalesce(
     w.last_heartbeat > now() - interval '30 seconds'
     AND (known.worker_id IS NULL
          OR w.last_heartbeat > known.beat_at + make_interval(secs => 3 * known.beat_seconds)),
     false)
 AND NOT (j.worker_id IS NULL AND known.worker_id IS NULL AND EXISTS (
     SELECT 1 FROM jobs_maint_workers m
     WHERE m.worker_id = ANY (ARRAY(
           SELECT b.worker_id FROM jobs_maint_workers b
           WHERE 0 = ANY (b.job_ids)
             AND b.beat_at > now() - make_interval(secs => 3 * b.beat_seconds)
             AND NOT EXISTS (SELECT 1 FROM procrastinate_workers p WHERE p.id = b.worker_id)))
       AND (m.queues IS NULL OR j.queue_name = ANY (m.queues))
       AND NOT EXISTS (SELECT 1 FROM jobs_maint_suspects other
                       WHERE other.job_id = j.id AND other.worker_id <> m.worker_id))))

-- name: due (stalled_after, stalled_after_unknown, heard_from)
-- Joins for a suspect `s`: its worker's row `m`, and `due.at`, when the rescue may act on it.
-- Silence counts only if some worker is reporting: after a database outage the first pass may come
-- before the first beat. So some worker must have sent three beats without a gap (`heard.at`, null
-- where none beats); while nobody is heard, and for a worker that never beat, the longer span decides.
-- `heard_from`: where none beats, from when on one will, as far as is foretold; else null.
-- The workers that beat are read once for all suspects, and are then one row for each `beat_seconds`.
LEFT JOIN jobs_maint_workers m ON m.worker_id = s.worker_id
LEFT JOIN LATERAL (
    SELECT coalesce(
        min(b.steady_since + make_interval(secs => 3 * greatest(b.beat_seconds, m.beat_seconds))),
        %(heard_from)s::timestamptz + make_interval(secs => 3 * coalesce(m.beat_seconds, 10))) AS at
    FROM unnest(
        ARRAY(SELECT beat_seconds FROM jobs_maint_workers
              WHERE beat_at > now() - make_interval(secs => 3 * beat_seconds)
              GROUP BY beat_seconds ORDER BY beat_seconds),
        ARRAY(SELECT min(steady_since) FROM jobs_maint_workers
              WHERE beat_at > now() - make_interval(secs => 3 * beat_seconds)
              GROUP BY beat_seconds ORDER BY beat_seconds)
    ) AS b (beat_seconds, steady_since)
) AS heard ON true
LEFT JOIN LATERAL (
    SELECT CASE WHEN s.job_id IS NULL THEN NULL
                WHEN NOT s.had_recorder THEN s.first_noticed_at + span.longer
                WHEN heard.at IS NULL THEN s.first_noticed_at + greatest(span.shorter, span.longer)
                ELSE least(greatest(s.first_noticed_at + span.shorter, heard.at),
                           s.first_noticed_at + greatest(span.shorter, span.longer)) END AS at
    FROM (SELECT make_interval(secs => %(stalled_after)s::float8) AS shorter,
                 make_interval(secs => %(stalled_after_unknown)s::float8) AS longer) AS span
) AS due ON true

-- name: by_hand
-- Of a running job with {{due}}: what `wait_by_hand` goes by. `heartbeat_in`: seconds until its worker's
-- heartbeat of Procrastinate is no longer fresh, if it stays away. `heard_in`: until some worker has
-- beaten long enough for silence to count; null where none beats. `quiet_seconds`: three of its beats.
-- `others_beat`: another worker does, and is not late.
coalesce(known.fresh, false) AS beats,
extract(epoch FROM w.last_heartbeat + interval '30 seconds' - now())::float8 AS heartbeat_in,
coalesce(s.had_recorder, known.worker_id IS NOT NULL) AS had_recorder,
coalesce(extract(epoch FROM now() - s.first_noticed_at), 0)::float8 AS noticed_for,
3 * coalesce(known.beat_seconds, m.beat_seconds, 10)::float8 AS quiet_seconds,
extract(epoch FROM heard.at - now())::float8 AS heard_in,
EXISTS (
    SELECT 1 FROM unnest(ARRAY(
        SELECT b.worker_id FROM jobs_maint_workers b
        WHERE b.beat_at > now() - make_interval(secs => 1.25 * b.beat_seconds + 1.5) LIMIT 2
    )) AS b (worker_id)
    WHERE b.worker_id IS DISTINCT FROM known.worker_id) AS others_beat

-- name: workers
-- Worker processes by Procrastinate's heartbeat `w` and by their beat `m`, with `live`. A silent one is
-- told of while it holds a running job, or for an hour unless a live one has started after it: then it
-- was restarted, and what is left of it is only its row. `mute`: the heartbeat went on for three beats
-- after the last beat, so only its recorder has stopped. `beat_seconds`: how often it gives a sign of
-- life, which of a mute one is the heartbeat.
(
    SELECT w.id, m.worker_id AS beaten_id, w.last_heartbeat, m.beat_at,
           CASE WHEN own.mute THEN greatest(m.beat_seconds, 10) ELSE m.beat_seconds END AS beat_seconds,
           m.host, m.pid, m.queues, m.job_ids, m.delete_jobs, own.mute,
           coalesce(w.last_heartbeat > now() - interval '30 seconds', false)
           OR coalesce(m.beat_at > now() - make_interval(secs => 3 * m.beat_seconds), false) AS live
    FROM procrastinate_workers w
    FULL JOIN jobs_maint_workers m ON m.worker_id = w.id
    CROSS JOIN LATERAL (SELECT coalesce(
        w.last_heartbeat > m.beat_at + make_interval(secs => 3 * m.beat_seconds), false) AS mute) AS own
) AS w

-- name: listens
-- Of a worker among {{workers}}: it takes jobs of the `queues` that its last beat told, however long ago
-- that was: a recorder that cannot beat does not keep its worker from them. Null: all; of one that never
-- beat (no `beaten_id`) nobody knows, so it may be all. Empty: it was told to stop. Procrastinate must
-- have its row (`id`): without it the next job that it would take violates a foreign key, which ends the
-- worker; while its queues are empty it lives on. Procrastinate deletes the row of a worker whose event
-- loop was blocked for 30 s when another worker starts.
(w.live AND w.id IS NOT NULL)

-- name: still_told (newest, newest_at)
-- The condition that goes with {{workers}}. A worker without a row of Procrastinate's ended without a
-- goodbye: it is told of only while it holds a job. What its last beat names was its job; that it is
-- no more where another worker took it, or where it started again since. `newest`: the last worker that
-- told its settings, and when; one that did so after this one was last seen has replaced it, also where
-- it has ended since.
(w.live
 OR EXISTS (SELECT 1 FROM procrastinate_jobs j
            WHERE j.status = 'doing'
              AND (j.worker_id = w.id
                   OR (j.id = ANY (w.job_ids) AND j.worker_id IS NULL
                       AND coalesce(w.beat_at >= (SELECT max(e.at) FROM procrastinate_events e
                                                  WHERE e.job_id = j.id AND e.type = 'started'),
                                    true))))
 OR EXISTS (SELECT 1 FROM jobs_maint_suspects s JOIN procrastinate_jobs j ON j.id = s.job_id
            WHERE j.status = 'doing' AND j.attempts = s.attempt AND s.worker_id = w.beaten_id)
 OR (greatest(w.last_heartbeat, w.beat_at) > now() - interval '1 hour' AND w.id IS NOT NULL
     AND NOT coalesce(
         %(newest)s::bigint > w.id
         AND %(newest_at)s::timestamptz > greatest(w.last_heartbeat, w.beat_at), false)
     AND NOT EXISTS (SELECT 1 FROM procrastinate_workers newer
                     WHERE newer.id > w.id
                       AND newer.last_heartbeat > now() - interval '30 seconds')))

-- name: ran
-- Of a worker `w`: it has run a job. One of the newest ended, or one has been running for half a
-- minute. One that has run none does not beat yet, whether or not it has a recorder.
(EXISTS (
     SELECT 1 FROM procrastinate_jobs j
     WHERE j.id > (SELECT greatest(max(id), -9223372036854755807) - 20000 FROM procrastinate_jobs)
       AND j.worker_id = w.id
       AND j.status NOT IN ('todo', 'doing'))
 OR EXISTS (
     SELECT 1 FROM procrastinate_jobs j JOIN procrastinate_events e ON e.job_id = j.id
     WHERE j.worker_id = w.id AND j.status = 'doing' AND e.type = 'started'
       AND e.at < now() - interval '30 seconds'))

-- name: asked (queue, queues, task, only_queues, only_tasks)
-- Of a job `j`: it is among what was asked for, and within reach.
(%(queue)s::text IS NULL OR j.queue_name = %(queue)s)
AND (%(queues)s::text[] IS NULL OR j.queue_name LIKE ANY (%(queues)s))
AND (%(task)s::text IS NULL OR lower(j.task_name) LIKE lower(%(task)s))
AND (%(only_queues)s::text[] IS NULL OR j.queue_name LIKE ANY (%(only_queues)s))
AND (%(only_tasks)s::text[] IS NULL OR j.task_name LIKE ANY (%(only_tasks)s))

-- name: found_failed
-- Of a job `j` that is found by its id: it is failed. As text, so that no index on the status is
-- taken: in a storm the statistics know of no failed job yet, and the planner would read all of them
-- for each id.
j.status::text = 'failed'

-- name: waiting_locks
-- The queueing locks that waiting jobs hold, each once; for INTERSECT or a full join, which are never
-- a nested loop: in a storm the statistics know of no waiting job yet, and the planner would read all
-- of them for each lock.
SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock IS NOT NULL

-- name: own_record
-- Of a job `j`: the record of its {{last_failure}}, 0 where none was stored.
coalesce((
    SELECT f.id FROM {{last_failure}} AS ended JOIN jobs_maint_failures f ON f.job_id = j.id
    WHERE f.failed_at >= coalesce(ended.started_at, '-infinity')
      AND coalesce(f.failed_at < ended.again_at, true)
    ORDER BY (f.failed_at, f.id) DESC LIMIT 1), 0)

-- name: failed_jobs (queue, queues, task, only_queues, only_tasks, records, since_seconds, until, ids)
-- Jobs that failed for good, each with its record. A record belongs to the failure when it was
-- written after the job's last start (its defer, where none is known): an older one is of an attempt
-- before, or of another job that had this id. It is found by its job alone: in the order of a pair no
-- plan takes the index on time, and reads all later records for each job. `reached`: in a queue the
-- actor reaches. `ids`: only among these. `records`: only those whose record is one of these, 0 for
-- none. `until`: one that failed before it and again since is among them, with what it failed with
-- before.
SELECT j.id, j.queue_name, j.task_name, j.attempts, j.queueing_lock, ended.at AS failed_at,
       f.kind, f.exception_type, f.message, f.fingerprint, f.id AS record_id, f.failed_at AS error_at,
       (%(queues)s::text[] IS NULL OR j.queue_name LIKE ANY (%(queues)s)) AS reached
FROM procrastinate_jobs j
CROSS JOIN LATERAL {{last_failure}} AS ended
LEFT JOIN LATERAL (
    SELECT f.id, f.kind, f.exception_type, f.message, f.fingerprint, f.failed_at
    FROM jobs_maint_failures f
    WHERE f.job_id = j.id AND coalesce(f.failed_at < ended.again_at, true)
    ORDER BY (f.failed_at, f.id) DESC LIMIT 1
) AS f ON f.failed_at >= coalesce(ended.started_at, '-infinity')
WHERE j.status = 'failed' AND j.status IN ('succeeded', 'failed', 'cancelled', 'aborted')
  AND (%(ids)s::bigint[] IS NULL OR j.id = ANY (%(ids)s))
  AND (%(queue)s::text IS NULL OR j.queue_name = %(queue)s)
  AND (%(task)s::text IS NULL OR lower(j.task_name) LIKE lower(%(task)s))
  AND (%(only_queues)s::text[] IS NULL OR j.queue_name LIKE ANY (%(only_queues)s))
  AND (%(only_tasks)s::text[] IS NULL OR j.task_name LIKE ANY (%(only_tasks)s))
  AND (%(records)s::bigint[] IS NULL OR coalesce(f.id, 0) = ANY (%(records)s))
  AND (%(since_seconds)s::float8 IS NULL
       OR ended.at > now() - make_interval(secs => %(since_seconds)s))
  AND (%(until)s::timestamptz IS NULL OR ended.at <= %(until)s)

-- name: last_failure (until)
-- Of a job `j`: when it failed last, and when that run began. Where it went on after `until`: the same
-- of its last failure before, and when it was started again.
(
    SELECT max(ended_at) AS at,
           coalesce(max(at) FILTER (WHERE type = 'started' AND (NOT goes_on OR at <= ended_at)),
                    min(at)) AS started_at,
           min(at) FILTER (WHERE type = 'started' AND goes_on AND at > ended_at) AS again_at
    FROM (
        SELECT type, at, goes_on,
               CASE WHEN goes_on THEN max(at) FILTER (WHERE type = 'failed' AND at <= %(until)s) OVER ()
                    ELSE coalesce(max(at) FILTER (WHERE type = 'failed') OVER (), max(at) OVER ())
               END AS ended_at
        FROM (
            SELECT e.type, e.at, coalesce(max(e.at) OVER () > %(until)s::timestamptz, false) AS goes_on
            FROM procrastinate_events e WHERE e.job_id = j.id AND e.type <> 'scheduled'
        ) AS event
    ) AS event
)

-- name: standing
-- What became of jobs that failed, by `status`, null where the job is gone: still failed, put back
-- (and `succeeded`), discarded or deleted.
count(*) FILTER (WHERE status = 'failed') AS failed_now,
count(*) FILTER (WHERE status NOT IN ('failed', 'cancelled')) AS retried_since,
count(*) FILTER (WHERE status = 'succeeded') AS succeeded_since,
count(*) FILTER (WHERE status = 'cancelled') AS discarded_since,
count(*) FILTER (WHERE status IS NULL) AS deleted_since

-- name: old_enough (proven, cutoff)
-- Of a finished job `j`: its newest event that is not `scheduled` (that one lies in the future) is
-- older than the cut-off. A job without events has no age; up to `proven` it was deferred before the
-- cut-off, as a later job was.
coalesce((SELECT max(e.at) FROM procrastinate_events e
          WHERE e.job_id = j.id AND e.type <> 'scheduled'),
         CASE WHEN j.id <= %(proven)s THEN coalesce(j.scheduled_at, '-infinity') END)
< %(cutoff)s

-- name: gone (since, until, ours)
-- To follow WITH: `gone`, the failures after `since` and up to `until` (null: until now) of jobs that
-- were deleted since: their events are gone with them, their records are left. Of which failures a
-- record tells is as in `group_failures`. Jobs with as many `failed` events of that time
-- (jobs_maint_failed_events_idx) as records are not looked at; the others are looked up, one by one. A
-- record from before the first event of a job is of another that had its id.
record AS MATERIALIZED (
    SELECT job_id, attempt, queue_name, task_name, failed_at, kind, will_retry
    FROM jobs_maint_failures
    WHERE failed_at > %(since)s
      AND failed_at <= coalesce(%(until)s::timestamptz, 'infinity') AND task_name <> ALL (%(ours)s)
), final AS (
    SELECT job_id, attempt, queue_name, task_name, failed_at FROM record
    WHERE NOT will_retry AND kind <> 'aborted'
      AND (kind = 'worker_lost' OR (job_id, attempt) NOT IN (
          SELECT job_id, attempt FROM record WHERE kind = 'worker_lost'))
), more_records AS (
    SELECT job_id FROM (
        SELECT job_id, 1 AS record FROM final
        UNION ALL
        SELECT job_id, -1 FROM procrastinate_events
        WHERE type = 'failed' AND at > %(since)s::timestamptz - interval '1 minute'
          AND at <= coalesce(%(until)s::timestamptz + interval '1 minute', 'infinity')
    ) AS either
    GROUP BY job_id HAVING sum(record) > 0
), life AS MATERIALIZED (
    SELECT job_id, coalesce((
        SELECT coalesce((SELECT min(e.at) FROM procrastinate_events e
                         WHERE e.job_id = j.id AND e.type <> 'scheduled'), '-infinity')
        FROM procrastinate_jobs j WHERE j.id = more_records.job_id), 'infinity') AS first_at
    FROM more_records
), gone AS (
    SELECT final.* FROM final JOIN life USING (job_id) WHERE failed_at < first_at
)

-- name: before_request (request)
-- A job `j` that was deferred before a request, or never: another one has the id of what was deferred
-- after it.
coalesce((SELECT min(e.at) FROM procrastinate_events e WHERE e.job_id = j.id AND e.type = 'deferred')
         <= (SELECT a.started_at FROM jobs_maint_audit a WHERE a.id = %(request)s), true)

-- name: kind (since)
-- Of groups of one task and exception type as one: when it failed for the first time and last,
-- `begun_at`: for the first time since `since`, as far as that is known, and how long it had been quiet
-- before that. A group that failed before and did not come back was not quiet for long.
min(first_at) AS first_at, max(last_at) AS last_at,
min(CASE WHEN last_at >= %(since)s THEN greatest(first_at, returned_at, %(since)s) END) AS begun_at,
extract(epoch FROM
    min(CASE WHEN last_at >= %(since)s THEN greatest(first_at, returned_at, %(since)s) END)
    - max(CASE WHEN last_at < %(since)s THEN last_at
               WHEN returned_at >= %(since)s THEN returned_at - make_interval(secs => quiet_seconds)
               WHEN first_at < %(since)s THEN %(since)s END))::float8 AS quiet_seconds

-- name: said
-- To be joined: what counts for a group `g`, which was said of it or else of {{the_whole}}.
LATERAL (
    SELECT coalesce(g.taken_by, whole.taken_by) AS taken_by,
           CASE WHEN g.taken_by IS NULL THEN whole.taken_at ELSE g.taken_at END AS taken_at,
           CASE WHEN g.muted_until > now() THEN g.muted_until
                WHEN whole.muted_until > now() THEN whole.muted_until END AS muted_until,
           CASE WHEN g.muted_until > now() THEN g.muted_above
                WHEN whole.muted_until > now() THEN whole.muted_above END AS muted_above,
           CASE WHEN coalesce(g.muted_until <= now(), true) AND whole.muted_until > now()
                THEN whole.name END AS muted_as
    FROM (SELECT) AS one LEFT JOIN {{the_whole}}
) AS said

-- name: wholes (quiet_seconds)
-- To follow WITH: `wholes`, {{the_whole}} of each kind: with the fingerprints of its groups as `prints`,
-- the last to fail first, since when these fail without a pause of `quiet_seconds`, how long it had been
-- `quiet` before, if it was there before, and how many of them failed in the last hour.
spans AS MATERIALIZED (
    SELECT whole.name, g.task_name, g.exception_type, g.fingerprints, g.last_at, begin.at AS begun,
           CASE WHEN g.returned_at IS NOT NULL THEN g.quiet_seconds END AS quiet,
           max(g.last_at) OVER (PARTITION BY whole.name ORDER BY begin.at, g.name
                                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM jobs_maint_groups g JOIN {{the_whole}}
    CROSS JOIN LATERAL (SELECT coalesce(g.returned_at, g.first_at) AS at) AS begin
    WHERE g.fingerprints <> '{}'
), begun AS (
    SELECT DISTINCT ON (name) name, begun AS since,
           coalesce(extract(epoch FROM begun - before)::float8, quiet) AS quiet
    FROM spans
    WHERE before IS NULL OR begun - before >= make_interval(secs => %(quiet_seconds)s)
    ORDER BY name, begun DESC
), wholes AS MATERIALIZED (
    SELECT name, task_name, exception_type, since, begun.quiet,
           count(DISTINCT fingerprints) FILTER (WHERE last_at > now() - interval '1 hour') AS recent,
           array_agg(print ORDER BY last_at DESC) AS prints
    FROM begun JOIN spans USING (name) CROSS JOIN unnest(spans.fingerprints) AS print
    WHERE last_at >= since
    GROUP BY 1, 2, 3, 4, 5
)

-- name: the_whole
-- The row that stands for all groups of the task and exception type of `g`, where they are very many: it
-- has no fingerprint.
jobs_maint_groups whole ON whole.fingerprints = '{}' AND whole.task_name = g.task_name
    AND whole.exception_type IS NOT DISTINCT FROM g.exception_type

-- name: last_hour
-- How often a group `g`, or all of {{the_whole}}, failed within the last hour, by
-- jobs_maint_failures_failed_at_idx.
(SELECT count(*) FROM jobs_maint_failures f
 WHERE f.failed_at > now() - interval '1 hour' AND NOT f.will_retry
   AND f.task_name = g.task_name
   AND (f.fingerprint = ANY (g.fingerprints)
        OR (g.fingerprints = '{}' AND f.exception_type IS NOT DISTINCT FROM g.exception_type)))

-- name: alike
-- Of a failure `f`: an attempt that was the job's last one failed with the fingerprint of `one`, which
-- is of the group `wanted`, after its `from_at`. As a range of jobs_maint_failures_alike_idx that has
-- only its order: in a storm, the planner would rather read the newest failures of all.
NOT f.will_retry AND f.kind <> 'aborted' AND f.task_name = wanted.task_name
AND (f.fingerprint, f.failed_at) >= (one.fingerprint, wanted.from_at)
AND (f.fingerprint, f.failed_at) <= (one.fingerprint, 'infinity'::timestamptz)

-- name: cut_value
-- Of JSON, a `value` as it is, or as text that ends between two words where it is long.
CASE WHEN octet_length(value::text) <= 1000 THEN value
     ELSE to_jsonb(regexp_replace(left(value #>> '{}', 1000), '\S*$', '') || '...') END
