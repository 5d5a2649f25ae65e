"""What the words say where workers live and none of them takes another job."""

from __future__ import annotations

import pytest
from tests.support.fleet import Fleet
from tests.support.history import minutes

from chatbot.messages import render_digest
from chatbot.messages.outcome import render_bulk
from chatbot.messages.preview import render_preview
from chatbot.messages.rescue import render_rescue
from chatbot.messages.stuck import render_stuck
from chatbot.messages.workers import render_workers
from jobs_maint.actions import (
    Actor,
    ConfirmSelection,
    ListStuck,
    ListWorkers,
    PreviewRescue,
    RescueStalled,
    RunDoctor,
    ShowDigest,
    ShowStats,
)
from jobs_maint.perform import perform
from jobs_maint.render import build_verdict, render_text

ANA = Actor.shell("ana", "host")
WAITS = ("it waits", "they wait")


async def test_while_the_last_worker_stops_all_say_at_once_that_none_listens(pool, conn, make_job):
    fleet = Fleet(pool, conn, make_job)
    stopping = await fleet.start_worker()
    await fleet.beat(
        stopping,
        await make_job(queue="mail", status="doing", worker_id=stopping, deferred_ago=minutes(1)),
    )
    await make_job(queue="mail", deferred_ago=minutes(0.1))
    report = await perform(pool, ANA, ShowStats())
    assert build_verdict(report).level == "green"
    await conn.execute("UPDATE jobs_maint_workers SET queues = '{}'")
    report = await perform(pool, ANA, ShowStats())
    assert (report.workers.live, report.workers.stopping) == (1, 1)
    assert report.unheard_queues == ("mail",)
    verdict = build_verdict(report)
    assert verdict.level == "red"
    assert verdict.headline.startswith("No worker listens and 1 job waits; ")
    assert verdict.second_line == "1 worker is stopping."
    assert "Workers: none listens, 1 is stopping." in render_text(report)
    workers = await perform(pool, ANA, ListWorkers())
    assert render_text(workers).startswith("No worker listens, 1 is stopping.\n")
    shown = render_workers(workers).text
    assert shown.startswith("🔴 No worker listens, 1 is stopping.\n1 job is running.")
    found = {one.check: one for one in (await perform(pool, ANA, RunDoctor())).findings}
    assert found["workers"].level == "error"
    assert found["workers"].sentence == ("No worker listens, 1 is stopping; jobs ready to run: 1.")
    assert found["listening"].level == "note"
    await conn.execute("DELETE FROM procrastinate_jobs")
    digest = await perform(pool, ANA, ShowDigest())
    told = "No worker listens, 1 is stopping; no job waits."
    assert told in render_digest(digest, "/jobs").text
    assert "No job ran; no worker listens, 1 is stopping." in render_text(digest)


async def test_stuck_with_no_running_job_says_so_and_whether_a_worker_is_live(pool, conn, make_job):
    fleet = Fleet(pool, conn, make_job)

    async def look() -> tuple[str, str]:
        report = await perform(pool, ANA, ListStuck())
        return render_text(report).partition("\n")[0], render_stuck(report).text

    shell, slack = await look()
    assert shell == "No job is running. No worker is live."
    assert slack.startswith("🟡 No job is running.\nNo worker is live.\n")
    worker = await fleet.start_worker()
    shell, slack = await look()
    assert shell == "No job is running."
    assert slack.startswith("🟢 No job is running.\n")
    assert "No worker" not in slack
    await fleet.beat(worker, await make_job(status="doing", worker_id=worker))
    shell, slack = await look()
    assert shell == "Every running job has a live worker."
    assert slack.startswith("🟢 Every running job has a live worker.\n")


@pytest.mark.parametrize("listens", [False, True], ids=["no worker", "other queue"])
async def test_every_way_of_rescue_says_that_nobody_runs_what_is_put_back(
    pool, conn, make_job, listens
):
    fleet = Fleet(pool, conn, make_job)
    forced, *named, passed = await fleet.lose(*[{"queue": "mail"}] * 4)
    await conn.execute("DELETE FROM procrastinate_workers")
    if listens:
        await fleet.observe()
        await conn.execute("UPDATE jobs_maint_workers SET queues = '{web}' WHERE worker_id = 0")
        one, more = (f"No live worker listens to mail: {waits} until one does." for waits in WAITS)
    else:
        await conn.execute("DELETE FROM jobs_maint_workers WHERE worker_id = 0")
        one, more = (f"No worker is alive: {waits} until one starts." for waits in WAITS)
    for asked, said in (
        (PreviewRescue((forced,), force=True), one),
        (PreviewRescue(tuple(named)), more),
    ):
        shown = await perform(pool, ANA, asked)
        assert shown.warnings.count(said) == 1
        assert said in render_text(shown)
        assert said in render_preview(shown, "/jobs", by="U0ANA").text
        report = await perform(pool, ANA, ConfirmSelection(shown.key))
        assert report.warnings == (said,)
        assert said in render_text(report)
        assert said in render_bulk(report, "/jobs", by="U0ANA").text
    if not listens:
        await fleet.pass_time(minutes(60))  # no worker is heard, so silence counts later
    report = await perform(pool, ANA, RescueStalled())
    assert [item.job_id for item in report.items] == [passed]
    assert report.warnings == (one,)
    assert one in render_text(report)
    assert one in render_rescue(report, "/jobs", by="U0ANA").text
