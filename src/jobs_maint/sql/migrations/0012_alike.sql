-- The newest failures of one group of errors: the watch counts each by itself, however many others
-- there are. One entry per attempt that was the job's last one.

CREATE INDEX IF NOT EXISTS jobs_maint_failures_alike_idx ON jobs_maint_failures (fingerprint, failed_at)
    WHERE NOT will_retry AND kind <> 'aborted';
