-- What finds the message of a window again in its channel, where a digest of the same name of
-- another database may be posted too: random, and stored before the post.

ALTER TABLE jobs_maint_digests ADD COLUMN IF NOT EXISTS key text;
