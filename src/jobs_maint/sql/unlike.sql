-- Failures of a task with many unlike errors, as one number.

-- name: count_unlike (tasks, least, alike, most)
-- Of each of these tasks the jobs that failed in the last hour, with how many `groups` of errors, and how
-- many `errors` these are where those of one exception type are one, if they are more than `alike`; and
-- {{standing}}. No row where all tasks together have at most `least` groups. `at_least`: no more
-- than `most` failures of a task were counted, by {{alike}}; what became of these jobs is not looked at,
-- nor of the larger tasks where all have more than that.
WITH recent AS MATERIALIZED (
    SELECT task_name, exception_type, fingerprints, now() - interval '1 hour' AS from_at
    FROM jobs_maint_groups
    WHERE task_name = ANY (%(tasks)s::text[]) AND fingerprints <> '{}'
      AND last_at > now() - interval '1 hour'
), sized AS MATERIALIZED (
    SELECT task_name, sum(groups)::bigint AS groups,
           sum(CASE WHEN groups > %(alike)s THEN 1 ELSE groups END)::bigint AS errors
    FROM (SELECT task_name, exception_type, count(*) AS groups FROM recent GROUP BY 1, 2) AS of_type
    GROUP BY 1
), found AS MATERIALIZED (
    SELECT sized.task_name, newest.job_id, newest.queue_name
    FROM sized CROSS JOIN LATERAL (
        SELECT each.job_id, each.queue_name
        FROM recent AS wanted CROSS JOIN unnest(wanted.fingerprints) AS one (fingerprint)
        CROSS JOIN LATERAL (
            SELECT f.job_id, f.queue_name FROM jobs_maint_failures f WHERE {{alike}}
            ORDER BY f.fingerprint DESC, f.failed_at DESC LIMIT %(most)s
        ) AS each
        WHERE wanted.task_name = sized.task_name LIMIT %(most)s
    ) AS newest
    WHERE %(least)s < (SELECT sum(groups) FROM sized)
), counted AS (
    SELECT task_name, count(*) AS failures, count(DISTINCT job_id) AS jobs,
           array_agg(DISTINCT queue_name) AS queues,
           sum(count(*)) OVER (ORDER BY count(*), task_name) AS up_to
    FROM found GROUP BY 1
), fates AS (
    SELECT job.task_name, {{standing}}
    FROM (
        SELECT one.task_name, j.status
        FROM (
            SELECT DISTINCT task_name, job_id FROM found JOIN counted USING (task_name)
            WHERE failures < %(most)s AND up_to <= %(most)s
        ) AS one
        LEFT JOIN LATERAL (
            SELECT status FROM procrastinate_jobs
            WHERE id = one.job_id AND task_name = one.task_name OFFSET 0
        ) AS j ON true
    ) AS job GROUP BY 1
)
SELECT task_name AS task, jobs, groups, errors, queues, failures >= %(most)s AS at_least,
       to_jsonb(fates) - 'task_name' AS standing
FROM counted JOIN sized USING (task_name) LEFT JOIN fates USING (task_name);
