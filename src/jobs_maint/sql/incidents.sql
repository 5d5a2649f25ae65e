-- The incidents, and what the watch remembers. A few rows: what is read here is small.

-- name: find_access
-- Whether this role may read the incidents; not where the table is not there.
SELECT coalesce(has_table_privilege(to_regclass('jobs_maint_incidents'), 'SELECT'), false) AS readable;

-- name: list_open
-- By jobs_maint_incidents_open_idx.
SELECT * FROM jobs_maint_incidents WHERE state = 'open' ORDER BY id LIMIT 1000;

-- name: list_resolved (since)
-- By jobs_maint_incidents_resolved_idx.
SELECT * FROM jobs_maint_incidents WHERE resolved_at > %(since)s
ORDER BY resolved_at DESC, id DESC LIMIT 1000;

-- name: get_watch
SELECT *, now() AS now FROM jobs_maint_watch;

-- name: get_incident (incident_id)
SELECT * FROM jobs_maint_incidents WHERE id = %(incident_id)s;

-- name: lock_incident (incident_id)
SELECT * FROM jobs_maint_incidents WHERE id = %(incident_id)s FOR UPDATE;

-- name: find_own_watch (holder, seconds)
-- One row where this bot has the watch, and has it for a while still: for more than half a lease.
SELECT id FROM jobs_maint_watch
WHERE holder = %(holder)s AND lease_until > now() + make_interval(secs => %(seconds)s / 2);

-- name: claim_watch (holder, seconds)
-- No row while another bot has the watch.
INSERT INTO jobs_maint_watch AS w (id, holder, lease_until)
VALUES (1, %(holder)s, clock_timestamp() + make_interval(secs => %(seconds)s))
ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
WHERE w.holder = excluded.holder OR w.lease_until < clock_timestamp()
RETURNING id;

-- name: keep_watch (holder, seconds)
-- The same for the bot that has it; no row if it has lost it. Locks the row: whoever claims it waits.
UPDATE jobs_maint_watch SET lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE holder = %(holder)s AND lease_until >= clock_timestamp() RETURNING memory, complete, watched_at;

-- name: note_pass (memory, complete, at)
UPDATE jobs_maint_watch SET memory = %(memory)s, complete = %(complete)s, watched_at = %(at)s;

-- name: lock_open
SELECT * FROM jobs_maint_incidents WHERE state = 'open' ORDER BY id LIMIT 1000 FOR UPDATE;

-- name: list_muted
-- By jobs_maint_incidents_muted_idx.
SELECT kind, subject, max(muted_until) AS until FROM jobs_maint_incidents
WHERE muted_until IS NOT NULL AND muted_until > now() GROUP BY 1, 2;

-- name: insert_incident (kind, subject, state, since, opened_at, seen_at, resolved_at, value, worst, value_limit, queues, facts, folded, absent, times, taken_by, taken_at, muted_until, history, revision, revised_at)
INSERT INTO jobs_maint_incidents (
    kind, subject, state, since, opened_at, seen_at, resolved_at, value, worst, value_limit, queues,
    facts, folded, absent, times, taken_by, taken_at, muted_until, history, revision, revised_at)
VALUES (
    %(kind)s, %(subject)s, %(state)s, %(since)s, %(opened_at)s, %(seen_at)s, %(resolved_at)s, %(value)s,
    %(worst)s, %(value_limit)s, %(queues)s, %(facts)s, %(folded)s, %(absent)s, %(times)s,
    %(taken_by)s, %(taken_at)s, %(muted_until)s, %(history)s, %(revision)s, %(revised_at)s)
RETURNING id;

-- name: update_incident (id, kind, subject, state, since, seen_at, resolved_at, value, worst, value_limit, queues, facts, folded, absent, times, history, revision, revised_at)
UPDATE jobs_maint_incidents
SET kind = %(kind)s, subject = %(subject)s, state = %(state)s, since = %(since)s, seen_at = %(seen_at)s,
    resolved_at = %(resolved_at)s, value = %(value)s, worst = %(worst)s,
    value_limit = %(value_limit)s, queues = %(queues)s, facts = %(facts)s, folded = %(folded)s,
    absent = %(absent)s, times = %(times)s, history = %(history)s, revision = %(revision)s,
    revised_at = %(revised_at)s
WHERE id = %(id)s;

-- name: mark_incident (id, taken_by, taken_at, muted_until)
-- Of one whose row is locked.
UPDATE jobs_maint_incidents
SET taken_by = %(taken_by)s, taken_at = %(taken_at)s, muted_until = %(muted_until)s WHERE id = %(id)s;

-- name: get_time_now
-- Later than whatever this transaction has waited for.
SELECT clock_timestamp() AS now;

-- name: act_on_incident (incident_id, taken_by, taken_at, muted_until, outdated, entries)
-- `outdated`: facts that are not true any more.
UPDATE jobs_maint_incidents
SET taken_by = %(taken_by)s, taken_at = %(taken_at)s, muted_until = %(muted_until)s,
    facts = facts - %(outdated)s::text[], history = history || %(entries)s::jsonb, revision = revision + 1
WHERE id = %(incident_id)s RETURNING *;

-- name: lock_incident_of_group (name)
-- Before the group is locked: whoever acts on an incident locks it first.
-- Of all groups as one: those of each.
SELECT i.id FROM jobs_maint_incidents i
LEFT JOIN jobs_maint_groups g ON i.kind = 'group' AND g.name = i.subject LEFT JOIN {{the_whole}}
WHERE i.state = 'open' AND (
    %(name)s IN (g.name, whole.name)
    OR i.folded @> jsonb_build_array(jsonb_build_object('kind', 'group', 'subject', %(name)s::text)))
ORDER BY i.id FOR UPDATE OF i;

-- name: mark_incident_of_group (name, what, by, whom)
-- What was said of the group is said of the incident that it leads. `what` is the step of its history,
-- and its time is later than whatever this transaction has waited for.
-- What was said of all groups as one is said of those that have no such mark of their own.
-- A mute that ends by a rate ends with that of the group.
UPDATE jobs_maint_incidents i
SET taken_by = said.taken_by, taken_at = said.taken_at,
    muted_until = CASE WHEN said.muted_above IS NULL THEN said.muted_until END,
    facts = (i.facts - ARRAY['taken_by', 'taken_at', 'muted_until', 'muted_above'])
        || jsonb_strip_nulls(jsonb_build_object(
            'taken_by', said.taken_by, 'taken_at', said.taken_at, 'muted_above', said.muted_above,
            'muted_until', CASE WHEN said.muted_until <> 'infinity' THEN said.muted_until END)),
    history = i.history || jsonb_build_array(jsonb_build_object(
        'at', clock_timestamp(), 'what', %(what)s::text, 'kind', i.kind, 'subject', i.subject,
        'value', i.value, 'by', %(by)s::text, 'whom', %(whom)s::text)),
    revision = i.revision + 1
FROM jobs_maint_groups g CROSS JOIN {{said}}
WHERE i.state = 'open' AND i.kind = 'group' AND i.subject = g.name AND (
    g.name = %(name)s
    OR (CASE WHEN %(what)s IN ('taken', 'dropped') THEN g.taken_by IS NULL
             ELSE coalesce(g.muted_until <= now(), true) END
        AND EXISTS (SELECT FROM (SELECT) AS one JOIN {{the_whole}} WHERE whole.name = %(name)s)));

-- name: note_part_of_incident (name, what, by, whom)
-- Where the group is a part of an incident that something else leads, that is a step of it, too; not where
-- it was just said of what leads it.
UPDATE jobs_maint_incidents i
SET history = i.history || jsonb_build_array(jsonb_build_object(
        'at', clock_timestamp(), 'what', %(what)s::text, 'kind', 'group', 'subject', %(name)s::text,
        'value', part.one -> 'value', 'by', %(by)s::text, 'whom', %(whom)s::text)),
    revision = i.revision + 1
FROM (
    SELECT id, jsonb_array_elements(folded) AS one FROM jobs_maint_incidents WHERE state = 'open'
) AS part
WHERE part.id = i.id AND part.one ->> 'kind' = 'group' AND part.one ->> 'subject' = %(name)s
  AND NOT ((i.history -> -1 ->> 'at')::timestamptz > now() AND i.history -> -1 ->> 'what' = %(what)s
           AND i.history -> -1 ->> 'by' = %(by)s);

-- name: hold_incident (incident_id, key, channel, instead_of, gone)
-- Only in the place of the message that was looked for and is not there.
UPDATE jobs_maint_incidents
SET key = %(key)s, channel = %(channel)s, ts = NULL, posts = posts + 1, told_revision = 0,
    told_entries = 0, told_error = NULL
WHERE id = %(incident_id)s AND (key = %(key)s OR (
    key IS NOT DISTINCT FROM %(instead_of)s::text AND ts IS NOT DISTINCT FROM %(gone)s::text))
RETURNING id;

-- name: note_told (incident_id, revision, entries, channel, ts, error, key)
-- Never back: two bots may say what they told in another order. Of two messages the first counts.
UPDATE jobs_maint_incidents
SET told_revision = greatest(told_revision, %(revision)s),
    told_entries = greatest(told_entries, %(entries)s),
    channel = CASE WHEN ts IS NULL THEN coalesce(%(channel)s, channel) ELSE channel END,
    ts = coalesce(ts, %(ts)s), told_error = %(error)s
WHERE id = %(incident_id)s AND (%(key)s::text IS NULL OR key = %(key)s) RETURNING id;

-- name: list_told (mark)
-- Messages with this in their key, the latest incidents first; by jobs_maint_incidents_open_idx and
-- jobs_maint_incidents_resolved_idx.
SELECT * FROM jobs_maint_incidents
WHERE (state = 'open' OR resolved_at > now() - interval '7 days') AND strpos(key, %(mark)s) > 0
ORDER BY id DESC LIMIT 100;

-- name: list_untold
-- Incidents of which a channel does not say all yet. What nobody could be told for a day is old.
SELECT * FROM jobs_maint_incidents
WHERE (state = 'open' OR resolved_at > now() - interval '1 day')
  AND (told_revision < revision OR told_entries < jsonb_array_length(history))
  AND (ts IS NOT NULL OR muted_until IS NULL OR muted_until <= now())
ORDER BY id LIMIT 100;
