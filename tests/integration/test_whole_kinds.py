"""All groups of one task and exception type as one, where they are very many: its name."""

from __future__ import annotations

import itertools

import pytest
from tests.support.history import days, hours, minutes

from chatbot.messages.incident import render_incident
from chatbot.messages.result import render_result
from jobs_maint.actions import (
    Actor,
    BulkVerb,
    ConfirmSelection,
    Grant,
    JobFilter,
    Limits,
    ListErrors,
    ListFailed,
    ListIncidents,
    MuteGroup,
    MuteIncident,
    PreviewBulk,
    Role,
    ShowDigest,
    TakeGroup,
    TakeIncident,
    WatchIncidents,
)
from jobs_maint.errors import InvalidRequest, NotPermitted
from jobs_maint.fingerprint import build_fingerprint
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.models import IncidentKind
from jobs_maint.operations.failures.placing import name_kind
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "here")
ADA = Actor.shell("ada", "here")
WEB = Actor("slack", "U1", "bo", "C1", (Grant(Role.OPERATOR, queues=("web",)),))
AGO = minutes(5)
TASK, TYPE = "app.hook", "Refused"
WHOLE = name_kind(TASK, TYPE)
HOUR = ListErrors(since=hours(1))
FORMER = "first_at = first_at - interval '2 h', last_at = last_at - interval '2 h'"
WORDS = ["".join(pair) for pair in itertools.product("abcdefgh", repeat=2)]


async def ask(pool, action, actor=ANA):
    return await perform(pool, actor, action, settings=MaintSettings())


@pytest.fixture
def fail(make_job):
    async def fail(text, ago=AGO, *, task=TASK, kind=TYPE, queue="web"):
        built = build_fingerprint(task, kind, text)
        return await make_job(
            status="failed", queue=queue, task=task, error=text, exception_type=kind,
            finished_ago=ago, fingerprint=built,
        )  # fmt: skip

    return fail


def _values(blocks):
    """The words of all buttons."""
    rows = (block["elements"] for block in blocks if block["type"] == "actions")
    return [click.get("value") for click in itertools.chain(*rows)]


@pytest.fixture
async def many(pool, fail):
    """Jobs of 64 unlike errors; another type and another task beside them."""
    jobs = [await fail(f"row {word} is bad") for word in WORDS]
    await fail("no such page", kind="Gone")
    await fail("row aa is bad", task="app.page")
    await ask(pool, HOUR)
    return jobs


async def test_its_name_stays_and_finds_all_of_its_jobs_and_no_others(pool, many, fail):
    whole = (await ask(pool, HOUR)).groups[0]
    assert (whole.count, whole.name) == (64, WHOLE)
    assert (await ask(pool, ListErrors(since=hours(24)))).groups[0].name == WHOLE
    # One that nobody has seen before is of it too, before the memory has it.
    new = await fail("row zz is bad", minutes(1))
    found = await ask(pool, ListFailed(group=WHOLE, limit=100))
    assert {job.job_id for job in found.jobs} == {*many, new}
    grouped = await ask(pool, ListFailed(group=WHOLE, grouped=True))
    assert (grouped.total, grouped.groups[0].name) == (65, WHOLE)
    wanted = JobFilter(statuses=("failed",), group=WHOLE)
    preview = await ask(pool, PreviewBulk(BulkVerb.RETRY, wanted))
    assert preview.count == 65
    assert preview.error.startswith(f"{TYPE}: 65 different messages, e.g. row ")
    assert (await ask(pool, ConfirmSelection(preview.key))).done == 65
    # Those that failed again are few: each has a name of its own, and that of the whole goes on.
    again = await fail("row aa is bad", minutes(0))
    [one] = (await ask(pool, ListFailed(group=WHOLE))).jobs
    assert one.job_id == again


async def test_it_is_taken_and_muted_as_a_whole_and_that_counts_for_each_of_its_groups(
    pool, many, fail
):
    blocks = render_result(await ask(pool, HOUR), "/jobs", by="U1").blocks
    assert {f"take {WHOLE}", f"mute {WHOLE} --for 1d"} <= set(_values(blocks))
    report = await ask(pool, TakeGroup(WHOLE))
    assert (report.name, report.failures, report.taken_by) == (WHOLE, 64, ANA.label)
    assert "64 different messages, e.g. row" in render_text(report)
    await ask(pool, MuteGroup(WHOLE, hours(3)))
    report = await ask(pool, HOUR)
    whole = report.groups[0]
    assert (whole.name, whole.taken_by) == (WHOLE, ANA.label)
    assert whole.muted_until is not None
    assert {group.taken_by for group in report.groups[1:]} == {None}
    assert WHOLE in render_text(report, width=200)
    message = render_result(report, "/jobs", by="U1").text
    assert f"{WHOLE} · ana@here is on it · muted until " in message
    await fail("row zz is bad", minutes(0))
    [newest, *_] = (await ask(pool, ListErrors(since=minutes(2)))).groups
    assert newest.name not in {None, WHOLE}  # it is the only one of that span
    assert (newest.taken_by, newest.muted_until) == (ANA.label, whole.muted_until)
    for part in (TakeGroup(newest.name, drop=True), MuteGroup(newest.name)):
        with pytest.raises(InvalidRequest, match=WHOLE) as refused:
            await ask(pool, part)
        await ask(pool, parse_words(split_text(refused.value.suggestion), "shell").action)
    [newest, *_] = (await ask(pool, ListErrors(since=minutes(2)))).groups
    assert (newest.taken_by, newest.muted_until) == (None, None)


async def test_what_was_said_of_a_group_itself_ends_beside_what_is_said_of_the_whole(
    pool, many, fail
):
    """And the answer names the whole: `errors` says the same of the group as before."""
    await fail("row zz is bad", minutes(0))
    name = (await ask(pool, ListErrors(since=minutes(2)))).groups[0].name
    for one, who in ((name, ADA), (WHOLE, ANA)):
        await ask(pool, TakeGroup(one), who)
        await ask(pool, MuteGroup(one, hours(3)))
    report = await ask(pool, MuteGroup(name))
    assert (report.done, report.whole) == ("unmuted", WHOLE)
    line = f"The mute of {name} alone is ended; all errors of this kind ({WHOLE}) are still muted u"
    assert line in render_text(report, width=300)
    said = f"all errors of this kind ({WHOLE}) are still muted until "
    assert said in render_result(report, "/jobs", by="U1").text
    report = await ask(pool, TakeGroup(name, drop=True), ADA)
    assert (report.done, report.whole, report.taken_by) == ("dropped", WHOLE, ANA.label)
    still = f"is still on all errors of this kind ({WHOLE})."
    line = f"{name} was given back; ada was on it. ana {still}"
    assert line in render_text(report, width=300)
    assert f"ana@here {still}" in render_result(report, "/jobs", by="U1").text
    await ask(pool, MuteGroup(WHOLE))
    [group, *_] = (await ask(pool, ListErrors(since=minutes(2)))).groups
    assert (group.taken_by, group.muted_until) == (ANA.label, None)
    await ask(pool, TakeGroup(WHOLE, drop=True))
    report = await ask(pool, MuteGroup(name))
    assert (report.done, report.whole) == ("unmuted", None)


async def test_what_is_said_of_the_whole_is_said_of_the_incident_of_each_of_its_groups(
    pool, conn, many, fail
):
    """Beside one that is there already and in one that begins; what was said of it alone counts."""
    bot, limits = Actor.task("chatbot"), Limits(kinds=frozenset({IncidentKind.GROUP}), group=3)

    async def see():
        for _ in range(2):
            seen = await perform(pool, bot, WatchIncidents("bot", limits))
        report = await ask(pool, ListIncidents())
        assert [one.id for one in seen.open] == [one.id for one in report.open]
        for mine, its in zip(report.open, seen.open, strict=True):
            assert (mine.taken_by, mine.muted_until) == (its.taken_by, its.muted_until)
        return seen, report.open, render_text(report, width=300)

    await conn.execute(f"UPDATE jobs_maint_groups SET {FORMER}")  # few of these fail now
    for _ in range(4):
        await fail("row zz is bad", minutes(1))
    _, [one], _ = await see()
    assert (one.taken_by, one.subject != WHOLE) == (None, True)
    await ask(pool, TakeGroup(WHOLE))
    seen, [one], shell = await see()
    assert one.taken_by == one.facts["taken_by"] == ANA.label
    assert [step.what for step in seen.changes[0].incident.history] == ["opened", "taken"]
    assert "ana" in shell
    await conn.execute(  # what comes five minutes later is an incident of its own
        "UPDATE jobs_maint_incidents SET history = jsonb_set("
        "history, '{0,at}', to_jsonb(now() - interval '1 hour'))"
    )
    for _ in range(4):
        await fail("row zy is bad", minutes(1))
    _, [one, other], _ = await see()
    assert other.taken_by == ANA.label

    with pytest.raises(InvalidRequest, match=rf"{WHOLE}, not {one.name} alone") as refused:
        await ask(pool, TakeIncident(one.id, drop=True))
    assert refused.value.suggestion == f"take {WHOLE} --drop"
    await ask(pool, TakeIncident(one.id), ADA)
    _, [one, other], _ = await see()
    assert (one.taken_by, other.taken_by) == (ADA.label, ANA.label)
    back = await ask(pool, TakeIncident(one.id, drop=True), ADA)
    assert (back.incident.taken_by, back.whole) == (ANA.label, WHOLE)
    still = f" is still on all errors of this kind ({WHOLE})."
    assert still in render_text(back, width=300)
    assert still in render_result(back, "/jobs", by="U1").text
    await ask(pool, TakeIncident(one.id), ADA)
    await ask(pool, TakeGroup(WHOLE, drop=True))
    _, [one, other], _ = await see()
    assert (one.taken_by, other.taken_by) == (ADA.label, None)

    await ask(pool, MuteIncident(one.id, hours(2)))
    await ask(pool, MuteGroup(WHOLE, hours(3)))
    _, [one, other], _ = await see()
    assert one.muted_until < other.muted_until
    for incident, name in ((one, one.subject), (other, WHOLE)):
        assert f"mute {name} --off ends that." in render_incident(incident, incident.seen_at).text
    with pytest.raises(InvalidRequest, match=WHOLE) as refused:
        await ask(pool, MuteIncident(other.id, None))
    assert refused.value.suggestion == f"mute {WHOLE} --off"
    ended = await ask(pool, MuteIncident(one.id, None))
    assert (ended.incident.muted_until, ended.whole) == (other.muted_until, WHOLE)
    still = f"ll errors of this kind ({WHOLE}) are still muted"
    assert still in render_text(ended, width=300)
    assert still in render_result(ended, "/jobs", by="U1").text
    await ask(pool, MuteGroup(WHOLE))
    _, [one, other], _ = await see()
    assert (one.muted_until, other.muted_until) == (None, None)
    await ask(pool, MuteGroup(WHOLE, above=10_000))
    _, [one, other], _ = await see()
    assert {part.facts["muted_above"] for part in (one, other)} == {10_000}


async def test_a_mute_with_a_rate_that_is_over_is_not_shown_in_the_incident(pool, conn, many, fail):
    bot, limits = Actor.task("chatbot"), Limits(kinds=frozenset({IncidentKind.GROUP}), group=3)
    for _ in range(4):
        await fail("row zz is bad", minutes(1))
    for _ in range(2):
        await perform(pool, bot, WatchIncidents("bot", limits))
    [one] = (await ask(pool, ListIncidents())).open
    await ask(pool, MuteGroup(one.subject, hours(1), 1_000))
    assert (await ask(pool, ListIncidents())).open[0].facts["muted_above"] == 1_000
    await conn.execute("UPDATE jobs_maint_groups SET muted_until = now() - interval '1 s'")
    assert "muted_above" not in (await ask(pool, ListIncidents())).open[0].facts


async def test_it_counts_the_messages_of_the_span_that_is_told(pool, many, fail):
    """The span before has 64 others."""
    for _ in range(3):
        await fail("row zz is bad", minutes(1))
    span = minutes(4)
    whole = (await ask(pool, ListErrors(since=span))).groups[0]
    assert (whole.name, whole.count, whole.count_before) == (WHOLE, 3, 64)
    assert whole.message == "row zz is bad"
    await fail("row yy is bad", minutes(1))
    for report in (
        await ask(pool, ListErrors(since=span)), await ask(pool, ShowDigest(since=span))
    ):  # fmt: skip
        assert report.groups[0].message == "2 different messages, e.g. row zz is bad"


async def test_where_it_is_muted_none_of_its_groups_is_a_new_incident(pool, conn, many, fail):
    limits = Limits(kinds=frozenset({IncidentKind.GROUP}), group=3)
    bot = Actor.task("chatbot")
    await ask(pool, MuteGroup(WHOLE, hours(3)))
    for _ in range(4):
        await fail("row zz is bad", minutes(1))
    for muted in (True, False):
        for _ in range(2):
            await perform(pool, bot, WatchIncidents("bot", limits))
        found = await conn.execute("SELECT count(*) FROM jobs_maint_incidents")
        assert (await found.fetchone() == (0,)) is muted
        await ask(pool, MuteGroup(WHOLE))


async def test_a_mute_by_its_rate_counts_all_of_it_and_ends_with_the_next_failure(pool, many, fail):
    with pytest.raises(InvalidRequest, match="failed 64 times in the last hour"):
        await ask(pool, MuteGroup(WHOLE, above=50))
    await ask(pool, MuteGroup(WHOLE, above=65))
    await fail("row zy is bad", minutes(0))
    assert (await ask(pool, HOUR)).groups[0].muted_above == 65
    await fail("row zz is bad", minutes(0))
    await ask(pool, HOUR)
    assert (await ask(pool, HOUR)).groups[0].muted_above is None


async def test_who_is_on_it_is_not_any_more_once_it_comes_back(pool, conn, many, fail):
    await ask(pool, TakeGroup(WHOLE))
    await fail("row zy is bad", minutes(0))
    assert (await ask(pool, HOUR)).groups[0].taken_by == ANA.label
    for column in ("first_at", "last_at"):
        await conn.execute(f"UPDATE jobs_maint_groups SET {column} = {column} - interval '3 days'")
    await conn.execute("UPDATE jobs_maint_failures SET failed_at = failed_at - interval '3 days'")
    await fail("row zz is bad", minutes(0))
    await ask(pool, HOUR)
    found = await conn.execute("SELECT taken_by FROM jobs_maint_groups WHERE name = %s", (WHOLE,))
    assert await found.fetchone() == (None,)


async def test_it_needs_a_role_for_every_queue_that_has_one_of_its_groups(pool, many, fail):
    await ask(pool, TakeGroup(WHOLE), WEB)
    await fail("row zz is bad", queue="pay")
    await ask(pool, HOUR)
    with pytest.raises(NotPermitted):
        await ask(pool, MuteGroup(WHOLE, days(1)), WEB)
    assert (await ask(pool, ListFailed(group=WHOLE, limit=100), WEB)).total == 64
