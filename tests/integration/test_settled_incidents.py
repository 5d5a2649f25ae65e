"""An incident about an error has the colour of what became of its jobs, and offers their retry."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.fleet import Fleet
from tests.support.history import hours, minutes

from chatbot.messages.digest import render_digest
from chatbot.messages.incident import render_incident
from chatbot.messages.incident_buttons import list_looks
from chatbot.messages.incident_thread import render_entries
from chatbot.messages.result import render_result
from jobs_maint.actions import (
    Actor,
    GetIncident,
    Grant,
    Limits,
    ListIncidents,
    Role,
    ShowDigest,
    TakeGroup,
    WatchIncidents,
)
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.models import IncidentKind
from jobs_maint.operations.incidents import marks
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

BOT, ADA = Actor.task("chatbot"), Actor("slack", "U0ADA", "ada", "C1", (Grant(Role.ADMIN),))
EVA = Actor("slack", "U0EVA", "eva", "C1", (Grant(Role.OPERATOR, queues=("web",)),))
LIMITS = Limits(kinds=frozenset({IncidentKind.GROUP}), group=3)


async def see(pool, passes=1):
    for _ in range(passes):
        report = await perform(pool, BOT, WatchIncidents("bot", LIMITS))
    return report


@pytest.fixture
async def incident(pool, conn, make_job):
    """Ids of four jobs that failed with a new error, which is an open incident."""
    await Fleet(pool, conn, make_job).start_worker()
    jobs = [
        await make_job(status="failed", queue=queue, task="app.hook", finished_ago=minutes(9))
        for queue in ("web", "web", "web", "mail")
    ]
    assert len((await see(pool, 2)).open) == 1
    return jobs


@pytest.fixture
async def become(conn):
    async def become(status, jobs):
        await conn.execute(
            "UPDATE procrastinate_jobs SET status = %s WHERE id = ANY (%s)", (status, jobs)
        )

    return become


def find_retry(message):
    buttons = [one for block in message.blocks for one in block.get("elements", ())]
    return any("retry" in str(one.get("value")) for one in buttons)


async def tell(pool, actor=ADA):
    """Dot, first line and whether a retry is offered: the message, its details, the list.

    And the words of the shell's list.
    """
    listed = await perform(pool, actor, ListIncidents())
    shown = await perform(pool, actor, GetIncident(1))
    [one] = listed.open
    each = (
        render_incident(one, listed.as_of),
        render_result(shown, "/jobs", by=actor.id),
        render_result(listed, "/jobs", by=actor.id),
    )
    dots = [message.text[0] for message in each]
    if actor is EVA and dots[0] == "🟢":  # a list of some queues is never green
        assert dots.pop() == "🟡"
    assert len(set(dots)) == 1
    [retried] = {find_retry(message) for message in each}
    shell = " ".join(render_text(listed, width=200).split())
    said = one.standing.say_standing()
    assert all(said in text for text in (shell, *(message.text for message in each)))
    return each[0].text[0], said, retried


async def test_a_new_error_has_a_message_of_its_own_where_the_jobs_of_the_last_have_succeeded(
    pool, incident, become, make_job
):
    await become("succeeded", incident)
    await see(pool)
    for _ in range(3):
        await make_job(status="failed", queue="web", task="app.pay", finished_ago=minutes(1))
    green, red = (await see(pool, 2)).open
    assert (green.facts["task"], green.folded) == ("app.hook", ())
    assert red.facts["task"] == "app.pay"
    message = render_incident(red, red.seen_at)
    assert message.text.startswith("🔴")
    assert find_retry(message)
    listed = render_result(await perform(pool, ADA, ListIncidents()), "/jobs", by=ADA.id).text
    assert listed.index(red.name) < listed.index(green.name)
    digest = await perform(pool, ADA, ShowDigest(since=hours(1)), settings=MaintSettings())
    for told in (render_digest(digest, "/jobs").text, render_text(digest, width=200)):
        assert told.index(f"Incident {red.name}") < told.index(f"Incident {green.name}")


async def test_it_is_red_while_one_is_failed_and_green_once_all_have_succeeded(
    pool, conn, incident, become
):
    assert await tell(pool) == ("🔴", "", True)
    digest = await perform(pool, ADA, ShowDigest(since=hours(1)), settings=MaintSettings())
    assert render_digest(digest, "/jobs").text.startswith("🔴")

    await become("succeeded", incident[:1])
    assert await tell(pool) == ("🔴", "1 of the jobs has succeeded since.", True)
    await become("todo", incident[1:])
    said = "All jobs have been retried since, 1 has succeeded."
    assert await tell(pool) == ("🟡", said, False)
    before = (await see(pool)).changes[0].revision
    [change] = (await see(pool)).changes
    assert (change.revision, change.incident.history[-1].what) == (before, "opened")

    await become("succeeded", incident)
    assert await tell(pool) == ("🟢", "All jobs have succeeded since.", False)
    [change] = (await see(pool, 2)).changes
    assert change.revision == before + 1  # the message is edited at once, and once
    one = change.incident
    assert [step.what for step in one.history] == ["opened", "settled"]
    told = render_entries(one, one.history[1:], one.seen_at).text
    assert told.endswith("All of its jobs have succeeded.")
    assert "Retry the jobs only once" not in render_incident(one, one.seen_at).text
    digest = await perform(pool, ADA, ShowDigest(since=hours(1)), settings=MaintSettings())
    assert render_digest(digest, "/jobs").text.startswith("🟡")  # an incident is still open

    await become("failed", incident[:1])
    assert await tell(pool) == ("🔴", "3 of the jobs have succeeded since.", True)
    await become("cancelled", incident[:1])
    said = "All jobs have been retried or cancelled since, 3 have succeeded."
    assert await tell(pool) == ("🟡", said, False)
    await conn.execute("DELETE FROM procrastinate_jobs WHERE id = %s", (incident[0],))
    said = "All jobs have been retried or deleted since, 3 have succeeded."
    assert await tell(pool) == ("🟡", said, False)
    digest = await perform(
        pool, ADA, ShowDigest(since=timedelta(minutes=1)), settings=MaintSettings()
    )
    first, *more = render_digest(digest, "/jobs").text.splitlines()
    assert first.startswith("🟡 No job ran in the last minute")
    assert "Retry the jobs" not in "".join(more)
    await conn.execute("DELETE FROM procrastinate_jobs")
    assert await tell(pool) == ("🔴", "All jobs have been deleted since.", False)


async def test_once_it_is_over_it_says_so_of_its_jobs(pool, conn, incident, become):
    await become("succeeded", incident)
    await conn.execute("UPDATE jobs_maint_failures SET failed_at = failed_at - interval '1 h'")
    await conn.execute("UPDATE jobs_maint_groups SET first_at = first_at - interval '1 h'")
    [one] = (await see(pool, 2)).resolved
    message = render_incident(one, one.seen_at)
    assert "All jobs have succeeded since." in message.text
    assert "stay failed" not in message.text
    # Its failures are shown whenever somebody looks at them.
    [words] = [button.words for button in list_looks(one)]
    asked = parse_words(split_text(words), "slack").action
    assert 0 <= (asked.until - one.resolved_at).total_seconds() < 1
    assert asked.until - asked.since < one.since


async def test_once_it_is_over_it_says_how_many_are_still_failed_and_offers_their_retry(
    pool, conn, incident, become
):
    await become("succeeded", incident[:1])
    await conn.execute("UPDATE jobs_maint_failures SET failed_at = failed_at - interval '1 h'")
    await conn.execute("UPDATE jobs_maint_groups SET first_at = first_at - interval '1 h'")
    await conn.execute("UPDATE procrastinate_events SET at = at - interval '1 h'")
    [one] = (await see(pool, 2)).resolved
    message = render_incident(one, one.seen_at)
    assert message.text.startswith("🟡")
    assert "1 of the jobs has succeeded since." in message.text
    assert "3 jobs were still failed then; they stay so until somebody retries" in message.text
    assert await count_offered(pool, message) == 3


async def test_jobs_that_failed_again_with_another_error_are_told_and_offered(
    pool, conn, incident, become
):
    await become("succeeded", incident[:2])
    await conn.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
        " exception_type, message, fingerprint, will_retry)"
        " SELECT id, 2, queue_name, task_name, now() - interval '1 min', 'error', 'KeyError', 'x',"
        " 'other', false FROM procrastinate_jobs WHERE id = ANY (%s)",
        (incident[2:],),
    )
    [one] = (await see(pool)).open
    message = render_incident(one, one.seen_at)
    said = "All jobs have been retried since, 2 have succeeded, 2 failed again with another error."
    assert message.text.startswith("🟡")
    assert said in message.text
    assert await count_offered(pool, message) == 2
    for table, column in (
        ("jobs_maint_failures", "failed_at"),
        ("jobs_maint_groups", "first_at"),
        ("procrastinate_events", "at"),
    ):
        await conn.execute(f"UPDATE {table} SET {column} = {column} - interval '1 h'")
    [one] = (await see(pool, 2)).resolved
    message = render_incident(one, one.seen_at)
    assert message.text.startswith("🟡")
    assert said in message.text
    assert "2 jobs were still failed then" in message.text
    assert await count_offered(pool, message) == 2


async def count_offered(pool, message):
    """How many jobs its *Preview retry* has."""
    [words] = [
        block["value"]
        for each in message.blocks
        for block in each.get("elements", ())
        if str(block.get("value")).startswith("retry")
    ]
    preview = await perform(pool, ADA, parse_words(split_text(words), "slack").action)
    return preview.expected


async def test_a_role_of_some_queues_is_told_of_the_jobs_of_these_alone(pool, incident, become):
    await become("succeeded", incident[:3])
    await see(pool)
    assert (await tell(pool))[0] == "🔴"
    assert await tell(pool, EVA) == ("🟢", "All jobs have succeeded since.", False)
    await become("succeeded", incident)
    await become("failed", incident[:1])
    assert await tell(pool, EVA) == ("🔴", "2 of the jobs have succeeded since.", True)


async def test_of_too_many_nobody_says_what_became_of_them(pool, incident, become, monkeypatch):
    await become("succeeded", incident)
    for most in ("MOST_FAILURES", "MOST_OF_A_STORM"):
        monkeypatch.setattr(marks, most, 3)
    assert await tell(pool) == ("🔴", "", True)


async def test_of_several_errors_in_one_each_says_it(pool, incident, become, make_job):
    others = [
        await make_job(status="failed", queue="web", task="app.mail", finished_ago=minutes(1))
        for _ in range(3)
    ]
    [one] = (await see(pool, 2)).open
    await perform(pool, ADA, TakeGroup(one.subject))
    await become("succeeded", incident)
    await see(pool)
    [change] = (await see(pool)).changes
    assert change.incident.taken_by is None  # nobody is on the one that is left
    assert change.incident.facts["task"] == "app.mail"  # what is red leads it
    assert await tell(pool) == ("🔴", "", True)
    await become("succeeded", others[:2])
    await become("todo", others[2:])
    assert (await tell(pool))[0] == "🟡"
    await become("succeeded", others)
    assert (await tell(pool))[0] == "🟢"
    listed = await perform(pool, ADA, ListIncidents())
    said = render_incident(listed.open[0], listed.as_of).text
    assert ", all have succeeded since, ada is on it.\nNobody is on it yet." in said
    assert ", all have succeeded since; taken by " in render_text(listed, width=200)


async def test_an_open_incident_of_which_no_job_is_failed_offers_no_failed_jobs(
    pool, incident, become
):
    for status, offers in (("failed", True), ("succeeded", False)):
        await become(status, incident)
        await see(pool)
        [one] = (await perform(pool, ADA, ListIncidents())).open
        assert ("Show failed jobs" in [button.label for button in list_looks(one)]) is offers
        assert ("Preview retry" in str(render_incident(one, one.seen_at).blocks)) is offers
