"""`status` of a job that waits says which job holds its lock, by Procrastinate's rule."""

from __future__ import annotations

import pytest
from tests.support.history import hours

from chatbot.messages.details import render_details
from jobs_maint.actions import Actor, GetJob, Grant, Role
from jobs_maint.perform import perform
from jobs_maint.render import render_text

ME = Actor.task("test")
NARROW = Actor("slack", "U0ANA", "ana", None, (Grant(Role.VIEWER, ("email",)),))


async def look(pool, job, actor=ME):
    shown = await perform(pool, actor, GetJob(job))
    holder = shown.lock_holder
    if holder is not None:
        assert holder.say() in " ".join(render_text(shown, width=300).split())
        assert holder.say()[:20] in render_details(shown).text
    return holder


async def is_fetched(conn, job):
    """Whether Procrastinate would run it now; nothing is left changed."""
    async with conn.transaction(force_rollback=True):
        found = await conn.execute("SELECT id FROM procrastinate_fetch_job_v2(NULL, NULL)")
        return await found.fetchone() == (job,)


async def test_the_running_job_that_holds_it_with_its_worker_or_that_nobody_runs_it(
    pool, conn, make_job
):
    [living] = await (
        await conn.execute("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
    ).fetchone()
    runs = await make_job(status="doing", queue="email", lock="a", worker_id=living)
    waits = await make_job(queue="email", lock="a")
    assert not await is_fetched(conn, waits)
    holder = await look(pool, waits)
    assert (holder.job_id, holder.status, holder.unreported) == (runs, "doing", False)
    assert holder.say().startswith(f"Its lock is held by job {runs}, which is running on worker")
    assert " since 20" in holder.say()
    await conn.execute("UPDATE procrastinate_jobs SET worker_id = NULL WHERE id = %s", (runs,))
    lost = (await look(pool, waits)).say()
    assert f"held by job {runs}" in lost
    assert lost.endswith(
        "which no live worker reports; stuck says whether the rescue acts, and when."
    )
    await conn.execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = %s", (runs,))
    assert await look(pool, waits) is None
    assert await is_fetched(conn, waits)


async def test_the_job_that_comes_first_and_waits_for_its_time_or_for_a_worker(
    pool, conn, make_job
):
    first = await make_job(queue="web", lock="a", scheduled_in=hours(5))
    second = await make_job(queue="email", lock="a")
    third = await make_job(queue="email", lock="a")
    for waits in (second, third):
        holder = await look(pool, waits)
        assert (holder.job_id, holder.status) == (first, "todo")
        assert holder.say().endswith(f"an operator can cancel job {first}.")
    hidden = await look(pool, second, NARROW)
    assert (hidden.job_id, hidden.queue, hidden.task, hidden.worker) == (None,) * 4
    assert hidden.say().startswith("A job in a queue that your role does not reach has the same")
    await conn.execute("UPDATE procrastinate_jobs SET priority = 1 WHERE id = %s", (third,))
    assert await look(pool, third) is None, "it has the higher priority"
    assert await is_fetched(conn, third)
    said = (await look(pool, second)).say()
    assert said.endswith(f"comes first, and waits for a worker; see status {third}.")
    assert await look(pool, first) is None, "it waits for its time, not for the lock"


@pytest.mark.parametrize("lock", [None, "other"])
async def test_without_a_job_of_its_lock_nobody_holds_it(pool, make_job, lock):
    await make_job(status="doing", lock="a")
    assert await look(pool, await make_job(lock=lock)) is None
