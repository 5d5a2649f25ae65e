-- The tables beside procrastinate_jobs. No foreign key to it: each would slow every delete there.

CREATE TABLE IF NOT EXISTS jobs_maint_failures (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    job_id bigint NOT NULL,
    attempt integer NOT NULL,
    queue_name text NOT NULL,
    task_name text NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL CHECK (kind IN ('error', 'worker_lost', 'aborted')),
    exception_type text,
    message text NOT NULL,
    traceback_hash bytea,
    fingerprint text NOT NULL,
    will_retry boolean NOT NULL
);
-- status, failed: the attempts of one job
CREATE INDEX IF NOT EXISTS jobs_maint_failures_job_idx ON jobs_maint_failures (job_id);
-- digests, trimming: a window of time
CREATE INDEX IF NOT EXISTS jobs_maint_failures_failed_at_idx ON jobs_maint_failures (failed_at);
-- the recorder: how many tracebacks of this group were kept in this hour
CREATE INDEX IF NOT EXISTS jobs_maint_failures_kept_idx ON jobs_maint_failures (fingerprint, failed_at)
    WHERE traceback_hash IS NOT NULL;

CREATE TABLE IF NOT EXISTS jobs_maint_tracebacks (
    hash bytea PRIMARY KEY,
    body text NOT NULL,
    last_seen_at timestamptz NOT NULL DEFAULT now()
);

-- Rewritten with every beat: room on the page keeps the updates off the indexes (HOT).
CREATE TABLE IF NOT EXISTS jobs_maint_workers (
    worker_id bigint PRIMARY KEY,
    host text NOT NULL,
    pid integer NOT NULL,
    queues text[],
    recorder_version text NOT NULL,
    delete_jobs text NOT NULL,
    beat_seconds double precision NOT NULL,
    job_ids bigint[] NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    beat_at timestamptz NOT NULL DEFAULT now(),
    steady_since timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

CREATE TABLE IF NOT EXISTS jobs_maint_suspects (
    job_id bigint PRIMARY KEY,
    attempt integer NOT NULL,
    started_at timestamptz,
    worker_id bigint,
    had_recorder boolean NOT NULL,
    first_noticed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS jobs_maint_audit (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    actor_name text NOT NULL DEFAULT '',
    channel text,
    word text NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN
        ('started', 'done', 'partly', 'refused', 'failed', 'previewed', 'expired', 'interrupted')),
    counts jsonb NOT NULL DEFAULT '{}',
    items jsonb NOT NULL DEFAULT '[]',
    error_code text,
    error text,
    started_at timestamptz NOT NULL DEFAULT now(),
    elapsed_seconds double precision
);
CREATE INDEX IF NOT EXISTS jobs_maint_audit_started_at_idx ON jobs_maint_audit (started_at);

CREATE TABLE IF NOT EXISTS jobs_maint_runs (
    audit_id bigint PRIMARY KEY,
    lease_until timestamptz NOT NULL,
    progress jsonb NOT NULL DEFAULT '{}',
    stop_requested boolean NOT NULL DEFAULT false,
    channel text,
    ts text
);

CREATE TABLE IF NOT EXISTS jobs_maint_requests (
    key text PRIMARY KEY,
    taken_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS jobs_maint_digests (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('sending', 'sent', 'quiet', 'failed')),
    channel text,
    ts text,
    error text,
    opened_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz
);
CREATE INDEX IF NOT EXISTS jobs_maint_digests_name_idx ON jobs_maint_digests (name, until);
-- two workers cannot send the same digest at the same time
CREATE UNIQUE INDEX IF NOT EXISTS jobs_maint_digests_sending_idx ON jobs_maint_digests (name)
    WHERE state = 'sending';
