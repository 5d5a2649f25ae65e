"""What each message says in its first lines."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chatbot.messages import (
    render_failed,
    render_stats,
)
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.models import (
    FailedGroup,
    FailedJobsReport,
    MaintenanceDefer,
    MaintenanceRun,
    OwnJobs,
    QueueStats,
    StatsReport,
    WorkerCounts,
)
from local_slack.text import render_blocks

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
UNTIL = f" --until {NOW:%Y-%m-%dT%H:%M:%SZ}"
"""What a button adds, so that it finds the same when it is pressed later."""


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
        "Queue", "Failed 1h", "Oldest", "Ready", "Doing", "Failed 24h", "Done 24h",
    ]  # fmt: skip
    assert all(cell["type"] == "rich_text" for cell in first)
    assert [cell["text"] for cell in second] == ["email", "–", "8 s", "12", "–", "3", "–"]
    both = render_stats(stats(replace(CALM, failed_last_hour=37), TROUBLE), "/jobs")
    assert {cell["type"] for row in both.blocks[-1]["rows"][1:] for cell in row} == {"rich_text"}


def test_stats_marks_a_backlog_that_was_estimated_and_rounds_their_sum():
    backlog = QueueStats("webhook", ready=667_000, oldest_ready_seconds=840.0)
    estimated = {"webhook": ("ready", "succeeded")}
    message = render_stats(stats(CALM, backlog, live=0, estimated=estimated), "/jobs")
    assert "No worker is live and ≈667,000 jobs wait" in shown(message)
    assert (
        "≈ is an estimate from part of the table, because there are many such jobs" in message.text
    )
    _, first, second = message.blocks[-1]["rows"]
    assert "≈667,000" in str(first)
    assert [cell["text"] for cell in second][3] == "12"
    ended = {"webhook": ("succeeded",)}
    assert "≈" not in shown(render_stats(stats(CALM, backlog, estimated=ended), "/jobs"))


def test_stats_tells_what_failed_before_the_last_hour_and_what_is_scheduled():
    old = QueueStats("billing", failed=1_200, done_last_hour=1)
    later = QueueStats("inventory", scheduled=300)
    message = render_stats(stats(old, later, silent=0), "/jobs")
    first, second, *rest = shown(message).splitlines()[:4]
    assert first == "🟢 All 2 queues keep up; no job failed in the last hour."
    assert second == "2 workers live."
    before = "1,200 jobs that failed before are still failed."
    assert " ".join(rest) == f"{before} 300 jobs are scheduled for later."
    assert buttons(message)[0] == ("Show failed jobs", "failed", None)
    assert "billing: 1,200 failed in all" in message.text
    assert "inventory: 300 scheduled" in message.text
    lately = replace(old, failed=1_237, failed_last_hour=37)
    message = render_stats(stats(lately, failed_now=37), "/jobs")
    assert before in message.text
    assert buttons(message)[0][0] == "Show 37 failures"
    message = render_stats(stats(lately), "/jobs")
    assert "failed before" not in message.text, "nobody knows which of them"


def test_stats_offers_to_look_at_the_failures_before_acting():
    message = render_stats(stats(CALM, TROUBLE), "/jobs")
    assert buttons(message) == [
        ("Show 37 failures", "failed --since 1h" + UNTIL, None),
        ("Refresh", "stats", None),
    ]


@pytest.mark.parametrize(
    ("fields", "first", "second", "labels"),
    [
        ({"failed_now": 0, "retried_since": 3},
         "🟡 3 jobs failed in the last hour, all retried since; no queue is behind.",
         "2 of 3 workers live.", ["Refresh"]),
        ({"failed_now": 0, "retried_since": 2, "discarded_since": 1},
         "🟡 3 jobs failed in the last hour, all retried or cancelled since; no queue is behind.",
         "2 of 3 workers live.", ["Refresh"]),
        ({"failed_now": 2, "retried_since": 1},
         "🟡 3 jobs failed in the last hour, 2 are failed now; no queue is behind.",
         "1 of the failed has been retried since. 2 of 3 workers live.",
         ["Show 2 failed jobs", "Refresh"]),
        ({"failed_now": 0, "retried_since": 3, "succeeded_since": 3, "workers": WorkerCounts(2, 0)},
         "🟢 3 jobs failed in the last hour, all have succeeded since; no queue is behind.",
         "2 workers live.", ["Refresh"]),
        ({"failed_now": 0, "retried_since": 3, "succeeded_since": 1, "new_errors": 1},
         ("🟡 3 jobs failed in the last hour, all retried since, 1 has succeeded; "
          "no queue is behind."),
         "1 error is new or back. 2 of 3 workers live.", ["Refresh"]),
        ({"failed_now": 1, "retried_since": 2, "succeeded_since": 2},
         "🟡 3 jobs failed in the last hour, 1 is failed now; no queue is behind.",
         "2 of the failed have succeeded since. 2 of 3 workers live.",
         ["Show 1 failed job", "Refresh"]),
        ({"failed_now": None, "deleted_since": 2},
         "🟡 3 jobs failed in the last hour; no queue is behind.",
         "2 of the failed have been deleted since. 2 of 3 workers live.",
         ["Show 1 failed job", "Refresh"]),
        ({"failed_now": None, "deleted_since": 3},
         "🟡 3 jobs failed in the last hour, all deleted since; no queue is behind.",
         "2 of 3 workers live.", ["Refresh"]),
        ({"failed_now": 3}, "🟡 3 jobs failed in the last hour; no queue is behind.",
         "2 of 3 workers live.", ["Show 3 failures", "Refresh"]),
    ],
)  # fmt: skip
def test_stats_offers_only_what_is_failed_now(fields, first, second, labels):
    report = replace(stats(QueueStats("email", failed_last_hour=3)), **fields)
    message = render_stats(report, "/jobs")
    assert render_blocks(message.blocks, 200).splitlines()[:2] == [first, second]
    assert [label for label, *_ in buttons(message)] == labels


def test_stats_without_trouble_is_green_and_has_nothing_bold_in_the_table():
    message = render_stats(stats(CALM, live=1, silent=0), "/jobs")
    assert shown(message).startswith("🟢 ")
    assert buttons(message) == [("Refresh", "stats", None)]
    assert all(cell["type"] == "raw_text" for row in message.blocks[-1]["rows"] for cell in row)


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (stats(queue="email"), "🟡 No job is in queue email. /jobs stats shows all queues."),
        (stats(queue="it", own_jobs=OwnJobs("it", 9, 1)),
         ("🟡 No job is in queue it, apart from those of our own tasks. /jobs stats shows all"
          " queues.\n2 of 3 workers live.\n9 jobs of our own tasks are there but not counted here,"
          " 1 of them failed: see /jobs doctor (for admins) and /jobs failed it.\n")),
        (stats(hidden_queues=2), "🟡 Your role reaches none of the queues that hold jobs."),
        (stats(), "🟡 No job is in the job tables."),
        (stats(silent=0), "🟢 No job is in the job tables."),
        (stats(silent=0, own_jobs=OwnJobs(None, 2, 0)),
         "🟢 No job is in the job tables, apart from those of our own tasks.\n2 workers live.\nas"),
    ],
)  # fmt: skip
def test_stats_without_a_queue_says_why(report, sentence):
    assert render_blocks(render_stats(report, "/jobs").blocks, 200).startswith(sentence)


def test_stats_says_what_is_known_of_our_tasks_where_their_jobs_are_deleted_or_none_is_due():
    rescue, at = "jobs_maint:rescue_stalled_jobs", NOW - timedelta(minutes=3)
    known = {"maintenance": (), "maintenance_deferred": (MaintenanceDefer(rescue, at, True),)}
    off = ("jobs_maint:purge_finished_jobs", rescue)
    for more, said in (
        (known, "rescue due 11:57 UTC, its job is deleted"),
        ({"maintenance": (), "maintenance_off": off}, "purge is switched off · rescue is switched"),
        ({"maintenance": ()}, "no purge or rescue has run yet"),
    ):
        assert f"as of 12:00 UTC · {said}" in shown(
            render_stats(replace(stats(CALM), **more), "/jobs")
        )


def test_stats_tells_how_many_queues_a_limited_role_does_not_see():
    assert "2 queues are not shown" in render_stats(stats(CALM, hidden_queues=2), "/jobs").text


def alike(count=37, text="POST https://x\ntimed out\nmore", **fields):
    values = {
        "retriable": count, "job_ids": tuple(range(4711, 4711 - count, -1)), "recorded": True,
        "queue": "webhook", "kind": "error", "exception_type": "httpx.ConnectTimeout",
        "first_at": NOW - timedelta(minutes=40), "last_at": NOW - timedelta(minutes=2),
    }  # fmt: skip
    return FailedGroup("team.tasks.deliver", count, message=text, **{**values, **fields})


def failed(*groups, since=3600.0, **fields):
    tasks = {one.task for one in groups} if not fields.get("groups_not_shown") else set()
    values = {
        "total": sum(one.count for one in groups), "limit": 20,
        "only_task": tasks.pop() if len(tasks) == 1 else None,
        "last_failed_at": max((one.last_at for one in groups), default=None), **fields,
    }  # fmt: skip
    return FailedJobsReport(NOW, (), groups=groups, since_seconds=since, **values)


def test_a_list_that_says_who_is_on_a_group_says_as_of_when():
    taken = replace(alike(), name="E-4f2a", taken_by="slack:U0ANA (ana)")
    said = render_failed(failed(taken), "/jobs").text
    assert "ana is on it" in said
    assert said.splitlines()[-1] == f"as of {NOW:%H:%M} UTC"


def test_jobs_that_failed_alike_are_one_group_with_a_preview_of_exactly_its_jobs():
    message = render_failed(failed(alike()), "/jobs")
    assert render_blocks(message.blocks, 200).splitlines() == [
        "🔴 37 deliver jobs failed in the last hour, all with one error.",
        "The newest failed 2 min ago.",
        "-" * 40,
        "37 × deliver  in webhook",
        "    ConnectTimeout: POST https://x",
        "    timed out …",
        "jobs `4711` `4710` `4709` `4708` `4707` and 32 more · failed from 11:20 UTC to 11:58 UTC",
        "[Preview retry of 37] [Details]",
        "as of 12:00 UTC",
    ]
    (retry, words, style), details = buttons(message)
    assert (retry, style, details) == (
        "Preview retry of 37",
        "primary",
        ("Details", "status 4711", None),
    )
    action = parse_words(split_text(words), "slack").action
    assert set(action.filter.job_ids) == set(range(4675, 4712))


@pytest.mark.parametrize(
    ("report", "first"),
    [
        (failed(alike(1)), "🔴 1 deliver job failed in the last hour, 2 min ago."),
        (failed(alike(1), since=None), "🔴 1 failed deliver job, 2 min ago."),
        (failed(alike(), since=None), "🔴 37 failed deliver jobs, all with one error."),
        (failed(alike(4, recorded=False)),
         "🔴 4 deliver jobs failed in the last hour, no error recorded."),
        (failed(alike(), alike(4, "no")),
         "🔴 41 deliver jobs failed in the last hour, 37 of them with one error."),
        (failed(alike(2), alike(2, "no"), groups_not_shown=7, total=40),
         "🔴 40 jobs failed in the last hour, with 9 different errors."),
        (failed(alike(), at_least=True),
         "🔴 At least 37 jobs failed in the last hour, the newest 37 with one error."),
        (failed(at_least=True),
         "🟡 No job failed in the last hour, as far as was looked."),
        (failed(fates_unknown=True), "🟡 No job is still failed that failed in the last hour."),
        (failed(retried_since=3), "🟡 3 jobs failed in the last hour, all retried since."),
        (failed(retried_since=1), "🟡 1 job failed in the last hour, retried since."),
        (failed(retried_since=1, discarded_since=1),
         "🟡 2 jobs failed in the last hour, all retried or cancelled since."),
        (failed(retried_since=3, succeeded_since=3),
         "🟢 3 jobs failed in the last hour, all have succeeded since."),
        (failed(retried_since=1, succeeded_since=1),
         "🟢 1 job failed in the last hour, and has succeeded since."),
        (failed(retried_since=3, succeeded_since=1),
         "🟡 3 jobs failed in the last hour, all retried since, 1 has succeeded."),
        (failed(), "🟢 No job failed in the last hour."),
        (failed(since=None), "🟢 No failed job."),
    ],
)  # fmt: skip
def test_failed_says_first_how_many_and_whether_they_are_alike(report, first):
    message = render_failed(report, "/jobs")
    assert shown(message).splitlines()[0] == first
    assert (buttons(message) == []) is (report.total == 0)


@pytest.mark.parametrize(
    ("group", "label", "why"),
    [
        (alike(37, retriable=35), "Preview retry of 35",
         "35 can be retried now, 2 cannot: only one job per queueing lock can wait"),
        (alike(2, retriable=0), None,
         "none can be retried now: jobs with the same queueing lock are already waiting"),
        (alike(1, retriable=0), None,
         "cannot be retried now: a job with its queueing lock is already waiting"),
        (alike(1, retriable=0, own=True), None, "not retried: the next tick does its work"),
        (alike(1), "Retry job 4711", ""),
    ],
)  # fmt: skip
def test_the_number_on_a_retry_is_of_jobs_that_can_be_retried(group, label, why):
    message = render_failed(failed(group), "/jobs")
    labels = [one for one, *_ in buttons(message)]
    assert labels == [*([label] if label else []), "Details"]
    assert why in message.text


def test_a_group_too_large_for_its_ids_is_found_by_its_task_and_error():
    ids = tuple(range(2**40, 2**40 - 250, -1))
    large = alike(5_000, "after 10 s", job_ids=ids)
    others = alike(3, "after 9 s", fingerprint="x"), alike(2, "refused")
    retry = buttons(render_failed(failed(large), "/jobs"))[0]
    assert retry[:2] == (
        "Preview retry of 5,000",
        'retry --all --task team.tasks.deliver --error "httpx.ConnectTimeout: after" --since 1h'
        + UNTIL,
    )
    # Where the same words find others too, they carry no number.
    label, *_ = buttons(render_failed(failed(large, *others), "/jobs"))[0]
    assert label == "Preview retry of these and any alike"
    # A name finds no others; of those that were not looked at nobody knows.
    named = replace(large, name="E-4f2a")
    words = "retry --all --group E-4f2a --since 1h" + UNTIL
    for report, label in (
        (failed(named, *others), "Preview retry of 5,000"),
        (replace(failed(named), at_least=True), "Preview retry of all of E-4f2a"),
    ):
        assert buttons(render_failed(report, "/jobs"))[0][:2] == (label, words)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"recorded": False, "kind": None, "exception_type": None}, "error not recorded"),
        ({"kind": "worker_lost", "exception_type": None, "text": ""}, "its worker died"),
        ({"text": ""}, "ConnectTimeout"),
        ({"text": "ConnectTimeout: again"}, "ConnectTimeout: again"),
        ({"exception_type": None, "text": ""}, "an error without text"),
        ({"kind": "worker_lost", "exception_type": None,
          "text": "worker 3 last beat at 11:00; it was already put back 3 times"},
         "its worker died; it was already put back 3 times (worker 3 last beat at 11:00)"),
        ({"kind": "worker_lost", "exception_type": None,
          "text": "worker 3 (a) still beats and no longer reports this job; put back"},
         "its worker lost it; put back (worker 3 (a) still beats and no longer reports this job)"),
    ],
)  # fmt: skip
def test_a_failure_always_has_a_reason_to_show(fields, text):
    message = render_failed(failed(alike(1, **fields)), "/jobs")
    assert f"    {text}\n" in shown(message)


def test_no_failed_job_is_green_and_repeats_what_was_asked():
    report = failed(queue="webhook", error="time", since=86_400.0)
    expected = "🟢 No job failed in webhook with 'time' in the error in the last 24 hours."
    assert shown(render_failed(report, "/jobs")).startswith(expected)
