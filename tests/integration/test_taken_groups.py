"""Who is on a group of errors is on its incident, and the reverse; so is who muted it."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime

import pytest
from tests.support.fleet import Fleet
from tests.support.history import hours, minutes
from tests.support.locks import wait_for_waiting

from chatbot.messages.incident import render_incident
from chatbot.messages.incident_thread import render_entries
from chatbot.messages.result import render_result
from chatbot.watching.threads import is_silent
from jobs_maint.actions import (
    Actor,
    Grant,
    Limits,
    ListErrors,
    ListIncidents,
    MuteGroup,
    MuteIncident,
    Role,
    TakeGroup,
    TakeIncident,
    WatchIncidents,
)
from jobs_maint.errors import InvalidRequest
from jobs_maint.models import IncidentKind
from jobs_maint.operations.failures.memory import collect_groups
from jobs_maint.perform import perform
from jobs_maint.render import build_data, render_text

BOT = Actor.task("chatbot")
ADA = Actor("slack", "U0ADA", "ada", "C1", (Grant(Role.OPERATOR),))
BOB = Actor("slack", "U0BOB", "bob", "C1", (Grant(Role.OPERATOR),))
EVE = Actor("slack", "U0EVE", "eve", "C1", (Grant(Role.ADMIN),))
LIMITS = Limits(kinds=frozenset({IncidentKind.GROUP}), group=3)
HOOK, MAIL = "app.hook", "app.mail"


@pytest.fixture
async def fail(pool, conn, make_job):
    await Fleet(pool, conn, make_job).start_worker()

    async def fail(task, times=4):
        for n in range(times):
            await make_job(status="failed", queue="web", task=task, finished_ago=minutes(n))

    return fail


async def see(pool, passes=1):
    for _ in range(passes):
        report = await perform(pool, BOT, WatchIncidents("bot", LIMITS))
    return report


async def errors(pool):
    """As they are in a report and in both front ends."""
    report = await perform(pool, ADA, ListErrors(None, hours(1)))
    shell = render_text(report, width=200)
    slack = render_result(report, "/jobs", by="U0ADA").text
    return {one.task: one for one in report.groups}, shell, slack


async def incident(pool):
    """The same of the only one that is open: its message, the shell's list, Slack's, JSON."""
    report = await perform(pool, ADA, ListIncidents())
    [one] = report.open
    said = (
        render_incident(one, report.as_of).text,
        render_text(report, width=200),
        render_result(report, "/jobs", by="U0ADA").text,
    )
    return one, said, json.dumps(build_data(report))


async def test_what_is_said_of_one_is_said_of_the_other(pool, fail):
    await fail(HOOK)
    told = len((await see(pool, 2)).changes[0].incident.history)
    name = (await errors(pool))[0][HOOK].name

    await perform(pool, ADA, TakeGroup(name))
    one, (message, shell, slack), data = await incident(pool)
    assert (one.subject, one.taken_by, one.history[-1].what) == (name, ADA.label, "taken")
    assert "ada is on it, since" in message
    assert "taken by slack:U0ADA (ada)" in shell
    assert "ada is on it, since" in slack
    assert json.loads(data)["open"][0]["taken_by"] == ADA.label
    [change] = (await see(pool)).changes
    assert len(change.incident.history) == told + 1

    await perform(pool, BOB, TakeIncident(1))
    groups, shell, slack = await errors(pool)
    assert groups[HOOK].taken_by == BOB.label
    assert "bob" in shell
    assert "bob is on it" in slack
    await perform(pool, BOB, TakeIncident(1, drop=True))
    assert (await errors(pool))[0][HOOK].taken_by is None
    await perform(pool, ADA, TakeIncident(1))
    await perform(pool, ADA, TakeGroup(name, drop=True))
    assert (await incident(pool))[0].taken_by is None

    await perform(pool, ADA, MuteGroup(name, hours(2)))
    one, (message, shell, slack), _ = await incident(pool)
    groups, in_shell, in_slack = await errors(pool)
    assert one.muted_until == groups[HOOK].muted_until is not None
    for text in (message, slack):
        assert "Muted by ada until " in text
        assert f": no new message about this. mute {name} --off ends that." in text
    assert "muted until " in in_slack
    assert f"(jobs-maint mute {name} --off ends that)" in shell
    assert "muted by slack:U0ADA (ada) until" in shell
    assert "muted until" in in_shell
    await perform(pool, ADA, MuteIncident(1, None))
    assert (await errors(pool))[0][HOOK].muted_until is None
    await perform(pool, ADA, MuteIncident(1, hours(3)))
    one, *_ = await incident(pool)
    assert (await errors(pool))[0][HOOK].muted_until == one.muted_until
    await perform(pool, ADA, MuteGroup(name, None, 500))
    _, (message, shell, _), data = await incident(pool)
    assert "Muted by ada until it fails more than 500 times an hour. mute" in message
    assert "muted by slack:U0ADA (ada) until it fails more than 500 times an hour" in shell
    assert json.loads(data)["open"][0]["facts"]["muted_above"] == 500
    await perform(pool, ADA, MuteGroup(name, hours(2), 500))
    shell = (await incident(pool))[1][1]
    assert re.search(r" until \S+( UTC)?, or until it fails more than 500 times an hour", shell)
    await perform(pool, ADA, MuteGroup(name, None, 500))
    await see(pool)
    assert "more than 500 times" in (await incident(pool))[1][0]
    await perform(pool, ADA, MuteIncident(1, None))
    assert "uted" not in (await incident(pool))[1][0]


async def test_the_answer_and_the_thread_name_all_errors_that_a_press_mutes_or_takes(pool, fail):
    for task, times in ((HOOK, 6), (MAIL, 4)):
        await fail(task, times)
    await see(pool, 2)
    one, *_ = await incident(pool)
    names = " and ".join([one.subject, *(part.subject for part in one.folded)])
    for action, said, told in (
        (MuteIncident(1, hours(3)), "It mutes", "muted"),
        (MuteIncident(1, None), "It ends the mute of", "unmuted"),
        (TakeIncident(1), "It takes", "is on"),
    ):
        report = await perform(pool, ADA, action)
        line = f"{said} 2 errors: {names}."
        assert render_result(report, "/jobs", by="U0ADA").text.splitlines()[1] == line
        assert render_text(report, width=200).splitlines()[1] == line
        one, *_ = await incident(pool)
        thread = render_entries(one, one.history, one.seen_at).text
        assert thread.count(f"<@U0ADA> {told} 2 errors: {names}.") == 1
    again = await perform(pool, ADA, TakeIncident(1))
    assert names not in render_text(again, width=200)
    await perform(pool, BOB, TakeGroup(one.folded[0].subject))
    await perform(pool, ADA, TakeIncident(1, drop=True))
    await perform(pool, BOB, TakeIncident(1))
    await perform(pool, BOB, TakeIncident(1, drop=True))
    one, *_ = await incident(pool)
    thread = render_entries(one, one.history, one.seen_at).text
    assert f"<@U0ADA> gave {one.subject} back." in thread
    assert f"<@U0BOB> is on {one.subject}." in thread
    assert f"<@U0BOB> gave back 2 errors: {names}." in thread


async def test_an_admin_takes_somebody_off_and_that_is_told(pool, fail):
    await fail(HOOK)
    await see(pool, 2)
    name = (await errors(pool))[0][HOOK].name
    await perform(pool, BOB, TakeGroup(name))
    dropped = await perform(pool, EVE, TakeGroup(name, drop=True))
    said = f"✅ {name}, hook, was given back: <@U0EVE> took <@U0BOB> off."
    assert render_result(dropped, "/jobs", by="U0EVE").text.splitlines()[0] == said
    one, *_ = await incident(pool)
    assert (one.history[-1].by, one.history[-1].whom) == (EVE.label, BOB.label)
    assert "<@U0EVE> took <@U0BOB> off." in render_entries(one, one.history, one.seen_at).text
    await perform(pool, BOB, TakeGroup(name))
    await perform(pool, BOB, TakeGroup(name, drop=True))
    one, *_ = await incident(pool)
    assert one.history[-1].whom is None
    told = render_entries(one, one.history[-1:], one.seen_at).text
    assert told.endswith("<@U0BOB> gave it back.")


@pytest.mark.parametrize("of_group", [True, False])
async def test_what_was_done_later_is_dated_later(pool, conn, fail, of_group):
    """Whoever waits for what somebody else does to an incident has done it after that."""
    await fail(HOOK)
    await see(pool, 2)
    name = (await errors(pool))[0][HOOK].name
    async with pool.connection() as holder, holder.transaction():
        await holder.execute("SELECT FROM jobs_maint_incidents FOR UPDATE")
        act = TakeGroup(name) if of_group else TakeIncident(1)
        later = asyncio.create_task(perform(pool, ADA, act))
        await wait_for_waiting(conn)
        entry = "jsonb_build_object('at', clock_timestamp(), 'what', 'taken', 'kind', kind,"
        await holder.execute(
            f"UPDATE jobs_maint_incidents SET history = history || jsonb_build_array({entry}"
            " 'subject', subject, 'value', value, 'by', 'shell:bob'))"
        )
    await later
    one, *_ = await incident(pool)
    earlier, last = one.history[-2:]
    assert (earlier.by, last.by) == ("shell:bob", ADA.label)
    assert earlier.at < one.taken_at <= last.at


async def test_of_several_in_one_each_says_who_is_on_it(pool, conn, fail):
    """An incident that opens knows who was on its group before."""
    await fail(HOOK)
    async with pool.connection() as other:
        await collect_groups(other)
    await perform(pool, ADA, TakeGroup((await errors(pool))[0][HOOK].name))
    await see(pool, 2)
    one, (message, *_), _ = await incident(pool)
    assert one.taken_by == ADA.label
    assert one.taken_at is not None
    assert "ada is on it, since" in message

    await fail(MAIL)
    await see(pool, 2)
    mail = (await errors(pool))[0][MAIL].name
    also = f"Also: ValueError in mail is new: 4 failures in the last hour ({mail})"
    assert f"{also}, nobody is on it (take {mail})." in (await incident(pool))[1][0]
    await perform(pool, BOB, TakeGroup(mail))
    await see(pool)
    one, (message, shell, _), _ = await incident(pool)
    assert one.taken_by == ADA.label
    assert f"{also}, bob is on it." in message
    assert f"{also}; taken by slack:U0BOB (bob)." in shell
    await perform(pool, BOB, MuteGroup(mail, hours(1)))
    await see(pool)
    assert f"{also}, bob is on it, muted by bob until " in (await incident(pool))[1][0]

    await perform(pool, BOB, TakeGroup(mail, drop=True))
    await perform(pool, ADA, TakeIncident(1, drop=True))
    await perform(pool, BOB, TakeIncident(1))  # nobody is on either
    groups, *_ = await errors(pool)
    assert {one.taken_by for one in groups.values()} == {BOB.label}
    await perform(pool, ADA, TakeGroup(mail))
    await perform(pool, BOB, TakeIncident(1, drop=True))
    groups, *_ = await errors(pool)
    assert (groups[HOOK].taken_by, groups[MAIL].taken_by) == (None, ADA.label)


async def test_who_mutes_one_of_several_is_led_to_what_ends_that_and_the_others_are_told(
    pool, conn, fail
):
    """Also whoever reaches a part of them alone."""
    await fail(HOOK, 6)
    await fail(MAIL)
    for table in ("procrastinate_jobs", "jobs_maint_failures"):
        await conn.execute(f"UPDATE {table} SET queue_name = 'mail' WHERE task_name = %s", (MAIL,))
    await see(pool, 2)
    groups, *_ = await errors(pool)
    hook, mail = groups[HOOK].name, groups[MAIL].name
    cat = Actor("slack", "U0CAT", "cat", "C1", (Grant(Role.OPERATOR, queues=("web",)),))
    assert (await incident(pool))[0].subject == hook
    with pytest.raises(
        InvalidRequest, match=f"to mute the error that it reaches, type: mute {hook} --for"
    ):
        await perform(pool, cat, MuteIncident(1))
    await perform(pool, cat, MuteGroup(hook, hours(2)))
    [change] = (await see(pool)).changes
    one, (message, shell, slack), _ = await incident(pool)
    assert (one.subject, one.muted_until) == (mail, None)
    assert render_incident(change.incident, one.seen_at).text.startswith("🔴 ValueError in mail")
    also = f"hook is new: 6 failures in the last hour ({hook})"
    for text in (message, slack):
        assert re.search(
            rf"{re.escape(also)}, muted by cat until .* \(mute {hook} --off ends that\)\.", text
        )
    assert re.search(rf"muted by .*cat\) until .* \(jobs-maint mute {hook} --off", shell)
    told = render_entries(one, one.history, one.seen_at).text
    assert re.search(rf"<@U0CAT> muted {hook}\.\n.*Now it is about the error ValueError in m", told)

    await perform(pool, BOB, MuteGroup(mail, hours(1)))
    await perform(pool, EVE, MuteIncident(1, hours(3)))
    await see(pool)
    both = f"2 errors: {mail} and {hook}"
    one, (message, *_), _ = await incident(pool)
    assert is_silent(one, one.seen_at)
    assert f"no new message about this. mute {one.subject} --off ends that." in message
    assert message.count("uted by eve until ") == 2
    assert render_entries(one, one.history, one.seen_at).text.count(f"<@U0EVE> muted {both}.") == 1
    with pytest.raises(InvalidRequest) as refused:
        await perform(pool, cat, MuteIncident(1, None))
    assert refused.value.suggestion == f"mute {hook} --off"
    await perform(pool, cat, MuteGroup(hook))
    await see(pool)
    one, (message, *_), _ = await incident(pool)
    assert (one.subject, is_silent(one, one.seen_at)) == (hook, False)
    assert f"({mail}), muted by eve until " in message


async def test_a_message_says_one_thing_of_who_is_on_it_while_somebody_takes_it_over(
    pool, conn, fail
):
    """The pass looked before and writes after it."""
    for task in (HOOK, MAIL):
        await fail(task)
        await see(pool, 2)
    await perform(pool, ADA, TakeIncident(1))
    await see(pool)
    async with pool.connection() as holder, holder.transaction():
        await holder.execute("SELECT FROM jobs_maint_watch FOR UPDATE")
        late = asyncio.create_task(see(pool))
        await wait_for_waiting(conn)
        await perform(pool, BOB, TakeIncident(1))
    [change] = (await late).changes
    said = render_incident(change.incident, datetime.now(UTC)).text
    assert ("bob is on it, since" in said, "ada" in said) == (True, False), said
    stored = await conn.execute("SELECT folded FROM jobs_maint_incidents")
    assert "U0ADA" not in str(await stored.fetchall())


async def test_who_takes_an_error_again_is_told_since_when_and_its_incident_is_not(pool, fail):
    await fail(HOOK)
    await see(pool, 2)
    name = (await errors(pool))[0][HOOK].name
    first = await perform(pool, ADA, TakeGroup(name))
    assert first.had_since is None
    again = await perform(pool, ADA, TakeGroup(name))
    assert again.had_since == first.taken_at
    assert f"You have been on {name} since " in render_text(again)
    told = render_result(again, "/jobs", by="U0ADA").text
    assert f"✅ {name}, hook, has been taken by <@U0ADA> since " in told
    whole = await perform(pool, ADA, TakeIncident(1))
    assert whole.had_since is not None
    assert "You have been on I-1 since " in render_text(whole)
    assert [one.what for one in whole.incident.history] == ["opened", "taken"]
    # Who takes it from somebody else is on it anew.
    assert (await perform(pool, BOB, TakeIncident(1))).had_since is None
