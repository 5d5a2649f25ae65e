"""What rescue and purge will do is told by the settings of the workers, not of whoever asks."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import procrastinate
import pytest
from psycopg.types.json import Jsonb
from tests.support.fleet import SOON, Fleet
from tests.support.history import days, hours, minutes
from tests.support.waiting import until

import jobs_maint
from chatbot.messages.result import render_result
from jobs_maint.actions import (
    Actor,
    ConfirmSelection,
    Grant,
    Limits,
    ListIncidents,
    ListStuck,
    ListWorkers,
    PreviewPurge,
    PreviewRescue,
    PurgeFinished,
    RescueJobs,
    RescueStalled,
    Role,
    RunDoctor,
    ShowDigest,
    ShowStats,
    WatchIncidents,
)
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings
from jobs_maint.told_settings import TOLD, adopt, tell

ANA = Actor.shell("ana", "host")
BOT = Actor("slack", "U0ANA", "ana", "C1", (Grant(Role.ADMIN),))
RESCUE = "jobs_maint:rescue_stalled_jobs"
PURGE = "jobs_maint:purge_finished_jobs"
OFF = {"rescue_cron": "", "purge_cron": "", "keep_failed": None, "queue": "elsewhere"}
"""A shell that knows nothing of what the workers go by."""


@pytest.fixture
def fleet(pool, conn, make_job) -> Fleet:
    return Fleet(pool, conn, make_job)


async def ask(pool, action, actor=ANA, **settings):
    return await perform(pool, actor, action, settings=MaintSettings(**{**SOON, **settings}))


async def told_by(conn, worker, **settings):
    """The worker of this id has told these settings."""
    stored = Jsonb(tell(MaintSettings(**{**SOON, **settings})))
    await conn.execute(
        "UPDATE jobs_maint_workers SET settings = %s WHERE worker_id = %s", (stored, worker)
    )


async def lose_one(fleet, **job) -> int:
    """A running job whose worker died two minutes ago; noticed just now, while another beats."""
    worker = await fleet.start_worker()
    job_id = await fleet.make_job(status="doing", worker_id=worker, **job)
    await fleet.beat(worker, job_id)
    await fleet.pass_time(minutes(2))
    assert (await fleet.tick()).suspects == 1
    return job_id


async def find(pool, check, actor=ANA, **settings):
    report = await ask(pool, RunDoctor(), actor, **settings)
    return next(finding for finding in report.findings if finding.check == check)


# --- what is stored -------------------------------------------------------------------------------


def test_all_that_is_told_comes_back_as_it_was():
    told = MaintSettings(
        queue="ours", rescue_cron="", purge_cron="@daily", max_rescues=0, keep_failed=None,
        keep_aborted=timedelta(days=1, seconds=30), stalled_after=timedelta(seconds=90.5),
        rescue_policy={"z.*": "fail", "a.long.one.*": "retry", "*": "fail"},
        database_url="postgresql://u:secret@h/d",
    )  # fmt: skip
    stored = tell(told)
    assert "secret" not in str(stored)
    mine = MaintSettings(database_url="postgresql://me@h/mine")
    back = adopt(mine, stored)
    assert {name: getattr(back, name) for name in TOLD} == {
        name: getattr(told, name) for name in TOLD
    }
    assert list(back.rescue_policy) == list(told.rescue_policy), "the first that matches counts"
    assert back.database_url == mine.database_url
    assert adopt(mine, {}) == mine


@pytest.mark.parametrize(
    "bad",
    [
        {"stalled_after": None},
        {"stalled_after": "soon"},
        {"stalled_after": 1e300},
        {"keep_failed": -1e12},
        {"rescue_cron": "0 0 31 2 *"},
        {"rescue_cron": 5},
        {"rescue_policy": [["mail", "explode"]]},
        {"rescue_policy": 7},
        {"max_rescues": "many"},
        {"queue": []},
    ],
    ids=str,
)
def test_a_told_value_that_cannot_be_read_leaves_that_of_the_asker(bad):
    told = tell(MaintSettings(max_rescues=1)) | bad
    mine = MaintSettings(max_rescues=7)
    expected = mine if "max_rescues" in bad else mine.model_copy(update={"max_rescues": 1})
    assert adopt(mine, told) == expected


@pytest.mark.parametrize("lacks", [(), ("settings",), ("settings", "crons")])
async def test_a_worker_tells_its_settings_after_its_first_beat_where_the_tables_have_room(
    database_url, pool, conn, lacks
):
    """Its job runs in any case, and what there is room for is stored."""
    for column in lacks:
        await conn.execute(f"ALTER TABLE jobs_maint_workers DROP COLUMN {column}")
    connector = procrastinate.PsycopgConnector(conninfo=database_url, min_size=1, max_size=4)
    app = procrastinate.App(connector=connector)
    theirs = {**SOON, "stalled_after": minutes(7), "rescue_policy": {"b.*": "fail", "a.*": "fail"}}
    jobs_maint.register(app, MaintSettings(**theirs))
    rows: list[dict[str, Any]] = []

    async def has_told() -> bool:
        found = await conn.execute("SELECT to_jsonb(w) FROM jobs_maint_workers w")
        rows[:] = [row for (row,) in await found.fetchall()]
        return all(rows[0][name] for name in {"crons", "settings"} - {*lacks})

    @app.task(name="looks")
    async def looks() -> None:
        await until(has_told, "what the worker goes by")
        await ask(pool, ListStuck(), **OFF)

    async with app.open_async():
        job = await looks.defer_async()
        await app.run_worker_async(
            queues=["default"], wait=False, listen_notify=False, install_signal_handlers=False
        )
    [row] = rows
    assert lacks or row["settings"] == tell(MaintSettings(**theirs))
    assert "crons" in lacks or [RESCUE, "", "*/5 * * * *"] in row["crons"]
    found = await conn.execute("SELECT status FROM procrastinate_jobs WHERE id = %s", (job,))
    assert await found.fetchone() == ("succeeded",)


# --- whose settings count -------------------------------------------------------------------------


async def find_idle(pool, **settings):
    return (await ask(pool, ListStuck(), **settings)).rescue_idle


async def test_the_newest_live_worker_counts_that_listens_to_the_queue_of_its_maintenance(
    fleet, pool, conn
):
    await lose_one(fleet)
    assert await find_idle(pool, rescue_cron="") == "off", "nobody has told"
    assert await find_idle(pool) is None
    listens = [await fleet.start_worker() for _ in range(2)]
    deaf = await fleet.start_worker()
    await conn.execute(
        "UPDATE jobs_maint_workers SET queues = '{email}' WHERE worker_id = %s", (deaf,)
    )
    await told_by(conn, deaf, rescue_cron="")
    assert await find_idle(pool) == "off", "better than what the asker has"
    await told_by(conn, listens[0])
    assert await find_idle(pool, rescue_cron="") is None
    await told_by(conn, listens[1], rescue_cron="")
    assert await find_idle(pool) == "off"
    await conn.execute(
        "UPDATE jobs_maint_workers SET started_at = now() + interval '1 min' WHERE worker_id = %s",
        (listens[0],),
    )
    assert await find_idle(pool, rescue_cron="") is None
    silent = "UPDATE jobs_maint_workers SET beat_at = now() - interval '1 min' WHERE worker_id = %s"
    dead = (
        "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 min' WHERE id = %s"
    )
    await conn.execute(silent, (listens[0],))
    assert await find_idle(pool, rescue_cron="") is None, "only its recorder has stopped"
    await conn.execute(dead, (listens[0],))
    assert await find_idle(pool) == "off", "it does not live"
    for worker in (listens[1], deaf):
        await conn.execute(silent, (worker,))
        await conn.execute(dead, (worker,))
    assert await find_idle(pool, rescue_cron="") is None, "the last that told, as one lives"
    await fleet.fall_silent(minutes(1))
    assert await find_idle(pool, rescue_cron="") == "no_worker", "none lives, so the last one"


async def test_while_old_and_new_workers_mix_a_pass_runs_nothing_that_one_of_them_forbids(
    fleet, pool, conn
):
    """Whichever of them has the pass, and by hand where no policy is set there."""
    fragile, other, named = await fleet.lose(
        {"task": "app.charge"}, {"task": "app.mail"}, {"task": "app.charge"}
    )
    old, new = [await fleet.start_worker() for _ in range(2)]
    for worker, policy in ((new, {}), (old, {"app.charge": "fail"})):
        await told_by(conn, worker, rescue_policy=policy)
        await fleet.beat(worker)
    look = PreviewRescue((named,), force=True, dry_run=True)
    preview = await ask(pool, look)
    assert [group.code for group in preview.becomes] == ["failed"]
    assert not any("The workers' own rescue" in told for told in preview.warnings)
    preview = await ask(pool, look, rescue_policy={})
    assert [group.code for group in preview.becomes] == ["put_back"]
    assert any("The workers' own rescue marks job" in told for told in preview.warnings)
    [item] = (await ask(pool, RescueJobs((named,)))).items
    assert item.code == "failed"
    report = await fleet.tick(rescue_policy={})  # the new one's
    assert {item.job_id: item.code for item in report.items} == {
        fragile: "failed", other: "put_back",
    }  # fmt: skip


@pytest.mark.parametrize("queues", [None, ["default", "upkeep"], ["default"]])
@pytest.mark.parametrize("has_place", [True, False])
async def test_what_a_worker_told_counts_after_it_ended_if_it_listened_to_its_maintenance(
    database_url, pool, conn, make_job, queues, has_place
):
    """Each deployment ends all workers: a purge by hand must not delete what they keep."""
    if not has_place:  # tables of before
        await conn.execute("DROP TABLE jobs_maint_settings")
    connector = procrastinate.PsycopgConnector(conninfo=database_url, min_size=1, max_size=4)
    app = procrastinate.App(connector=connector)
    jobs_maint.register(app, MaintSettings(**SOON, queue="upkeep", keep_failed=None))

    @app.task(name="looks")
    async def looks() -> None:
        pass

    async with app.open_async():
        await looks.defer_async()
        await app.run_worker_async(
            queues=queues, wait=False, listen_notify=False, install_signal_handlers=False
        )

    async def has_gone() -> bool:
        found = await conn.execute("SELECT count(*) FROM jobs_maint_workers")
        return await found.fetchone() == (0,)

    await until(has_gone, "its row, which it takes along")
    job = await make_job(status="failed", finished_ago=days(200))
    shown = await ask(pool, PreviewPurge())
    keeps = has_place and queues != ["default"]
    assert shown.count == (0 if keeps else 1)
    assert ("failed" in shown.cutoffs) is not keeps
    await ask(pool, PurgeFinished())
    assert await make_job.status(job) == ("failed" if keeps else None)


async def test_the_last_worker_of_the_maintenance_counts_more_than_live_ones_of_other_queues(
    fleet, pool, conn, make_job
):
    """One that never rescues, started without the settings, does not stand for one that does."""
    job = await lose_one(fleet, task="billing.charge")
    deaf = await fleet.start_worker()
    await conn.execute(
        "UPDATE jobs_maint_workers SET queues = '{email}' WHERE worker_id = %s", (deaf,)
    )
    await told_by(conn, deaf)
    last = tell(MaintSettings(**SOON, rescue_policy={"billing.*": "fail"}))
    await conn.execute(
        "INSERT INTO jobs_maint_settings (worker_id, settings) VALUES (77, %s)", (Jsonb(last),)
    )
    assert (await find(pool, "settings")).level != "warning", "it differs, but never acts"
    await fleet.pass_time(minutes(6))
    await fleet.observe()
    await conn.execute("UPDATE jobs_maint_workers SET queues = '{email}'")
    await ask(pool, RescueJobs((job,)))
    assert await make_job.status(job) == "failed"


# --- what is foretold -----------------------------------------------------------------------------


async def test_every_word_about_the_rescue_goes_by_the_workers(fleet, pool, conn, make_job):
    job = await lose_one(fleet)
    await told_by(conn, 0, rescue_cron="* * * * *", stalled_after=minutes(3))
    mine = {**OFF, "stalled_after": hours(20), "stalled_after_unknown": hours(20)}
    listed = await ask(pool, ListStuck(), **mine)
    [stuck] = listed.stuck
    assert listed.rescue_idle is None
    assert 2 * 60 < stuck.due_in_seconds <= stuck.acts_in_seconds < 4 * 60
    [there] = [one for one in (await ask(pool, ListWorkers(), **mine)).workers if one.jobs]
    assert there.jobs[0].due_in_seconds == pytest.approx(stuck.due_in_seconds, abs=2)
    report = await ask(pool, RescueStalled(), **mine)
    assert (report.items, report.rescue_idle) == ((), None), "by hand it waits for 20 h"
    assert report.acts_in_seconds == pytest.approx(stuck.acts_in_seconds, abs=2)
    shown = await ask(pool, RescueJobs((job,)), **mine)
    acts = re.search(r"Left alone, the rescue acts at (.{19}) UTC\.$", shown.warnings[-1])[1]
    wait = datetime.fromisoformat(f"{acts}+00:00") - listed.as_of
    assert wait.total_seconds() == pytest.approx(stuck.acts_in_seconds, abs=2)
    for finding in ("suspects", "rescue", "purge", "maintenance_queue"):
        said = await find(pool, finding, **mine)
        assert "off" not in said.sentence
        assert "elsewhere" not in said.sentence
    assert "3m after noticing it" in (await find(pool, "suspects", **mine)).fix
    stats = await ask(pool, ShowStats(), **mine)
    assert (stats.stuck_jobs, stats.rescue_idle, stats.maintenance_off) == (1, None, ())
    await told_by(conn, 0, rescue_cron="", purge_cron="")
    assert (await ask(pool, ListStuck())).rescue_idle == "off"
    assert (await ask(pool, RescueStalled())).rescue_idle == "off"
    stats = await ask(pool, ShowStats())
    assert (stats.rescue_idle, stats.maintenance_off) == ("off", (PURGE, RESCUE))
    assert (await find(pool, "rescue")).sentence.startswith("The rescue is off (JOBS_MAINT_RESCUE")
    assert (await find(pool, "purge")).sentence.startswith("The nightly purge is off (JOBS_MAINT_P")


async def test_the_watch_and_the_digest_go_by_the_workers(fleet, pool, conn, make_job):
    await fleet.observe()
    await make_job(status="succeeded", queue="upkeep", task=PURGE, finished_ago=days(2))
    await make_job(status="failed", finished_ago=days(6))

    async def see():
        for _ in range(2):
            await ask(pool, WatchIncidents("bot-1", Limits()), Actor.task("chatbot:watch"), **OFF)
        return [(one.kind.value, one.subject) for one in (await ask(pool, ListIncidents())).open]

    assert await see() == []
    assert (await ask(pool, ShowDigest(), **OFF)).expiring is None
    await told_by(conn, 0, queue="upkeep", keep_failed=days(7))
    assert (await ask(pool, ShowDigest(), **OFF)).expiring.keep_seconds == days(7).total_seconds()
    assert await see() == [("maintenance_overdue", "purge")]


# --- what is done by hand -------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["pass", "named", "confirmed"])
async def test_a_rescue_by_hand_keeps_to_the_policy_of_the_workers_unless_another_is_set(
    fleet, pool, conn, make_job, way
):
    """A shell without the environment of the app must not run again what the team forbids."""

    async def rescue(job, **settings):
        if way == "pass":
            await fleet.pass_time(minutes(6))
            await fleet.observe()
            return await ask(pool, RescueStalled(), **settings)
        if way == "named":
            await fleet.pass_time(minutes(6))
            await fleet.observe()
            return await ask(pool, RescueJobs((job,)), **settings)
        shown = await ask(pool, PreviewRescue((job,)), **settings)
        return await ask(pool, ConfirmSelection(shown.key), **settings)

    job = await lose_one(fleet, task="billing.charge")
    await told_by(conn, 0, rescue_policy={"billing.*": "fail"})
    await rescue(job)
    assert await make_job.status(job) == "failed"
    job = await lose_one(fleet, task="billing.charge")
    await told_by(conn, 0, rescue_policy={"billing.*": "fail"})
    await rescue(job, rescue_policy={})
    assert await make_job.status(job) == "todo"


async def test_a_purge_by_hand_keeps_what_the_workers_keep_unless_another_span_is_set(
    fleet, pool, conn, make_job
):
    await fleet.observe()
    job = await make_job(status="failed", finished_ago=days(200))
    await told_by(conn, 0, keep_failed=None)
    await ask(pool, PurgeFinished())
    assert await make_job.status(job) == "failed"
    report = await ask(pool, PurgeFinished(), Actor.task(PURGE))
    assert report.deleted["failed"] == 1, "the task of a worker goes by its own"


@pytest.mark.parametrize(("actor", "whose"), [(ANA, "this shell's"), (BOT, "this bot's")])
async def test_the_preview_of_a_rescue_says_that_the_workers_own_waits_for_longer(
    fleet, pool, conn, actor, whose
):
    """Only while it matters."""
    job = await lose_one(fleet)
    await told_by(conn, 0, stalled_after=minutes(5))
    asked = PreviewRescue((job, 99_999))
    said = f"The workers' own rescue waits 5m (JOBS_MAINT_STALLED_AFTER); {whose} 2m."
    shown = await ask(pool, asked, actor, stalled_after=minutes(2))
    assert shown.warnings == (said,)
    assert said in render_text(shown)
    assert said in render_result(shown, "/jobs", by="U0ANA").text
    same = await ask(pool, asked, actor, stalled_after=minutes(5))
    assert [line for line in same.warnings if "own rescue" in line] == []
    forced = await ask(pool, PreviewRescue((job,), force=True), actor, stalled_after=minutes(2))
    assert [line for line in forced.warnings if "own rescue" in line] == []
    await fleet.pass_time(minutes(6))
    await fleet.observe()
    assert (await ask(pool, asked, actor, stalled_after=minutes(2))).warnings == ()


@pytest.mark.parametrize("force", [False, True])
async def test_the_preview_of_a_rescue_says_which_jobs_the_workers_own_would_fail(
    fleet, pool, conn, make_job, force
):
    jobs = [await lose_one(fleet, task="billing.charge"), await make_job(task="mail.send")]
    jobs.append(await make_job(status="doing", task="mail.send"))  # a worker has it
    await fleet.beat(0, jobs[-1])
    await told_by(conn, 0, rescue_policy={"billing.*": "fail", "mail.*": "fail"})
    asked = PreviewRescue((jobs[0],) if force else (*jobs, 99_999), force=force)
    assert not any("own rescue" in line for line in (await ask(pool, asked)).warnings)
    shown = await ask(pool, asked, rescue_policy={})
    assert shown.warnings[0] == (
        f"The workers' own rescue marks job {jobs[0]} as failed (JOBS_MAINT_RESCUE_POLICY); this "
        "shell's puts it back."
    )
    await told_by(conn, 0)
    shown = await ask(pool, asked, rescue_policy={"billing.*": "fail"})
    assert shown.warnings[0] == (
        f"The workers' own rescue puts job {jobs[0]} back (JOBS_MAINT_RESCUE_POLICY); this "
        "shell's marks it as failed."
    )


async def test_the_preview_of_a_purge_says_what_the_workers_own_keeps(fleet, pool, conn, make_job):
    await fleet.observe()
    job = await make_job(status="failed", finished_ago=days(50))
    await told_by(conn, 0, keep_failed=None, keep_aborted=hours(36))
    said = (
        "The workers' own purge keeps failed jobs forever (JOBS_MAINT_KEEP_FAILED), this "
        "shell's for 40d; aborted jobs for 1d12h (JOBS_MAINT_KEEP_ABORTED), this shell's for 30d."
    )
    shown = await ask(pool, PreviewPurge(), keep_failed=days(40), keep_aborted=days(30))
    assert (shown.count, shown.warnings) == (1, (said,))
    nothing = await ask(pool, PreviewPurge(), keep_failed=days(90), keep_aborted=hours(36))
    assert nothing.key is None
    [line] = nothing.warnings
    for text in (render_text(nothing), render_result(nothing, "/jobs", by="U0ANA").text):
        assert line in " ".join(text.split())
    unset = await ask(pool, PreviewPurge())
    assert (unset.count, unset.warnings, "failed" in unset.cutoffs) == (0, (), False)
    only = await ask(pool, PreviewPurge(statuses=("succeeded",)))
    assert only.warnings == ()
    named = await ask(pool, PreviewPurge(older_than=days(40), include_failed=True))
    assert (named.count, named.warnings) == (1, ())
    assert await make_job.status(job) == "failed"


# --- the doctor -----------------------------------------------------------------------------------


async def test_the_doctor_says_where_the_asker_goes_by_other_settings_than_the_workers(
    fleet, pool, conn
):
    await fleet.observe()
    assert (await find(pool, "settings")).level == "ok"
    await told_by(conn, 0, stalled_after=minutes(7), rescue_cron="")
    assert (await find(pool, "settings", stalled_after=minutes(7), rescue_cron="")).level == "ok"
    found = await find(pool, "settings", queue="ours")
    assert (found.level, found.sentence) == (
        "note",
        (
            "This shell and the workers have different settings: JOBS_MAINT_QUEUE is 'ours' for "
            "this shell and 'maintenance' for the workers, JOBS_MAINT_STALLED_AFTER is 5m for this "
            "shell and 7m for the workers."
        ),
    )
    assert "goes by those of this shell" in found.fix
    assert "for this bot" in (await find(pool, "settings", BOT)).sentence


async def test_the_doctor_names_workers_that_differ(fleet, pool, conn):
    old = [await fleet.start_worker() for _ in range(3)]
    new = await fleet.start_worker()
    for worker in old:
        await told_by(conn, worker, max_rescues=1)
    await told_by(conn, new)
    found = await find(pool, "settings")
    assert (found.level, found.sentence) == (
        "warning",
        (
            "The workers rescue and purge by different settings: JOBS_MAINT_MAX_RESCUES is 3 for "
            f"worker {new} and 1 for worker {old[2]} and 2 others. What is foretold goes by those "
            f"of worker {new}."
        ),
    )
    both = (await find(pool, "settings", max_rescues=2)).sentence
    said = f" And JOBS_MAINT_MAX_RESCUES is 2 for this shell and 3 for worker {new}."
    assert both.endswith(said)


async def test_the_doctor_says_that_each_policy_of_the_workers_counts(fleet, pool, conn):
    old, new = [await fleet.start_worker() for _ in range(2)]
    await told_by(conn, old, rescue_policy={"billing.*": "fail"})
    await told_by(conn, new)
    found = await find(pool, "settings")
    assert found.sentence.endswith(
        f"goes by those of worker {new}, but a task fails if any of the policies says so."
    )
