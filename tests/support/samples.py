"""Reports as they come in a bad night, and the messages made of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from chatbot import messages as replies
from chatbot.messages.marking import mark_done, tell_who
from chatbot.messages.result import render_result
from jobs_maint.actions import Actor, Grant, RetryJobs, Role, permit
from jobs_maint.errors import InvalidRequest, JobNotFound, NotPermitted
from jobs_maint.grammar import build_help
from jobs_maint.models import (
    ActReport,
    AuditEntry,
    AuditReport,
    DigestReport,
    DoctorReport,
    ErrorGroup,
    ErrorsReport,
    FailedGroup,
    FailedJobsReport,
    FailedRun,
    Finding,
    ItemOutcome,
    ItemResult,
    JobDetails,
    JobEvent,
    MaintenanceRun,
    QueueStats,
    RescueReport,
    StatsReport,
    StuckJob,
    StuckReport,
    WorkerCounts,
    WorkersReport,
    WorkerView,
)
from tests.support.drawing import Drawn
from tests.support.samples_acts import messages_of_acts

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
COMMAND = "/jobs"


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def stats() -> StatsReport:
    queues = (
        QueueStats(
            "webhook", ready=1204, oldest_ready_seconds=840.0, failed_last_hour=37,
            failed_last_day=52, done_last_hour=20, done_last_day=18_311,
        ),
        QueueStats("email", ready=12, oldest_ready_seconds=8.0, failed_last_day=3,
                   done_last_day=40_120),
        QueueStats("reports", ready=3, oldest_ready_seconds=55.0, done_last_day=212),
        QueueStats("maintenance", done_last_day=288),
    )  # fmt: skip
    runs = (
        MaintenanceRun("jobs_maint:purge_finished_jobs", ago(540), succeeded=True),
        MaintenanceRun("jobs_maint:rescue_stalled_jobs", ago(1), succeeded=True),
    )
    return StatsReport(NOW, queues, WorkerCounts(2, 1), runs)


TIMEOUT = "POST https://hooks.example.com/orders/88123 timed out after 10 s"


def alike(count: int, task: str, kind: str | None, text: str, job: int, **more: object):
    values = {"retriable": count, "queue": "webhook", **more}
    return FailedGroup(
        f"team.tasks.{task}", count, job_ids=tuple(range(job, job - min(count, 250), -1)),
        recorded=kind is not None, kind="error" if kind else None, exception_type=kind,
        message=text, first_at=ago(58), last_at=ago(2), **values,
    )  # fmt: skip


def failed(*groups: FailedGroup, **more: object) -> FailedJobsReport:
    groups = groups or (alike(37, "deliver_webhook", "httpx.ConnectTimeout", TIMEOUT, 4748),)
    values = {"since_seconds": 3600.0, "retried_since": 0, **more}
    total = sum(one.count for one in groups)
    return FailedJobsReport(NOW, (), total, 20, groups=groups, **values)


def failed_differently() -> FailedJobsReport:
    return failed(
        alike(37, "deliver_webhook", "httpx.ConnectTimeout", TIMEOUT, 4748, retriable=35),
        alike(4, "deliver_webhook", "httpx.HTTPStatusError",
              "Server error '502 Bad Gateway' for url 'https://hooks.example.com/orders'", 4690),
        alike(1, "build_report", None, "", 4611, queue="reports"),
        retried_since=3,
    )  # fmt: skip


def group(count: int, before: int, trend: str, task: str, kind: str | None, text: str, job: int):
    spread = [min(count, 2), 0, 0, min(max(count - 2, 0), 3), 0, 0, 0, 0, 0, 0]
    rest = count - sum(spread)
    return ErrorGroup(
        f"team.tasks.{task}", kind, text, count, before, trend, kind is not None,
        ago(31) if count else None, ago(1) if count else ago(1500), job,
        (*spread, rest // 3, rest - rest // 3),
    )  # fmt: skip


GROUPS = (
    group(37, 0, "new", "deliver_webhook", "httpx.ConnectTimeout", TIMEOUT, 4711),
    group(15, 2, "rising", "deliver_webhook", "httpx.HTTPStatusError",
          "Server error '502 Bad Gateway' for url 'https://hooks.example.com/orders'\n"
          "For more information check: https://httpstatuses.com/502", 4702),
    group(3, 3, "steady", "send_receipt", "smtplib.SMTPRecipientsRefused",
          "61 different messages, e.g. 550 5.1.1 mailbox unavailable", 4690),
    group(1, 0, "new", "build_report", "MemoryError", "", 4688),
    group(1, 4, "falling", "import_orders", None, "", 4611),
    group(0, 4, "gone", "resize_image", "OSError", "cannot identify image file 'a.png'", 4100),
)  # fmt: skip


def errors() -> ErrorsReport:
    failures = sum(one.count for one in GROUPS)
    before = sum(one.count_before for one in GROUPS)
    return ErrorsReport(NOW, 3600.0, None, GROUPS, failures, before, 0, 0)


def many_errors() -> ErrorsReport:
    groups = tuple(
        group(40 - i, 3, "rising", f"task_{i}", "ValueError", f"row {i} is broken", 4000 + i)
        for i in range(10)
    )
    return ErrorsReport(NOW, 86_400.0, "webhook", groups, 500, 480, 14, 145, ("webhook", "email"))


def no_errors() -> ErrorsReport:
    return ErrorsReport(NOW, 86_400.0, None, GROUPS[-1:], 0, 4, 0, 0)


def stuck_job(
    job_id: int, task: str, running: float, due: float | None = None, *, named: bool = False
):
    return StuckJob(
        job_id, "webhook", f"team.tasks.{task}", 1, ago(running / 60), running, named,
        "web-1 pid 712" if named or due is not None else None,
        None if named or due is None else 130.0, due,
    )  # fmt: skip


def stuck() -> StuckReport:
    return StuckReport(
        NOW,
        (
            stuck_job(4711, "deliver_webhook", 900, 0.0),
            stuck_job(4713, "deliver_webhook", 880, 0.0),
            stuck_job(4720, "send_receipt", 200, 170.0),
            stuck_job(4722, "send_receipt", 20),
        ),
        (stuck_job(4400, "build_report", 16_000, named=True),),
        hidden_jobs=2,
    )


def workers() -> WorkersReport:
    running = stuck_job(4730, "deliver_webhook", 12, named=True)
    long = stuck_job(4400, "build_report", 16_000, named=True)
    return WorkersReport(
        NOW,
        (
            WorkerView(11, True, "web-1.example.com", 712, ("webhook", "email"), True, 4.0,
                       (running, long)),
            WorkerView(12, True, "web-2.example.com", 88, None, True, 2.0, ()),
            WorkerView(13, False, "web-3.example.com", 90, ("reports",), True, 900.0, ()),
            WorkerView(14, True, None, None, None, False, 9.0, ()),
        ),
    )  # fmt: skip


def audit() -> AuditReport:
    entries = (
        AuditEntry(912, ago(2), "slack:U0ANA", "retry --all webhook --since 1h", "done",
                   {"done": 35, "skipped": 2}, None, 3.2),
        AuditEntry(911, ago(4), "slack:U0ANA", "retry --all webhook --since 1h", "previewed",
                   {"jobs": 37}, None, 0.1),
        AuditEntry(910, ago(9), "slack:U0VERA", "retry 4711", "refused", {},
                   "You may not retry jobs: this requires the role operator; your role is viewer.",
                   0.0),
        AuditEntry(902, ago(500), "task:jobs_maint:purge_finished_jobs", "purge", "done",
                   {"succeeded": 12_044}, None, 41.0),
        AuditEntry(900, ago(3000), "shell:root", "cancel 4001", "failed", {},
                   "the database went away", 0.4),
    )  # fmt: skip
    return AuditReport(NOW, entries, 5, 7 * 86_400.0)


def doctor() -> DoctorReport:
    return DoctorReport(
        NOW,
        (
            Finding("queue", "error", "no worker listens to the queue jobs_maint, so that no purge "
                    "and no rescue runs", "start a worker for it: `procrastinate worker -q "
                    "jobs_maint`"),
            Finding("recorder", "warning", "3 of the 41 failures of the last day have no record",
                    "register(app) before the workers of web-3 start"),
            Finding("indexes", "note", "2 optional indexes are missing", "`jobs-maint "
                    "schema apply` builds them without blocking"),
            *(Finding(f"check_{i}", "ok", "fine") for i in range(17)),
        ),
    )  # fmt: skip


def sound() -> DoctorReport:
    return DoctorReport(NOW, tuple(Finding(f"check_{i}", "ok", "fine") for i in range(20)))


def details(status: str = "failed") -> JobDetails:
    trace = "\n".join(
        (
            "Traceback (most recent call last):",
            '  File "/srv/app/tasks.py", line 41, in deliver_webhook',
            "    response = await client.post(url, json=order)",
            '  File "/usr/lib/python3.12/site-packages/httpx/_client.py", line 1859, in post',
            "    return await self.request(",
            f"httpx.ConnectTimeout: {TIMEOUT}",
        )
    )
    runs = tuple(
        FailedRun(i, ago(40 - 13 * i), "error", "httpx.ConnectTimeout", TIMEOUT, i < 3, trace)
        for i in (1, 2, 3)
    )
    events = (
        JobEvent("deferred", ago(41)),
        JobEvent("started", ago(27.2), 828.0),
        JobEvent("deferred_for_retry", ago(27), 12.0),
        JobEvent("started", ago(1.2), 1548.0),
        JobEvent("failed", ago(1), 12.0),
    )
    return JobDetails(
        NOW, 4711, status, "webhook", "team.tasks.deliver_webhook", 3, 0, None, "order-88123",
        None, False, None, {"order": 88123, "token": "[redacted]"}, True, events, runs,
    )  # fmt: skip


def rescue() -> RescueReport:
    lost = "worker 13 (web-3 pid 90) last beat at 2026-11-23 11:44:10 UTC"
    return RescueReport(
        (
            ItemResult(4711, ItemOutcome.DONE, "put_back", lost, "webhook", "t.deliver_webhook"),
            ItemResult(4713, ItemOutcome.DONE, "put_back", lost, "webhook", "t.deliver_webhook"),
            ItemResult(4602, ItemOutcome.DONE, "failed",
                       f"{lost}; it was already put back 3 times, so the rescue gave up", "reports",
                       "t.build_report"),
        ),
        2,
        0.2,
        18.4,
    )  # fmt: skip


def digest(**fields: object) -> DigestReport:
    values = {
        "succeeded": 58_931, "retrying": 12, "put_back": 0, "groups_not_shown": 0,
        "failures_not_shown": 0, "queues": (), "purged": 12_044, "groups": GROUPS,
    }  # fmt: skip
    values["slots"] = tuple(map(sum, zip(*(one.slots for one in GROUPS), strict=True)))
    return DigestReport(0, "now", NOW - timedelta(days=1), NOW, 57, 13, **{**values, **fields})


def holders(role: Role) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return ("U0ANA",), ("S0ONCALL",)


def actor(role: Role | None) -> Actor:
    return Actor("slack", "U0VERA", "vera", "C0OPS", (Grant(role),) if role else ())


def refused() -> NotPermitted:
    try:
        permit(actor(Role.VIEWER), RetryJobs((7,)))
    except NotPermitted as exc:
        return exc
    raise AssertionError("a viewer may retry")


def helped(role: Role | None, about: str | None = None) -> replies.Message:
    return replies.render_help(build_help(actor(role), "slack", about), COMMAND, holders)


def all_messages() -> Iterator[tuple[str, str, bool, replies.Message]]:
    """Each message by its title, with what was typed, and whether only one person sees it."""

    def shown(title: str, typed: str, result: object, page: int = 1):
        private = typed.startswith("/jobs status")
        return title, typed, private, render_result(result, COMMAND, by="U0ANA", page=page)

    yield shown("stats", "/jobs stats", stats())
    yield shown("errors", "/jobs errors --since 1h", errors())
    yield shown("errors: none", "/jobs errors", no_errors())
    yield shown("errors: more than a page", "/jobs errors webhook", many_errors())
    yield shown("failed: all alike", "/jobs failed --since 1h", failed())
    yield shown("failed: several errors", "/jobs failed --since 1h", failed_differently())
    title, _, private, message = shown("failed: one of them used", "", failed_differently())
    [row] = [b["elements"] for b in message.blocks if "Preview retry of 4'" in str(b)]
    words = row[0]["value"]
    used = mark_done(message, {words: tell_who("retry", "U0ANA", NOW)})
    yield title, "/jobs failed --since 1h", private, used
    settled = FailedJobsReport(NOW, (), 0, 20, since_seconds=3600.0, retried_since=3)
    yield shown("failed: retried since", "/jobs failed --since 1h", settled)
    yield shown("stuck", "/jobs stuck", stuck())
    yield shown("stuck: none", "/jobs stuck", StuckReport(NOW, (), ()))
    yield shown("workers", "/jobs workers", workers())
    yield shown("workers: none", "/jobs workers", WorkersReport(NOW, ()))
    yield shown("audit", "/jobs audit", audit())
    yield shown("doctor", "/jobs doctor", doctor())
    yield shown("doctor: sound", "/jobs doctor", sound())
    yield shown("digest", "/jobs digest", digest())
    yield shown("status", "/jobs status 4711", details())
    yield shown(
        "retry",
        "/jobs retry 4711",
        ActReport(
            (ItemResult(4711, ItemOutcome.DONE, "put_back", "", "webhook", "t.deliver_webhook"),),
            0.1,
        ),
    )
    yield shown("rescue", "/jobs rescue", rescue())
    yield shown("rescue: none", "/jobs rescue", RescueReport((), 0, 0.1))
    for role in (Role.ADMIN, Role.VIEWER, None):
        yield f"help: {role or 'no role'}", "/jobs help", True, helped(role)
    yield "help retry", "/jobs help retry", True, helped(Role.OPERATOR, "retry")
    typo = InvalidRequest("there is no word 'stas'; did you mean 'stats'?", suggestion="stats")
    wrong = replies.render_error(typo, COMMAND, "stas", suggestion="stats")
    yield "did you mean", "/jobs stas", True, wrong
    none = replies.render_error(JobNotFound("no job has the id 7"), COMMAND, "status 7")
    yield "no such job", "/jobs status 7", True, none
    refusal = replies.render_refusal(refused(), users=["U0ANA"], usergroups=["S0ONCALL"])
    yield "refusal", "/jobs retry 7", True, refusal
    broken = replies.render_unexpected("a1b2c3d4", COMMAND, "retry 7", act=True)
    yield "unexpected", "/jobs retry 7", True, broken
    yield from messages_of_acts()


def all_drawn() -> Iterator[Drawn]:
    for title, typed, private, message in all_messages():
        yield Drawn(title, message.blocks, typed, private)
    yield Drawn("details: modal", [], view=replies.render_details_view(details(), channel="C0OPS"))
    yield Drawn("details: modal, loading", [], view=replies.render_loading_view(4711))
