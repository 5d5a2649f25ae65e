"""Who may reach some queues only sees, takes and mutes nothing of the others."""

from __future__ import annotations

import json

import pytest
from psycopg.types.json import Jsonb
from tests.integration.test_incidents import see
from tests.support.fleet import Fleet
from tests.support.history import hours, minutes

from chatbot.messages.incident import render_incident
from chatbot.messages.result import render_result
from jobs_maint.actions import (
    Actor,
    GetIncident,
    Grant,
    Limits,
    ListErrors,
    ListIncidents,
    MuteGroup,
    MuteIncident,
    Role,
    TakeGroup,
    TakeIncident,
)
from jobs_maint.errors import InvalidRequest, NotPermitted
from jobs_maint.models import IncidentKind
from jobs_maint.perform import perform
from jobs_maint.render import build_data, render_text

ANA = Actor.shell("ana", "host")
EVA = Actor("slack", "U0EVA", "eva", "C1", (Grant(Role.OPERATOR, queues=("web*",)),))
GROUPS = Limits(kinds=frozenset({IncidentKind.GROUP}), group=3)


@pytest.fixture
async def shared(pool, conn, make_job):
    """One error in web and in ledger, whose first message is of ledger; its jobs, by queue."""
    await Fleet(pool, conn, make_job).start_worker()
    jobs = {}
    for queue, times in (("ledger", 6), ("web", 2)):
        jobs[queue] = [
            await make_job(status="failed", queue=queue, error=f"payment of {queue} 7 refused",
                           finished_ago=minutes(30 - n))
            for n in range(times)
        ]  # fmt: skip
    await conn.execute("UPDATE jobs_maint_failures SET fingerprint = '2:shared'")
    return jobs


async def show(pool, actor):
    report = await perform(pool, actor, ListIncidents())
    return report, json.dumps(build_data(report)) + render_text(report, width=200)


async def test_a_group_of_other_queues_too_is_neither_taken_nor_muted(pool, conn, shared):
    for _ in range(2):
        await see(pool, GROUPS)
    [group] = (await perform(pool, EVA, ListErrors(None, hours(1)))).groups
    for action in (
        TakeGroup(group.name), TakeGroup(shared["web"][0]), TakeGroup(group.name, drop=True),
        MuteGroup(group.name, hours(1)), MuteGroup(group.name), MuteIncident(1), TakeIncident(1),
    ):  # fmt: skip
        with pytest.raises(NotPermitted, match=r"more than web\*.* on every queue") as refused:
            await perform(pool, EVA, action)
        assert "ledger" not in str(refused.value)
    [one] = (await show(pool, ANA))[0].open
    assert one.taken_by is None
    [group] = (await perform(pool, ANA, ListErrors(None, hours(1)))).groups
    assert (group.taken_by, group.muted_until) == (None, None)
    assert (await perform(pool, ANA, MuteGroup(group.name, hours(1)))).muted_until is not None


async def test_of_an_incident_only_what_is_of_the_own_queues_is_shown(pool, conn, shared):
    for _ in range(2):
        await see(pool, GROUPS)
    report, told = await show(pool, EVA)
    [one] = report.open
    assert (one.value, one.worst, one.queues) == (2.0, 2.0, ("web",))
    assert (one.facts["job_id"], one.facts["by_queue"].keys()) == (shared["web"][-1], {"web"})
    assert "2 failures in the last hour" in told
    assert "ledger" not in told
    assert {entry.value for entry in one.history} == {2.0}
    # So it is where another error of hers leads it.
    await conn.execute(
        "UPDATE jobs_maint_incidents SET folded = jsonb_build_array(jsonb_build_object("
        "'kind', kind, 'subject', subject, 'value', value, 'limit', 3, 'since', NULL,"
        " 'worst', worst, 'facts', facts, 'queues', queues)),"
        " subject = %s, value = 4, facts = %s, queues = '{web}'",
        ("E-web", Jsonb({"by_queue": {"web": {"failures": 4}}})),
    )
    [one] = (await show(pool, EVA))[0].open
    assert (one.value, one.folded[0].value, {entry.value for entry in one.history}) == (4, 2, {2})
    await conn.execute("TRUNCATE jobs_maint_incidents")
    for _ in range(2):
        await see(pool, GROUPS)
    [one] = (await show(pool, ANA))[0].open
    assert one.value == 8.0
    assert one.facts["job_id"] in shared["ledger"]  # the message is that job's
    assert one.facts["message"] == "payment of ledger 7 refused"
    for _ in range(2):
        await see(pool, Limits(kinds=frozenset()))
    [over] = (await show(pool, EVA))[0].recent
    assert (over.value, "message" in over.facts) == (2.0, False)
    # In none of hers it fails now.
    await conn.execute("TRUNCATE jobs_maint_incidents; DELETE FROM jobs_maint_failures"
                       " WHERE queue_name = 'web'")  # fmt: skip
    for _ in range(2):
        await see(pool, GROUPS)
    report, told = await show(pool, EVA)
    assert (report.open, report.hidden_incidents) == ((), 1)


async def test_a_job_out_of_reach_that_holds_a_lock_has_no_number_and_no_button(
    pool, conn, make_job
):
    fleet = Fleet(pool, conn, make_job)
    worker = await fleet.start_worker()
    holder = await make_job(queue="ledger", status="doing", worker_id=worker, lock="a")
    await fleet.beat(worker, holder)
    await make_job(queue="web", lock="a", deferred_ago=minutes(31))
    for _ in range(2):
        await see(pool)
    report, told = await show(pool, EVA)
    [one] = report.open
    assert (one.facts["holder"], one.facts["holder_queue"], "ledger" in told) == (None, None, False)
    assert f"of job {holder}" not in told
    assert f"status {holder}" not in told
    message = render_incident(one, report.as_of)
    hidden = "a lock held by a job in a queue that your role does not reach"
    assert hidden in message.text
    assert f"Job {holder}" not in str(message.blocks)
    assert f"Show job {holder}" not in str(message.blocks)
    # Who may see it, and the channel, are shown it.
    report, told = await show(pool, ANA)
    assert f"status {holder}" in told
    message = render_incident(report.open[0], report.as_of)
    assert f"Show job {holder}" in str(message.blocks)
    ledger = Actor("slack", "U0LEO", "leo", "C1", (Grant(Role.VIEWER, ("web", "ledger")),))
    assert f"of job {holder}" in (await show(pool, ledger))[1]


async def test_jobs_that_wait_or_are_stuck_are_counted_in_the_own_queues(pool, conn, make_job):
    fleet = Fleet(pool, conn, make_job)
    worker = await fleet.start_worker()
    more = {"status": "doing", "worker_id": worker, "deferred_ago": hours(1)}
    stuck = [
        await make_job(queue=queue, task=f"app.{queue}", **more)
        for queue in ("ledger", "web", "ledger")
    ]
    for queue in ("web", "ledger", "ledger"):
        await make_job(queue=queue)
    await fleet.beat(worker, *stuck)
    await fleet.fall_silent(minutes(20))
    limits = Limits(kinds=frozenset({IncidentKind.NO_WORKER, IncidentKind.JOBS_STUCK}))
    for _ in range(2):
        await see(pool, limits)
    report, told = await show(pool, EVA)
    [one] = report.open
    assert (one.facts["waiting"], one.folded[0].facts["job_ids"]) == (1, [stuck[1]])
    assert (one.folded[0].facts["jobs"], one.folded[0].facts["task"]) == (1, "app.web")
    assert "No worker is alive; 1 job waits." in told
    assert "ledger" not in told
    [one] = (await show(pool, ANA))[0].open
    assert (one.facts["waiting"], one.folded[0].facts["jobs"]) == (3, 3)


async def test_what_is_folded_into_an_incident_of_other_queues_is_shown_as_one(
    pool, conn, make_job
):
    worker = await Fleet(pool, conn, make_job).start_worker()
    await conn.execute("UPDATE jobs_maint_workers SET queues = '{mail}'")
    for queue, ago in (("ledger", 4), ("web", 3), ("web", 2)):
        await make_job(queue=queue, deferred_ago=minutes(ago))
    limits = Limits(kinds=frozenset({IncidentKind.NO_WORKER, IncidentKind.QUEUE_BEHIND}))
    for _ in range(2):
        await see(pool, limits)
    [whole] = (await show(pool, ANA))[0].open
    assert (whole.subject, [one.subject for one in whole.folded]) == ("ledger", ["web"])
    report, told = await show(pool, EVA)
    [one] = report.open
    assert (one.id, one.subject, one.folded, report.hidden_incidents) == (whole.id, "web", (), 0)
    assert "No worker listens to web; 2 jobs wait." in told
    assert "ledger" not in told + repr(one)
    assert (await perform(pool, EVA, TakeIncident(whole.id))).incident.subject == "web"
    await conn.execute("UPDATE jobs_maint_workers SET queues = NULL")
    for _ in range(2):
        await see(pool, limits)
    [over] = (await show(pool, EVA))[0].recent
    assert (over.subject, over.past, worker > 0) == ("web", (), True)
    assert "ledger" not in repr(over)


async def test_an_incident_is_muted_by_who_reaches_all_that_is_folded_into_it(pool, conn, make_job):
    await Fleet(pool, conn, make_job).start_worker()
    for queue, ago in (("web", 3), ("ledger", 2)):
        await make_job(queue=queue, deferred_ago=hours(ago))
    for _ in range(2):
        await see(pool)
    [one] = (await perform(pool, ANA, ListIncidents())).open
    assert (one.queues, one.folded[0].queues) == (("web",), ("ledger",))
    with pytest.raises(NotPermitted, match="on every queue"):
        await perform(pool, EVA, MuteIncident(1))
    assert "ledger" not in (await show(pool, EVA))[1]
    await conn.execute("UPDATE jobs_maint_incidents SET folded = %s", (Jsonb([]),))
    assert (await perform(pool, EVA, MuteIncident(1))).done == "muted"


async def test_who_is_on_the_part_that_a_role_sees_is_told_and_who_stays_on_it_after_a_drop(
    pool, conn, make_job
):
    await Fleet(pool, conn, make_job).start_worker()
    for queue, times in (("ledger", 5), ("web", 4)):
        for n in range(times):
            await make_job(status="failed", queue=queue, task=f"app.{queue}", error=f"{queue} down",
                           finished_ago=minutes(n))  # fmt: skip
    for _ in range(2):
        await see(pool, GROUPS)
    [whole] = (await show(pool, ANA))[0].open
    [web] = [part.subject for part in (whole.lead, *whole.folded) if part.queues == ("web",)]
    with pytest.raises(InvalidRequest, match=r"nobody has taken I-1, so .* nothing to give back$"):
        await perform(pool, ANA, TakeIncident(1, drop=True))
    with pytest.raises(
        InvalidRequest, match=f"to take the error that it reaches, type: take {web}$"
    ) as caught:
        await perform(pool, EVA, TakeIncident(1))
    assert (whole.queues, caught.value.suggestion) == (("ledger",), f"take {web}")
    with pytest.raises(InvalidRequest, match=f"nobody has taken {web}, so .* nothing to give back"):
        await perform(pool, ANA, TakeGroup(web, drop=True))
    await perform(pool, ANA, TakeGroup(web))
    await perform(pool, ANA, MuteGroup(web, hours(2)))
    report, told = await show(pool, EVA)  # before the next pass of the watch
    [one] = report.open
    assert (one.queues, one.taken_by, one.muted_until is not None) == (("web",), ANA.label, True)
    assert "taken by shell:ana@host; muted by shell:ana@host until" in told
    said = render_result(report, "/jobs", by="U0EVA").text
    assert "ana@host is on it, since" in said
    assert "Nobody is on it" not in said
    with pytest.raises(InvalidRequest, match=f"{web} is taken: take {web} --drop"):
        await perform(pool, ANA, TakeIncident(1, drop=True))
    taken = await perform(pool, ANA, TakeIncident(1))
    assert "still on" not in render_text(taken) + render_result(taken, "/jobs", by=ANA.label).text
    await perform(pool, EVA, TakeGroup(web))
    report = await perform(pool, ANA, TakeIncident(1, drop=True))
    assert report.incident.taken_by is None
    page, said = render_text(report), render_result(report, "/jobs", by=ANA.label).text
    assert page.startswith("I-1 was given back.\n")
    assert f"{EVA.label} is still on its error {web}." in page
    assert f"<@U0EVA> is still on its error {web}." in said
    assert "Nobody" not in said
    await perform(pool, EVA, TakeGroup(web, drop=True))
    await perform(pool, ANA, TakeIncident(1))
    dropped = await perform(pool, ANA, TakeIncident(1, drop=True))
    assert "Nobody is on it now." in render_result(dropped, "/jobs", by=ANA.label).text
    assert render_text(dropped).startswith("I-1 was given back; nobody is on it now.\n")


async def test_what_is_over_in_the_own_queues_is_told_as_over_while_the_rest_lasts(
    pool, conn, make_job
):
    """Nobody listened to web for a while; a job of ledger that was lost then is still stuck."""
    fleet = Fleet(pool, conn, make_job)
    worker = await fleet.start_worker()
    stuck = await make_job(
        queue="ledger", task="app.l", status="doing", worker_id=worker, deferred_ago=hours(1)
    )
    await fleet.beat(worker, stuck)
    await fleet.fall_silent(minutes(20))
    await fleet.start_worker()
    for _ in range(2):
        await see(pool, Limits(kinds=frozenset({IncidentKind.JOBS_STUCK})))
    over = {
        "kind": "no_worker", "subject": "web", "value": 60, "limit": 60, "worst": 300,
        "since": None, "queues": ["web"], "facts": {}, "over_at": "2026-11-01T10:00:00+00:00",
    }  # fmt: skip
    await conn.execute(
        "UPDATE jobs_maint_incidents SET folded = %s, queues = '{ledger}'", (Jsonb([over]),)
    )
    report, told = await show(pool, EVA)
    assert (report.open, [one.subject for one in report.recent]) == ((), ["web"])
    [one] = report.recent
    assert one.ended_at.isoformat() == over["over_at"]
    assert (one.ended_at - one.began_at).total_seconds() == 60
    assert "no worker listened to web" in told
    assert "ledger" not in told
    with pytest.raises(InvalidRequest, match=r"I-1 ended at .* nothing to take"):
        await perform(pool, EVA, TakeIncident(1))
    assert [one.kind for one in (await show(pool, ANA))[0].open] == [IncidentKind.JOBS_STUCK]


@pytest.fixture
async def twice(pool, conn, make_job):
    """No worker was alive, and a job of ledger was stuck for longer; then another one was."""
    fleet = Fleet(pool, conn, make_job)
    limits = Limits(kinds=frozenset({IncidentKind.NO_WORKER, IncidentKind.JOBS_STUCK}))
    worker = await fleet.start_worker()
    more = {"queue": "ledger", "status": "doing", "worker_id": worker, "deferred_ago": hours(1)}
    lost = await make_job(**more)
    await fleet.beat(worker, lost)
    await fleet.fall_silent(minutes(20))
    for _ in range(2):
        await see(pool, limits)
    await fleet.start_worker()
    for status in ("succeeded", "doing", "succeeded"):
        for _ in range(2):
            await see(pool, limits)
        await conn.execute("UPDATE procrastinate_jobs SET status = %s WHERE id = %s",
                           (status, lost))  # fmt: skip
    for _ in range(2):
        await see(pool, limits)


async def test_how_often_and_how_long_is_told_of_the_parts_in_reach(pool, twice):
    [whole] = (await show(pool, ANA))[0].recent
    assert [one.what for one in whole.history] == [
        "opened", "folded", "over", "remains", "resolved", "back", "resolved"
    ]  # fmt: skip
    report, told = await show(pool, EVA)
    [one] = report.recent
    assert [entry.what for entry in one.history] == ["opened", "over"]
    assert (one.kind, one.times, one.spells) == (IncidentKind.NO_WORKER, 1, 1)
    assert one.resolved_at == one.ended_at == whole.history[2].at
    assert "came" not in told
    alone = await perform(pool, EVA, GetIncident(1))
    said = render_result(alone, "/jobs", by="U0EVA").text
    assert (said.count("Workers are back"), "times" in said) == (2, False)  # verdict, timeline


async def test_how_often_parts_came_is_left_out_where_that_is_not_known(pool, conn, twice):
    """It flapped: its history does not tell what came again each time."""
    await conn.execute("UPDATE jobs_maint_incidents SET times = 5")
    report, told = await show(pool, EVA)
    assert (report.recent[0].times, report.recent[0].spells, "came" in told) == (0, 0, False)
    assert (await show(pool, ANA))[0].recent[0].spells > 2


async def test_an_incident_began_with_the_first_of_the_parts_in_reach(pool, conn, make_job):
    await Fleet(pool, conn, make_job).start_worker()
    limits = Limits(kinds=frozenset({IncidentKind.QUEUE_BEHIND}))
    for queue, ago in (("ledger", 9), ("web", 2)):
        await make_job(queue=queue, deferred_ago=hours(ago))
    for _ in range(2):
        await see(pool, limits)
    [whole] = (await show(pool, ANA))[0].open
    [one] = (await show(pool, EVA))[0].open
    assert (one.id, one.subject, whole.subject) == (whole.id, "web", "ledger")
    assert one.since == one.told_since > whole.since
    assert (one.opened_at, one.times, one.spells) == (whole.opened_at, 1, 1)
