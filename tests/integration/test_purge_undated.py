"""Jobs whose ids or events do not tell their age: none is missed silently, none goes too early."""

from __future__ import annotations

import pytest
from tests.support.history import days

from jobs_maint import actions
from jobs_maint.actions import Actor
from jobs_maint.operations.purge import late
from jobs_maint.operations.purge.batches import purge_finished_jobs
from jobs_maint.operations.purge.retention import Retention
from jobs_maint.perform import Watch, perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
FINAL = ("succeeded", "failed", "cancelled", "aborted")


async def do(pool, action):
    return await perform(pool, ANA, action, settings=MaintSettings())


async def list_ids(conn):
    rows = await conn.execute("SELECT id FROM procrastinate_jobs ORDER BY id")
    return [row[0] for row in await rows.fetchall()]


async def purge_both_ways(pool, conn):
    """What the dry run said, which is what the run then did."""
    dry = await do(pool, actions.PurgeFinished(dry_run=True))
    before = len(await list_ids(conn))
    report = await do(pool, actions.PurgeFinished())
    assert (report.deleted, report.undated) == (dry.deleted, dry.undated)
    assert before - len(await list_ids(conn)) == report.total
    return report


@pytest.mark.parametrize("older_first", [True, False])
async def test_old_jobs_with_ids_behind_younger_ones_are_purged(pool, conn, make_job, older_first):
    if older_first:
        await make_job(status="succeeded", finished_ago=days(50))
    young = [await make_job(status=status, finished_ago=days(2)) for status in FINAL for _ in "ab"]
    for status in FINAL:
        await make_job(status=status, finished_ago=days(200))
    young.append(await make_job(status="succeeded", finished_ago=days(1)))
    report = await purge_both_ways(pool, conn)
    assert await list_ids(conn) == young
    assert report.total == len(FINAL) + older_first


async def test_old_jobs_far_behind_in_the_ids_are_purged_after_a_preview(pool, conn, make_job):
    young = await make_job(status="succeeded", finished_ago=days(2))
    old = await make_job(status="succeeded", finished_ago=days(200))
    await conn.execute(
        "WITH e AS (DELETE FROM procrastinate_events WHERE job_id = %(id)s RETURNING type, at),"
        " j AS (UPDATE procrastinate_jobs SET id = 2 ^ 60 WHERE id = %(id)s RETURNING id)"
        " SELECT 1 FROM e, j",
        {"id": old},
    )
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at)"
        " VALUES (2 ^ 60, 'succeeded', now() - interval '200 days')"
    )
    shown = await do(pool, actions.PreviewPurge(older_than=days(30)))
    assert shown.by_status == {"succeeded": 1}
    report = await do(pool, actions.ConfirmSelection(shown.key))
    assert report.deleted == {"succeeded": 1}
    assert await list_ids(conn) == [young]


async def test_jobs_without_events_go_when_a_later_job_is_old_and_are_named_until_then(
    pool, conn, make_job
):
    early = [await make_job(status="succeeded", finished_ago=days(60)) for _ in range(3)]
    ahead = await make_job(status="cancelled", finished_ago=days(60), scheduled_in=days(300))
    await make_job(status="succeeded", deferred_ago=days(50), finished_ago=days(1))
    undated = [await make_job(status="succeeded", finished_ago=days(60)) for _ in range(2)]
    await conn.execute(
        "DELETE FROM procrastinate_events WHERE job_id = ANY (%s)", ([*early, ahead, *undated],)
    )
    report = await purge_both_ways(pool, conn)
    assert report.deleted == {"succeeded": len(early)}
    (group,) = report.undated
    assert (group.count, group.sample) == (2, tuple(undated))
    assert ahead in await list_ids(conn)
    shown = await do(pool, actions.PreviewPurge())
    assert (shown.key, shown.count) == (None, 0)
    text = render_text(shown, width=200)
    assert "no events" in text
    assert f"({undated[0]}, {undated[1]})" in text


async def test_a_truncated_table_of_events_does_not_empty_the_table_of_jobs(pool, conn, make_job):
    for status in FINAL:
        await make_job(status=status, finished_ago=days(200))
    await conn.execute("TRUNCATE procrastinate_events")
    report = await purge_both_ways(pool, conn)
    assert report.total == 0
    assert sum(group.count for group in report.undated) == len(FINAL)
    rows = await conn.execute("SELECT counts FROM jobs_maint_audit WHERE outcome = 'done'")
    assert await rows.fetchone() == ({"undated": len(FINAL)},)


async def test_cancelled_jobs_can_be_purged_by_age(pool, conn, make_job):
    old = await make_job(status="cancelled", finished_ago=days(3))
    others = [
        await make_job(status=status, finished_ago=days(3)) for status in ("succeeded", "failed")
    ]
    shown = await do(pool, actions.PreviewPurge(older_than=days(2), statuses=("cancelled",)))
    assert (shown.words, shown.by_status) == (
        "purge --older-than 2d --status cancelled", {"cancelled": 1},
    )  # fmt: skip
    await do(pool, actions.ConfirmSelection(shown.key))
    assert old not in await list_ids(conn)
    assert await list_ids(conn) == others


async def test_a_large_table_is_looked_through_in_turns_a_share_a_day(
    pool, conn, make_job, monkeypatch
):
    """Each old job behind younger ones is found once in so many days."""
    monkeypatch.setattr(late, "CELL", 4)
    await make_job(status="succeeded", finished_ago=days(1))
    old = {await make_job(status="succeeded", finished_ago=days(90)) for _ in range(39)}
    await conn.execute("ALTER TABLE procrastinate_jobs SET (autovacuum_enabled = off)")
    await conn.execute("ANALYZE procrastinate_jobs")
    (now,) = await (await conn.execute("SELECT now()")).fetchone()
    retention = Retention({"succeeded": days(30)}, audit=None)
    found = []
    for day in range(4):
        options = {"now": now + days(day), "survey": 10, "trim": False}
        dry = await purge_finished_jobs(pool, retention, dry_run=True, **options)
        before = set(await list_ids(conn))
        report = await purge_finished_jobs(pool, retention, **options)
        assert (report.deleted, report.turns) == (dry.deleted, 4)
        found.append(before - set(await list_ids(conn)))
    assert all(0 < len(share) < 20 for share in found)
    assert set().union(*found) == old


async def test_jobs_behind_younger_ones_are_looked_for_once_a_night(
    pool, conn, make_job, monkeypatch
):
    """The next purges say so, and repeat which jobs have no age; other questions are looked up."""
    looked_at = []
    survey = late.survey

    def look(pool, walk, cells):
        looked_at.append((walk["status"], walk["queue"]))
        return survey(pool, walk, cells)

    monkeypatch.setattr(late, "survey", look)
    await make_job(status="succeeded", queue="q", finished_ago=days(2))
    undated = await make_job(status="succeeded", queue="q", finished_ago=days(60))
    await conn.execute("DELETE FROM procrastinate_events WHERE job_id = %s", (undated,))

    async def purge(**options):
        """Asked, confirmed where there is something to do; and which surveys it took."""
        looked_at.clear()
        shown = await do(pool, actions.PreviewPurge(**options))
        if shown.key is not None:
            await do(pool, actions.ConfirmSelection(shown.key))
        return shown, list(looked_at)

    first, by_hand = await purge()
    assert (first.surveyed_at, by_hand) == (None, [("succeeded", None)])
    await do(pool, actions.PurgeFinished())
    late_one = await make_job(status="succeeded", queue="q", finished_ago=days(50))
    report = await do(pool, actions.PurgeFinished())
    dry = await do(pool, actions.PurgeFinished(dry_run=True))
    assert (report.total, report.undated, report.surveyed_at) == (0, first.skips, dry.surveyed_at)
    again, looks = await purge()
    assert (again.key, again.skips, looks) == (None, first.skips, [])
    assert "once a night, last at 20" in " ".join(render_text(again).split())
    assert [(await purge(**other))[1] for other in ({"queue": "q"}, {"older_than": days(55)})] == [
        [("succeeded", "q")] * 2, [("succeeded", None)],
    ]  # fmt: skip
    assert late_one not in await list_ids(conn)
    await conn.execute("UPDATE jobs_maint_audit SET started_at = started_at - interval '21 hours'")
    assert (await purge())[1] == [("succeeded", None)]


async def test_a_purge_that_broke_off_has_not_surveyed_what_it_did_not_reach(pool, conn, make_job):
    for status in ("succeeded", "failed"):
        await make_job(status=status, finished_ago=days(2))
        await make_job(status=status, finished_ago=days(200))

    class Stopped(Watch):
        stop_requested = True

    (now,) = await (await conn.execute("SELECT now()")).fetchone()
    report = await perform(
        pool, ANA, actions.PurgeFinished(), settings=MaintSettings(), watch=Stopped()
    )
    assert not report.finished
    assert await late.find_surveyed(conn, now) == []
    await do(pool, actions.PurgeFinished(resume_after=report.resume_after))
    surveyed = {done.survey.status for done in await late.find_surveyed(conn, now)}
    assert surveyed == {"failed", "succeeded"}


async def test_a_survey_that_is_out_of_time_goes_on_where_it_was(pool, conn, make_job, monkeypatch):
    monkeypatch.setattr(late, "CELL", 4)
    young = await make_job(status="succeeded", finished_ago=days(1))
    for _ in range(20):
        await make_job(status="succeeded", finished_ago=days(90))
    retention = Retention({"succeeded": days(30)}, audit=None)

    async def stop(_conn, _counts):
        return False

    resume, runs = {}, 0
    while runs == 0 or resume:
        report = await purge_finished_jobs(
            pool, retention, resume_after=resume, trim=False, on_batch=stop if runs < 3 else None
        )
        resume, runs = report.resume_after, runs + 1
    assert runs == 4
    assert await list_ids(conn) == [young]
