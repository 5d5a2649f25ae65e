-- Groups of errors with a memory: when each was first and last seen, and who is on it. Filled by
-- the rescue from the recorded failures.

CREATE TABLE IF NOT EXISTS jobs_maint_groups (
    name text PRIMARY KEY,
    task_name text NOT NULL,
    exception_type text,
    message text NOT NULL,
    fingerprints text[] NOT NULL,
    queues text[] NOT NULL,
    failures bigint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    returned_at timestamptz,
    quiet_seconds double precision,
    taken_by text,
    taken_at timestamptz,
    muted_until timestamptz,
    muted_above integer
) WITH (fillfactor = 70, toast_tuple_target = 256);

-- One row: up to which failure the groups are counted. Locked by the pass that counts.
CREATE TABLE IF NOT EXISTS jobs_maint_collected (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    last_failure_id bigint NOT NULL DEFAULT 0,
    collected_at timestamptz NOT NULL DEFAULT now()
);
