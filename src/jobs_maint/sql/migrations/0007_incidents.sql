-- What is wrong now and lately, as the watch of the bots found it, and what channels were told of it.

CREATE TABLE IF NOT EXISTS jobs_maint_incidents (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    subject text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'resolved')),
    since timestamptz NOT NULL,
    opened_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    resolved_at timestamptz,
    value double precision NOT NULL,
    worst double precision NOT NULL,
    value_limit double precision NOT NULL,
    queues text[] NOT NULL DEFAULT '{}',
    facts jsonb NOT NULL DEFAULT '{}',
    folded jsonb NOT NULL DEFAULT '[]',
    absent jsonb NOT NULL DEFAULT '[]',
    times integer NOT NULL DEFAULT 1,
    taken_by text,
    taken_at timestamptz,
    muted_until timestamptz,
    history jsonb NOT NULL DEFAULT '[]',
    revision integer NOT NULL DEFAULT 1,
    revised_at timestamptz NOT NULL,
    key text,
    channel text,
    ts text,
    posts integer NOT NULL DEFAULT 0,
    told_revision integer NOT NULL DEFAULT 0,
    told_entries integer NOT NULL DEFAULT 0,
    told_error text
);
-- one open incident of each kind and subject; each pass reads those that are open
CREATE UNIQUE INDEX IF NOT EXISTS jobs_maint_incidents_open_idx ON jobs_maint_incidents (kind, subject)
    WHERE state = 'open';
-- those that were resolved lately
CREATE INDEX IF NOT EXISTS jobs_maint_incidents_resolved_idx ON jobs_maint_incidents (resolved_at);
-- what is muted still, though it is over
CREATE INDEX IF NOT EXISTS jobs_maint_incidents_muted_idx ON jobs_maint_incidents (muted_until)
    WHERE muted_until IS NOT NULL;

-- One row: which bot has the watch, and what it must remember from pass to pass.
CREATE TABLE IF NOT EXISTS jobs_maint_watch (
    id integer PRIMARY KEY CHECK (id = 1),
    holder text NOT NULL,
    lease_until timestamptz NOT NULL,
    watched_at timestamptz,
    complete boolean NOT NULL DEFAULT true,
    memory jsonb NOT NULL DEFAULT '{}'
);

-- How many jobs failed in each quarter of an hour, by queue: what is usual at that time.
CREATE TABLE IF NOT EXISTS jobs_maint_rates (
    quarter timestamptz PRIMARY KEY,
    failed jsonb NOT NULL
);

-- The periodic tasks of each worker's app, with their crons: which ticks there should be.
ALTER TABLE jobs_maint_workers ADD COLUMN IF NOT EXISTS crons jsonb;
