-- The incidents, and what the watch remembers. A few rows: what is read here is small.

-- name: list_open
-- By jobs_maint_incidents_open_idx.
SELECT * FROM jobs_maint_incidents WHERE state = 'open' ORDER BY id LIMIT 1000;

-- name: list_resolved (since)
-- By jobs_maint_incidents_resolved_idx.
SELECT * FROM jobs_maint_incidents WHERE resolved_at > %(since)s
ORDER BY resolved_at DESC, id DESC LIMIT 1000;

-- name: get_watch
SELECT *, now() AS now FROM jobs_maint_watch;

-- name: lock_incident (incident_id)
SELECT * FROM jobs_maint_incidents WHERE id = %(incident_id)s FOR UPDATE;
