"""Errors, stuck, workers, audit, doctor and rescue: what each says first and what it offers."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chatbot.messages import (
    render_audit,
    render_doctor,
    render_errors,
    render_failed,
    render_rescue,
    render_stuck,
    render_workers,
)
from chatbot.setup import sample_reports as samples
from chatbot.setup.sample_messages import all_messages
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.models import (
    AuditReport,
    DoctorReport,
    ErrorsReport,
    Finding,
    RescueReport,
    Settled,
    StuckReport,
    WorkersReport,
    count_reasons,
)
from local_slack.text import render_blocks

NOW = samples.NOW
UNTIL = f" --until {NOW:%Y-%m-%dT%H:%M:%SZ}"
"""What a button adds, so that it finds the same when it is pressed later."""


def lines(message):
    return render_blocks(message.blocks, 200).splitlines()


def clicks(message):
    return [
        (element["text"]["text"], element["value"])
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
        if element["action_id"].startswith(("jobs_run:", "jobs_refresh:", "jobs_page:"))
    ]


def errors(*groups, failed=None, before=0, **fields):
    total = sum(group.count for group in groups) if failed is None else failed
    values = {"queue": None, "groups_not_shown": 0, "failures_not_shown": 0,
              "reasons": count_reasons(groups), **fields}  # fmt: skip
    return ErrorsReport(NOW, 3600.0, groups=groups, failed=total, failed_before=before, **values)


def group(count=37, before=0, trend="new", task="send", kind="x.Timeout", text="late", job=7):
    return samples.group(count, before, trend, task, kind, text, job)


@pytest.mark.parametrize(
    ("report", "first", "second"),
    [
        (
            errors(group(), group(4, 4, "steady", text="other"), before=4),
            "🔴 41 failures in the last hour, 37 of them for one new reason.",
            "Up from 4 the hour before. It began at 11:29 UTC.",
        ),
        (
            errors(group(4), group(3, text="other", job=8)),
            "🔴 7 failures in the last hour, 4 of them for one of 2 new reasons.",
            "None the hour before. The largest began at 11:29 UTC.",
        ),
        (
            errors(*(group(2, task=f"t{i}") for i in range(5))),
            "🔴 10 failures in the last hour, for 5 new reasons.",
            "None the hour before. The largest began at 11:29 UTC.",
        ),
        (
            errors(group(3, 5, "steady"), before=5),
            "🟡 3 failures in the last hour, all for one reason.",
            "Down from 5 the hour before.",
        ),
        (
            errors(group(1, 5, "falling"), before=5),
            "🟡 1 failure in the last hour, for one reason.",
            "Down from 5 the hour before.",
        ),
        (
            errors(*(group(2, 2, "steady", task=f"t{i}") for i in range(5)), before=6),
            "🔴 10 failures in the last hour, for 5 reasons.",
            "Up from 6 the hour before.",
        ),
        (
            errors(group(0, 5, "gone"), before=5, queue="email"),
            "🟢 No job failed in email in the last hour.",
            "Down from 5 the hour before.",
        ),
        (errors(), "🟢 No job failed in the last hour.", "None the hour before."),
    ],
)
def test_errors_say_how_many_failed_and_for_how_many_reasons(report, first, second):
    assert lines(render_errors(report))[:2] == [first, second]


@pytest.mark.parametrize(
    ("ended", "lately"), [(0, "the last 24 hours"), (20, "the last 24 hours"), (30, "24 hours")]
)
def test_a_later_page_says_as_the_first_one_when_jobs_failed_while_that_is_lately(ended, lately):
    until = {"until": NOW - timedelta(minutes=ended)} if ended else {}
    of_errors = replace(errors(group()), since_seconds=86_400.0, **until)
    of_jobs = samples.failed(since_seconds=86_400.0, **until)
    for message in (render_errors(of_errors), render_failed(of_jobs, "/jobs")):
        assert f" in {lately}, " in lines(message)[0]
        assert ("\nFrom " in message.text) is bool(ended)


def test_a_group_offers_to_look_at_its_failures_and_to_preview_their_retry():
    message = render_errors(errors(group(), group(3, 3, "steady", task="pay"), queue="email"))
    assert clicks(message)[:2] == [
        ("Show 37 failures",
         'failed email --task team.tasks.send --error "x.Timeout: late" --since 1h' + UNTIL),
        ("Preview retry of 37",
         'retry --all email --task team.tasks.send --error "x.Timeout: late" --since 1h' + UNTIL),
    ]  # fmt: skip


def test_what_an_older_message_asks_for_says_that_later_failures_are_not_shown():
    older = NOW - timedelta(seconds=38)
    for message in (
        render_failed(samples.failed(since_seconds=86_400.0, until=older), "/jobs"),
        render_errors(errors(group(), until=older)),
    ):
        assert f"What failed after {older:%H:%M:%S} UTC is not shown here." in message.text
        label, words = clicks(message)[0]
        assert label == "Show up to now"
        assert "--since" in words
        assert "--until" not in words
    assert (
        "The newest of these failed "
        in render_failed(samples.failed(since_seconds=86_400.0, until=older), "/jobs").text
    )
    for message in (
        render_failed(samples.failed(since_seconds=86_400.0), "/jobs"),
        render_errors(errors(group())),
        render_errors(errors(group(), until=NOW)),
        render_failed(samples.failed(since_seconds=86_400.0, until=NOW), "/jobs"),
    ):
        assert "not shown here" not in message.text
        assert "Show up to now" not in dict(clicks(message))


def test_a_past_span_says_how_many_are_failed_now_where_its_buttons_do():
    fewer = replace(group(4), name="E-4f2a", failed_now=3, retriable=2,
                    settled=Settled(retried_since=1))  # fmt: skip
    message = render_errors(errors(fewer, until=NOW - timedelta(hours=1)))
    span = " --group E-4f2a --since 1h --until 2026-11-23T11:00:00Z"
    assert clicks(message)[:3] == [
        ("Show up to now", "errors --since 1h --limit 10"),
        ("Show 3 failed jobs", f"failed{span}"), ("Preview retry of 2", f"retry --all{span}"),
    ]  # fmt: skip
    assert "job `7` · 3 failed now, 1 retried since" in "\n".join(lines(message))


@pytest.mark.parametrize(
    ("count", "failed_now", "settled", "said"),
    [
        (4, 3, Settled(retried_since=1), "3 failed now, 1 retried since"),
        (4, 1, Settled(retried_since=3, succeeded_since=2),
         "1 failed now, 3 retried since, 2 have succeeded"),
        (4, 3, Settled(deleted_since=1), "3 failed now, 1 deleted since"),
        (4, 2, Settled(deleted_since=1, discarded_since=1),
         "2 failed now, 1 deleted, 1 cancelled since"),
        (4, 0, Settled(deleted_since=3, retried_since=1), "3 deleted, 1 retried since"),
        (4, 0, Settled(deleted_since=4), "their jobs were deleted since"),
        (1, 0, Settled(deleted_since=1), "its job was deleted since"),
        (4, 0, Settled(retried_since=2, discarded_since=2), "retried or cancelled since"),
        (4, 0, Settled(retried_since=4, succeeded_since=4), "succeeded since"),
        (6, 3, Settled(), "3 failed now"),  # each of three jobs failed twice
    ],
)  # fmt: skip
def test_a_group_says_with_numbers_what_became_of_its_jobs(count, failed_now, settled, said):
    one = replace(group(count), failed_now=failed_now, settled=settled)
    assert f"job `7` · {said}\n" in "\n".join(lines(render_errors(errors(one))))
    same = replace(group(4), failed_now=4)
    assert "failed now" not in render_errors(errors(same)).text


@pytest.mark.parametrize(
    ("failed_now", "deleted", "said"),
    [
        (3, 0, "3 failed now"),
        (2, 1, "2 failed now, 1 deleted since"),
        (0, 0, "cancelled since"),
        (0, 4, "their jobs were deleted since"),
    ],
)
def test_where_nobody_looked_a_group_says_what_became_of_all_without_numbers(
    failed_now, deleted, said
):
    one = replace(group(4), failed_now=failed_now, deleted=deleted)
    report = replace(errors(one), discarded_since=9)
    assert f"job `7` · {said}\n" in "\n".join(lines(render_errors(report)))


def test_a_group_of_one_failure_is_that_job():
    assert clicks(render_errors(errors(group(1)))) == [
        ("Details", "status 7"), ("Retry job 7", "retry 7 --status failed"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("order 88123 is late", "x.Timeout: order"),
        ("key 'abc' is missing", "x.Timeout: key"),
        ("at 0xdeadbeef", "x.Timeout: at"),
        ("", "x.Timeout"),
        ("100 % off", "x.Timeout"),
        ("secret [redacted] refused", "x.Timeout: secret"),
        ("two\nlines", "x.Timeout"),
        ("61 different messages, e.g. no", "x.Timeout"),
    ],
)
def test_a_group_is_found_by_what_all_of_its_messages_share(text, found):
    _, words = clicks(render_errors(errors(group(text=text))))[0]
    assert parse_words(split_text(words), "slack").action.error == found


def test_a_number_stands_on_a_retry_only_where_its_words_find_no_other_group():
    alike = errors(group(text="order 1 late"), group(4, text="order 'x' broken"))
    labels = [label for label, _ in clicks(render_errors(alike))]
    assert labels == ["Show these and any alike", "Preview retry of these and any alike"] * 2
    named = replace(alike, groups=tuple(
        replace(one, name=f"E-000{i}") for i, one in enumerate(alike.groups)
    ))  # fmt: skip
    assert clicks(render_errors(named))[0] == (
        "Show 37 failures",
        "failed --group E-0000 --since 1h" + UNTIL,
    )
    assert ("Preview retry of 4", "retry --all --group E-0001 --since 1h" + UNTIL) in clicks(
        render_errors(named)
    )


def test_failures_without_a_record_are_not_retried_together_with_others_of_their_task():
    report = errors(group(), group(4, kind=None, text=""))
    assert clicks(render_errors(report))[2:] == [
        ("Show all of send", "failed --task team.tasks.send --since 1h" + UNTIL)
    ]
    alone = errors(group(4, kind=None, text=""))
    assert clicks(render_errors(alone))[1] == (
        "Preview retry of 4", "retry --all --task team.tasks.send --since 1h" + UNTIL
    )  # fmt: skip
    assert "error not recorded" in render_errors(alone).text


def test_names_with_wildcards_are_meant_as_they_are():
    report = errors(group(task="a*b"), queue="q?")
    _, retry = clicks(render_errors(report))[1]
    wanted = parse_words(split_text(retry), "slack").action.filter
    assert (wanted.queue, wanted.task) == ("q\\?", "team.tasks.a\\*b")


def test_groups_that_are_gone_are_named_at_the_end():
    shown = lines(render_errors(errors(group(), group(0, 4, "gone", task="pay"), before=4)))
    at = shown.index("Gone since the hour before")
    assert shown[at + 1] == "pay  Timeout, was 4"


def test_stuck_says_what_the_rescue_does_next_and_offers_it_for_those_that_are_due():
    message = render_stuck(samples.stuck())
    shown = lines(message)
    assert shown[0] == "🔴 4 jobs have no live worker."
    assert "rescue ID" not in message.text
    assert shown[1].startswith("The rescue acts on 2 of them in 24 s, later on the rest. 1 job")
    assert clicks(message)[:2] == [("Rescue 2 jobs", "rescue"), ("Refresh", "stuck")]
    assert (
        "last on web-1 pid 712, which no longer reports it; noticed 2 min ago, "
        "the rescue acts in 3 min 14 s" in shown
    )
    says = "no worker ever reported it, and one may still run it; not noticed by the rescue yet"
    assert f"{says}, the rescue acts in 64 min" in shown
    ids = [job.job_id for job in (*samples.stuck().stuck, *samples.stuck().long_running)]
    assert [words for label, words in clicks(message) if label == "Details"] == [
        f"status {job_id}" for job_id in ids
    ]
    assert "running long, on web-1 pid 712" in shown
    [rescue] = [
        element
        for block in message.blocks
        for element in block.get("elements", [])
        if element.get("value") == "rescue"
    ]
    assert rescue["confirm"]["title"]["text"] == rescue["confirm"]["confirm"]["text"]
    assert rescue["confirm"]["deny"]["text"] == "Not now"


@pytest.mark.parametrize(
    ("idle", "says"),
    [
        ("off", "The rescue is switched off (JOBS_MAINT_RESCUE_CRON): "),
        ("no_worker", "No worker listens to the queue of the rescue: "),
        (
            "no_run",
            "No live worker is known to run the rescue (is jobs_maint.register(app) called?): ",
        ),
        (
            "busy",
            "The workers that listen to the queue of the rescue have not taken its job for over ",
        ),
        ("overdue", "The rescue is overdue; doctor (for admins) says what keeps it: "),
    ],
)
def test_stuck_promises_no_rescue_where_none_comes(idle, says):
    report = samples.stuck()
    jobs = tuple(replace(job, acts_in_seconds=None) for job in report.stuck)
    message = render_stuck(replace(report, stuck=jobs, rescue_idle=idle))
    assert lines(message)[1].startswith(says)
    assert ": stuck jobs stay so until " in lines(message)[1]
    assert "the rescue acts" not in message.text
    assert "noticed by the rescue" not in message.text
    assert clicks(message)[0] == ("Rescue 2 jobs", "rescue")
    late = tuple(replace(job, acts_in_seconds=None) for job in samples.silent().silent)
    silent = render_stuck(replace(samples.silent(), silent=late, rescue_idle=idle))
    assert says in lines(silent)[1]
    for shown, job in ((message, jobs[0]), (silent, samples.silent().silent[0])):
        one = "ID rescues one of jobs 4711, 4713, 4720 now." if shown is message else (
            f"{job.job_id} is refused for 16 s, then rescues it, if its worker stays "
            "silent."
        )  # fmt: skip
        assert f"/jobs rescue {one}" in shown.text
        assert (f"Rescue job {job.job_id}", f"rescue {job.job_id}") in clicks(shown)
    assert "Rescue job 4400" not in str(clicks(message))  # it only runs long
    assert "Rescue job 4722" not in str(clicks(message))  # only a force does
    assert "/jobs rescue --force 4722 (for admins) rescues it now; nothing shows" in message.text


def test_jobs_that_only_run_long_can_be_stopped_one_by_one():
    report = StuckReport(NOW, (), samples.stuck().long_running)
    message = render_stuck(report)
    assert lines(message)[0] == "🟡 1 job is running long."
    assert ("Stop job 4400", "cancel 4400") in clicks(message)


def test_a_worker_that_missed_a_beat_is_told_before_it_counts_as_gone():
    shown = lines(render_stuck(samples.silent()))
    assert shown[:2] == [
        "🟡 The worker of 1 running job has been silent for 14 s and may be dead.",
        "If it stays silent, the rescue acts in 5 min 40 s.",
    ]
    assert "on web-1 pid 712, silent for 14 s" in shown
    both = replace(samples.silent(), stuck=samples.stuck().stuck)
    assert "The worker of 1 more job has been silent for 14 s." in lines(render_stuck(both))[1]
    dead, other, *_ = samples.workers().workers
    there = WorkersReport(NOW, (replace(dead, late=True, seen_seconds=14.0), other))
    assert lines(render_workers(there))[:2] == [
        "🟡 1 of 2 workers missed a beat and may be dead.",
        "It was seen 14 s ago; it had 2 jobs. No other live worker runs a job.",
    ]


def test_workers_without_a_job_say_of_whom_and_in_which_queues_that_is_said():
    idle = [replace(worker, jobs=(), live=True) for worker in samples.workers().workers[:2]]
    there = WorkersReport(NOW, tuple(idle))
    assert "No live worker runs a job." in lines(render_workers(there))[1]
    narrow = replace(there, limited_to_queues=("email*",))
    said = "No live worker runs a job in the queues you reach (email*)."
    assert said in lines(render_workers(narrow))[1]


def test_nothing_stuck_is_green():
    assert lines(render_stuck(StuckReport(NOW, (), ())))[0].startswith("🟢 Every running job")


def test_workers_tell_how_many_live_and_the_table_has_the_silent_ones_first_and_bold():
    message = render_workers(samples.workers())
    shown = lines(message)
    assert shown[:2] == [
        "🟡 3 of 4 workers live.", "2 jobs are running. The silent one was seen 15 min ago."
    ]  # fmt: skip
    assert "build_report  job 4400 for 4 h on web-1 pid 712" in shown
    first = message.blocks[-1]["rows"][1]
    assert all(cell["type"] == "rich_text" for cell in first)
    aligned = [column.get("align") for column in message.blocks[-1]["column_settings"]]
    assert aligned == [None, "left", "right", "right", "right", "left"]
    assert "1 worker has no recorder: what it runs is not known, and its errors" in message.text


def test_no_live_worker_is_red_whether_none_is_registered_or_all_are_silent():
    assert lines(render_workers(WorkersReport(NOW, ())))[0].startswith("🔴 No worker is registered")
    silent = tuple(replace(worker, live=False) for worker in samples.workers().workers)
    shown = lines(render_workers(WorkersReport(NOW, silent)))
    assert shown[0] == "🔴 No worker is live; 4 are silent."
    told = render_workers(WorkersReport(NOW, silent)).text
    assert ", had 2 jobs, the longest for " in told
    assert ", runs " not in told


def test_audit_tells_who_did_what_and_what_went_wrong_first():
    message = render_audit(samples.audit(), "/jobs")
    shown = lines(message)
    assert shown[0] == "7 requests in the last 7 days."
    assert shown[1] == "1 failed, 1 refused, 3 done, 1 previewed, 1 dry run. Newest first."
    assert shown[2] == (
        "11:58 UTC  U0ANA (ana)  retry --all webhook --since 1h  35 retried, 2 skipped in 3 s"
        " · request 912"
    )
    assert any("3,491 cancelled, 27 asked to abort, 2 skipped in 4 s" in line for line in shown)
    assert any("U0VERA  retry 4711" in line for line in shown)
    assert any("purge --dry-run  dry run, 12,044 jobs" in line for line in shown)
    assert '"type": "user"' not in json.dumps(message.blocks)  # a list calls nobody
    assert message.text.endswith(
        "to undo a request and let its jobs run: /jobs retry --request 905"
    )


def test_a_purge_that_left_jobs_does_not_say_that_it_deleted_them():
    counts = {"refused": 268, "succeeded": 183_335}
    purge = replace(samples.audit().entries[0], action="purge", outcome="partly", counts=counts)
    shown = lines(render_audit(AuditReport(NOW, (purge,), 1, 86_400.0), "/jobs"))
    assert "purge  partly, deleted 183,335 succeeded; 268 not deleted in 3 s" in shown[2]


def test_the_undo_of_the_newest_cancel_is_offered():
    cancel = replace(samples.audit().entries[0], audit_id=920, action="cancel --all webhook")
    report = AuditReport(NOW, (cancel,), 1, 86_400.0)
    assert lines(render_audit(report, "/jobs"))[-1].endswith(
        "to undo a request and let its jobs run: `/jobs retry --request 920`"
    )


def test_an_empty_audit_says_so():
    message = render_audit(AuditReport(NOW, (), 0, 86_400.0, "ana"), "/jobs")
    assert lines(message)[0] == "No requests by 'ana' in the last 24 hours."


@pytest.mark.parametrize(
    ("levels", "first"),
    [
        (["error", "error", "warning"], "🔴 The set-up is broken: 2 errors, 1 warning."),
        (["warning"], "🟡 The set-up works, but there is a warning."),
        (["warning", "warning", "note"], "🟡 The set-up works, but there are 2 warnings."),
        (["note"], "🟢 The set-up is sound."),
        ([], "🟢 The set-up is sound."),
    ],
)
def test_doctor_says_first_whether_the_set_up_is_sound(levels, first):
    findings = [Finding(f"c{i}", level, f"S {i}.", f"F {i}.") for i, level in enumerate(levels)]
    report = DoctorReport(NOW, (*findings, Finding("fine", "ok", "All is well.")))
    shown = lines(render_doctor(report, "/jobs"))
    assert shown[0] == first
    assert shown[1].startswith("1 check is fine.")
    for i in range(len(levels)):
        assert f"Fix: F {i}." in shown


def test_doctor_tells_checks_that_say_the_same_together_and_commands_as_code():
    same = [Finding(name, "warning", "Not checked.", "Run `x y`.") for name in ("a_b", "c")]
    message = render_doctor(DoctorReport(NOW, tuple(same)), "/jobs")
    assert "Warning: a_b, c" in lines(message)
    assert code("x y") in spans(message)


def code(text):
    return {"type": "text", "text": text, "style": {"code": True}}


def spans(message):
    return [
        span
        for block in message.blocks
        for part in block.get("elements", [])
        for span in part.get("elements", [])
    ]


def test_doctor_speaks_to_a_person_in_slack():
    """A title instead of a check's name, words that can be typed here, and the reader's time."""
    sentence = "The rescue should have run at 2026-11-23 11:50 UTC."
    fixes = {
        "`jobs-maint status 7`": "/queue status 7",
        "`jobs-maint rescue`": "/queue rescue",
        "`jobs-maint schema apply`": "jobs-maint schema apply",
        "`jobs-maint status 7 --reveal`": "jobs-maint status 7 --reveal",
        "`ALTER ROLE x RESET y`": "ALTER ROLE x RESET y",
    }
    finding = Finding("rescue", "error", sentence, f"See {' and '.join(fixes)}.", "Stuck jobs")
    message = render_doctor(DoctorReport(NOW, (finding,)), "/queue")
    assert "Error: Stuck jobs" in lines(message)
    there = spans(message)
    assert [one for one in there if one.get("style", {}).get("code")] == [
        code(words) for words in fixes.values()
    ]
    at = datetime(2026, 11, 23, 11, 50, tzinfo=UTC)
    assert [one["timestamp"] for one in there if one["type"] == "date"] == [at.timestamp()]
    assert "should have run at 11:50 UTC." in message.text


def test_rescue_tells_what_went_back_and_what_was_given_up():
    idle = replace(samples.rescue(), acts_in_seconds=None, rescue_idle="off")
    assert lines(render_rescue(idle, "/jobs", by="U0ANA"))[1] == (
        "2 other jobs have no live worker, but are not due yet. The rescue is switched off "
        "(JOBS_MAINT_RESCUE_CRON): stuck jobs stay so until somebody rescues them."
    )
    message = render_rescue(samples.rescue(), "/jobs", by="U0ANA")
    shown = lines(message)
    assert shown == [
        "🟡 2 jobs put back, 1 failed for good by @U0ANA in 0.2 s.",
        (
            "2 other jobs have no live worker; "
            "the rescue acts on 1 of them in 19 s, later on the rest."
        ),
        "build_report  job 4602 · reports · failed for good",
        (
            "it was already put back 3 times, so the rescue gave up; "
            "worker 13 (web-3 pid 90) died, last beat 23 Nov 11:44 UTC"
        ),
        "2 × deliver_webhook  jobs 4711 4713 · webhook · put back",
        "worker 13 (web-3 pid 90) died, last beat 23 Nov 11:44 UTC",
        "[Show stuck jobs]",
    ]
    assert clicks(message) == [("Show stuck jobs", "stuck")]


def test_a_rescue_of_one_job_says_of_that_job_what_became_of_it():
    back, _, given_up = samples.rescue().items
    for item, says in (
        (back, "✅ Job 4711 put back by @U0ANA in 0.2 s."),
        (given_up, "🟡 Job 4602 failed for good by @U0ANA in 0.2 s."),
        (replace(back, code="aborted"), "✅ Job 4711 aborted by @U0ANA in 0.2 s."),
    ):
        assert lines(render_rescue(RescueReport((item,), 0, 0.2), "/jobs", by="U0ANA"))[0] == says
    many = RescueReport(tuple(replace(back, job_id=i) for i in range(1, 13)), 0, 0.2)
    shown = lines(render_rescue(many, "/jobs", by="U0ANA"))
    assert shown[1] == (
        "12 × deliver_webhook  jobs 1 2 3 4 5 6 7 8 9 10 and 2 more · webhook · put back"
    )


def test_times_in_sentences_are_told_by_the_clock_of_the_reader():
    message = render_rescue(samples.rescue(), "/jobs", by="U0ANA")
    stamps = [
        span["timestamp"]
        for block in message.blocks
        for part in block.get("elements", [])
        for span in part.get("elements", [])
        if span.get("type") == "date"
    ]
    assert stamps == [int(datetime(2026, 11, 23, 11, 44, 10, tzinfo=UTC).timestamp())] * 2


def test_a_rescue_without_work_is_green():
    assert lines(render_rescue(RescueReport((), 0, 0.1), "/jobs", by="U0ANA"))[0] == (
        "🟢 No job needed a rescue."
    )


def test_two_buttons_that_run_the_same_words_are_told_apart():
    alike = group(1, job=7), group(1, task="pay", job=7)
    message = render_errors(errors(*alike))
    ids = [e["action_id"] for b in message.blocks for e in b.get("elements", []) if "value" in e]
    assert len(ids) == len(set(ids)) == 4
    assert [words for _, words in clicks(message)] == ["status 7", "retry 7 --status failed"] * 2


def test_every_button_of_every_message_carries_words_that_the_grammar_reads():
    seen = 0
    for title, _typed, _private, message in all_messages():
        for label, words in clicks(message):
            assert parse_words(split_text(words), "slack").action.words(), (title, label)
            seen += 1
    assert seen > 40
