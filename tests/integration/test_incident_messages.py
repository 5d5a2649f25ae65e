"""One bot of several watches; what channels were told; who took or muted an incident."""

from __future__ import annotations

from datetime import timedelta

import pytest
from psycopg.types.json import Jsonb
from tests.support.fleet import Fleet
from tests.support.history import hours, minutes

from chatbot.access.roles import KnownActor
from chatbot.handling.offers import keep_offers
from chatbot.messages.result import render_result
from jobs_maint.actions import (
    Actor,
    GetIncident,
    Grant,
    HoldIncident,
    Limits,
    ListIncidents,
    MuteIncident,
    NoteIncidentTold,
    Role,
    TakeIncident,
    WatchIncidents,
)
from jobs_maint.errors import InvalidRequest, NotPermitted
from jobs_maint.models import Told
from jobs_maint.perform import perform
from jobs_maint.render import build_data, render_text

ANA, BOT = Actor.shell("ana", "host"), Actor.task("chatbot:watch")
EVA = Actor("slack", "U0EVA", "eva", "C1", (Grant(Role.OPERATOR, queues=("web",)),))
MAX = Actor("slack", "U0MAX", "max", "C1", (Grant(Role.VIEWER),))


async def ask(pool, action, actor=ANA):
    return await perform(pool, actor, action)


async def see(pool, holder="bot-1", passes=1):
    for _ in range(passes):
        report = await ask(pool, WatchIncidents(holder, Limits()), BOT)
    return report


async def dues(pool, holder="bot-1"):
    return [(one.incident.name, one.due) for one in (await see(pool, holder)).changes]


@pytest.fixture
async def behind(pool, conn, make_job):
    """One queue that is behind, seen once; `await behind()` lets its jobs run."""
    worker = await Fleet(pool, conn, make_job).start_worker()
    job = await make_job(queue="web", deferred_ago=hours(2))
    await see(pool)

    async def mend(status="doing"):
        await conn.execute("UPDATE procrastinate_jobs SET status = %s", (status,))
        await conn.execute("UPDATE procrastinate_events SET at = at - interval '1 h'")
        await conn.execute("UPDATE jobs_maint_workers SET job_ids = %s WHERE worker_id = %s",
                           ([job], worker))  # fmt: skip

    return mend


async def expire(conn):
    await conn.execute("UPDATE jobs_maint_watch SET lease_until = now() - interval '1 s'")


async def test_of_two_bots_one_watches_until_it_is_silent(pool, conn, behind):
    assert await see(pool, "bot-2") is None
    report = await see(pool)
    assert [one.kind for one in report.opened] == ["queue_behind"]
    [change] = report.changes
    assert (change.due, change.revision, change.told) == ("post", 1, None)
    assert (await see(pool)).opened == ()
    await expire(conn)
    assert not await ask(pool, HoldIncident(1, "bot-1", "key", "C1"), BOT)  # too late to post
    assert await dues(pool, "bot-2") == [("I-1", "post")]
    assert await see(pool, "bot-1") is None
    assert await ask(pool, HoldIncident(1, "bot-2", "key", "C1"), BOT)
    assert not await ask(pool, HoldIncident(1, "bot-1", "other", "C1"), BOT)


async def test_a_message_is_due_until_it_was_told_and_then_what_changes(pool, conn, behind):
    [change] = (await see(pool)).changes
    assert await ask(pool, HoldIncident(1, "bot-1", "k1", "C1"), BOT)
    [change] = (await see(pool)).changes  # whether Slack took it is not known
    assert (change.due, change.told) == ("post", Told("C1", "k1", None, 1, 0, 0, None))
    await ask(pool, NoteIncidentTold(1, 0, 0, error="channel_not_found"), BOT)
    [change] = (await see(pool)).changes
    assert change.told.error == "channel_not_found"
    told = NoteIncidentTold(1, change.revision, 1, "C1", "17.1")
    await ask(pool, told, BOT)
    assert await dues(pool) == []
    await ask(pool, TakeIncident(1))
    [change] = (await see(pool)).changes
    assert (change.due, change.incident.taken_by) == ("edit", ANA.label)
    assert change.told == Told("C1", "k1", "17.1", 1, 1, 1, None)
    await ask(pool, NoteIncidentTold(1, change.revision, 2), BOT)
    await ask(pool, told, BOT)  # an older word that comes late takes nothing back
    assert await dues(pool) == []
    await behind()
    await see(pool)
    report = await see(pool)
    assert [one.name for one in report.resolved] == ["I-1"]
    [change] = report.changes
    assert (change.due, change.told.ts) == ("resolve", "17.1")
    # Somebody deleted the message: it is posted anew, with a thread of its own.
    assert not await ask(pool, HoldIncident(1, "bot-1", "k2", "C1", "k1"), BOT)  # it is there
    assert await ask(pool, HoldIncident(1, "bot-1", "k2", "C1", "k1", "17.1"), BOT)
    assert not await ask(pool, NoteIncidentTold(1, 9, 9, "C1", "17.1", key="k1"), BOT)
    [change] = (await see(pool)).changes
    assert (change.due, change.told) == ("post", Told("C1", "k2", None, 2, 0, 0, None))
    entries = len(change.incident.history)
    await ask(pool, NoteIncidentTold(1, change.revision, entries, "C1", "18.1"), BOT)
    assert await dues(pool) == []


async def test_what_was_over_before_it_could_be_told_is_told_for_a_day(pool, conn, behind):
    await see(pool)
    await behind()
    await see(pool, passes=2)
    assert await dues(pool) == [("I-1", "post")]
    await conn.execute("UPDATE jobs_maint_incidents SET resolved_at = now() - interval '25 h'")
    assert await dues(pool) == []


async def test_a_muted_one_is_not_posted_nor_is_its_like_but_what_was_posted_is_edited(
    pool, conn, behind
):
    await see(pool)
    report = await ask(pool, MuteIncident(1, hours(2)))
    assert (report.done, report.incident.muted_until) == ("muted", report.as_of + hours(2))
    assert await dues(pool) == []
    await behind()
    await see(pool, passes=2)
    await conn.execute("UPDATE jobs_maint_incidents SET resolved_at = now() - interval '20 min'")
    await behind("todo")
    [again] = (await see(pool, passes=2)).open
    assert (again.name, again.muted_until) == ("I-2", report.incident.muted_until)
    assert await dues(pool) == []
    report = await ask(pool, MuteIncident(2, None))
    assert (report.done, report.incident.muted_until) == ("unmuted", None)
    assert await dues(pool) == [("I-2", "post")]
    await ask(pool, HoldIncident(2, "bot-1", "k", "C1"), BOT)
    await ask(pool, NoteIncidentTold(2, 2, 2, "C1", "17.1"), BOT)
    await ask(pool, MuteIncident(2))
    assert await dues(pool) == [("I-2", "edit")]
    with pytest.raises(InvalidRequest, match="at most 90 days"):
        await ask(pool, MuteIncident(2, timedelta(days=91)))


async def test_who_may_see_take_and_mute_it(pool, conn, behind, make_job):
    await see(pool)
    await conn.execute(
        "INSERT INTO jobs_maint_incidents (kind, subject, state, since, opened_at, seen_at, value,"
        " worst, value_limit, queues, revised_at, folded) SELECT kind, 'mail', state, since,"
        " opened_at, seen_at, value, worst, value_limit, '{mail}', revised_at, '[]'"
        " FROM jobs_maint_incidents"
    )
    await conn.execute("UPDATE jobs_maint_incidents SET facts = %s WHERE id = 1",
                       ('{"message": "password=hunter2"}',))  # fmt: skip
    report = await ask(pool, ListIncidents(), EVA)
    assert [one.subject for one in report.open] == ["web"]
    assert (report.hidden_incidents, report.limited_to_queues) == (1, ("web",))
    assert "hunter2" not in str(build_data(report))
    assert (await ask(pool, TakeIncident(1), EVA)).incident.taken_by == EVA.label
    over = await ask(pool, TakeIncident(1))
    assert (over.before, over.incident.taken_by) == (EVA.label, ANA.label)
    assert f"Before that, {EVA.label} was on it." in render_text(over)
    with pytest.raises(InvalidRequest, match=r"^ana is on I-1 now, not you; .* an admin can$"):
        await ask(pool, TakeIncident(1, drop=True), EVA)  # the button of her old answer
    assert (await ask(pool, TakeIncident(1), EVA)).before == ANA.label
    dropped = await ask(pool, TakeIncident(1, drop=True))  # ana is an admin
    assert (dropped.before, dropped.incident.taken_by) == (EVA.label, None)
    told = render_result(dropped, "/jobs", by=ANA.label).text.splitlines()
    assert told[:2] == [
        "✅ I-1 was given back: ana@host took <@U0EVA> off.",
        "Nobody is on it now.",
    ]
    assert f"You took {EVA.label} off.\n" in render_text(dropped)
    assert (await ask(pool, MuteIncident(1), EVA)).done == "muted"
    for number in (2, 99):
        for action in (TakeIncident(number), GetIncident(number)):
            with pytest.raises(InvalidRequest, match=f"is no incident I-{number} in the queues"):
                await ask(pool, action, EVA)
    shown = await ask(pool, GetIncident(1), EVA)
    assert [one.what for one in shown.incident.history][-3:] == ["taken", "dropped", "muted"]
    assert "  ana@host took <@U0EVA> off.\n" in render_result(shown, "/jobs", by="U0MAX").text
    assert f"dropped by {ANA.label}, who took {EVA.label} off" in render_text(shown, width=200)
    assert "hunter2" not in str(build_data(shown))
    with pytest.raises(NotPermitted, match="requires the role operator"):
        await ask(pool, TakeIncident(1), MAX)
    await conn.execute("UPDATE jobs_maint_incidents SET queues = '{}' WHERE id = 2")
    listed = await ask(pool, ListIncidents(), EVA)
    assert listed.narrowed == (2,)
    offered = keep_offers(
        render_result(listed, "/jobs", by="U0EVA").blocks, KnownActor(EVA), listed
    )
    assert "take I-2" in str(offered)
    assert "mute I-2" not in str(offered)
    await ask(pool, TakeIncident(2), EVA)  # it concerns every queue, hers too
    with pytest.raises(NotPermitted, match="concern more than web"):
        await ask(pool, MuteIncident(2), EVA)
    rows = await conn.execute("SELECT action, outcome FROM jobs_maint_audit ORDER BY id")
    assert [tuple(row) for row in await rows.fetchall()] == [
        ("take I-1", "done"), ("take I-1", "done"), ("take I-1 --drop", "refused"),
        ("take I-1", "done"), ("take I-1 --drop", "done"),
        ("mute I-1 --for 1d", "done"),
        ("take I-2", "refused"), ("take I-99", "refused"), ("take I-1", "refused"),
        ("take I-2", "done"), ("mute I-2 --for 1d", "refused"),
    ]  # fmt: skip


async def test_the_shell_lists_them(pool, conn, behind, make_job):
    await see(pool)
    await ask(pool, TakeIncident(1, drop=False))
    report = await ask(pool, ListIncidents())
    text = render_text(report, width=100)
    lines = text.splitlines()
    assert lines[0] == "1 incident is open."
    assert lines[2] == "I-1  web is 2 h behind; 1 job waits."
    assert "taken by shell:ana@host" in lines[3]
    assert lines[4].strip() == "jobs-maint stats web"
    await behind()
    await see(pool, passes=2)
    await conn.execute("UPDATE jobs_maint_watch SET watched_at = now() - interval '5 minutes'")
    text = render_text(await ask(pool, ListIncidents(minutes(90))), width=100)
    assert text.startswith("No incident is open.\n\nOver in the last 90 min\n")
    assert "web was up to 2 h behind; lasted 2 h." in text
    assert "No bot has watched for 5 min: this may be out of date." in text
    for action, what in (
        (TakeIncident(1), "take"), (TakeIncident(1, drop=True), "give back"),
        (MuteIncident(1), "mute"), (MuteIncident(1, None), "mute"),
    ):  # fmt: skip
        over = rf"I-1 ended at \d{{4}}.* UTC, so there is nothing to {what}$"
        with pytest.raises(InvalidRequest, match=over):
            await ask(pool, action)
    await conn.execute("UPDATE jobs_maint_incidents SET muted_until = now() + interval '1 h'")
    report = await ask(pool, MuteIncident(1, None))
    assert "web has caught up after 2 h." in render_result(report, "/jobs", by="U0ANA").text
    assert "Over: web was up to 2 h behind." in render_text(report)
    merged = {"at": "2026-11-27T10:00:00+00:00", "what": "merged", "kind": "queue_behind",
              "subject": "web", "value": 1.0, "by": "I-7"}  # fmt: skip
    await conn.execute(
        "UPDATE jobs_maint_incidents SET history = history || %s", (Jsonb([merged]),)
    )
    with pytest.raises(InvalidRequest, match="I-1 is part of I-7 now; type: mute I-7 --for 1d"):
        await ask(pool, MuteIncident(1))
