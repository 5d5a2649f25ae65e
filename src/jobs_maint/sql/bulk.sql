-- Sets of jobs: selecting, freezing, using once.

-- name: select_jobs (statuses, queue, queues, task, only_queues, only_tasks, records, error_jobs, since_seconds, until, again, request, job_ids, ours, limit)
-- Ids of a set, oldest first, and how many match in all. Our own tasks are left out. A condition
-- that was not given is not evaluated: the events and failures are only read when needed. Of the span
-- are jobs that ended in it, and where `again` failed ones that failed in it and again since; of these
-- the records are those of {{last_failure}}.
-- A job deferred after the request is another one that reuses the id (a truncated table); one that
-- was never deferred was imported. `records`: 0 is of failed jobs without one.
WITH found AS (
    SELECT j.id, j.queue_name, j.task_name, j.queueing_lock, j.status::text AS status, j.attempts,
           j.status = 'cancelled' AND coalesce(j.scheduled_at > now(), false) AS later
    FROM procrastinate_jobs j
    WHERE j.status = ANY (%(statuses)s::procrastinate_job_status[])
      AND j.task_name <> ALL (%(ours)s)
      AND (%(job_ids)s::bigint[] IS NULL OR j.id = ANY (%(job_ids)s))
      AND (%(queue)s::text IS NULL OR j.queue_name LIKE %(queue)s)
      AND (%(queues)s::text[] IS NULL OR j.queue_name LIKE ANY (%(queues)s))
      AND (%(task)s::text IS NULL OR lower(j.task_name) LIKE lower(%(task)s))
      AND (%(only_queues)s::text[] IS NULL OR j.queue_name LIKE ANY (%(only_queues)s))
      AND (%(only_tasks)s::text[] IS NULL OR j.task_name LIKE ANY (%(only_tasks)s))
      AND (%(request)s::bigint IS NULL OR {{before_request}})
      AND (%(error_jobs)s::bigint[] IS NULL OR j.id = ANY (%(error_jobs)s))
      AND (%(records)s::bigint[] IS NULL OR EXISTS (
          SELECT 1 FROM jobs_maint_failures f CROSS JOIN LATERAL {{last_failure}} AS ended
          WHERE f.job_id = j.id AND f.id = ANY (%(records)s)
            AND f.failed_at >= coalesce(ended.started_at, '-infinity')
            AND coalesce(f.failed_at < ended.again_at, true))
          OR (0 = ANY (%(records)s) AND j.status = 'failed' AND {{own_record}} = 0))
      AND (%(since_seconds)s::float8 IS NULL OR (
          SELECT max(e.at) FROM procrastinate_events e
          WHERE e.job_id = j.id AND e.type <> 'scheduled')
          > now() - make_interval(secs => %(since_seconds)s))
      AND (%(until)s::timestamptz IS NULL OR (
          SELECT max(e.at) FROM procrastinate_events e
          WHERE e.job_id = j.id AND e.type <> 'scheduled')
          <= %(until)s
          OR %(again)s AND j.status = 'failed' AND EXISTS (
              SELECT 1 FROM procrastinate_events e
              WHERE e.job_id = j.id AND e.type = 'failed'
                AND e.at <= %(until)s
                AND (%(since_seconds)s::float8 IS NULL
                     OR e.at > now() - make_interval(secs => %(since_seconds)s))))
)
SELECT *, count(*) OVER () AS matching FROM found ORDER BY id LIMIT %(limit)s;

-- name: list_request_jobs (request)
-- The jobs that a request changed, and which later one changed each last: that one is what counts
-- for it now. A rescue is none of them: it does what follows from the request, as for a job whose
-- abort was requested. `ran_since`: it was cancelled, and ended otherwise without any later request.
WITH done AS (
    SELECT i.audit_id, i.code, unnest(i.job_ids) AS id FROM jobs_maint_audit_items i
    WHERE i.audit_id >= %(request)s AND i.outcome = 'done'
    UNION ALL
    SELECT a.id, item ->> 'code', (item ->> 'id')::bigint FROM jobs_maint_audit a
    CROSS JOIN LATERAL jsonb_array_elements(a.items) AS item
    WHERE a.id >= %(request)s AND item ->> 'outcome' = 'done'
), changed AS (
    SELECT id, min(code) AS code FROM done WHERE audit_id = %(request)s GROUP BY id
), since AS (
    SELECT done.id, max(done.audit_id) AS request
    FROM done JOIN changed USING (id) JOIN jobs_maint_audit a ON a.id = done.audit_id
    WHERE done.audit_id > %(request)s AND a.word <> 'rescue'
    GROUP BY done.id
)
SELECT changed.id, changed.code, since.request AS later,
       since.request IS NULL AND changed.code IN ('cancelled', 'discarded') AND EXISTS (
           SELECT FROM procrastinate_jobs j
           WHERE j.id = changed.id AND j.status IN ('failed', 'aborted')) AS ran_since
FROM changed LEFT JOIN since USING (id) ORDER BY changed.id;

-- name: list_requests (ids)
-- Who asked for what.
SELECT id, word, actor_kind, actor_id, actor_name, started_at FROM jobs_maint_audit
WHERE id = ANY (%(ids)s::bigint[]);

-- name: list_left_out (ids, queues, ours, request, statuses)
-- As what jobs that were named, or that a request changed, are not part of a set: their status, `own`,
-- or `outside` of the reach, of which no more is told. Of a request those out of reach that are no part
-- of it anyway are `elsewhere`.
SELECT CASE WHEN NOT coalesce(queue_name LIKE ANY (%(queues)s::text[]), true)
            THEN CASE WHEN %(request)s::bigint IS NULL
                           OR status = ANY (%(statuses)s::procrastinate_job_status[])
                              AND task_name <> ALL (%(ours)s) THEN 'outside' ELSE 'elsewhere' END
            WHEN task_name = ANY (%(ours)s) THEN 'own' ELSE status::text END AS state,
       array_agg(id ORDER BY id) AS ids
FROM procrastinate_jobs j
WHERE id = ANY (%(ids)s::bigint[]) AND (%(request)s::bigint IS NULL OR {{before_request}})
GROUP BY 1 ORDER BY 1;

-- name: find_request (request)
-- The request to undo; of a preview, `confirmed`: the request that then did what it showed.
SELECT a.id, a.word, a.action, a.outcome, a.actor_kind, a.actor_id, a.actor_name, a.started_at, (
    SELECT min(c.id) FROM jobs_maint_audit c
    WHERE a.outcome = 'previewed' AND c.id > a.id AND c.outcome <> 'previewed'
      AND c.started_at BETWEEN a.started_at AND a.started_at + interval '10 minutes'
      AND (c.actor_kind, c.actor_id, c.action) = (a.actor_kind, a.actor_id, a.action)
      AND EXISTS (SELECT FROM jobs_maint_audit_items i WHERE i.audit_id = c.id AND i.outcome = 'done')
) AS confirmed
FROM jobs_maint_audit a WHERE a.id = %(request)s;

-- name: insert_selection (key, actor_kind, actor_id, verb, words, params, job_ids, lifetime_seconds)
INSERT INTO jobs_maint_selections
    (key, actor_kind, actor_id, verb, words, params, job_ids, expires_at)
VALUES (%(key)s, %(actor_kind)s, %(actor_id)s, %(verb)s, %(words)s, %(params)s, %(job_ids)s,
        now() + make_interval(secs => %(lifetime_seconds)s))
RETURNING expires_at;

-- name: use_selection (key, actor_kind, actor_id)
-- The only place where a selection is used: two clicks, a repeated request and a second replica
-- all come here, and one of them gets the row.
UPDATE jobs_maint_selections SET used_at = now()
WHERE key = %(key)s AND actor_kind = %(actor_kind)s AND actor_id = %(actor_id)s
  AND used_at IS NULL AND expires_at > now()
RETURNING verb, words, params, job_ids, created_at;

-- name: replace_selections (actor_kind, actor_id, verb, words)
-- Previews of the same that this person has not confirmed yet.
UPDATE jobs_maint_selections SET used_at = now(), params = params || '{"replaced": true}'
WHERE actor_kind = %(actor_kind)s AND actor_id = %(actor_id)s AND verb = %(verb)s
  AND words = %(words)s AND used_at IS NULL AND expires_at > now();

-- name: dismiss_selection (key)
-- Of one that was just used, in the same transaction.
UPDATE jobs_maint_selections SET params = params || '{"dismissed": true}' WHERE key = %(key)s;

-- name: count_put_back (audit_id, but)
-- Jobs that an act has cancelled and that are not any more; `but`: codes of those it only asked to abort.
SELECT count(*) AS jobs FROM procrastinate_jobs
WHERE status <> 'cancelled' AND id IN (
    SELECT unnest(job_ids) FROM jobs_maint_audit_items
    WHERE audit_id = %(audit_id)s AND outcome = 'done' AND code <> ALL (%(but)s));

-- name: find_selection (key)
-- Whose it is, what it does and requires, and why it could not be used. The transaction that uses it
-- also writes the request, so both have one time.
SELECT s.actor_kind, s.actor_id, s.used_at, s.verb, s.words, s.params ->> 'needs' AS needs,
       s.params -> 'queues' AS queues, s.params ? 'dismissed' AS dismissed,
       s.params ? 'replaced' AS replaced, a.id AS request, a.outcome, a.counts
FROM jobs_maint_selections s
LEFT JOIN jobs_maint_audit a
    ON a.started_at = s.used_at AND (a.actor_kind, a.actor_id) = (s.actor_kind, s.actor_id)
WHERE s.key = %(key)s;

-- name: insert_items (audit_id, outcome, code, job_ids)
INSERT INTO jobs_maint_audit_items (audit_id, outcome, code, job_ids)
VALUES (%(audit_id)s, %(outcome)s, %(code)s, %(job_ids)s);

-- name: list_changed_after (ids, moment)
-- Those of the jobs that were not there at that moment, so that `another` job has the id now, or that
-- ended after it. A time to come was written by a wrong clock and says nothing.
SELECT id, another FROM (
    SELECT job_id AS id, coalesce(min(at) FILTER (WHERE type = 'deferred') > %(moment)s, false) AS another,
           max(at) FILTER (WHERE type <> 'deferred') > %(moment)s AS ended
    FROM procrastinate_events
    WHERE job_id = ANY (%(ids)s::bigint[]) AND at <= now()
      AND type IN ('deferred', 'succeeded', 'failed', 'cancelled', 'aborted')
    GROUP BY job_id
) AS job
WHERE another OR ended;

-- name: list_not_free (ids)
-- Those of the jobs that cannot be locked now. The free ones are locked until the end of this
-- transaction.
WITH free AS MATERIALIZED (
    SELECT id FROM procrastinate_jobs WHERE id = ANY (%(ids)s::bigint[])
    ORDER BY id FOR UPDATE SKIP LOCKED
)
SELECT j.id FROM procrastinate_jobs j
WHERE j.id = ANY (%(ids)s::bigint[]) AND j.id NOT IN (SELECT id FROM free);

-- name: cancel (ids)
-- Waiting jobs -> cancelled; `scheduled_at` is kept, so that a retry restores it.
UPDATE procrastinate_jobs SET status = 'cancelled'
WHERE id = ANY (%(ids)s::bigint[]) AND status = 'todo' RETURNING id;

-- name: request_abort (ids)
-- Running jobs: Procrastinate's trigger notifies their workers.
UPDATE procrastinate_jobs SET abort_requested = true
WHERE id = ANY (%(ids)s::bigint[]) AND status = 'doing' AND NOT abort_requested RETURNING id;

-- name: discard (ids)
-- Given up: kept as cancelled until the purge, and restored by a retry.
UPDATE procrastinate_jobs SET status = 'cancelled', abort_requested = false
WHERE id = ANY (%(ids)s::bigint[]) AND status IN ('failed', 'aborted') RETURNING id;

-- name: insert_cancelled_events (ids)
-- Procrastinate's trigger writes none for failed -> cancelled; the timeline would not show it.
INSERT INTO procrastinate_events (job_id, type)
SELECT id, 'cancelled' FROM unnest(%(ids)s::bigint[]) AS id;
