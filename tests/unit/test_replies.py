"""What each message says in its first lines."""

from datetime import UTC, datetime, timedelta

import pytest

from chatbot.messages import (
    render_failed,
    render_stats,
)
from jobs_maint.models import (
    FailedJob,
    FailedJobsReport,
    MaintenanceRun,
    QueueStats,
    StatsReport,
    WorkerCounts,
)
from local_slack.text import render_blocks

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def shown(message):
    return render_blocks(message.blocks)


def buttons(message):
    return [
        (element["text"]["text"], element["value"], element.get("style"))
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def stats(*queues, live=2, silent=1, **more):
    run = MaintenanceRun("jobs_maint:purge_finished_jobs", NOW - timedelta(hours=9), True)
    return StatsReport(NOW, queues, WorkerCounts(live, silent), (run,), **more)


TROUBLE = QueueStats(
    "webhook", ready=1204, oldest_ready_seconds=840.0, failed_last_hour=37, failed_last_day=52,
    done_last_hour=20, done_last_day=18_311,
)  # fmt: skip
CALM = QueueStats("email", ready=12, oldest_ready_seconds=8.0, failed_last_day=3)


def test_stats_says_first_which_queue_is_in_trouble_and_the_table_has_it_first_and_bold():
    message = render_stats(stats(CALM, TROUBLE), "/jobs")
    lines = shown(message).splitlines()
    assert lines[0] == "🔴 webhook is 14 min behind; 37 jobs failed in the last hour."
    assert lines[1].startswith("The other queue keeps up. 2 of 3 workers live.")
    assert "as of 12:00 UTC · last purge 03:00 UTC" in lines
    header, first, second = message.blocks[-1]["rows"]
    assert [cell["text"] for cell in header] == [
        "Queue", "Failed 1h", "Oldest", "Ready", "Failed 24h", "Done 24h",
    ]  # fmt: skip
    assert all(cell["type"] == "rich_text" for cell in first)
    assert [cell["text"] for cell in second] == ["email", "–", "8 s", "12", "3", "–"]


def test_stats_marks_a_backlog_that_was_estimated_and_rounds_their_sum():
    backlog = QueueStats("webhook", ready=667_000, oldest_ready_seconds=840.0)
    estimated = {"webhook": ("ready", "succeeded")}
    message = render_stats(stats(CALM, backlog, live=0, estimated=estimated), "/jobs")
    assert "No worker is live and ≈667,000 jobs wait" in shown(message)
    assert "≈ is an estimate from part of the table, because many jobs are waiting" in message.text
    _, first, second = message.blocks[-1]["rows"]
    assert "≈667,000" in str(first)
    assert [cell["text"] for cell in second][3] == "12"
    ended = {"webhook": ("succeeded",)}
    assert "≈" not in shown(render_stats(stats(CALM, backlog, estimated=ended), "/jobs"))


def test_stats_offers_to_look_at_the_failures_before_acting():
    message = render_stats(stats(CALM, TROUBLE), "/jobs")
    assert buttons(message) == [
        ("Show 37 failures", "failed --since 1h", None),
        ("Refresh", "stats", None),
    ]


def test_stats_without_trouble_is_green_and_has_nothing_bold_in_the_table():
    message = render_stats(stats(CALM, live=1, silent=0), "/jobs")
    assert shown(message).startswith("🟢 ")
    assert buttons(message) == [("Refresh", "stats", None)]
    assert all(cell["type"] == "raw_text" for row in message.blocks[-1]["rows"] for cell in row)


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (stats(queue="emial"), "🟡 There is no job in a queue named emial."),
        (stats(hidden_queues=2), "🟡 Your role reaches none of the queues that hold jobs."),
        (stats(), "🟢 There is no job in the database yet."),
    ],
)
def test_stats_without_a_queue_says_why(report, sentence):
    assert shown(render_stats(report, "/jobs")).startswith(sentence)


def test_stats_tells_how_many_queues_a_limited_role_does_not_see():
    assert "2 queues are not shown" in render_stats(stats(CALM, hidden_queues=2), "/jobs").text


def job(number=0, **fields):
    values = {
        "job_id": 4711 - number, "queue": "webhook", "task": "team.tasks.deliver", "attempts": 3,
        "failed_at": NOW - timedelta(minutes=2 + number), "recorded": True, "kind": "error",
        "exception_type": "httpx.ConnectTimeout", "message": "POST https://x\ntimed out\nmore",
    }  # fmt: skip
    return FailedJob(**{**values, **fields})


def test_failed_shows_the_error_in_two_lines_and_offers_a_retry_of_the_newest_three():
    report = FailedJobsReport(NOW, tuple(map(job, range(5))), 37, 5, since_seconds=3600.0)
    message = render_failed(report, "/jobs")
    lines = shown(message).splitlines()
    assert lines[0] == "🔴 37 jobs failed in the last hour; the newest 2 min ago."
    assert "    ConnectTimeout: POST https://x\n    timed out …" in shown(message)
    assert [label for label, *_ in buttons(message)] == [
        "Retry job 4711", "Details", "Retry job 4710", "Details", "Retry job 4709", "Details",
        "Show more jobs",
    ]  # fmt: skip
    assert lines[-2:] == ["1–5 of 37 jobs", "[Show more jobs]"]
    assert "    ConnectTimeout" not in "\n".join(lines[-4:])
    assert lines[-3] == "job 4707 · 6 min ago · as above"


def test_the_only_failed_job_has_the_green_button():
    message = render_failed(FailedJobsReport(NOW, (job(),), 1, 20), "/jobs")
    assert shown(message).startswith("🔴 1 failed job, 2 min ago.")
    assert buttons(message)[0] == ("Retry job 4711", "retry 4711", "primary")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"recorded": False, "kind": None, "message": None}, "error not recorded"),
        ({"kind": "worker_lost", "message": None}, "its worker died"),
        ({"message": ""}, "ConnectTimeout"),
        ({"message": "ConnectTimeout: again"}, "ConnectTimeout: again"),
        ({"exception_type": None, "message": None}, "an error without text"),
    ],
)
def test_a_failure_always_has_a_reason_to_show(fields, text):
    message = render_failed(FailedJobsReport(NOW, (job(**fields),), 1, 20), "/jobs")
    assert f"    {text}\n" in shown(message)


def test_failed_of_several_tasks_says_how_many_of_each():
    tasks = ["a.send", "a.pay", "a.send", "a.send"]
    jobs = tuple(job(i, task=task) for i, task in enumerate(tasks))
    lines = shown(render_failed(FailedJobsReport(NOW, jobs, 4, 20), "/jobs")).splitlines()
    assert lines[:2] == ["🔴 4 failed jobs; the newest 2 min ago.", "3 send, 1 pay."]
    assert "send  job 4711 · webhook · 2 min ago · 3 attempts" in lines
    more = FailedJobsReport(NOW, jobs, 9, 4)
    assert shown(render_failed(more, "/jobs")).splitlines()[1] == "Newest failure first."


def test_a_job_given_up_because_its_workers_died_says_that_before_which_worker():
    message = "worker 3 (web pid 7) last beat at 11:00 UTC; it was already put back 3 times"
    lost = job(kind="worker_lost", exception_type=None, message=message)
    text = shown(render_failed(FailedJobsReport(NOW, (lost,), 1, 20), "/jobs"))
    assert "its worker died; it was already put back 3 times (worker 3 (web pid 7)" in text


def test_no_failed_job_is_green_and_repeats_what_was_asked():
    report = FailedJobsReport(NOW, (), 0, 20, queue="webhook", error="time", since_seconds=86_400.0)
    expected = "🟢 No job failed in webhook with 'time' in the error in the last 24 hours."
    assert shown(render_failed(report, "/jobs")).startswith(expected)
