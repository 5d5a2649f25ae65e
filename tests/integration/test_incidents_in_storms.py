"""What thousands of equal failures hide of other errors: nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.fleet import Fleet
from tests.support.history import days, minutes

from chatbot.messages.incident import render_incident
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
    WatchIncidents,
)
from jobs_maint.models import IncidentKind
from jobs_maint.operations.incidents import looking
from jobs_maint.perform import perform
from jobs_maint.render import render_text

BOT, ADA = Actor.task("chatbot"), Actor("slack", "U0ADA", "ada", "C1", (Grant(Role.ADMIN),))
EVA = Actor("slack", "U0EVA", "eva", "C1", (Grant(Role.OPERATOR, queues=("web",)),))
GROUPS = Limits(kinds=frozenset({IncidentKind.GROUP}), group=3)
STORM = """
WITH made AS (
    INSERT INTO procrastinate_jobs (queue_name, task_name, status)
    SELECT CASE WHEN n %% 100 = 0 THEN 'web' ELSE 'bulk' END, 'app.uniq', 'todo'
    FROM generate_series(1, %(jobs)s) AS n RETURNING id, queue_name, task_name
)
INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,
                                 exception_type, message, fingerprint, will_retry)
SELECT id, 1, queue_name, task_name, now() - make_interval(secs => 60 + id %% 100), 'error',
       'KeyError', 'a key is not there', '2:storm', false FROM made
"""


async def see(pool, passes=2, limits=GROUPS):
    for _ in range(passes):
        report = await perform(pool, BOT, WatchIncidents("bot", limits))
    return {part.facts["task"]: part for one in report.open for part in (one, *one.folded)}


@pytest.fixture
async def storm(pool, conn, make_job):
    """`await storm(6_000)`: so many jobs fail with one error, newer than all others."""
    await Fleet(pool, conn, make_job).start_worker()

    async def storm(jobs):
        await conn.execute(STORM, {"jobs": jobs})
        for step in ("doing", "failed"):
            await conn.execute(
                "UPDATE procrastinate_jobs SET status = %s WHERE task_name = 'app.uniq'"
                " AND status IN ('todo', 'doing')", (step,),
            )  # fmt: skip

    return storm


@pytest.fixture
async def hook(pool, storm, make_job):
    """Ids of four jobs that failed with an error of their own, which is an open incident."""
    jobs = [await make_job(status="failed", queue="web", task="app.hook", exception_type="OSError",
                           finished_ago=minutes(20)) for _ in range(4)]  # fmt: skip
    assert list(await see(pool)) == ["app.hook"]
    return jobs


async def test_the_number_of_a_storm_is_the_true_one_and_moves_on(pool, storm):
    await storm(6_000)
    one = (await see(pool, 4))["app.uniq"]
    assert one.value == 6_000
    assert "6,000 failures in the last hour" in render_incident(one, one.seen_at).text
    await storm(6_500)
    one = (await see(pool, 3))["app.uniq"]
    assert (one.value, [entry.value for entry in one.history]) == (12_500, [6_000, 12_500])


async def test_of_more_than_are_counted_each_place_says_at_least(pool, conn, storm):
    await storm(4_000)
    await see(pool)
    await storm(16_500)
    one = (await see(pool, 6))["app.uniq"]
    assert one.value == 20_000
    said = "at least 20,000 failures in the last hour"
    listed = await perform(pool, ADA, ListIncidents())
    details = await perform(pool, ADA, GetIncident(one.id))
    digest = await perform(pool, ADA, ShowDigest(since=minutes(60)))
    for text in (
        render_incident(one, one.seen_at).text,
        render_result(listed, "/jobs", by=ADA.id).text,
        render_result(details, "/jobs", by=ADA.id).text,
        *(" ".join(render_text(report, width=200).split()) for report in (listed, details, digest)),
    ):
        assert said in text
    worse = [entry for entry in one.history if entry.what == "worse"][-1:]
    assert "now at least 20,000 failures" in render_entries(one, worse, one.seen_at).text

    [cut] = (await perform(pool, EVA, ListIncidents())).open
    assert cut.value < 20_000
    assert f"at least {cut.value:,.0f} failures" in render_incident(cut, cut.seen_at).text

    await conn.execute("UPDATE jobs_maint_failures SET failed_at = failed_at - interval '1 h'")
    assert await see(pool) == {}
    [over] = (await perform(pool, ADA, ListIncidents(since=days(1)))).recent
    assert "at least 20,000 failures in an hour" in render_incident(over, over.seen_at).text


async def test_an_error_whose_jobs_have_succeeded_is_green_beside_a_storm(pool, conn, storm, hook):
    await conn.execute(
        "UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = ANY (%s)", (hook,)
    )
    await storm(6_000)
    before = await see(pool, 4)
    seen = await see(pool, 1)
    one = seen["app.hook"]
    assert one.seen_at > before["app.hook"].seen_at
    assert set(seen) == {"app.hook", "app.uniq"}
    for report in (
        await perform(pool, ADA, ListIncidents()),
        await perform(pool, ADA, GetIncident(one.id)),
        await perform(pool, ADA, ShowDigest(since=minutes(60))),
    ):
        assert "jobs have succeeded since" in _one_line(render_text(report, width=200))
    details = render_result(await perform(pool, ADA, GetIncident(one.id)), "/jobs", by=ADA.id)
    assert details.text.startswith("🟢")
    assert "Preview retry" not in str(details.blocks)
    assert "Retry the jobs" not in str(details.blocks)


async def test_an_error_that_goes_on_beside_a_storm_is_counted_and_ends_when_it_stops(
    pool, conn, storm, hook, make_job
):
    await storm(6_000)
    for _ in range(5):
        await make_job(status="failed", queue="web", task="app.hook", exception_type="OSError",
                       finished_ago=minutes(10))  # fmt: skip
    one = (await see(pool, 4))["app.hook"]
    assert (one.value, one.standing.failed_now) == (9, 9)
    assert [entry.what for entry in one.history] == ["opened", "worse", "folded"]
    await conn.execute(
        "UPDATE jobs_maint_failures SET failed_at = failed_at - interval '1 h'"
        " WHERE task_name = 'app.hook'"
    )
    assert list(await see(pool)) == ["app.uniq"]
    [left] = (await perform(pool, ADA, ListIncidents())).open
    [over] = left.past
    assert (over.facts["task"], over.facts["left"], over.why) == ("app.hook", 0, "good")


async def test_an_error_that_begins_before_a_storm_of_another_is_found(pool, storm, make_job):
    for _ in range(3):
        await make_job(status="failed", queue="web", task="app.new", exception_type="OSError",
                       finished_ago=minutes(5))  # fmt: skip
    await storm(6_000)
    assert set(await see(pool, 4)) == {"app.new", "app.uniq"}


async def test_errors_whose_jobs_are_dealt_with_take_no_place_from_a_new_one(
    pool, conn, storm, make_job, monkeypatch
):
    monkeypatch.setattr(looking, "MOST_GROUPS", 3)

    async def fail(task):
        for _ in range(3):
            await make_job(status="failed", queue="web", task=task, exception_type="OSError",
                           finished_ago=minutes(5), fingerprint=f"2:{task}")  # fmt: skip

    old = [f"app.old{number}" for number in range(3)]
    for task in old:
        await fail(task)
    assert sorted(await see(pool, 3)) == old
    await conn.execute("UPDATE procrastinate_jobs SET status = 'todo' WHERE status = 'failed'")
    await see(pool)
    await fail("app.new")
    assert "app.new" in await see(pool, 3)
    assert "app.new" in await see(pool, 3), "it stays"


async def test_a_queue_with_many_failures_does_not_recover_in_the_shadow_of_another(
    pool, conn, storm, make_job
):
    """Of the newest 5,000 failures, none is its own."""
    limits = Limits(kinds=frozenset({IncidentKind.FAILURES_HIGH}), few=3)
    now = (await (await conn.execute("SELECT now()")).fetchone())[0]
    start = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    await conn.execute(
        "INSERT INTO jobs_maint_rates (quarter, failed) SELECT q, '{\"web\": 0}' FROM unnest(%s) q",
        ([start - timedelta(days=ago) for ago in range(1, 8)],),
    )
    for _ in range(4):
        await make_job(status="failed", queue="web", task="app.hook", finished_ago=minutes(8))
    report = [await perform(pool, BOT, WatchIncidents("bot", limits)) for _ in range(2)][-1]
    assert [one.subject for one in report.open] == ["web"]
    await storm(6_000)
    await conn.execute("UPDATE procrastinate_jobs SET queue_name = 'bulk' WHERE task_name = %s",
                       ("app.uniq",))  # fmt: skip
    report = [await perform(pool, BOT, WatchIncidents("bot", limits)) for _ in range(2)][-1]
    assert "web" in {one.subject for one in report.open}
    # What was counted is told, not what it may come to.
    [bulk] = [part for one in report.open for part in (one, *one.folded) if part.subject == "bulk"]
    assert (bulk.value, bulk.facts["at_least"]) == (5_000, True)
    said = [render_incident(one, one.seen_at).text for one in report.open]
    assert "lso: at least 5,000 failures of bulk in 15 min" in "".join(said)
    await conn.execute("UPDATE procrastinate_events SET at = at - interval '1 h'")
    report = [await perform(pool, BOT, WatchIncidents("bot", limits)) for _ in range(2)][-1]
    assert report.open == ()
    said = [render_incident(one, one.seen_at).text for one in report.resolved]
    assert "bulk had at least 5,000 failures in 15 min" in "".join(said)


def _one_line(text):
    return " ".join(text.split())


@pytest.mark.parametrize(("status", "dot"), [("cancelled", "🟡"), ("succeeded", "🟢")])
async def test_a_storm_whose_jobs_were_all_dealt_with_is_not_red_and_offers_no_retry(
    pool, conn, storm, make_job, status, dot
):
    await storm(6_000)
    await conn.execute("UPDATE procrastinate_jobs SET status = %s WHERE id <> 5999", (status,))
    await see(pool, 4)

    async def tell():
        await see(pool, 1)
        listed = await perform(pool, ADA, ListIncidents())
        return render_incident(listed.open[0], listed.as_of)

    message = await tell()  # the oldest is failed still
    how = {"cancelled": "have been cancelled", "succeeded": "have succeeded"}[status]
    assert f"5,999 of the jobs {how} since." in message.text
    assert message.text.startswith("🔴")
    assert "Preview retry" in str(message.blocks)
    await conn.execute("UPDATE procrastinate_jobs SET status = %s", (status,))
    message = await tell()
    assert message.text.startswith(dot)
    assert f"All jobs {how} since." in message.text
    assert "Preview retry" not in str(message.blocks)
    await make_job(status="failed", queue="web", task="app.uniq", fingerprint="2:storm",
                   exception_type="KeyError", finished_ago=minutes(0))  # fmt: skip
    assert (await tell()).text.startswith("🔴")
