-- Sets of jobs: frozen for a confirmation, and what became of them.

CREATE TABLE IF NOT EXISTS jobs_maint_selections (
    key text PRIMARY KEY,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    verb text NOT NULL,
    words text NOT NULL,
    params jsonb NOT NULL DEFAULT '{}',
    job_ids bigint[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);

-- Per-item outcomes of acts on many jobs, one row a batch and outcome: appended, never rewritten.
CREATE TABLE IF NOT EXISTS jobs_maint_audit_items (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    audit_id bigint NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('done', 'skipped', 'failed')),
    code text NOT NULL,
    job_ids bigint[] NOT NULL
);
-- the undo (`--request`), and the trimming with the audit
CREATE INDEX IF NOT EXISTS jobs_maint_audit_items_audit_idx ON jobs_maint_audit_items (audit_id);
