"""`--request`: the undo of one act reaches what no later one has changed."""

from __future__ import annotations

import re

import pytest
from tests.support.history import hours

from jobs_maint.actions import (
    Actor,
    BulkVerb,
    CancelJobs,
    ConfirmSelection,
    DiscardJobs,
    Grant,
    JobFilter,
    PreviewBulk,
    Role,
)
from jobs_maint.errors import InvalidRequest
from jobs_maint.perform import Watch, perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
CANCEL, DISCARD, RETRY = BulkVerb.CANCEL, BulkVerb.DISCARD, BulkVerb.RETRY


async def ask(pool, action, actor=ANA, **options):
    return await perform(pool, actor, action, settings=MaintSettings(), **options)


async def preview(pool, verb=RETRY, actor=ANA, **wanted):
    wanted.setdefault("statuses", verb.statuses if "request" in wanted else verb.statuses[:1])
    return await ask(pool, PreviewBulk(verb, JobFilter(**wanted)), actor)


async def act(pool, verb=RETRY, **wanted):
    shown = await preview(pool, verb, **wanted)
    return await ask(pool, ConfirmSelection(shown.key))


async def last_request(conn):
    rows = await conn.execute("SELECT max(id) FROM jobs_maint_audit")
    return (await rows.fetchone())[0]


def tell(shown):
    return [
        (re.sub(r"\(ana, 2.* UTC\)", "(ana, AT)", one.reason), one.sample) for one in shown.left_out
    ]


async def fail(conn, jobs):
    """They run, and fail for good."""
    await conn.execute(
        "UPDATE procrastinate_jobs SET status = 'doing' WHERE id = ANY (%s)", (jobs,)
    )
    await conn.execute(
        "UPDATE procrastinate_jobs SET status = 'failed', attempts = attempts + 1"
        " WHERE id = ANY (%s)", (jobs,)
    )  # fmt: skip


async def test_an_undo_leaves_what_a_later_act_gave_up(pool, conn, make_job):
    jobs = [await make_job(queue="webhook") for _ in range(4)]
    first = await act(pool, CANCEL, queue="webhook")
    back = await act(pool, request=first.audit_id)
    await fail(conn, jobs[:3])
    given_up = await act(pool, DISCARD, queue="webhook")
    await ask(pool, CancelJobs((jobs[3],)))
    single = await last_request(conn)
    shown = await preview(pool, request=first.audit_id)
    assert (shown.count, shown.key) == (0, None)
    assert sorted(tell(shown)) == [
        (f"cancelled since by request {single} (ana, AT)", (jobs[3],)),
        (f"given up since by request {given_up.audit_id} (ana, AT)", tuple(jobs[:3])),
    ]
    assert f"given up since by request {given_up.audit_id} (ana," in render_text(shown)
    # What the later ones did is undone by their own numbers, and that of the undo is none.
    assert (await preview(pool, request=given_up.audit_id)).count == 3
    assert (await preview(pool, request=single)).count == 1
    assert (await preview(pool, request=back.audit_id)).count == 0
    # As the buttons ask for it.
    button = await preview(pool, request=first.audit_id, statuses=("cancelled",))
    assert button.count == 0
    assert sorted(tell(button)) == sorted(tell(shown))


async def test_an_undo_leaves_what_ran_again_since_without_a_request(pool, conn, make_job):
    jobs = [await make_job(queue="webhook") for _ in range(2)]
    first = await act(pool, CANCEL, queue="webhook")
    await conn.execute("UPDATE procrastinate_jobs SET status = 'todo' WHERE id = %s", jobs[:1])
    await fail(conn, jobs[:1])
    shown = await preview(pool, request=first.audit_id)
    assert shown.count == 1
    assert tell(shown) == [("run again since, and not by a request", (jobs[0],))]


async def test_an_undo_reaches_running_jobs_that_were_asked_to_abort_and_rescued(
    pool, conn, make_job
):
    job = await make_job(status="doing", queue="webhook")
    first = await act(pool, CANCEL, queue="webhook", statuses=CANCEL.statuses)
    await conn.execute("UPDATE procrastinate_jobs SET status = 'aborted' WHERE id = %s", (job,))
    await conn.execute(
        "INSERT INTO jobs_maint_audit (actor_kind, actor_id, word, action, outcome, items) VALUES"
        " ('task', 'rescue', 'rescue', 'rescue', 'done', jsonb_build_array(jsonb_build_object("
        "'id', %s, 'outcome', 'done', 'code', 'aborted')))", (job,)
    )  # fmt: skip
    assert (await preview(pool, request=first.audit_id)).count == 1


async def test_an_undo_that_was_stopped_goes_on_and_says_what_is_done(pool, make_job, monkeypatch):
    monkeypatch.setattr("jobs_maint.operations.sets.batches.BATCH", 2)
    jobs = [await make_job(status="failed", queue="email") for _ in range(5)]
    given_up = await act(pool, DISCARD, queue="email")
    shown = await preview(pool, request=given_up.audit_id)
    watch = Watch(lambda *_: watch.stop())
    part = await ask(pool, ConfirmSelection(shown.key), watch=watch)
    assert (part.done, part.stopped) == (2, True)
    rest = await preview(pool, request=given_up.audit_id)
    put_back = f"already waiting; put back since by request {part.audit_id} (ana, AT)"
    assert (rest.count, tell(rest)) == (3, [(put_back, tuple(jobs[:2]))])
    whole = await ask(pool, ConfirmSelection(rest.key))
    assert whole.done == 3
    again = await preview(pool, request=given_up.audit_id)
    both = (
        f"already waiting; put back since by 2 requests, the last of them request {whole.audit_id}"
    )
    assert (again.count, tell(again)) == (0, [(f"{both} (ana, AT)", tuple(jobs))])


async def test_the_number_of_a_request_that_changed_no_job_says_what_it_was(pool, conn, make_job):
    job = await make_job(queue="webhook", scheduled_in=hours(1))
    await preview(pool, CANCEL, queue="webhook")
    look = await last_request(conn)
    only = rf"^Request {look} was only a preview of 'cancel --all webhook', by ana, 2.* UTC; it "
    with pytest.raises(InvalidRequest, match=f"{only}changed nothing.$"):
        await preview(pool, request=look)
    done = await act(pool, CANCEL, queue="webhook")
    with pytest.raises(InvalidRequest, match=f"{only}.* Request {done.audit_id} then did it") as it:
        await preview(pool, request=look)
    assert it.value.suggestion == f"retry --request {done.audit_id}"
    narrow = Actor("slack", "U0BO", "bo", "C0", (Grant(Role.OPERATOR, ("other",)),))
    for request in (look, look + 1_000):
        with pytest.raises(InvalidRequest) as told:
            await preview(pool, request=request, actor=narrow)
        none = f"Request {request} changed no job in the queues that you reach."
        assert str(told.value) == none
    await make_job(status="failed", queue="other")
    await preview(pool, queue="other", actor=narrow)
    own = await last_request(conn)
    with pytest.raises(InvalidRequest, match=f"{own} was only a preview of 'retry --all other'"):
        await preview(pool, request=own, actor=narrow)
    await ask(pool, DiscardJobs((job,)))
    nothing = await last_request(conn)
    with pytest.raises(InvalidRequest, match=rf"^Request {nothing} was 'discard {job}'.*no job"):
        await preview(pool, request=nothing)


@pytest.mark.parametrize("jobs", [1, 2])
async def test_the_undo_of_a_discard_says_that_its_jobs_had_failed_and_run_again(
    pool, make_job, jobs
):
    for _ in range(jobs):
        await make_job(queue="webhook", status="failed")
        await make_job(queue="email")
    told = (
        "runs again" if jobs == 1 else "They had failed or been aborted before they were discarded"
    )
    discarded = await act(pool, DISCARD, queue="webhook")
    assert told in (await preview(pool, request=discarded.audit_id)).warnings[0]
    cancelled = await act(pool, CANCEL, queue="email")
    shown = await preview(pool, request=cancelled.audit_id)
    assert "again" not in " ".join(shown.warnings)
