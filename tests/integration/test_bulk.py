"""Sets of jobs: preview, confirm exactly that set once, undo; cancel and discard."""

from __future__ import annotations

import asyncio
import dataclasses
import re

import pytest
from tests.support.history import days, hours, minutes

from chatbot.messages.result import render_result
from jobs_maint.actions import (
    Actor,
    BulkVerb,
    CancelJobs,
    ConfirmSelection,
    DiscardJobs,
    Grant,
    JobFilter,
    ListErrors,
    ListStuck,
    ListWorkers,
    PreviewBulk,
    PreviewPurge,
    RetryJobs,
    Role,
    ShowAudit,
)
from jobs_maint.errors import InvalidRequest, NotPermitted, SelectionExpired
from jobs_maint.operations.failures.memory import collect_groups
from jobs_maint.perform import Watch, perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings
from jobs_maint.upstream import OUR_TASKS

ANA = Actor.shell("ana", "host")
BO = Actor.shell("bo", "host")
NARROW = Actor("slack", "U0BEN", "ben", "C0OPS", (Grant(Role.OPERATOR, queues=("webhook",)),))


async def ask(pool, action, actor=ANA, **options):
    return await perform(pool, actor, action, settings=MaintSettings(), **options)


async def preview(pool, verb=BulkVerb.RETRY, actor=ANA, **wanted):
    wanted.setdefault("statuses", verb.statuses[:1])
    return await ask(pool, PreviewBulk(verb, JobFilter(**wanted)), actor)


async def confirm(pool, shown, actor=ANA, **options):
    return await ask(pool, ConfirmSelection(shown.key), actor, **options)


async def list_status(make_job, jobs):
    return [await make_job.status(job) for job in jobs]


async def test_a_preview_says_what_its_jobs_failed_with_and_when(pool, conn, make_job, monkeypatch):
    monkeypatch.setattr("jobs_maint.operations.sets.failed.MOST_GROUPED", 8)
    await make_job(status="failed", queue="email", error="too old", finished_ago=days(3))
    for number, error in ((5, "no route"), (2, "password=hunter2 refused"), (1, "")):
        for _ in range(number):
            await make_job(status="failed", queue="email", error=error, finished_ago=hours(number),
                           recorded=bool(error))  # fmt: skip
    await make_job(status="cancelled", queue="email")
    await collect_groups(conn)
    for verb in (BulkVerb.RETRY, BulkVerb.DISCARD):
        shown = await preview(pool, verb, queue="email")
        errors = shown.errors
        assert [(one.count, one.error) for one in errors.groups] == [
            (5, "ValueError: no route"), (2, "ValueError: password=[redacted] refused"), (1, None),
        ]  # fmt: skip
        assert all(one.name.startswith("E-") for one in errors.groups[:2])
        assert (errors.jobs, errors.groups_not_shown, errors.jobs_not_read) == (8, 0, 1)
        assert (errors.last_at - errors.first_at).total_seconds() == pytest.approx(4 * 3600, abs=60)
    both = await preview(pool, queue="email", statuses=("failed", "cancelled"))
    assert (both.count, both.errors.jobs) == (10, 8)
    cancelled = await preview(pool, queue="email", statuses=("cancelled",))
    assert cancelled.errors is None
    for number in (3, 4):
        await make_job(status="failed", queue="web", error=f"late by {number} s", fingerprint="1:l")
    (late,) = (await preview(pool, queue="web")).errors.groups
    assert late.error == "ValueError: 2 different messages, e.g. late by 4 s"


async def test_errors_not_recorded_are_summed_up_whatever_their_tasks(pool, conn, make_job):
    for number, task in enumerate(("a", "b", "c", "d"), 2):
        for _ in range(number):
            await make_job(status="failed", queue="email", task=f"app.{task}", recorded=False,
                           finished_ago=hours(1))  # fmt: skip
    for task, error in (("a", "no route"), ("b", "no route"), ("b", "refused"), ("c", "x")):
        await make_job(status="failed", queue="email", task=f"app.{task}", error=error)
    errors = (await preview(pool, queue="email")).errors
    found = [(one.count, one.error, one.task) for one in errors.groups]
    assert found[0] == (14, None, None)
    assert all(count == 1 and error and task for count, error, task in found[1:])
    assert (errors.jobs, len(found), errors.groups_not_shown, errors.jobs_not_shown) == (
        18,
        3,
        2,
        2,
    )


async def test_exactly_the_set_that_was_shown_goes_back(pool, make_job):
    shown_jobs = [await make_job(status="failed", queue="webhook") for _ in range(3)]
    other = await make_job(status="failed", queue="email")
    shown = await preview(pool, queue="webhook")
    assert (shown.count, shown.remain, shown.skips) == (3, 0, ())
    assert [(g.queue, g.task, g.count) for g in shown.groups] == [("webhook", "app.task", 3)]
    later = await make_job(status="failed", queue="webhook")
    report = await confirm(pool, shown)
    assert (report.done, report.requested, report.left) == (3, 3, 0)
    assert report.newer == 1  # `later`; the other queue is not asked for
    alone = "No worker is alive: they wait until one starts."
    assert shown.warnings == report.warnings == (alone,)
    assert await list_status(make_job, shown_jobs) == ["todo"] * 3
    assert await list_status(make_job, [other, later]) == ["failed"] * 2


async def test_a_selection_runs_once_even_when_confirmed_by_many_at_once(pool, make_job):
    job = await make_job(status="failed")
    shown = await preview(pool)
    results = await asyncio.gather(
        *(confirm(pool, shown) for _ in range(4)), return_exceptions=True
    )
    reports = [r for r in results if not isinstance(r, BaseException)]
    assert [report.done for report in reports] == [1]
    assert all("runs only once" in str(r) for r in results if isinstance(r, SelectionExpired))
    assert sum(isinstance(r, SelectionExpired) for r in results) == 3
    assert (await make_job.events(job)).count("retried") == 1


async def test_only_who_asked_can_confirm_and_only_for_ten_minutes(pool, make_job, conn):
    job = await make_job(status="failed")
    shown = await preview(pool)
    with pytest.raises(SelectionExpired, match="Only the person who asked"):
        await confirm(pool, shown, BO)
    await conn.execute("UPDATE jobs_maint_selections SET expires_at = now()")
    with pytest.raises(SelectionExpired, match="older than ten minutes"):
        await confirm(pool, shown)
    with pytest.raises(SelectionExpired, match="not known here"):
        await ask(pool, ConfirmSelection("forged"))
    with pytest.raises(NotPermitted):
        await confirm(pool, shown, Actor("slack", "U0BEN", "ben", "C0OPS", ()))
    assert await make_job.status(job) == "failed"
    found = await conn.execute("SELECT word, action, outcome FROM jobs_maint_audit ORDER BY id")
    asked = ("retry", "retry --all")
    assert await found.fetchall() == [
        (*asked, "previewed"), (*asked, "expired"), (*asked, "expired"),
        ("confirm", "confirm", "expired"), (*asked, "refused"),
    ]  # fmt: skip


async def test_a_person_who_lost_the_role_is_refused_and_the_set_stays_unused(pool, make_job):
    job = await make_job(status="failed")
    operator = Actor("slack", "U1", "bo", "C1", (Grant(Role.OPERATOR),))
    viewer = Actor("slack", "U1", "bo", "C1", (Grant(Role.VIEWER),))
    shown = await preview(pool, actor=operator)
    with pytest.raises(NotPermitted):
        await confirm(pool, shown, viewer)
    assert (await confirm(pool, shown, operator)).done == 1
    assert await make_job.status(job) == "todo"


async def test_cancelling_or_discarding_all_takes_an_admin_also_at_the_confirmation(pool, make_job):
    await make_job(queue="email")
    operator = Actor("slack", "U1", "bo", "C1", (Grant(Role.OPERATOR),))
    admin = Actor("slack", "U1", "bo", "C1", (Grant(Role.ADMIN),))
    with pytest.raises(NotPermitted, match="admin"):
        await preview(pool, BulkVerb.CANCEL, operator, queue="email")
    shown = await preview(pool, BulkVerb.CANCEL, admin, queue="email")
    with pytest.raises(NotPermitted, match="admin"):
        await confirm(pool, shown, operator)
    assert (await confirm(pool, shown, admin)).done == 1


async def test_filters_combine(pool, make_job):
    wanted = await make_job(
        status="failed", queue="webhook", task="app.deliver", error="100% timeout",
        finished_ago=minutes(30),
    )  # fmt: skip
    for change in (
        {"queue": "email"}, {"task": "app.mail"}, {"error": "other"},
        {"finished_ago": hours(5)}, {"finished_ago": minutes(1)}, {"status": "aborted"},
    ):  # fmt: skip
        job = {
            "status": "failed", "queue": "webhook", "task": "app.deliver",
            "error": "100% timeout", "finished_ago": minutes(30), **change,
        }  # fmt: skip
        await make_job(**job)
    shown = await preview(
        pool, queue="web*", task="*.deliver", error="0% TIME", since=hours(1), until=minutes(10)
    )
    assert shown.count == 1
    await confirm(pool, shown)
    assert await make_job.status(wanted) == "todo"


async def test_the_preview_says_what_will_stay_and_the_outcome_names_it(pool, make_job):
    await make_job(status="failed", queueing_lock="a")
    held = await make_job(status="failed", queueing_lock="b")
    twice = await make_job(status="failed", queueing_lock="a")
    await make_job(queueing_lock="b")
    shown = await preview(pool)
    assert (shown.count, shown.skipped) == (3, 2)
    assert {skip.sample for skip in shown.skips} == {(held,), (twice,)}
    report = await confirm(pool, shown)
    assert report.done == 1
    (skip,) = report.skips
    assert (skip.code, skip.count) == ("queueing_lock_taken", 2)


async def test_a_discard_is_undone_by_its_audit_id(pool, make_job, conn):
    jobs = [await make_job(status="failed", queue="email") for _ in range(3)]
    other = await make_job(status="cancelled", queue="email")
    report = await confirm(pool, await preview(pool, BulkVerb.DISCARD, queue="email"))
    assert await list_status(make_job, jobs) == ["cancelled"] * 3
    assert (await make_job.events(jobs[0]))[-1] == "cancelled"
    undo = await preview(pool, request=report.audit_id, statuses=BulkVerb.RETRY.statuses)
    assert undo.count == 3
    await confirm(pool, undo)
    assert await list_status(make_job, jobs) == ["todo"] * 3
    assert await make_job.status(other) == "cancelled"
    with pytest.raises(InvalidRequest, match="no request 99999"):
        await preview(pool, request=99_999)


async def test_an_undo_says_what_became_of_the_jobs_that_it_leaves_out(pool, make_job, conn):
    jobs = [await make_job(status="failed", queue="email") for _ in range(6)]
    hers = await make_job(status="failed", queue="web")
    report = await confirm(pool, await preview(pool, BulkVerb.DISCARD, queue="*"))
    await ask(pool, RetryJobs((jobs[0], jobs[1], hers)))
    await conn.execute("DELETE FROM procrastinate_jobs WHERE id = %s", (jobs[5],))
    undo = {"request": report.audit_id, "statuses": BulkVerb.RETRY.statuses}
    shown = await preview(pool, **undo)
    said = [(skip.code, re.sub(r" \(.*", "", skip.reason), skip.sample) for skip in shown.left_out]
    assert shown.count == 3
    put_back = f"already waiting; put back since by request {report.audit_id + 1}"
    assert said == [
        ("wrong_status", put_back, (jobs[0], jobs[1], hers)),
        ("not_found", "not found", (jobs[5],)),
    ]
    assert "3 left out: already waiting" in render_result(shown, "/jobs", by="U0ANA").text
    only_email = dataclasses.replace(ANA, grants=(Grant(Role.ADMIN, ("email",)),))
    narrow = await ask(pool, PreviewBulk(BulkVerb.RETRY, JobFilter(**undo)), only_email)
    assert [skip.count for skip in narrow.left_out] == [2, 1], "those of her queues"
    only_web = dataclasses.replace(ANA, grants=(Grant(Role.ADMIN, ("web",)),))
    other = await ask(pool, PreviewBulk(BulkVerb.RETRY, JobFilter(**undo)), only_web)
    assert other.left_out[0].reason.startswith(put_back)
    assert [(skip.count, skip.sample) for skip in other.left_out] == [
        (1, (hers,)), (3, ()), (1, (jobs[5],)),
    ]  # fmt: skip
    assert [skip.reason for skip in other.left_out[1:]] == ["outside your grant (web)", "not found"]
    assert (await preview(pool, queue="email", **undo)).left_out == (), "only some were asked for"
    back = await confirm(pool, shown)
    assert [skip.count for skip in back.left_out] == [3, 1]
    nothing = await preview(pool, **undo)
    assert (nothing.count, [skip.count for skip in nothing.left_out]) == (0, [6, 1])
    text = render_result(nothing, "/jobs", by="U0ANA").text
    assert text.startswith("🟡 None of these jobs can be retried now")
    assert "6 left out: already waiting" in text


async def test_a_cancel_of_single_jobs_is_undone_too(pool, make_job, conn):
    job = await make_job(scheduled_in=hours(5))
    report = await ask(pool, CancelJobs((job,)))
    assert [item.code for item in report.items] == ["cancelled"]
    (audit_id,) = await (await conn.execute("SELECT max(id) FROM jobs_maint_audit")).fetchone()
    undo = await preview(pool, request=audit_id, statuses=BulkVerb.RETRY.statuses)
    await confirm(pool, undo)
    row = await (
        await conn.execute("SELECT status::text, scheduled_at > now() FROM procrastinate_jobs")
    ).fetchone()
    assert row == ("todo", True)


async def test_cancel_asks_a_running_job_to_abort_and_refuses_a_finished_one(pool, make_job, conn):
    waiting, running, done = [await make_job(status=s) for s in ("todo", "doing", "succeeded")]
    report = await ask(pool, CancelJobs((waiting, running, done, 99_999)))
    assert [item.code for item in report.items] == [
        "cancelled", "abort_requested", "wrong_status", "not_found",
    ]  # fmt: skip
    again = await ask(pool, CancelJobs((running,)))
    assert [item.code for item in again.items] == ["abort_requested_before"]
    asked = await conn.execute("SELECT id FROM procrastinate_jobs WHERE abort_requested")
    assert await asked.fetchall() == [(running,)]
    nobody = f"No live worker reports job {running}, so nobody stops it: the rescue marks it as"
    for told in (report, again):
        assert [warning.startswith(nobody) for warning in told.warnings] == [True]
    # As a set, too: neither is told as done in the audit.
    more = [await make_job(queue="email", status=s) for s in ("todo", "todo", "doing")]
    both = await preview(pool, BulkVerb.CANCEL, queue="email", statuses=BulkVerb.CANCEL.statuses)
    done = await confirm(pool, both)
    assert (done.done, len(done.warnings)) == (len(more), 1)
    entries = (await ask(pool, ShowAudit())).entries
    assert [one.counts for one in entries if one.outcome != "previewed"] == [
        {"done": 2, "abort_requested": 1}, {"skipped": 1},
        {"done": 1, "abort_requested": 1, "skipped": 2},
    ]  # fmt: skip
    assert "2 cancelled, 1 asked to abort: cancel" in render_text(
        await ask(pool, ShowAudit()), width=200
    )


async def test_cancel_all_leaves_running_jobs_alone_unless_asked(pool, make_job):
    waiting = await make_job(queue="email")
    running = await make_job(queue="email", status="doing")
    await confirm(pool, await preview(pool, BulkVerb.CANCEL, queue="email"))
    assert await list_status(make_job, [waiting, running]) == ["cancelled", "doing"]
    both = await preview(pool, BulkVerb.CANCEL, queue="email", statuses=BulkVerb.CANCEL.statuses)
    assert both.count == 1


async def test_a_preview_counts_the_jobs_that_a_retry_does_not_run_now(pool, make_job, conn):
    ahead = {"scheduled_in": hours(5)}
    jobs = [
        await make_job(status="cancelled", **ahead),
        await make_job(status="cancelled", scheduled_in=-hours(5)),
        await make_job(status="cancelled"),
        await make_job(status="failed", **ahead),
    ]
    shown = await preview(pool, statuses=BulkVerb.RETRY.statuses)
    assert (shown.count, shown.later) == (4, 1)
    assert (await preview(pool)).later == 0
    await confirm(pool, shown)
    rows = await conn.execute("SELECT id FROM procrastinate_jobs WHERE scheduled_at IS NOT NULL")
    assert await rows.fetchall() == [(jobs[0],)]
    assert (await preview(pool, BulkVerb.CANCEL)).later == 0


async def test_a_preview_confirmed_late_leaves_jobs_that_others_put_back_and_cancelled_again(
    pool, make_job
):
    first, second = await make_job(queue="email"), await make_job(queue="email")
    await ask(pool, CancelJobs((first, second)))
    shown = await preview(pool, queue="email", statuses=("cancelled",))
    await ask(pool, RetryJobs((first,)))
    await ask(pool, CancelJobs((first,)))
    report = await confirm(pool, shown)
    told = [(skip.code, skip.reason, skip.sample) for skip in report.skips]
    why = "it was put back after the preview, and then cancelled again"
    assert told == [("ended_otherwise", why, (first,))]
    assert await list_status(make_job, [first, second]) == ["cancelled", "todo"]


async def test_an_older_preview_in_slack_counts_no_more_where_the_newer_one_finds_nothing(
    pool, make_job
):
    ana, first = Actor("slack", "U1", "ana", "C1", (Grant(Role.ADMIN),)), await make_job()
    await ask(pool, CancelJobs((first,)))
    wanted = PreviewBulk(BulkVerb.RETRY, JobFilter(queue="default", statuses=("cancelled",)))
    shown = await ask(pool, wanted, ana)
    await ask(pool, RetryJobs((first,)))
    assert (await ask(pool, wanted, ana)).count == 0
    with pytest.raises(SelectionExpired):
        await ask(pool, ConfirmSelection(shown.key), ana)


async def test_discard_refuses_what_is_not_failed(pool, make_job):
    failed, waiting = await make_job(status="failed"), await make_job()
    report = await ask(pool, DiscardJobs((failed, waiting)))
    assert [item.code for item in report.items] == ["discarded", "wrong_status"]


@pytest.mark.parametrize("verb", [BulkVerb.RETRY, BulkVerb.DISCARD])
async def test_jobs_that_ended_otherwise_since_the_preview_are_left_as_they_are(
    pool, make_job, conn, verb
):
    alike = {"status": "failed", "queue": "email"}
    same, given_up, ran, waits, aborted = [await make_job(**alike) for _ in range(5)]
    shown = await preview(pool, verb, queue="email")
    await ask(pool, DiscardJobs((given_up,)))
    for job, status, more in (
        (ran, "failed", 1), (waits, "todo", 0), (aborted, "aborted", 0)
    ):  # fmt: skip
        await conn.execute(
            "UPDATE procrastinate_jobs SET status = %s, attempts = attempts + %s WHERE id = %s",
            (status, more, job),
        )
    report = await confirm(pool, shown)
    left = {skip.code: (skip.count, skip.reason) for skip in report.skips}
    assert report.done == 1
    assert left["ran_again"] == (1, "it ran again after the preview; its error may be another now")
    assert left["ended_otherwise"] == (2, "it was failed in the preview and is cancelled now")
    assert left["wrong_status"][0] == 1
    became = "todo" if verb is BulkVerb.RETRY else "cancelled"
    assert await list_status(make_job, [same, given_up, ran, waits, aborted]) == [
        became, "cancelled", "failed", "todo", "aborted",
    ]  # fmt: skip


async def test_a_cancel_confirmed_late_leaves_jobs_that_ended_and_were_put_back(
    pool, make_job, conn
):
    async def move(job, *statuses):
        for status in statuses:
            await conn.execute(
                "UPDATE procrastinate_jobs SET status = %s WHERE id = %s", (status, job)
            )

    waits, starts, retries, failed, cancelled, runs = [
        await make_job(queue="email") for _ in range(6)
    ]
    shown = await preview(pool, BulkVerb.CANCEL, queue="email")
    await move(starts, "doing")
    await move(retries, "doing", "todo")
    for job in (failed, runs):
        await move(job, "doing", "failed")
    await ask(pool, CancelJobs((cancelled,)))
    await ask(pool, RetryJobs((failed, cancelled, runs)))
    await move(runs, "doing")
    report = await confirm(pool, shown)
    assert await list_status(make_job, [waits, starts, retries, failed, cancelled, runs]) == [
        "cancelled", "doing", "cancelled", "todo", "todo", "doing",
    ]  # fmt: skip
    assert [(group.code, group.sample) for group in report.became] == [
        ("cancelled", (waits, retries)), ("abort_requested", (starts,)),
    ]  # fmt: skip
    [left] = report.skips
    assert (left.code, left.sample) == ("ended_otherwise", (failed, cancelled, runs))
    assert left.reason == "it ended after the preview, and was then put back"


async def test_named_jobs_that_were_given_up_are_told_and_left_where_only_failed_ones_are_asked(
    pool, make_job
):
    failed, given_up, again, waits = [
        await make_job(status="failed", queue="email") for _ in range(4)
    ]
    own = await make_job(status="failed", task=OUR_TASKS[0])
    await ask(pool, DiscardJobs((given_up,)))
    await ask(pool, RetryJobs((waits,)))
    ids = (failed, given_up, again, waits, own, 999_999)
    shown = await preview(pool, job_ids=ids, statuses=BulkVerb.RETRY.statuses)
    assert (shown.count, shown.by_status) == (3, {"failed": 2, "cancelled": 1})
    assert "Of the 3, 1 was cancelled or given up." in render_text(shown, width=100)
    told = render_result(shown, "/jobs", by="U0ANA").text
    assert told.startswith("Retry 3 jobs of email?\nOf the 3, 1 was cancelled or given up.")
    shown = await preview(pool, job_ids=ids)
    told = render_result(shown, "/jobs", by="U0ANA").text
    assert told.startswith("Retry 2 failed jobs of email?\n")
    left = {
        f"left out (job {given_up}): cancelled or given up",
        f"left out (job {waits}): already waiting",
        f"left out (job {own}): a task of this tool", "left out (job 999999): not found",
    }  # fmt: skip
    assert [one for one in left if one not in told] == []
    assert (await confirm(pool, shown)).done == 2
    assert await list_status(make_job, [given_up, own]) == ["cancelled", "failed"]
    [item] = (await ask(pool, RetryJobs((given_up,), statuses=("failed",)))).items
    assert (item.code, item.reason) == (
        "wrong_status", "it was cancelled or given up; only failed jobs were asked for"
    )  # fmt: skip
    with pytest.raises(
        NotPermitted, match=rf"^You may not retry job {failed}: the queue is outside"
    ):
        await preview(pool, actor=NARROW, job_ids=(failed, 999_999))
    mine = await make_job(status="failed", queue=NARROW.grants[0].queues[0].replace("*", "x"))
    some = await preview(pool, actor=NARROW, job_ids=(mine, failed, waits, 999_999))
    reach = ", ".join(NARROW.grants[0].queues)
    assert [(one.code, one.reason, one.sample) for one in some.left_out] == [
        ("not_permitted", f"outside your grant ({reach})", (failed, waits)),
        ("not_found", "not found", (999_999,)),
    ]
    report = await confirm(pool, some, actor=NARROW)
    assert (report.done, len(report.left_out)) == (1, 2)
    entry = (await ask(pool, ShowAudit(limit=1))).entries[0]
    assert (entry.outcome, entry.counts) == ("partly", {"done": 1, "skipped": 3})


async def test_a_confirmed_undo_leaves_what_was_cancelled_anew(pool, make_job, conn):
    first, second = [await make_job(queue="email") for _ in range(2)]
    await confirm(pool, await preview(pool, BulkVerb.CANCEL, queue="email"))
    rows = await conn.execute("SELECT max(id) FROM jobs_maint_audit")
    [(request,)] = await rows.fetchall()
    shown = await preview(pool, statuses=BulkVerb.RETRY.statuses, request=request)
    await conn.execute(
        "UPDATE procrastinate_jobs SET status = 'failed', attempts = 1 WHERE id = %s", (first,)
    )
    report = await confirm(pool, shown)
    assert (report.done, [skip.code for skip in report.skips]) == (1, ["ended_otherwise"])
    assert await list_status(make_job, [first, second]) == ["failed", "todo"]


async def test_a_stop_between_two_batches_leaves_the_rest_and_says_so(pool, make_job, conn):
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'email', 'app.mail', 'failed' FROM generate_series(1, 1200)"
    )
    shown = await preview(pool, queue="email")
    watch = Watch(lambda done, total: watch.stop())
    report = await confirm(pool, shown, watch=watch)
    assert (report.stopped, report.done, report.left) == (True, 500, 700)
    rows = await (
        await conn.execute("SELECT outcome, counts FROM jobs_maint_audit ORDER BY id")
    ).fetchall()
    assert rows == [("previewed", {"jobs": 1200}), ("partly", {"done": 500})]


async def test_our_own_tasks_are_never_part_of_a_set(pool, make_job):
    await make_job(status="failed", queue="maintenance", task="jobs_maint:purge_finished_jobs")
    assert (await preview(pool)).key is None


async def test_a_purge_is_frozen_by_statuses_queue_and_cut_off(pool, make_job, conn):
    old = await make_job(status="succeeded", queue="email", finished_ago=days(8))
    kept = [
        await make_job(status="failed", queue="email", finished_ago=days(8)),
        await make_job(status="succeeded", queue="webhook", finished_ago=days(8)),
        await make_job(status="succeeded", queue="email", finished_ago=days(6)),
    ]
    shown = await ask(pool, PreviewPurge(older_than=days(7), queue="email"))
    assert (shown.count, shown.by_status) == (1, {"succeeded": 1})
    report = await confirm(pool, shown)
    assert report.deleted == {"succeeded": 1}
    assert await make_job.status(old) is None
    assert await list_status(make_job, kept) == ["failed", "succeeded", "succeeded"]
    with pytest.raises(SelectionExpired, match="runs only once"):
        await confirm(pool, shown)


async def test_a_purge_of_every_queue_needs_a_grant_on_every_queue(pool, make_job):
    await make_job(status="succeeded", queue="email", finished_ago=days(8))
    limited = Actor("slack", "U1", "bo", "C1", (Grant(Role.ADMIN, queues=("email",)),))
    with pytest.raises(NotPermitted, match="every queue"):
        await ask(pool, PreviewPurge(older_than=days(7)), limited)
    shown = await ask(pool, PreviewPurge(older_than=days(7), queue="email"), limited)
    assert (await confirm(pool, shown, limited)).total == 1


async def test_errors_are_grouped_and_compared_with_the_span_before(pool, make_job):
    for ago in (minutes(5), minutes(6), hours(30)):
        await make_job(status="failed", task="app.deliver", error="timeout", finished_ago=ago)
    await make_job(status="failed", task="app.mail", error="bounced", finished_ago=hours(1))
    await make_job(status="failed", task="app.pdf", recorded=False, finished_ago=hours(2))
    await make_job(status="failed", task="app.old", error="gone", finished_ago=hours(40))
    report = await ask(pool, ListErrors())
    found = {(g.task, g.count, g.count_before, g.trend, g.recorded) for g in report.groups}
    assert found == {
        ("app.deliver", 2, 1, "steady", True),
        ("app.mail", 1, 0, "new", True),
        ("app.pdf", 1, 0, "new", False),
        ("app.old", 0, 1, "gone", True),
    }
    assert (report.failed, report.failed_before) == (4, 2)
    short = await ask(pool, ListErrors(limit=1))
    assert (short.groups_not_shown, short.failures_not_shown) == (3, 2)


async def test_more_than_fifty_groups_of_one_task_and_type_are_one(pool, make_job):
    for number in range(55):
        await make_job(
            status="failed", task="app.chatty", error=f"text {chr(97 + number % 26)}{number}"
        )
    await make_job(status="failed", task="app.mail", error="bounced")
    report = await ask(pool, ListErrors())
    assert [(g.task, g.count) for g in report.groups] == [("app.chatty", 55), ("app.mail", 1)]
    assert report.groups[0].message.startswith("55 different messages")
    assert (report.groups[0].messages, report.groups[1].messages) == (55, 1)
    assert render_text(report).count("different messages") == 1


async def test_stuck_and_workers_show_who_runs_what(pool, make_job, conn):
    found = await conn.execute("SELECT procrastinate_register_worker_v1()")
    (worker,) = await found.fetchone()
    named = await make_job(status="doing", worker_id=worker, deferred_ago=hours(3))
    orphan = await make_job(status="doing", deferred_ago=minutes(10))
    await conn.execute(
        "INSERT INTO jobs_maint_workers (worker_id, host, pid, recorder_version, delete_jobs,"
        " beat_seconds, job_ids) VALUES (%s, 'host-a', 31, '1', 'never', 10, %s)",
        (worker, [named]),
    )
    report = await ask(pool, ListStuck())
    assert [job.job_id for job in report.stuck] == [orphan]
    assert [job.job_id for job in report.long_running] == [named]
    (view,) = (await ask(pool, ListWorkers())).workers
    assert (view.live, view.host, view.recorder) == (True, "host-a", True)
    assert [job.job_id for job in view.jobs] == [named]


async def test_the_audit_is_listed_newest_first_and_filtered_by_actor(pool, make_job):
    job = await make_job(status="failed")
    await ask(pool, DiscardJobs((job,)))
    await ask(pool, CancelJobs((job,)), BO)
    report = await ask(pool, ShowAudit())
    assert [(e.actor, e.action, e.outcome) for e in report.entries] == [
        ("shell:bo@host", f"cancel {job}", "refused"),
        ("shell:ana@host", f"discard {job}", "done"),
    ]
    assert (await ask(pool, ShowAudit(actor="ana"))).total == 1


@pytest.mark.parametrize("verb", [BulkVerb.CANCEL, BulkVerb.DISCARD])
@pytest.mark.parametrize(
    ("number", "again", "said"),
    [
        (3, 0, ""), (3, 1, "1 of them was put back meanwhile."),
        (3, 2, "2 of them were put back meanwhile."), (1, 1, "It was put back meanwhile."),
    ],
)  # fmt: skip
async def test_an_outcome_says_which_jobs_somebody_put_back_during_the_act(
    pool, conn, make_job, verb, number, again, said
):
    """It counts what the act has changed, of which some are not so any more when it ends."""
    status = "todo" if verb is BulkVerb.CANCEL else "failed"
    for _ in range(number):
        await make_job(status=status, queue="email")
    await conn.execute(
        "CREATE FUNCTION put_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE procrastinate_jobs SET status = 'todo'"
        " WHERE id = ANY (NEW.job_ids[:TG_ARGV[0]::int]);"
        " RETURN NEW; END $$;"
        " CREATE TRIGGER put_back AFTER INSERT ON jobs_maint_audit_items"
        f" FOR EACH ROW EXECUTE FUNCTION put_back({again})"
    )
    shown = await preview(pool, verb, queue="email", statuses=(status,))
    report = await confirm(pool, shown)
    assert report.done == number
    assert report.warnings == ((said,) if said else ())
    told = render_result(report, "/jobs", by="U1").text + render_text(report, width=200)
    assert told.count("put back meanwhile") == 2 * bool(said)
