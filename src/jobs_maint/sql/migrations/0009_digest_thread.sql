-- What is still to be posted in the thread of a digest, stored before the digest itself is posted; and
-- which sender is at it.

ALTER TABLE jobs_maint_digests ADD COLUMN IF NOT EXISTS thread jsonb;
ALTER TABLE jobs_maint_digests ADD COLUMN IF NOT EXISTS thread_sender text;
