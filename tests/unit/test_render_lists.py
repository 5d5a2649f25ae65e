"""`errors`, `stuck`, `workers` and `audit` as tables."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jobs_maint.models import (
    AuditEntry,
    AuditReport,
    ErrorGroup,
    ErrorsReport,
    FailedJob,
    FailedJobsReport,
    Reasons,
    Standing,
    StuckJob,
    StuckReport,
    Unlike,
    WorkersReport,
    WorkerView,
    count_reasons,
)
from jobs_maint.render import build_data, render_text
from jobs_maint.render.unlike import say_tasks

NOW = datetime(2026, 3, 12, 3, 14, 22, tzinfo=UTC)
EVIL = "a\x1b[2J\n\u202e"


def ago(**span):
    return NOW - timedelta(**span)


TIMEOUT = ErrorGroup(
    "demo.tasks.deliver_webhook", "httpx.ConnectTimeout", "timed out after N s", 37, 2, "rising",
    recorded=True, first_at=ago(hours=20), last_at=ago(minutes=4), sample_job_id=4711,
)  # fmt: skip
UNKNOWN = ErrorGroup("demo.tasks.pdf", None, "", 3, 3, "steady", recorded=False)
ERRORS = ErrorsReport(
    NOW, 86_400, None, (TIMEOUT, UNKNOWN), 52, 9, 2, 12, count_reasons((TIMEOUT, UNKNOWN))
)
ORPHAN = StuckJob(
    7, "email", "shop.send", 1, ago(minutes=10), 600, named=False, worker=None,
    noticed_seconds=None, due_in_seconds=None,
)  # fmt: skip
LONG = replace(ORPHAN, job_id=8, running_seconds=10_800, named=True, worker="host-a pid 31")
WORKER = WorkerView(3, True, "host-a", 31, ("email", "webhook"), True, 4.0, (LONG,))
BARE = WorkerView(4, False, None, None, None, False, 7200.0, ())
ENTRY = AuditEntry(17, ago(minutes=5), "shell:ana", "retry --all webhook", "partly",
                   {"done": 35, "skipped": 2}, None, 3.2)  # fmt: skip
REFUSED = AuditEntry(16, ago(minutes=6), "slack:bo", "purge", "refused", {}, "You may not")
STUCK = StuckReport(NOW, (ORPHAN,), (LONG,), hidden_jobs=2)
WORKERS = WorkersReport(NOW, (WORKER, BARE))
AUDIT = AuditReport(NOW, (ENTRY, REFUSED), 9, 604_800)
EVERY = [ERRORS, STUCK, WORKERS, AUDIT]


def lines(result, width=160):
    return render_text(result, width=width).split("\n")


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("result", EVERY)
def test_no_line_is_wider_than_the_terminal(result, width):
    assert max(map(len, lines(result, width))) <= width


LONG_ERROR = "could not connect to https://hooks.example.com/" + "x" * 400
LOUD = replace(
    TIMEOUT, task="shop.tasks.recalculate_all_recommendations_of_a_customer", message=LONG_ERROR,
    sample_job_id=10**12,
)  # fmt: skip
FAILED = FailedJobsReport(
    NOW,
    tuple(
        FailedJob(
            10**12 + n, "a-queue-with-quite-a-long-name-for-a-queue", LOUD.task, 3,
            ago(minutes=n), recorded=True, exception_type="builtins.RuntimeError",
            message=LONG_ERROR,
        )
        for n in range(3)
    ),
    3,
    20,
)  # fmt: skip


@pytest.mark.parametrize("width", range(40, 251))
def test_at_any_width_the_id_and_the_count_are_there(width):
    """The widest column gives way first."""
    text = lines(FAILED, width)
    for job in FAILED.jobs:
        row = next(line for line in text if line.startswith(str(job.job_id)))
        if width >= 112:
            assert "a-queue-with" in row
            assert " 3" in row
            assert " ago, 03:1" in row
    assert "RuntimeError:" in " ".join(text)
    table = lines(replace(ERRORS, groups=(LOUD, UNKNOWN)), width)
    row = next(line for line in table if line.lstrip().startswith("37 "))
    if width >= 112:
        assert {"2", "rising", str(10**12)} <= set(row.split())
    assert max(map(len, [*text, *table])) <= width


def test_errors_are_a_row_a_group_and_their_numbers_add_up():
    text = lines(ERRORS)
    assert text[0] == "52 failures in the last 24 h, 9 in the 24 h before."
    assert text[3].split()[:4] == ["37", "2", "rising", "deliver_webhook"]
    assert text[3].endswith("4711  ConnectTimeout: timed out after N s")
    assert text[4].endswith("–  error not recorded")
    assert "2 more groups, 12 failures, not shown; --limit 4" in text
    assert "A job of the first group: jobs-maint status 4711" in text
    shown = sum(group.count for group in ERRORS.groups)
    assert shown + ERRORS.failures_not_shown == ERRORS.failed


def test_at_80_columns_the_error_stands_below_and_columns_left_out_are_named():
    text = lines(ERRORS, 60)
    assert any(line.strip() == "ConnectTimeout: timed out after N s" for line in text)
    assert any(line.startswith("Too narrow for: ") for line in text)


def test_no_error_is_one_sentence():
    report = ErrorsReport(NOW, 3600, "email", (), 0, 0, 0, 0, Reasons())
    says = "No failures in queue email in the last 60 min, 0 in the 60 min before."
    assert lines(report) == [says]


def test_stuck_tells_who_has_no_worker_and_who_runs_long():
    text = render_text(STUCK, width=120)
    assert text.startswith("1 running job has no live worker.\n")
    assert "1 job runs long." in text
    assert "not noticed yet" in text
    assert "the rescue acts" not in text.lower()
    foretold = (replace(ORPHAN, job_id=8, acts_in_seconds=508.0),) * 2
    shown = lines(replace(STUCK, stuck=(replace(ORPHAN, acts_in_seconds=3_512.0), *foretold)))
    assert "The rescue acts on 2 of them in 8 min 28 s, later on the rest." in shown
    assert sum(line.endswith("  acts in 8 min 28 s") for line in shown) == 2
    assert "host-a pid 31" in text
    assert "2 running jobs in other queues not shown" in text
    for due, acts, says in (
        (-1, 12, "due, acts in 12 s"), (18.4, 42.1, "acts in 43 s"), (-1, None, "due"),
        (18.4, None, "due in 19 s at the earliest"),
    ):  # fmt: skip
        job = replace(ORPHAN, noticed_seconds=180, due_in_seconds=due, acts_in_seconds=acts)
        report = StuckReport(NOW, (job,), (), rescue_idle=None if acts else "no_worker")
        assert any(line.endswith(f"  {says}") for line in lines(report))
        none = any(line.startswith("No worker listens to the queue of") for line in lines(report))
        assert none == (acts is None)


def test_a_worker_that_missed_a_beat_is_told_before_it_counts_as_gone():
    job = replace(LONG, silent_seconds=14.0, due_in_seconds=316.0)
    text = lines(StuckReport(NOW, (), (), silent=(job,)))
    assert text[:2] == [
        "The worker of 1 running job has been silent for 14 s and may be dead.",
        "If it stays silent, the rescue acts in 5 min 16 s at the earliest.",
    ]
    assert "The worker of 1 running job" in render_text(replace(STUCK, silent=(job,)))
    late = lines(WorkersReport(NOW, (replace(WORKER, late=True),)))
    assert late[0] == "1 worker live, but it missed a beat and may be dead."
    assert "  late  " in late[3]


def test_more_running_jobs_than_a_table_holds_are_counted():
    report = StuckReport(NOW, (ORPHAN,) * 60, ())
    assert "10 more not shown. --json has them." in lines(report)


def test_workers_tell_where_they_are_and_what_they_run():
    text = lines(WORKERS)
    assert text[0] == "1 of 2 workers live."
    squeezed = [" ".join(line.split()) for line in text]
    assert squeezed[3] == "4 silent unknown unknown 2 h ago –"
    assert squeezed[4] == "3 live host-a pid 31 email, webhook 4 s ago 1"
    assert "3 8 email send 3 h" in squeezed
    assert text[-1].startswith("1 worker without a recorder: no error is recorded there")


def test_a_worker_that_ends_its_last_jobs_stops_and_listens_to_no_queue():
    text = lines(WorkersReport(NOW, (replace(WORKER, queues=()),)))
    assert text[0] == "No worker listens, 1 is stopping."
    assert " ".join(text[3].split()) == "3 stopping host-a pid 31 none 4 s ago 1"


def test_the_audit_tells_who_what_and_how_it_ended():
    text = lines(AUDIT)
    assert text[0] == "9 requests in the last 7 d, newest first."
    assert text[3].endswith("shell:ana  partly    3 s  35 retried, 2 skipped: retry --all webhook")
    assert text[4].endswith("slack:bo   refused     –  purge; You may not")
    assert "7 more not shown; --limit 9" in text
    assert build_data(AUDIT)["not_shown"] == 7
    previewed = replace(ENTRY, outcome="previewed", action="purge", counts={"jobs": 1})
    assert lines(replace(AUDIT, entries=(previewed,)))[3].endswith("  1 job: purge")
    asked = replace(previewed, action="cancel 7", counts={"done": 0, "abort_requested": 5})
    assert lines(replace(AUDIT, entries=(asked,)))[3].endswith("  5 asked to abort: cancel 7")
    purged = replace(ENTRY, action="purge", counts={"succeeded": 2_000, "cancelled": 37})
    text = lines(replace(AUDIT, entries=(purged,)))[3]
    assert text.endswith("  deleted 2,000 succeeded, 37 cancelled: purge")
    dry = replace(previewed, action="purge --dry-run")
    assert "  dry run   3 s  1 job: purge --dry-run" in lines(replace(AUDIT, entries=(dry,)))[3]


def test_a_purge_that_left_jobs_does_not_say_that_it_deleted_them():
    counts = {"refused": 268, "undated": 2, "succeeded": 183_335}
    purged = replace(AUDIT, entries=(replace(ENTRY, action="purge", counts=counts),))
    said = "deleted 183,335 succeeded; 270 not deleted"
    assert lines(purged)[3].endswith(f"  {said}: purge")
    none = replace(AUDIT, entries=(replace(ENTRY, action="purge", counts={"refused": 1}),))
    assert lines(none)[3].endswith("  1 not deleted: purge")


@pytest.mark.parametrize("width", range(50, 200, 7))
def test_the_numbers_of_a_request_are_never_cut(width):
    action = 'discard --all mail --error "is no address" --task send_newsletter --since 36h'
    found = replace(ENTRY, action=action, counts={"jobs": 26}, outcome="previewed")
    counts = {"refused": 268, "succeeded": 183_335, "failed": 12_044, "cancelled": 1_112}
    purged = replace(ENTRY, action="purge", counts=counts)
    text = " ".join(render_text(replace(AUDIT, entries=(found, purged)), width=width).split())
    assert "26 jobs: discard --all" in text
    assert "deleted 183,335 succeeded, 12,044 failed, 1,112 cancelled; 268 not deleted" in text


def test_foreign_text_is_harmless():
    job = replace(LONG, queue=EVIL, task=EVIL, worker=EVIL)
    for result in (
        replace(ERRORS, queue=EVIL, limited_to_queues=(EVIL,), groups=(
            replace(TIMEOUT, task=EVIL, message=EVIL, exception_type=EVIL, trend=EVIL),)),
        StuckReport(NOW, (job,), (job,)),
        WorkersReport(NOW, (replace(WORKER, host=EVIL, queues=(EVIL,), jobs=(job,)),)),
        replace(AUDIT, actor=EVIL, entries=(
            replace(ENTRY, actor=EVIL, action=EVIL, error=EVIL, outcome=EVIL, counts={EVIL: 1}),)),
    ):  # fmt: skip
        text = render_text(result)
        assert all(char == "\n" or char.isprintable() for char in text)


@pytest.mark.parametrize("number", [999, 1000])
def test_at_the_largest_limit_it_is_said_how_to_narrow_a_list(number):
    group = replace(ERRORS.groups[0], count=1)
    job = FailedJob(1, "q", "t", 1, NOW, True, "error", "E", "boom")
    lists = {
        "2 more groups, 2 failures, not shown; {}a queue, --tasks or --since": replace(
            ERRORS, groups=(group,) * number, groups_not_shown=2, failures_not_shown=2
        ),
        "2 more not shown; {}a queue, --task or --since": FailedJobsReport(
            NOW, (job,) * number, number + 2, number
        ),
        "2 more not shown; {}--since or --actor": replace(
            AUDIT, entries=(ENTRY,) * number, total=number + 2
        ),
    }
    for told, report in lists.items():
        text = render_text(report, width=160)
        if number < 1000:
            assert f"{told.partition('{')[0]}--limit 1000\n" in text
        else:
            assert told.format("a list shows at most 1,000: narrow it with ") in text
            assert "--limit" not in text


def test_groups_say_how_many_of_their_jobs_are_failed_now_where_that_is_not_all_of_them():
    groups = (replace(TIMEOUT, failed_now=6), replace(UNKNOWN, failed_now=3))
    shown = lines(replace(ERRORS, groups=groups))
    row = next(line for line in shown if "ConnectTimeout" in line)
    assert row.split()[:3] == ["37", "6", "2"]
    assert any(line.split()[:1] == ["Failed"] for line in shown)
    all_failed = (replace(TIMEOUT, failed_now=37), UNKNOWN)
    assert not any("Failed" in line for line in lines(replace(ERRORS, groups=all_failed)))


@pytest.mark.parametrize(
    ("tasks", "last"), [(4, "6 of 1 other task."), (5, "11 of 2 other tasks.")]
)
def test_beyond_three_tasks_the_others_are_counted(tasks, last):
    jobs = {f"app.task_{n}": 9 - n for n in range(tasks)}
    told = say_tasks(Unlike(jobs, 60, 60, at_least=False, standing=Standing()))
    assert told == f"9 of task_0, 8 of task_1, 7 of task_2, {last}"
