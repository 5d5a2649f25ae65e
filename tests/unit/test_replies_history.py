"""Attempts of a job, and groups of a digest: short, and each told apart from the others."""

from datetime import UTC, datetime, timedelta

from chatbot.messages import render_details, render_digest
from jobs_maint.models import (
    AlikeFailure,
    DigestReport,
    ErrorGroup,
    FailedRun,
    JobDetails,
    JobEvent,
)
from local_slack.text import render_blocks

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LOST = {"kind": "worker_lost", "exception_type": None}
WHO = "worker 3 (web pid 7) last beat at 2026-11-23 11:59:20 UTC"


def shown(message):
    return render_blocks(message.blocks, 200)


def run(attempt, ago, **fields):
    values = {
        "kind": "error", "exception_type": "httpx.ConnectTimeout", "message": "timed out",
        "will_retry": True,
    }  # fmt: skip
    return FailedRun(attempt, NOW - timedelta(seconds=ago), **{**values, **fields})


def show_job(status, *failures, events=()):
    job = JobDetails(
        NOW, 7, status, "email", "app.send", 1, 0, None, None, None, False, None, {}, False,
        events, failures,
    )  # fmt: skip
    return shown(render_details(job))


def test_a_job_that_went_on_after_its_worker_died_shows_that_attempt_and_no_talk_of_tracebacks():
    events = (
        JobEvent("deferred", NOW - timedelta(seconds=40)),
        JobEvent("started", NOW - timedelta(seconds=40), 0.01),
        JobEvent("deferred_for_retry", NOW - timedelta(seconds=31), 9.0),
    )
    text = show_job("succeeded", run(1, 31, message=WHO, **LOST), events=events)
    assert "11:59:20 UTC  started\n11:59:29 UTC  deferred for retry, 9 s later" in text
    died = "its worker died: worker 3 (web pid 7) last beat at 11:59:20 UTC; the job was put back"
    assert f"Attempt 1, 11:59:29 UTC: {died}" in text
    assert "traceback" not in text


def test_a_job_without_a_traceback_shows_that_of_one_that_failed_alike():
    kept = AlikeFailure(5, 1, NOW - timedelta(seconds=271), "Traceback\n  in f\nE: m")
    text = show_job("failed", run(1, 31, alike=kept, will_retry=False))
    told = "Traceback of job 5, which failed alike 4 min earlier:"
    assert f"    {told}\n    Traceback\n      in f\n    E: m" in text
    assert "No traceback was kept" not in text


def test_of_a_failed_job_without_a_record_each_reason_is_named():
    said = "its worker has no recorder, does not know this task, or could not store it (its log"
    assert f"The error is not recorded, or not stored yet: {said}" in show_job("failed")


def test_a_job_given_up_says_why_first_and_then_which_worker_it_was():
    given_up = run(4, 9, message=f"{WHO}; it was already put back 3 times", **LOST)
    lines = show_job("failed", given_up).splitlines()
    assert lines[0] == "🔴 Its worker died; it was already put back 3 times"
    assert lines[2] == "Worker 3 (web pid 7) last beat at 11:59 UTC."


def test_a_running_job_is_not_headed_by_the_error_of_an_earlier_attempt():
    lines = show_job("doing", run(1, 31)).splitlines()
    assert lines[0] == "🟢 Job 7 is running."
    assert "Attempt 1, 11:59 UTC: ConnectTimeout: timed out" in lines


def test_attempts_that_failed_alike_do_not_repeat_the_error():
    text = show_job("failed", run(1, 300), run(2, 200, message="refused"), run(3, 100))
    assert text.startswith("🔴 ConnectTimeout: timed out\n")
    assert "Attempt 1, 11:55 UTC: the error above" in text
    assert "Attempt 2, 11:56 UTC: ConnectTimeout: refused" in text
    assert text.count("timed out") == 1


def group(error, message="", *, recorded=True):
    return ErrorGroup("app.deliver", error, message, 3, 0, "new", recorded, state="new")


def show_groups(*groups):
    report = DigestReport(
        1, "ops", NOW - timedelta(days=1), NOW, 9, 0, 0, 0, 0, groups, 0, 0, (), 0
    )
    return shown(render_digest(report, "/jobs")).splitlines()[2 : 2 + len(groups)]


def test_a_group_of_a_digest_is_named_by_the_type_alone_where_that_tells_it_apart():
    lines = show_groups(
        group("httpx.ConnectTimeout", "POST https://x/y timed out after 10 s"),
        group(None, WHO),
        group(None, "", recorded=False),
        group("", "a failure without a type"),
        group(""),
    )
    assert lines == [
        "3  deliver  ConnectTimeout, new",
        "3  deliver  its worker died, new",
        "3  deliver  error not recorded, new",
        "3  deliver  a failure without a type, new",
        "3  deliver  an error without text, new",
    ]


def test_groups_of_one_task_and_type_are_told_apart_by_a_piece_of_their_messages():
    same = "Server error for the url https://hooks.example/v1/events/1 was"
    lines = show_groups(
        group("a.HTTPError", "502 Bad Gateway"),
        group("b.HTTPError", "503 Service Unavailable, please try again in some minutes"),
        group("Refused", f"{same} 502"),
        group("Refused", f"{same} 503"),
    )
    assert lines == [
        "3  deliver  HTTPError: 502 Bad Gateway, new",
        "3  deliver  HTTPError: 503 Service Unavailable, please try aga…, new",
        "3  deliver  Refused: …502, new",
        "3  deliver  Refused: …503, new",
    ]
