"""What became of the jobs that failed: one colour and the same words wherever they are told."""

from datetime import timedelta

import pytest
from tests.support.fleet import Fleet
from tests.support.history import hours, minutes

from chatbot.messages.aftermath import offer_again
from chatbot.messages.digest_thread import render_thread
from chatbot.messages.result import render_result
from jobs_maint.actions import Actor, FollowJobs, ListErrors, ListFailed, ShowDigest, ShowStats
from jobs_maint.models import DigestReport
from jobs_maint.operations.digest.summary import Summing, summarise
from jobs_maint.operations.failures import alike
from jobs_maint.operations.failures.grouping import Window
from jobs_maint.operations.session import get_time
from jobs_maint.perform import perform
from jobs_maint.redaction import DEFAULT
from jobs_maint.render import render_text, say_fate
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
HOUR = timedelta(hours=1)
ASKED = {"stats": ShowStats(), "errors": ListErrors(since=HOUR), "digest": ShowDigest(since=HOUR)}


async def tell(pool, action):
    """The first line in Slack, and all that the shell says, as one line."""
    report = await perform(pool, ANA, action, settings=MaintSettings())
    return render_result(report, "/jobs", by="U0ANA").text.splitlines()[0], " ".join(
        render_text(report).split()
    )


@pytest.mark.parametrize("word", ASKED)
async def test_failures_are_red_while_one_is_failed_and_green_once_all_have_succeeded(
    pool, conn, make_job, word
):
    await Fleet(pool, conn, make_job).start_worker()
    jobs = [
        await make_job(status="failed", queue="web", task="app.send", finished_ago=minutes(9))
        for _ in range(12)
    ]

    async def become(status, these):
        await conn.execute(
            "UPDATE procrastinate_jobs SET status = %s WHERE id = ANY (%s)", (status, these)
        )
        return await tell(pool, ASKED[word])

    first, text = await tell(pool, ASKED[word])
    assert first.startswith("🔴 12 ")
    assert "succeeded since" not in first + text

    first, text = await become("succeeded", jobs[:5])
    assert first.startswith("🔴 12 ")
    part = "5 of the failed have succeeded" if word == "stats" else "5 of the jobs have succeeded"
    assert f"{part} since." in text

    first, text = await become("todo", jobs[5:])
    assert first.startswith("🟡 12 ")
    whole = "all retried since, 5 have succeeded"
    whole = whole if word == "stats" else "All jobs have been retried since, 5 have succeeded."
    assert whole in first
    assert whole in text

    first, text = await become("succeeded", jobs)
    assert first.startswith("🟢 12 ")
    whole = "all have succeeded since"
    whole = whole if word == "stats" else "All jobs have succeeded since."
    assert whole in first
    assert whole in text

    if word == "digest":
        report = await perform(pool, ANA, ASKED[word], settings=MaintSettings())
        assert [(group.failed_now, group.retriable) for group in report.groups] == [(0, 0)]
    first, _ = await become("cancelled", jobs[:1])
    assert first.startswith("🟡 12 ")
    first, _ = await become("failed", jobs[:1])
    assert first.startswith("🔴 12 ")


@pytest.mark.parametrize("word", ["errors", "digest"])
async def test_what_became_of_the_jobs_of_one_error_is_told_beside_others(
    pool, conn, make_job, word
):
    """Whether or not what became of all of them together is the same."""
    await Fleet(pool, conn, make_job).start_worker()
    told = {
        "run": "succeeded since",
        "drop": "cancelled since",
        "half": "retried or cancelled since, 1 has succeeded",
        "wait": "1 failed now, 2 retried since",
        "again": "3 failed now",
    }
    jobs = {
        name: [
            await make_job(status="failed", queue="web", task=f"app.{name}", error=f"{name} down",
                           finished_ago=minutes(9))
            for _ in range(3)
        ]
        for name in told
    }  # fmt: skip
    became = {"succeeded": jobs["run"] + jobs["half"][:1], "todo": jobs["wait"][:1],
              "doing": jobs["wait"][1:2], "cancelled": jobs["drop"] + jobs["half"][1:]}  # fmt: skip
    for status, these in became.items():
        await conn.execute(
            "UPDATE procrastinate_jobs SET status = %s WHERE id = ANY (%s)", (status, these)
        )
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at) SELECT id, 'failed', now()"
        " - interval '2 min' FROM unnest(%s::bigint[]) AS id",
        (jobs["again"],),
    )
    report = await perform(pool, ANA, ASKED[word], settings=MaintSettings())
    counts = {group.task.split(".")[1]: group.count for group in report.groups}
    assert counts == dict.fromkeys(told, 3) | {"again": 6}
    fates = {group.task.split(".")[1]: say_fate(group, report) for group in report.groups}
    assert fates == told


async def list_retries(pool, action):
    """The labels of all buttons that retry."""
    report = await perform(pool, ANA, action, settings=MaintSettings())
    messages = [render_result(report, "/jobs", by="U0ANA")]
    if isinstance(report, DigestReport):
        messages = render_thread(report, "/jobs")
    return [
        element["text"]["text"]
        for message in messages
        for block in message.blocks
        for element in block.get("elements", ())
        if "retry" in str(element.get("value"))
    ]


@pytest.mark.parametrize("word", ["errors", "digest", "failed"])
async def test_a_retry_is_offered_of_those_that_can_be_retried_alone(pool, conn, make_job, word):
    asked = {**ASKED, "failed": ListFailed(since=HOUR, grouped=True)}[word]
    jobs = [
        await make_job(status="failed", queue="web", task="app.send", finished_ago=minutes(9))
        for _ in range(9)
    ]
    one, two, *_ = jobs
    assert await list_retries(pool, asked) == ["Preview retry of 9"]
    await conn.execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = %s", (one,))
    await conn.execute("UPDATE procrastinate_jobs SET status = 'cancelled' WHERE id = %s", (two,))
    await conn.execute("DELETE FROM procrastinate_jobs WHERE id = %s", (jobs[2],))
    assert await list_retries(pool, asked) == ["Preview retry of 6"]
    await conn.execute(
        "UPDATE procrastinate_jobs SET queueing_lock = 'x' WHERE id = ANY (%s)", (jobs[3:6],)
    )
    assert await list_retries(pool, asked) == ["Preview retry of 4"]
    await conn.execute("UPDATE procrastinate_jobs SET status = 'todo' WHERE id = %s", (jobs[3],))
    assert await list_retries(pool, asked) == ["Preview retry of 3"]


async def test_of_jobs_that_failed_again_those_are_retried_that_can_be(pool, conn, make_job):
    jobs = [await make_job(status="failed", queue="web", task="app.send") for _ in range(4)]
    await conn.execute(
        "UPDATE procrastinate_jobs SET queueing_lock = 'x' WHERE id = ANY (%s)", (jobs[:2],)
    )

    async def offered():
        after = await perform(pool, ANA, FollowJobs(tuple(jobs)))
        return after.failed, [button.label for button in offer_again(after, 7)]

    assert await offered() == (4, ["Preview retry of 3", "Details"])
    await make_job(queue="web", queueing_lock="x")
    assert await offered() == (4, ["Preview retry of 2", "Details"])
    await conn.execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = ANY (%s)",
                       (jobs[2:],))  # fmt: skip
    assert await offered() == (2, ["Details"])


async def test_jobs_that_failed_again_are_counted_once_as_jobs(pool, conn, make_job):
    jobs = [
        await make_job(status="failed", queue="web", task="app.send", finished_ago=minutes(9))
        for _ in range(4)
    ]
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at) SELECT id, 'failed', now()"
        " - interval '2 min' FROM unnest(%s::bigint[]) AS id",
        (jobs[:2],),
    )
    first, text = await tell(pool, ASKED["stats"])
    assert "4 jobs failed 6 times in the last hour" in first
    assert "4 jobs failed 6 times in the last hour" in text
    await conn.execute("UPDATE procrastinate_jobs SET status = 'succeeded'")
    first, _ = await tell(pool, ASKED["stats"])
    assert "4 jobs failed 6 times in the last hour, all have succeeded since" in first


async def test_a_digest_tells_what_became_of_its_own_jobs_alone(conn, make_job):
    """Not of those that failed outside its window, or are of another queue or task."""
    mine = await make_job(status="failed", queue="web", task="app.send", finished_ago=hours(2))
    for queue, task, ago in (
        ("web", "app.send", minutes(5)),
        ("web", "app.send", hours(5)),
        ("web", "app.pay", hours(2)),
        ("mail", "app.send", hours(2)),
    ):
        await make_job(status="failed", queue=queue, task=task, finished_ago=ago)
    await conn.execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = %s", (mine,))
    now = await get_time(conn)
    window = Window(now - hours(4), now - hours(1), ["web"], ["*.send"])
    report = await summarise(conn, Summing(MaintSettings(), DEFAULT), window)
    assert (report.failed, report.failed_now, report.settled) == (1, 0, 1)
    assert report.all_succeeded
    assert report.say_standing() == "Its job has succeeded since."


@pytest.mark.parametrize("word", ASKED)
async def test_where_there_are_too_many_nothing_is_said_of_what_became_of_them(
    pool, conn, make_job, word, monkeypatch
):
    monkeypatch.setattr(alike, "MOST_FOUND", 3)
    for _ in range(3):
        await make_job(status="failed", queue="web", finished_ago=minutes(9))
    await conn.execute("UPDATE procrastinate_jobs SET status = 'succeeded'")
    report = await perform(pool, ANA, ASKED[word], settings=MaintSettings())
    assert report.failed_now is None
    first, text = await tell(pool, ASKED[word])
    assert "have succeeded" not in first + text
