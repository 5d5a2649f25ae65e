-- The settings of maintenance that each worker goes by: what its rescue and its purge will do.

ALTER TABLE jobs_maint_workers ADD COLUMN IF NOT EXISTS settings jsonb;
