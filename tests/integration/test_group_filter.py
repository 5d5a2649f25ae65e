"""`--group` on a real database: what a button says is what its press finds, and no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.history import minutes

from chatbot.messages.result import render_result
from jobs_maint.actions import (
    Actor,
    BulkVerb,
    Grant,
    JobFilter,
    ListErrors,
    ListFailed,
    Role,
    ShowStats,
)
from jobs_maint.actions import PreviewBulk as Bulk
from jobs_maint.actions.base import spell
from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.operations.failures import alike
from jobs_maint.operations.failures.memory import collect_groups
from jobs_maint.operations.incidents.marks import count_standing
from jobs_maint.perform import perform
from jobs_maint.quoting import quote_word
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "here")
EVE = Actor("slack", "U0EVE", "eve", "C1", (Grant(Role.OPERATOR, ("pay2",)),))
HOUR = timedelta(hours=1)
LATE, LOST = "order 7 is late", "order 'x' is lost"
FAIL_MANY = """
    WITH job AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, status, attempts)
        SELECT %(queue)s, 'shop.pay', 'failed', 1 FROM generate_series(1, %(number)s) RETURNING id
    ), event AS (
        INSERT INTO procrastinate_events (job_id, type, at)
        SELECT id, 'failed', now() - interval '5 minutes' FROM job
    )
    INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,
                                     exception_type, message, fingerprint, will_retry)
    SELECT id, 1, %(queue)s, 'shop.pay', now() - interval '5 minutes', 'error', 'shop.Weird',
           %(message)s, %(fingerprint)s, false FROM job
"""


async def ask(pool, action, actor=ANA):
    return await perform(pool, actor, action, settings=MaintSettings())


async def press(pool, words, actor=ANA):
    return await ask(pool, parse_words(split_text(words), "slack").action, actor)


def buttons(message):
    return {
        one["text"]["text"]: one["value"]
        for block in message.blocks
        if block["type"] == "actions"
        for one in block["elements"]
    }


@pytest.fixture
async def groups(pool, conn, make_job):
    """Names of three groups of one task that begin alike, by message; one is in another queue."""
    for queue, number, message, fingerprint in (
        ("pay2", 260, LATE, "2:aa"),
        ("pay2", 270, LOST, "2:bb"),
        ("web", 10, LOST, "2:bb"),
        ("web", 1, "order 8 is odd", "2:cc"),
    ):
        values = {
            "queue": queue, "number": number, "message": message, "fingerprint": fingerprint
        }  # fmt: skip
        await conn.execute(FAIL_MANY, values)
    # It was late once, and then lost: its last error counts.
    again = {"queue": "pay2", "task": "shop.pay", "exception_type": "shop.Weird"}
    job = await make_job(**again, status="failed", error=LOST, fingerprint="2:bb")
    await conn.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
        " exception_type, message, fingerprint, will_retry)"
        " SELECT job_id, 0, queue_name, task_name, failed_at - interval '1 second', kind,"
        " exception_type, %s, '2:aa', true FROM jobs_maint_failures WHERE job_id = %s",
        (LATE, job),
    )
    await collect_groups(conn)
    found = await conn.execute("SELECT message, name FROM jobs_maint_groups")
    return dict(await found.fetchall())


def spell_span(report):
    ends = getattr(report, "until", None) or report.as_of
    return f" --since 1h {spell('', until=ends).strip()}"


@pytest.mark.parametrize("word", ["errors", "failed"])
async def test_a_button_that_is_pressed_later_finds_what_its_message_shows(
    pool, make_job, monkeypatch, word
):
    """As half an hour later: what failed since then is not there, what is older by now is."""
    monkeypatch.setattr(alike, "MOST_IDS", 1)
    ends = datetime.now(UTC).replace(microsecond=0) - minutes(30)
    for ago in (89, 60, 40, 31, 29, 10, 91):
        await make_job(status="failed", queue="web", task="app.pay", finished_ago=minutes(ago))
    asked = {
        "errors": ListErrors(since=HOUR, until=ends),
        "failed": ListFailed(since=HOUR, until=ends, grouped=True),
    }[word]
    report = await ask(pool, asked)
    shown = buttons(render_result(report, "/jobs", by="U0ANA"))
    preview = await press(pool, shown["Preview retry of 4"])
    assert (preview.count, preview.groups[0].task) == (4, "app.pay")
    assert shown["Preview retry of 4"] in render_result(preview, "/jobs", by="U0ANA").text
    again = await ask(pool, ListFailed(since=HOUR, until=ends))
    assert again.total == 4
    text = render_text(again, width=100)
    assert f"4 failed jobs in the 60 min to {ends:%Y-%m-%d %H:%M:%S} UTC" in text
    told = render_result(replace(report, as_of=datetime.now(UTC)), "/jobs", by="U0ANA").text
    assert " in one hour" in told.splitlines()[0]
    assert "\nFrom " in told
    if word == "errors":
        listed = await press(pool, shown["Show 4 failures"])
        assert listed.total == 4
    await press(pool, shown["Preview retry of 4"])


@pytest.mark.parametrize("word", ["errors", "failed"])
async def test_a_button_that_is_pressed_later_finds_a_job_that_has_failed_again(
    pool, conn, make_job, word
):
    again, once = [
        await make_job(status="failed", queue="web", task="app.pay", finished_ago=minutes(20))
        for _ in range(2)
    ]
    asked = {"errors": ListErrors(since=HOUR), "failed": ListFailed(since=HOUR, grouped=True)}[word]
    shown = buttons(render_result(await ask(pool, asked), "/jobs", by="U0ANA"))
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at) SELECT %(id)s, type::"
        "procrastinate_job_event_type, now() + after FROM (VALUES ('started', interval '2 s'),"
        " ('failed', interval '3 s')) AS event (type, after)",
        {"id": again},
    )
    await conn.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
        " exception_type, message, fingerprint, will_retry) SELECT job_id, attempt + 1, queue_name,"
        " task_name, now() + interval '3 s', kind, exception_type, message, fingerprint, false"
        " FROM jobs_maint_failures WHERE job_id = %s",
        (again,),
    )
    preview = await press(pool, shown["Preview retry of 2"])
    assert preview.count == 2
    if word == "errors":
        listed = await press(pool, shown["Show 2 failures"])
        assert listed.total == 2
        assert {one.job_id for one in listed.jobs} == {again, once}


async def test_the_failures_that_stats_counts_are_shown_later_too(pool, make_job):
    await make_job(status="failed", queue="web", finished_ago=minutes(5))
    stats = await ask(pool, ShowStats())
    words = buttons(render_result(stats, "/jobs", by="U0ANA"))["Show 1 failure"]
    assert words == f"failed{spell_span(stats)}"
    assert (await press(pool, words)).total == 1


async def test_each_button_finds_the_jobs_of_its_own_group(pool, groups):
    for asked in (ListErrors(since=HOUR), ListFailed(since=HOUR, grouped=True)):
        report = await ask(pool, asked)
        shown = buttons(render_result(report, "/jobs", by="U0ANA"))
        for message, number in ((LATE, 260), (LOST, 281)):
            words = shown[f"Preview retry of {number}"]
            assert words == f"retry --all --group {groups[message]}{spell_span(report)}"
            preview = await press(pool, words)
            assert (preview.count, preview.error) == (number, f"Weird: {message}")
            told = render_result(preview, "/jobs", by="U0ANA").text
            assert f"Weird: {message}" in told
            assert words in told
            page = render_text(preview, width=100)
            assert f"Error: Weird: {message}" in page
            assert f"Asked: {words}" in page
            if isinstance(asked, ListErrors):
                words = shown[f"Show {number} failures"]
                assert words == f"failed --group {groups[message]}{spell_span(report)}"
                listed = await press(pool, words)
                assert listed.total == number
                assert f"{number} failed jobs of the group {groups[message]} in" in render_text(
                    listed, width=100
                )
                listed = await ask(
                    pool, ListFailed(since=HOUR, group=groups[message], grouped=True)
                )
                [one] = listed.groups
                assert (one.count, one.message, listed.hidden_jobs) == (number, message, 0)
                told = render_result(listed, "/jobs", by="U0ANA")
                assert (
                    f"{number} pay jobs failed with the error {groups[message]} in the last hour."
                    in told.text
                )
                assert buttons(told)[f"Preview retry of {number}"] == (
                    f"retry --all --group {groups[message]}{spell_span(listed)}"
                )


async def test_a_group_meets_the_other_filters_and_statuses(pool, conn, groups):
    async def count(verb=BulkVerb.RETRY, *, message=LOST, **wanted):
        wanted = {"statuses": verb.statuses[:1], "group": groups[message], **wanted}
        return (await ask(pool, Bulk(verb, JobFilter(**wanted)))).count

    assert await count(queue="web") == 10
    assert await count(error="is LOST", queue="pay2") == 271
    assert await count(error="is late") == 0
    assert await count(BulkVerb.DISCARD) == 281
    await conn.execute("UPDATE procrastinate_jobs SET status = 'todo' WHERE queue_name = 'web'")
    assert await count() == 271
    assert await count(BulkVerb.CANCEL) == 10
    listed = await ask(pool, ListFailed(since=HOUR, group=groups[LOST], grouped=True))
    assert (listed.total, listed.retried_since) == (271, 10)


async def test_a_narrow_role_gets_its_own_jobs_and_does_not_hear_of_other_groups(
    pool, conn, groups, make_job
):
    odd, lost = groups["order 8 is odd"], groups[LOST]
    preview = await press(pool, f"retry --all --group {lost}", EVE)
    assert (preview.count, {one.queue for one in preview.groups}) == (271, {"pay2"})
    assert (await press(pool, f"failed --group {lost}", EVE)).total == 271
    for words in (f"failed --group {odd}", f"retry --all --group {odd}"):
        with pytest.raises(InvalidRequest, match=f"There is no group {odd}"):
            await press(pool, words, EVE)
    near = f"{lost[:-1]}{'0' if lost[-1] != '0' else '1'}"
    with pytest.raises(InvalidRequest, match=f"did you mean {lost}") as caught:
        await press(pool, f"retry --all pay2 --group {near} --since 2h", EVE)
    assert caught.value.suggestion == f"retry --all pay2 --group {lost} --since 2h"
    # It reaches her queue: the next look at it is not waited for.
    await make_job(
        status="failed", queue="pay2", task="shop.pay", error="order 9 is odd", fingerprint="2:cc",
        exception_type="shop.Weird", finished_ago=minutes(1),
    )  # fmt: skip
    preview = await press(pool, f"retry --all --group {odd}", EVE)
    assert (preview.count, preview.error) == (1, "Weird: order 9 is odd")


async def test_a_preview_quotes_an_error_of_its_own_jobs(pool, conn, make_job):
    """Not the newest of the group, whose job is outside the span or in another queue."""
    for queue, ago, text in (("web", 90, "one"), ("web", 10, "two"), ("pay2", 5, "three")):
        await make_job(
            status="failed", task="shop.pay", fingerprint="2:aa", queue=queue,
            error=f"{text} is late", finished_ago=minutes(ago),
        )  # fmt: skip
    await collect_groups(conn)
    [name] = await (await conn.execute("SELECT name FROM jobs_maint_groups")).fetchone()
    past = f"--until {datetime.now(UTC) - HOUR:%Y-%m-%dT%H:%M:%SZ}"
    for words, number, text in (
        (f"retry --all --group {name} {past}", 1, "one"),
        (f"retry --all web --group {name}", 2, "two"),
        (f"discard --all --group {name}", 3, "three"),
        (f"retry --all --group {name} --until 2h", 0, None),
    ):
        preview = await press(pool, words)
        several = f"{number} different messages, e.g. " if number > 1 else ""
        said = text and f"ValueError: {several}{text} is late"
        assert (preview.count, preview.error) == (number, said)
        shown = render_text(preview, width=200)
        shown += render_result(preview, "/jobs", by="U1").text
        said = {one for one in ("one", "two", "three") if f"{one} is late" in shown}
        assert said == ({text} if text else set())


async def test_what_failed_again_with_another_error_is_among_those_retried_since(
    pool, conn, make_job
):
    """Five of twelve are failed still, with the others they add up; so in an incident of it."""
    values = {"queue": "web", "number": 12, "message": LATE, "fingerprint": "2:aa"}
    await conn.execute(FAIL_MANY, values)
    await collect_groups(conn)
    found = await conn.execute("SELECT name FROM jobs_maint_groups")
    [(name,)] = await found.fetchall()
    report = await ask(pool, ListErrors(since=HOUR))
    shown = buttons(render_result(report, "/jobs", by="U0ANA"))
    found = await conn.execute("SELECT id FROM procrastinate_jobs ORDER BY id")
    ids = [row[0] for row in await found.fetchall()]
    for status, jobs in (("succeeded", ids[:3]), ("cancelled", ids[3:5])):
        await conn.execute(
            "UPDATE procrastinate_jobs SET status = %s WHERE id = ANY (%s)", (status, jobs)
        )
    await conn.execute("DELETE FROM procrastinate_jobs WHERE id = %s", (ids[5],))
    again = ids[6]
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at) SELECT %s, type::"
        "procrastinate_job_event_type, now() - before FROM (VALUES ('deferred_for_retry',"
        " interval '9 s'), ('started', interval '8 s'), ('failed', interval '7 s'))"
        " AS event (type, before)",
        (again,),
    )
    await conn.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
        " exception_type, message, fingerprint, will_retry) SELECT job_id, attempt + 1, queue_name,"
        " task_name, now() - interval '7 s', kind, exception_type, %s, '2:bb', false"
        " FROM jobs_maint_failures WHERE job_id = %s",
        (LOST, again),
    )
    await collect_groups(conn)
    pressed = await press(pool, shown["Show 12 failures"])
    for asked in (pressed, *[await ask(pool, ListFailed(since=HOUR, grouped=True, **one))
                             for one in ({"group": name}, {"error": "is late"})]):  # fmt: skip
        assert (asked.total, asked.settled) == (5, 7)
        said = "retried, cancelled or deleted since, 3 have succeeded."
        if asked is pressed:
            assert f"In that time 7 more jobs failed, {said}" in render_text(asked, width=200)
        else:
            told = render_result(asked, "/jobs", by="U0ANA").text
            assert f"7 more jobs failed in that time, {said}" in told
    other = await ask(pool, ListFailed(since=HOUR, grouped=True, error="is lost"))
    assert (other.total, other.settled) == (1, 0)
    standing = (await count_standing(conn, [name]))[name]
    assert (standing["failed_now"], standing["retried_since"]) == (5, 4)


@pytest.mark.parametrize("name", ["a\tb", "a\\b", "it's", 'a"\u200eb'])
async def test_a_queue_that_is_none_is_named_as_it_can_be_typed(pool, name):
    with pytest.raises(InvalidRequest) as refused:
        await press(pool, f"stats {quote_word(name)}")
    named = str(refused.value).removeprefix("There is no queue ").partition("; ")[0]
    assert named.isprintable()
    with pytest.raises(InvalidRequest) as again:
        await press(pool, f"stats {named}")
    assert str(again.value) == str(refused.value)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("errors 1h", "errors --since 1h"),
        ("digest 7days", "digest --since 7d"),
        ("failed 2h", "failed --since 2h"),
        ("stats 1h", "errors --since 1h"),
        ("digest 90m", "digest --since 1h30m"),
        ("retry --all 1h --task pay", "retry --all --task pay --since 1h"),
    ],
)
async def test_a_span_in_the_place_of_a_queue_is_suggested_as_one(pool, make_job, typed, meant):
    await make_job(status="failed", queue="web", finished_ago=minutes(5))
    with pytest.raises(InvalidRequest, match="There is no queue ") as refused:
        await press(pool, typed)
    assert refused.value.suggestion == meant
    assert f"did you mean '{meant}'?" in str(refused.value)
    await press(pool, meant)
    await make_job(status="failed", queue=typed.split()[-1 if "retry" not in typed else 2])
    await press(pool, typed)  # now there is such a queue


async def test_what_failed_before_a_moment_is_told_as_it_was_then(pool, conn, make_job):
    """Of a job that failed again since with another error, nothing of its later failure."""
    late, lost = "it is late", "it is lost"
    job = await make_job(
        status="failed", queue="web", task="shop.pay", error=late, fingerprint="2:aa",
        finished_ago=minutes(40),
    )  # fmt: skip
    await collect_groups(conn)
    # Started before the moment, failed after it.
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at) SELECT %s, type::"
        "procrastinate_job_event_type, now() - before FROM (VALUES ('deferred_for_retry',"
        " interval '32 min'), ('started', interval '31 min'), ('failed', interval '2 min'))"
        " AS event (type, before)",
        (job,),
    )
    await conn.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
        " exception_type, message, fingerprint, will_retry) VALUES (%s, 2, 'web', 'shop.pay',"
        " now() - interval '2 min', 'error', 'ValueError', %s, '2:bb', false)",
        (job, lost),
    )
    await collect_groups(conn)
    found = await conn.execute("SELECT message, name FROM jobs_maint_groups")
    names = dict(await found.fetchall())
    then = datetime.now(UTC) - minutes(30)
    for until, text, other, ago in ((then, late, lost, 40), (None, lost, late, 2)):
        past = "" if until is None else f" --until {until:%Y-%m-%dT%H:%M:%SZ}"
        for words in ("", " web", f" --group {names[text]}", f" --error '{text}'", " --since 1h"):
            listed = await press(pool, f"failed{words}{past}")
            [one] = listed.jobs
            assert (one.job_id, one.message, one.fingerprint[:2]) == (job, text, "2:"), words
            assert timedelta() <= datetime.now(UTC) - one.failed_at - minutes(ago) < minutes(1)
            assert text in render_text(listed, width=140)
            asked = parse_words(split_text(f"failed{words}{past}"), "slack").action
            told = render_result(await ask(pool, replace(asked, grouped=True)), "/jobs", by="U1")
            assert f"{ago} min ago" in told.text, words
            assert text in told.text
            assert other not in told.text
            # What its button retries is the same job.
            preview = await press(pool, f"retry --all{words}{past}")
            assert preview.count == 1
            [error] = preview.errors.groups
            assert error.error == f"ValueError: {text}"
        for words in (f"--group {names[other]}", f"--error '{other}'"):
            for word in ("failed", "retry --all"):
                found = await press(pool, f"{word} {words}{past}")
                assert getattr(found, "total", getattr(found, "count", None)) == 0
    for word in ("retry", "discard"):  # "older than half an hour": not what failed two minutes ago
        assert (await press(pool, f"{word} --all web --until 30m")).count == 0
        assert (await press(pool, f"{word} --all web --until 1m")).count == 1
        assert (await press(pool, f"{word} --all --error '{late}' --until 1m")).count == 0
