"""Details, acts, refusals, errors, help and digests: what each says first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chatbot.messages import (
    render_acts,
    render_details,
    render_digest,
    render_error,
    render_failed,
    render_help,
    render_refusal,
    render_stats,
    render_unexpected,
)
from jobs_maint.actions import Actor, GetJob, Grant, RetryJobs, Role, permit
from jobs_maint.errors import DatabaseUnavailable, InvalidRequest, JobNotFound, NotPermitted
from jobs_maint.grammar import build_help, parse_words, split_text
from jobs_maint.models import (
    ActReport,
    DigestReport,
    ErrorGroup,
    FailedGroup,
    FailedJobsReport,
    ItemOutcome,
    ItemResult,
    JobDetails,
    QueueStats,
    StatsReport,
    WorkerCounts,
)
from jobs_maint.quoting import in_quotes
from jobs_maint.render import render_text
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


def details(status, **fields):
    values = {
        "priority": 0, "lock": None, "queueing_lock": None, "scheduled_at": None,
        "abort_requested": False, "worker_id": None, "args": {}, "redacted": False, "events": (),
        "failures": (),
    }  # fmt: skip
    return JobDetails(NOW, 7, status, "email", "app.send", 1, **{**values, **fields})


@pytest.mark.parametrize(
    ("status", "attempts", "says"),
    [
        ("todo", 0, "not tried yet"),
        ("todo", 2, "2 attempts"),
        ("doing", 0, "first attempt"),
        ("doing", 2, "attempt 3"),
        ("cancelled", 0, "never tried"),
        ("succeeded", 1, "1 attempt"),
    ],
)
def test_details_say_how_often_a_job_was_tried_and_of_a_running_one_which_attempt(
    status, attempts, says
):
    message = render_details(replace(details(status), attempts=attempts))
    assert f"send in email, {says}." in message.text


@pytest.mark.parametrize(
    ("status", "first"),
    [
        ("todo", "🟢 Job 7 is waiting."),
        ("doing", "🟢 Job 7 is running."),
        ("succeeded", "✅ Job 7 succeeded."),
        ("failed", "🔴 Job 7 failed."),
        ("cancelled", "🟡 Job 7 was cancelled."),
        ("aborted", "🟡 Job 7 was aborted."),
    ],
)
def test_details_say_the_state_and_offer_a_retry_only_where_one_is_possible(status, first):
    message = render_details(details(status))
    assert shown(message).startswith(first)
    can = status in {"failed", "cancelled", "aborted"}
    assert any(words == f"retry 7 --status {status}" for _, words, _ in buttons(message)) is can


def done(job_id, reason=""):
    return ItemResult(job_id, ItemOutcome.DONE, "put_back", reason, "email", "app.send")


def skipped(job_id, reason):
    return ItemResult(job_id, ItemOutcome.SKIPPED, "x", reason)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([done(7)], "✅ Job 7 retried by @U0ANA.\nsend in email is ready to run."),
        ([done(7, "runs at 9, as scheduled")], "✅ Job 7 retried by @U0ANA.\nsend in email runs"),
        (
            [done(7), done(8), skipped(9, "no"), skipped(10, "no")],
            "✅ 2 jobs retried by @U0ANA in 3 s.\n2 skipped: no (9, 10).",
        ),
        ([skipped(7, "it is succeeded")], "🟡 Job 7 was not retried: it is succeeded."),
        (
            [skipped(7, "a"), skipped(8, "b")],
            "🟡 No job was retried.\n1 skipped: a (7).\n1",
        ),
    ],
)
def test_a_retry_tells_what_was_done_and_why_the_rest_was_not(items, expected):
    assert shown(render_acts(ActReport(tuple(items), 3.0), "/jobs", by="U0ANA")).startswith(
        expected
    )


def acted(verb, code, reason="", outcome=ItemOutcome.DONE):
    item = ItemResult(7, outcome, code, reason, "email", "app.send")
    return render_acts(ActReport((item,), 0.1, verb, audit_id=5), "/jobs", by="U0ANA")


@pytest.mark.parametrize(
    ("message", "first", "labels"),
    [
        (acted("cancel", "cancelled"),
         ["✅ Job 7 cancelled by @U0ANA.", "send in email will not run."],
         [("Put 1 job back", "retry --status cancelled --request 5"), ("Details", "status 7")]),
        (acted("discard", "discarded"),
         ["✅ Job 7 discarded by @U0ANA.",
          "send in email was given up; it is kept until the purge."],
         [("Put 1 job back", "retry --status cancelled --request 5"), ("Details", "status 7")]),
        (acted("cancel", "abort_requested", "it runs now; its worker was asked to abort it"),
         ["🟡 Job 7 is running; its worker was asked to abort it by @U0ANA.",
          "send in email continues until its task notices."], [("Details", "status 7")]),
        (acted("discard", "wrong_status", "it is todo", ItemOutcome.SKIPPED),
         ["🟡 Job 7 was not discarded: it is todo."], [("Details", "status 7")]),
        (acted("cancel", "error", "the database refused", ItemOutcome.FAILED),
         ["🔴 Job 7 was not cancelled: the database refused."], [("Details", "status 7")]),
        (acted("rescue", "put_back", "worker 3 last beat at 03:01"),
         ["✅ Job 7 put back by @U0ANA.", "send in email is ready to run.",
          "Worker 3 last beat at 03:01."], [("Details", "status 7")]),
        (acted("rescue", "failed", "worker 3 is gone; it was put back 3 times already"),
         ["🟡 Job 7 failed for good. Rescue requested by @U0ANA.",
          "send in email was not put back: it was put back 3 times already.", "Worker 3 is gone."],
         [("Retry job 7", "retry 7"), ("Details", "status 7")]),
        (acted("rescue", "worker_alive", "worker 3 runs it", ItemOutcome.SKIPPED),
         ["🟡 Job 7 was not rescued: worker 3 runs it."], [("Details", "status 7")]),
    ],
)  # fmt: skip
def test_an_act_on_one_job_says_what_became_of_it_and_offers_the_way_back(message, first, labels):
    assert shown(message).splitlines()[:-1] == first
    assert [(label, words) for label, words, _ in buttons(message)] == labels


def test_an_act_on_several_jobs_tells_running_ones_apart_and_puts_back_the_others():
    items = [done(7), done(8), ItemResult(9, ItemOutcome.DONE, "abort_requested", "it runs")]
    message = render_acts(ActReport(tuple(items), 3.0, "cancel", audit_id=5), "/jobs", by="U0ANA")
    assert shown(message).splitlines()[:2] == [
        "✅ 3 jobs cancelled by @U0ANA in 3 s.",
        "1 of them is running; its worker was asked to abort it.",
    ]
    assert buttons(message) == [("Put 2 jobs back", "retry --status cancelled --request 5", None)]


def refusal(actor, action):
    with pytest.raises(NotPermitted) as caught:
        permit(actor, action)
    return caught.value


VIEWER = Actor("slack", "U0VERA", "vera", "C0OPS", (Grant(Role.VIEWER),))


def test_a_refusal_names_what_is_missing_and_whom_to_ask():
    refused = refusal(VIEWER, RetryJobs((7,)))
    message = render_refusal(refused, users=["U0ANA"], usergroups=["S0ONCALL"])
    assert shown(message).splitlines()[:2] == [
        "⛔ You may not retry jobs. This requires the role operator; your role is viewer.",
        "Ask @U0ANA or anyone in @S0ONCALL.",
    ]


def test_a_refusal_when_nobody_holds_the_role_says_where_it_is_granted():
    message = render_refusal(refusal(Actor("slack", "U0GUS"), GetJob(7)))
    assert "Nobody holds the role viewer;" in message.text
    assert "CHATBOT_ROLES" in message.text


def test_an_error_says_whether_anything_was_changed_only_where_that_is_certain():
    certain = render_error(JobNotFound("no job has the id 7"), "/jobs", "retry 7")
    assert shown(certain).splitlines() == [
        "🟡 No job has the id 7.",
        "`/jobs retry 7` · nothing was changed",
    ]
    unsure = render_error(DatabaseUnavailable("it went away"), "/jobs", "retry 7")
    assert "nothing was changed" not in unsure.text


@pytest.mark.parametrize("name", ["a; b", "it's; b", 'say "a; b"; c', "new"])
def test_an_error_is_bold_up_to_the_end_of_its_first_part_not_within_a_name(name):
    first = f"There is no queue {in_quotes(name)};"
    wrong = InvalidRequest(f"{first} the shell's list has it; see `stats`.")
    spans = render_error(wrong, "/jobs", "stats x").blocks[0]["elements"][0]["elements"]
    told = [span["text"] for span in spans if span.get("style") == {"bold": True}]
    assert told == [first]


def test_an_unexpected_error_of_an_act_warns_before_it_is_repeated():
    assert "may or may not" in render_unexpected("a1b2", "/jobs", "retry 7", act=True).text
    assert "may or may not" not in render_unexpected("a1b2", "/jobs", "stats", act=False).text


def test_help_shows_what_one_may_do_and_whom_to_ask_for_the_rest():
    message = render_help(
        build_help(VIEWER, "slack"), "/jobs", lambda _role, _whole: (("U0ANA",), ("S0ONCALL",))
    )
    may, rest = message.text.split("Requires the role operator:")
    assert "/jobs stats [QUEUE]" in may
    assert "/jobs retry" not in may
    assert "/jobs retry ID…" in rest
    assert "/jobs cancel ID…|--all [QUEUE] (--all needs admin)" in rest
    assert "Ask <@U0ANA> or anyone in <!subteam^S0ONCALL>." in rest


def test_help_says_which_words_need_a_role_on_every_queue():
    """An admin of some queues may purge these, and neither audit nor doctor."""
    some = Actor("slack", "U1", "bo", "C1", (Grant(Role.ADMIN, queues=("email*",)),))
    asked = []

    def holders(role, whole):
        asked.append((role, whole))
        return ("U0ANA",), ()

    report = build_help(some, "slack")
    message = render_help(report, "/jobs", holders)
    may, rest = message.text.split("Requires the role admin on every queue:")
    assert "previewed first; without --queue it needs the role on every queue" in may
    assert "needs admin; without ids it needs the role on every queue" in may
    full = Actor("slack", "U1", "bo", "C1", (Grant(Role.ADMIN),))
    assert "every queue" not in render_help(build_help(full, "slack"), "/jobs", holders).text
    assert "/jobs audit" in rest
    assert "/jobs doctor" in rest
    assert (Role.ADMIN, True) in asked
    shell = render_text(build_help(some, "shell"), width=200)
    assert "Role: admin, on every queue. You do not have it." in shell
    about = render_help(build_help(some, "slack", "audit"), "/jobs", holders)
    assert "requires the role admin on every queue, which you do not have here" in about.text


MAIL, OPS = Grant(Role.OPERATOR, ("mail*", "web"), ("C1",)), Grant(Role.ADMIN, None, ("C2", "C3"))
LOOK = Grant(Role.VIEWER)


@pytest.mark.parametrize(
    ("grants", "lines"),
    [
        ([Grant(Role.OPERATOR)], ["Your role is operator."]),
        ([Grant(Role.OPERATOR), LOOK, MAIL], ["Your role is operator."]),
        ([Grant(Role.OPERATOR, ("mail*",))], ["Your role is operator of mail*."]),
        (
            [LOOK, Grant(Role.OPERATOR, ("mail*",)), Grant(Role.ADMIN, ("mail-in",))],
            ["Your role is admin of mail-in, operator of mail*, and viewer of every queue."],
        ),
        ([MAIL], ["Your role is operator of mail*, web in this channel."]),
        (
            [LOOK, MAIL, OPS],
            [
                "Your role is operator of mail*, web in this channel, and viewer of every queue.",
                "In <#C2>, <#C3> you are admin.",
            ],
        ),
        ([OPS], ["You have no role here.", "In <#C2>, <#C3> you are admin."]),
        ([], ["You have no role here.", "Nobody is granted anything by default."]),
    ],
)
def test_help_says_on_which_queues_and_channels_one_has_a_role(grants, lines):
    somebody = Actor("slack", "U1", "bo", "C1", tuple(grants))
    message = render_help(build_help(somebody, "slack"), "/jobs", lambda *_: ((), ()))
    said = message.text.splitlines()
    assert said[: len(lines)] == lines
    assert not said[len(lines)].startswith(("In ", "You "))
    retry = render_help(build_help(somebody, "slack", "retry"), "/jobs", lambda *_: ((), ()))
    narrow = " of " in lines[0] or " in " in lines[0]
    assert (f"{lines[0]}" in retry.text) is narrow


def digest(failed, before, hours=24.0, **fields):
    values = {
        "succeeded": 58_931, "retrying": 0, "put_back": 0, "groups_not_shown": 0,
        "failures_not_shown": 0, "queues": (), "purged": 12_044,
        "groups": (
            (ErrorGroup("app.send", "E", "broke", failed, before, "rising", True),)
            if failed or before else ()
        ),
    }  # fmt: skip
    return DigestReport(
        1, "ops", NOW - timedelta(hours=hours), NOW, failed, before, **{**values, **fields}
    )


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (digest(55, 6), "🟡 55 failures in the last 24 hours, up from 6 the day before."),
        (digest(1, 6), "🟡 1 failure in the last 24 hours, down from 6 the day before."),
        (digest(0, 6), "🟢 No job failed in the last 24 hours, down from 6 the day before."),
        (digest(2, 0, 1.0), "🟡 2 failures in the last hour, none the hour before."),
        (digest(2, 1, 168.0), "🟡 2 failures in the last 7 days, up from 1 the week before."),
        (
            digest(2, 1, 6.0),
            "🟡 2 failures in the last 6 hours, up from 1 in the 6 hours before.",
        ),
        (
            digest(2, 1, 0.25),
            "🟡 2 failures in 15 min, up from 1 in the 15 min before.",
        ),
        (digest(2, 1, 0.03), "🟡 2 failures in 1 min 48 s, up from 1 in the 1 min 48 s before."),
        (digest(2, 1, 75 / 3_600), "🟡 2 failures in 75 s, up from 1 in the 75 s before."),
        (digest(2, 0, 0.016), "🟡 2 failures in one minute, none the minute before."),
        (digest(2, 0, 5 / 3_600), "🟡 2 failures in 5 s, none in the 5 s before."),
    ],
)
def test_the_verdict_of_a_digest_compares_with_the_window_before(report, verdict):
    assert shown(render_digest(report, "/jobs")).splitlines()[0] == verdict


def test_a_digest_names_a_queue_that_is_behind_and_what_it_could_not_cover():
    late = (QueueStats("webhook", ready=3, oldest_ready_seconds=840.0),)
    gap = NOW - timedelta(days=3)
    message = render_digest(digest(0, 0, queues=late, truncated_from=gap), "/jobs")
    lines = shown(message).splitlines()
    assert lines[0].startswith("🟡 webhook is 14 min behind; no job failed in the last ")
    assert lines[1] == "58,931 jobs succeeded."
    failed = shown(render_digest(digest(2, 1, queues=late), "/jobs")).splitlines()
    assert failed[1] == "webhook is 14 min behind. 58,931 jobs succeeded."
    assert "The last digest was too long ago" in lines[2]
    assert "2 d since then are left out" in lines[2]


def test_every_button_carries_words_that_the_grammar_reads():
    queue = QueueStats("webhook", failed_last_hour=37)
    failure = FailedGroup("app.send", 37, 37, (7,), False, "email")
    messages = [
        render_stats(
            StatsReport(NOW, (queue,), WorkerCounts(1, 0), (), queue="two words"), "/jobs"
        ),
        render_failed(FailedJobsReport(NOW, (), 37, 1, groups=(failure,)), "/jobs"),
        render_details(details("failed")),
        render_acts(ActReport((done(7),), 1.0), "/jobs", by="U0ANA"),
        render_digest(digest(3, 1), "/jobs"),
    ]
    words = [value for message in messages for _, value, _ in buttons(message)]
    assert len(words) == 8
    for one in words:
        assert parse_words(split_text(one), "slack").action.words() == one
