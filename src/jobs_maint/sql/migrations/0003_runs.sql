-- A run whose message stands in a channel is kept when its process dies, until a bot has said so there.

ALTER TABLE jobs_maint_runs ADD COLUMN IF NOT EXISTS total bigint;
ALTER TABLE jobs_maint_runs ADD COLUMN IF NOT EXISTS state text NOT NULL DEFAULT 'running'
    CHECK (state IN ('running', 'interrupted'));
