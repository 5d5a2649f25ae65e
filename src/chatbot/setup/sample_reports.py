"""Reports as they come in a bad night, to check what messages are made of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs_maint.models import (
    AuditEntry,
    AuditReport,
    DigestReport,
    ErrorGroup,
    ErrorsReport,
    FailedGroup,
    FailedJobsReport,
    FailedRun,
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
    count_reasons,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def stats() -> StatsReport:
    queues = (
        QueueStats(
            "webhook", ready=1204, oldest_ready_seconds=840.0, failed_last_hour=37,
            doing=4, failed_last_day=52, done_last_hour=20, done_last_day=18_311,
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


def alike(count: int, task: str, kind: str | None, text: str, job: int, **more: Any) -> FailedGroup:
    values: dict[str, Any] = {"retriable": count, "queue": "webhook", **more}
    return FailedGroup(
        f"team.tasks.{task}", count, job_ids=tuple(range(job, job - min(count, 250), -1)),
        recorded=kind is not None, kind="error" if kind else None, exception_type=kind,
        message=text, first_at=ago(58), last_at=ago(2), **values,
    )  # fmt: skip


def failed(*groups: FailedGroup, **more: Any) -> FailedJobsReport:
    groups = groups or (alike(37, "deliver_webhook", "httpx.ConnectTimeout", TIMEOUT, 4748),)
    tasks = {one.task for one in groups}
    values: dict[str, Any] = {
        "since_seconds": 3600.0, "retried_since": 0, "last_failed_at": ago(2),
        "only_task": tasks.pop() if len(tasks) == 1 else None, **more,
    }  # fmt: skip
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


def group(
    count: int,
    before: int,
    trend: str,
    task: str,
    kind: str | None,
    text: str,
    job: int,
    **more: Any,
) -> ErrorGroup:
    spread = [min(count, 2), 0, 0, min(max(count - 2, 0), 3), 0, 0, 0, 0, 0, 0]
    rest = count - sum(spread)
    return ErrorGroup(
        f"team.tasks.{task}", kind, text, count, before, trend, kind is not None,
        ago(31) if count else None, ago(1) if count else ago(1500), job,
        (*spread, rest // 3, rest - rest // 3),
        state={"new": "new", "rising": "rising", "gone": "quiet"}.get(trend, "ongoing"),
        **{"failed_now": count, "retriable": count, **more},
    )  # fmt: skip


GROUPS = (
    group(37, 0, "new", "deliver_webhook", "httpx.ConnectTimeout", TIMEOUT, 4711,
          name="E-4f2a"),
    group(15, 2, "rising", "deliver_webhook", "httpx.HTTPStatusError",
          "Server error '502 Bad Gateway' for url 'https://hooks.example.com/orders'\n"
          "For more information check: https://httpstatuses.com/502", 4702, name="E-91c0"),
    group(3, 3, "steady", "send_receipt", "smtplib.SMTPRecipientsRefused",
          "3 different messages, e.g. 550 5.1.1 mailbox unavailable", 4690),
    group(1, 0, "new", "build_report", "MemoryError", "", 4688, name="E-07be"),
    group(1, 4, "falling", "import_orders", None, "", 4611),
    group(0, 4, "gone", "resize_image", "OSError", "cannot identify image file 'a.png'", 4100),
)  # fmt: skip


def errors() -> ErrorsReport:
    failures = sum(one.count for one in GROUPS)
    before = sum(one.count_before for one in GROUPS)
    return ErrorsReport(NOW, 3600.0, None, GROUPS, failures, before, 0, 0, count_reasons(GROUPS))


def past_errors() -> ErrorsReport:
    return replace(errors(), until=ago(30))


def many_errors() -> ErrorsReport:
    groups = tuple(
        group(40 - i, 3, "rising", f"task_{i}", "ValueError", f"row {i} is broken", 4000 + i)
        for i in range(10)
    )
    reasons = replace(count_reasons(groups), groups=24)
    return ErrorsReport(
        NOW, 86_400.0, "webhook", groups, 500, 480, 14, 145, reasons, ("webhook", "email")
    )


def no_errors() -> ErrorsReport:
    return ErrorsReport(NOW, 86_400.0, None, GROUPS[-1:], 0, 4, 0, 0, count_reasons(GROUPS[-1:]))


def stuck_job(
    job_id: int, task: str, running: float, due: float | None = None, *, named: bool = False
) -> StuckJob:
    return StuckJob(
        job_id, "webhook", f"team.tasks.{task}", 1, ago(running / 60), running, named,
        "web-1 pid 712" if named or due is not None else None,
        None if named or due is None else 130.0, due,
        acts_in_seconds=None if named or due is None else due + 24.0,
        by_hand_in_seconds=None if named else 0.0,
    )  # fmt: skip


def stuck() -> StuckReport:
    return StuckReport(
        NOW,
        (
            stuck_job(4711, "deliver_webhook", 900, 0.0),
            stuck_job(4713, "deliver_webhook", 880, 0.0),
            stuck_job(4720, "send_receipt", 200, 170.0),
            replace(
                stuck_job(4722, "send_receipt", 120),
                acts_in_seconds=3_794.0,
                by_hand_in_seconds=None,
            ),
        ),
        (stuck_job(4400, "build_report", 16_000, named=True),),
        hidden_jobs=2,
    )


def silent() -> StuckReport:
    """Just after a worker died."""
    job = replace(
        stuck_job(4730, "deliver_webhook", 130, 316.0), silent_seconds=14.0, by_hand_in_seconds=16.0
    )
    return StuckReport(NOW, (), (), silent=(job,))


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
        AuditEntry(912, ago(2), "slack:U0ANA (ana)", "retry --all webhook --since 1h", "done",
                   {"done": 35, "skipped": 2}, None, 3.2),
        AuditEntry(911, ago(4), "slack:U0ANA (ana)", "retry --all webhook --since 1h", "previewed",
                   {"jobs": 37}, None, 0.1),
        AuditEntry(910, ago(9), "slack:U0VERA", "retry 4711", "refused", {},
                   "You may not retry jobs: this requires the role operator; your role is viewer.",
                   0.0),
        AuditEntry(905, ago(300), "slack:U0ADA (ada)", "cancel --all newsletter", "done",
                   {"done": 3_491, "abort_requested": 27, "skipped": 2}, None, 4.1),
        AuditEntry(902, ago(500), "task:jobs_maint:purge_finished_jobs", "purge", "done",
                   {"succeeded": 12_044}, None, 41.0),
        AuditEntry(901, ago(600), "shell:root@web-1", "purge --dry-run", "previewed",
                   {"jobs": 12_044}, None, 2.0),
        AuditEntry(900, ago(3000), "shell:root", "cancel 4001", "failed", {},
                   "the database went away", 0.4),
    )  # fmt: skip
    return AuditReport(NOW, entries, 7, 7 * 86_400.0)


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
        1,
    )  # fmt: skip


def digest(**fields: Any) -> DigestReport:
    values: dict[str, Any] = {
        "succeeded": 58_931, "retrying": 12, "put_back": 0, "groups_not_shown": 0,
        "failures_not_shown": 0, "queues": (), "purged": 12_044, "groups": GROUPS,
    }  # fmt: skip
    values["slots"] = tuple(map(sum, zip(*(one.slots for one in GROUPS), strict=True)))
    values |= {"since": NOW - timedelta(days=1), "until": NOW, "failed": 57, "failed_before": 13}
    return DigestReport(**{"window_id": 0, "name": "now", **values, **fields})
