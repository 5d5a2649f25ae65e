-- What ended in the hours that are over, so that `stats` need not count a whole day each time.

CREATE TABLE IF NOT EXISTS jobs_maint_hours (
    hour timestamptz PRIMARY KEY,
    ended jsonb NOT NULL
);
