"""What an answer must not tell: hidden values by a filter, and what lies out of a grant's reach."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.fleet import Fleet
from tests.support.history import days, hours

from chatbot.messages.result import render_result
from jobs_maint.actions import (
    Actor,
    BulkVerb,
    CancelJobs,
    ConfirmSelection,
    GetJob,
    Grant,
    JobFilter,
    Limits,
    ListErrors,
    ListFailed,
    ListIncidents,
    ListStuck,
    ListWorkers,
    PreviewBulk,
    PreviewPurge,
    PreviewRescue,
    Role,
    ShowAudit,
    ShowDigest,
    ShowStats,
    StopRun,
    WatchIncidents,
)
from jobs_maint.audit import Run
from jobs_maint.errors import InvalidRequest, NotPermitted
from jobs_maint.perform import perform
from jobs_maint.redaction import HIDDEN
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
EMAIL_VIEWER = Actor("slack", "U1", "bo", "C1", (Grant(Role.VIEWER, queues=("email*",)),))
EMAIL_ADMIN = Actor("slack", "U2", "cy", "C1", (Grant(Role.ADMIN, queues=("email*",)),))


async def ask(pool, action, actor=ANA, **options):
    return await perform(pool, actor, action, settings=MaintSettings(), **options)


@pytest.mark.parametrize("guess", ["password=h", "hunter2", "=hunter", "p4ss@db"])
async def test_a_hidden_value_is_found_by_no_filter(pool, make_job, guess):
    await make_job(
        queue="email", status="failed", error="no login: password=hunter2 at postgres://a:p4ss@db/x"
    )
    assert (await ask(pool, ListFailed(error=guess))).total == 0
    assert (await ask(pool, ListFailed(error=guess, since=days(1)))).total == 0
    for verb in (BulkVerb.RETRY, BulkVerb.DISCARD):
        wanted = JobFilter(statuses=("failed",), error=guess)
        assert (await ask(pool, PreviewBulk(verb, wanted))).count == 0


@pytest.mark.parametrize(
    "text",
    [
        "no login",
        "PASSWORD=",
        f"password={HIDDEN}",
        f"password={HIDDEN} at",
        HIDDEN,
        "ValueError: no",
    ],
)
async def test_what_is_shown_is_found(pool, make_job, text):
    job = await make_job(queue="email", status="failed", error="no login: password=hunter2 at noon")
    await make_job(queue="email", status="failed", error="timeout after 3 s")
    found = await ask(pool, ListFailed(error=text, task="task", since=days(1)), EMAIL_VIEWER)
    assert [one.job_id for one in found.jobs] == [job]
    assert (await ask(pool, ListFailed(error=text))).total == 1
    wanted = JobFilter(queue="email", statuses=("failed",), error=text)
    assert (await ask(pool, PreviewBulk(BulkVerb.RETRY, wanted))).count == 1


async def test_jobs_out_of_reach_are_counted_only_where_nothing_was_asked_for(pool, make_job):
    await make_job(queue="webhook", status="failed", error="secret plan of webhook")
    assert (await ask(pool, ListFailed(), EMAIL_VIEWER)).hidden_jobs == 1
    for asked in (
        ListFailed(error="secret plan"),
        ListFailed(task="app"),
        ListFailed(since=timedelta(hours=1)),
    ):
        found = await ask(pool, asked, EMAIL_VIEWER)
        assert (found.total, found.hidden_jobs) == (0, 0)


async def test_a_filter_out_of_reach_is_refused_whether_or_not_there_are_such_queues(
    pool, make_job
):
    await make_job(queue="webhook", status="failed", error="refused")

    def asked(name):
        yield ListErrors(queues=(name,))
        yield ListErrors(queues=("nightly", name), tasks=("app*",))
        yield ListFailed(queues=(name,))
        yield ListFailed(queues=(name,), since=days(1), grouped=True)
        for verb in BulkVerb:
            yield PreviewBulk(verb, JobFilter(queue=f"{name}*"))
            yield PreviewBulk(verb, JobFilter(queues=(name,), task="app"))

    for there, missing in zip(asked("webhook"), asked("nothing"), strict=True):
        told = []
        for action in (there, missing):
            with pytest.raises(NotPermitted, match="may not see or change the queue") as refused:
                await ask(pool, action, EMAIL_ADMIN)
            told.append(str(refused.value))
        assert told[0].replace("webhook", "nothing") == told[1]
        assert told[1].endswith("your grant reaches email*.")


async def test_a_slip_is_answered_alike_whether_or_not_such_a_queue_is_out_of_reach(pool, make_job):
    """By the spelling and the asker's own queues alone, as it is answered for anybody."""
    await make_job(queue="email1", status="failed", error="refused")
    for name, meant in (
        ("EMAIL1", "'email1'"),
        ("emial1", "'email1'"),
        ("Email2", "'email1'"),
        ("E-138c", "'failed --group E-138c'"),
        ("I-3", "'incidents I-3'"),
        ("2h", "'failed --since 2h'"),
        ("31", "'status 31'"),
    ):
        told = []
        for _ in range(2):
            with pytest.raises(InvalidRequest) as slip:
                await ask(pool, ListFailed(name), EMAIL_VIEWER)
            told.append(str(slip.value))
            await make_job(queue=name, status="failed", error="refused")
        assert told[0] == told[1]
        assert told[0].startswith(f"You reach no queue '{name}'")
        assert told[0].endswith(f"did you mean {meant}?")
    retry = PreviewBulk(BulkVerb.RETRY, JobFilter(queue="E-138c", statuses=("failed",)))
    with pytest.raises(InvalidRequest, match=r"did you mean 'retry --all --group E-138c'\?"):
        await ask(pool, retry, EMAIL_ADMIN)
    # What is near to a queue of others only is no slip of hers.
    for name in ("webhook", "webhok", "nothing"):
        await make_job(queue="webhook", status="failed", error="refused")
        for action in (ListFailed(name), ShowStats(name)):
            with pytest.raises(NotPermitted, match=f"not see or change the queue '{name}'"):
                await ask(pool, action, EMAIL_VIEWER)


async def test_a_filter_in_reach_in_part_is_answered_for_that_part_and_is_not_green(pool, make_job):
    await make_job(queue="webhook", status="failed", error="refused", task="app.deliver")
    await make_job(queue="email", status="succeeded")
    reach = "in the queues you reach (email*)"
    for action in (
        ListErrors(tasks=("app.deliver*",)),
        ListErrors(queues=("*",)),
        ListErrors(),
        ShowDigest(),
        ListFailed(tasks=("app.deliver*",), grouped=True),
        ListFailed(queues=("web*", "email"), grouped=True),
        ListFailed(grouped=True),
        PreviewBulk(BulkVerb.RETRY, JobFilter(queue="*")),
        PreviewBulk(BulkVerb.RETRY, JobFilter(task="deliver")),
    ):
        report = await ask(pool, action, EMAIL_ADMIN)
        told = render_result(report, "/jobs", by="U2").text.partition("\n")[0]
        assert report.limited_to_queues == ("email*",)
        assert told.startswith("🟡 "), told
        assert reach in told.replace("\u200b", ""), told
        assert reach in render_text(report).partition("\n\n")[0].replace("\n", " ")
        report = await ask(pool, action)
        assert report.limited_to_queues is None
        assert "you reach" not in render_result(report, "/jobs", by="U2").text
    # All of it is in reach.
    for action in (ListErrors("email"), ListErrors(queues=("email-*", "email"))):
        report = await ask(pool, action, EMAIL_ADMIN)
        assert report.limited_to_queues is None
        assert render_result(report, "/jobs", by="U2").text.startswith("🟢 ")


@pytest.mark.parametrize("action", [ShowStats(), ListStuck(), ListIncidents(), ListWorkers()])
async def test_a_list_of_some_queues_says_so_in_its_first_line_and_is_not_green(
    pool, make_job, conn, action
):
    for queue in ("email", "webhook"):
        await make_job(queue=queue, status="succeeded")
    fleet = Fleet(pool, conn, make_job)
    await fleet.start_worker()
    await perform(pool, Actor.task("chatbot"), WatchIncidents("one", Limits()))
    for actor, reach in ((EMAIL_VIEWER, True), (ANA, False)):
        report = await ask(pool, action, actor)
        said = "in the queues you reach (email*)"
        message = render_result(report, "/jobs", by="U1").text.splitlines()[0]
        assert (said in message) is reach, message
        assert not (reach and message.startswith("🟢")), message
        shell = " ".join(render_text(report).splitlines()[:2])
        assert (said in shell) is reach, shell


async def test_workers_out_of_reach_and_their_queues_are_not_told(pool, conn):
    for worker, host, queues in (
        (1, "host-mail", ["email", "payroll"]),
        (2, "host-pay", ["payroll"]),
        (3, "host-all", None),
    ):
        await conn.execute(
            "INSERT INTO procrastinate_workers OVERRIDING SYSTEM VALUE VALUES (%s, now())",
            (worker,),
        )
        await conn.execute(
            "INSERT INTO jobs_maint_workers (worker_id, host, pid, queues, recorder_version,"
            " delete_jobs, beat_seconds, job_ids) VALUES (%s, %s, 1, %s, '1', 'never', 10, '{}')",
            (worker, host, queues),
        )
    report = await ask(pool, ListWorkers(), EMAIL_VIEWER)
    assert [(one.host, one.queues) for one in report.workers] == [
        ("host-mail", ("email",)),
        ("host-all", None),
    ]
    assert report.hidden_workers == 1
    assert len((await ask(pool, ListWorkers())).workers) == 3


async def test_a_narrow_purge_tells_the_oldest_job_of_its_own_queue_only(pool, make_job):
    await make_job(queue="payroll", status="succeeded", finished_ago=days(300))
    await make_job(queue="email", status="succeeded", finished_ago=days(50))
    await make_job(queue="email", status="succeeded", finished_ago=days(3))
    asked = PreviewPurge(older_than=days(30), queue="email")
    preview = await ask(pool, asked, EMAIL_ADMIN)
    report = await ask(pool, ConfirmSelection(preview.key), EMAIL_ADMIN)
    assert report.total == 1
    (age,) = [one for one in [report.oldest_left] if one is not None]
    assert preview.cutoffs["succeeded"] < age


async def test_who_stops_a_run_out_of_reach_is_not_told_its_words(pool):
    wanted = PreviewBulk(BulkVerb.RETRY, JobFilter(queue="payroll", statuses=("failed",)))
    run = Run(pool, ANA, wanted)
    await run.open()
    stop = StopRun(run.require_id())
    assert await ask(pool, stop, EMAIL_ADMIN) == f"request {run.audit_id}"
    assert "payroll" in await ask(pool, stop)
    own = Run(pool, EMAIL_ADMIN, wanted)
    await own.open()
    assert "payroll" in await ask(pool, StopRun(own.require_id()), EMAIL_ADMIN)


async def test_who_did_it_is_an_id_before_the_name_people_give_themselves(pool, make_job, conn):
    eve = Actor("slack", "U0EVE", "admin", "C1", (Grant(Role.OPERATOR),))
    job = await make_job(status="failed")
    await ask(pool, CancelJobs((job,)), eve)
    (entry,) = (await ask(pool, ShowAudit())).entries
    assert entry.actor == "slack:U0EVE (admin)"
    boss = Actor("slack", "U0EVE", "admin", "C1", (Grant(Role.ADMIN),))
    running = await make_job(status="doing", deferred_ago=hours(2))
    preview = await ask(pool, PreviewRescue((running,), force=True), boss)
    await ask(pool, ConfirmSelection(preview.key), boss)
    (run,) = (await ask(pool, GetJob(running))).failures
    assert run.message.startswith("forced by slack:U0EVE (admin), ")


@pytest.mark.parametrize(
    "evil", ["a\n  7  root  purge", "a\u202ereversed", "a\u2028b", "a\x1b[2Jb"]
)
async def test_no_word_draws_a_row_in_the_audit(pool, conn, evil):
    eve = Actor("slack", "U0EVE", evil, "C1", (Grant(Role.OPERATOR),))
    wanted = JobFilter(statuses=("failed",), error=evil)
    await ask(pool, PreviewBulk(BulkVerb.RETRY, wanted), eve)
    (entry,) = (await ask(pool, ShowAudit())).entries
    stored = await conn.execute("SELECT actor_name, action FROM jobs_maint_audit")
    for text in (entry.actor, entry.action, *(await stored.fetchone() or ())):
        assert "a" in text
        assert text.isprintable()
        assert "\\u0" not in text
        assert "\\u2" not in text


async def test_secrets_in_the_words_of_a_request_are_hidden_in_the_audit(pool):
    wanted = JobFilter(statuses=("failed",), error="password=hunter2")
    await ask(pool, PreviewBulk(BulkVerb.RETRY, wanted))
    (entry,) = (await ask(pool, ShowAudit())).entries
    assert "hunter2" not in entry.action
