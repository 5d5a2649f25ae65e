-- One row: the settings of maintenance of the last worker that listens to the queue of its maintenance.
-- They count while no such worker lives: one that ends takes its own row along.

CREATE TABLE IF NOT EXISTS jobs_maint_settings (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    worker_id bigint NOT NULL,
    settings jsonb NOT NULL,
    told_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO jobs_maint_settings (worker_id, settings)
SELECT worker_id, settings FROM jobs_maint_workers
WHERE jsonb_typeof(settings) = 'object'
  AND (queues IS NULL OR settings ->> 'queue' = ANY (queues))
ORDER BY started_at DESC, worker_id DESC LIMIT 1
ON CONFLICT DO NOTHING;
