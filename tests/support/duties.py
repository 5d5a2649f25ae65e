"""What shell, bot, digests, rescue and recorder ask of a database, each with its outcome."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import psycopg

from jobs_maint import actions
from jobs_maint.actions import Actor, BulkVerb, JobFilter
from jobs_maint.database import open_pool
from jobs_maint.perform import perform
from jobs_maint.recorder.connection import connect, short_transaction
from jobs_maint.recorder.failure import Failure
from jobs_maint.recorder.store import FailureStore
from jobs_maint.settings import MaintSettings
from tests.support.history import JobFactory, days, hours, minutes

FAILURE = Failure(
    4_711,
    1,
    "email",
    "send",
    "error",
    "ValueError",
    "no such mailbox → 😀",
    "no such mailbox → 😀",
    "1:0",
    False,
    "Traceback",
)


async def do_every_duty(conn: psycopg.AsyncConnection[Any], url: str) -> None:
    """By `url`, of a database with all tables, which loses ours; `conn` makes its history."""
    make_job = JobFactory(conn)
    for queue in ("email", "web"):
        await make_job(status="failed", queue=queue, error="timed out", finished_ago=minutes(5))
    job = await make_job(status="failed", queue="email", error="gone", finished_ago=minutes(4))
    await make_job(status="succeeded", finished_ago=days(40))
    lost = await make_job(status="doing", queue="web", deferred_ago=hours(9))

    async with open_pool(url) as pool:

        async def ask(action: Any) -> Any:
            return await perform(
                pool, Actor.shell("Änne →", "host"), action, settings=MaintSettings()
            )

        assert (await ask(actions.CheckSchema())).pending == ()
        assert (await ask(actions.ApplySchema())).applied == ()
        await _read(ask, job)
        await _follow(ask, conn, job)
        await _send_digest(ask)
        await asyncio.to_thread(_record, url)
        assert len((await ask(actions.RetryJobs((job,)))).done) == 1
        found = JobFilter(queue="email", statuses=("failed",))
        preview = await ask(actions.PreviewBulk(BulkVerb.DISCARD, found))
        assert (await ask(actions.ConfirmSelection(preview.key))).done == 1
        assert (await ask(actions.PurgeFinished())).total == 1
        await ask(actions.RescueStalled())
        await conn.execute(
            "UPDATE jobs_maint_suspects SET first_noticed_at = now() - interval '1h'"
        )
        assert [item.job_id for item in (await ask(actions.RescueStalled())).items] == [lost]
        assert (await ask(actions.ShowAudit())).total >= 5
        findings = (await ask(actions.RunDoctor())).findings
        assert not [one for one in findings if "not checked" in one.sentence]
        assert (await ask(actions.DropSchema())).dropped


async def _read(ask: Any, job: int) -> None:
    assert (await ask(actions.ShowStats())).queues
    assert (await ask(actions.ListFailed())).total == 3
    assert (await ask(actions.ListErrors())).failed == 3
    assert (await ask(actions.GetJob(job))).job_id == job
    await ask(actions.ListStuck())
    await ask(actions.ListWorkers())


async def _follow(ask: Any, conn: psycopg.AsyncConnection[Any], job: int) -> None:
    assert (await ask(actions.WatchIncidents("a bot"))) is not None
    await conn.execute(
        "INSERT INTO jobs_maint_incidents (kind, subject, state, since, opened_at, seen_at,"
        " value, worst, value_limit, queues, revised_at) VALUES ('queue_behind', 'email',"
        " 'open', now(), now(), now(), 900, 900, 300, '{email}', now())"
    )
    [incident] = (await ask(actions.ListIncidents())).open
    await ask(actions.TakeIncident(incident.id))
    await ask(actions.MuteIncident(incident.id))
    taken = await ask(actions.TakeGroup(job))
    await ask(actions.MuteGroup(taken.name, timedelta(hours=1)))


async def _send_digest(ask: Any) -> None:
    assert (await ask(actions.ShowDigest())).failed == 3
    opened = await ask(actions.OpenDigest("ops", timedelta(hours=1), "a key"))
    assert opened.failed == 3
    assert await ask(actions.HoldDigest(opened.window_id, "C0OPS"))
    await ask(actions.CloseDigest(opened.window_id, "sent", "C0OPS", "1.1"))


def _record(url: str) -> None:
    """As the recorder does, whose thread has no event loop."""
    with connect(url, {}) as conn:
        with short_transaction(conn):
            conn.execute("SELECT 1")
        assert FailureStore().write(conn, [FAILURE]).refused == 0
