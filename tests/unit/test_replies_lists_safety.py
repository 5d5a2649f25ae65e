"""Foreign text in the lists: nothing in it acts, no page breaks Slack's limits."""

import json
from dataclasses import replace

import pytest
from tests.unit.test_replies_safety import NASTY, mrkdwn_texts

from chatbot.messages import Message, add_note, render_details_view, render_help
from chatbot.messages.result import render_result
from chatbot.setup import sample_reports as samples
from chatbot.setup.sample_messages import actor
from jobs_maint.actions import Role
from jobs_maint.grammar import build_help
from jobs_maint.models import (
    AuditEntry,
    AuditReport,
    DoctorReport,
    ErrorGroup,
    ErrorsReport,
    Finding,
    ItemOutcome,
    ItemResult,
    RescueReport,
    StuckReport,
    WorkersReport,
    WorkerView,
    count_reasons,
)
from local_slack.blocks import check_blocks

NOW = samples.NOW
LARGEST = 2**63 - 1


def some(number, text):
    """Of long texts fewer, which fill a message as well."""
    return number if len(text) < 10_000 else min(number, 4)


def groups(text, number=30):
    return tuple(
        ErrorGroup(text, text, text, 40 - i, 3, "rising", True, NOW, NOW, LARGEST, (0,) * 11 + (9,))
        for i in range(some(number, text))
    )


def errors(text):
    gone = tuple(replace(one, count=0, trend="gone") for one in groups(text))
    there = groups(text)
    return ErrorsReport(
        NOW, 3600.0, text, there + gone, 500, 6, 5, 40, count_reasons(there), (text,) * 50
    )


def stuck(text):
    jobs = tuple(
        replace(samples.stuck_job(LARGEST, "t", 900, 0.0), queue=text, task=text, worker=text)
        for _ in range(some(100, text))
    )
    return StuckReport(NOW, jobs, jobs, 3)


def workers(text):
    jobs = stuck(text).stuck
    one = WorkerView(LARGEST, False, text, 7, (text,) * 50, False, 9.0, jobs)
    return WorkersReport(NOW, (one,) * some(150, text))


def audit(text):
    actors = (f"slack:{text}", f"task:{text}", text, "slack:U0ANA")
    entries = tuple(
        AuditEntry(LARGEST, NOW, actor, text, text, {text: 5}, text, 9.0)
        for actor in actors * (some(80, text) // 4)
    )
    return AuditReport(NOW, entries, 1_000, 3600.0, text)


def doctor(text):
    return DoctorReport(
        NOW, tuple(Finding(f"{text}{i}", "error", text, text) for i in range(some(40, text)))
    )


def rescue(text):
    item = ItemResult(LARGEST, ItemOutcome.DONE, "put_back", text, text, text)
    broken = replace(item, outcome=ItemOutcome.FAILED, code="error")
    return RescueReport((item, broken) * some(250, text), 3, 0.2)


def digest(text):
    shown = groups(text)
    queues = tuple(replace(queue, queue=text) for queue in samples.stats().queues)
    return replace(
        samples.digest(), groups=shown, queues=queues, queue=text, limited_to_queues=(text,) * 50,
        failed=500, slots=(0,) * 11 + (500,), groups_not_shown=3, failures_not_shown=9,
    )  # fmt: skip


def details(text):
    job = samples.details()
    runs = tuple(replace(run, message=text, exception_type=text, traceback=text)
                 for run in job.failures)  # fmt: skip
    return replace(
        job, job_id=LARGEST, queue=text, task=text, failures=runs, args={text[:99]: text}
    )


KINDS = [errors, stuck, workers, audit, doctor, rescue, digest, details]


def pages(kind, text):
    for page in (1, 2, 7):
        yield render_result(kind(text), "/jobs", by="U0ANA", page=page)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", NASTY)
def test_whatever_the_text_slack_takes_every_page(kind, what):
    for message in pages(kind, NASTY[what]):
        noted = add_note(message, "Only you see this: ", "why")
        check_blocks(noted.blocks)
        assert 0 < len(noted.text) <= 40_000
        json.dumps([noted.text, noted.blocks]).encode()
        noted.text.encode()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", [name for name in NASTY if len(NASTY[name]) < 50_000])
def test_nothing_in_foreign_text_acts(kind, what):
    for message in pages(kind, NASTY[what]):
        for text in [message.text, *mrkdwn_texts(message.blocks)]:
            for live in ("<!channel", "<!here", "<@U0ANA> <", "<!subteam", "<https:", "<java"):
                assert live not in text
            assert "```" not in text
        everything = json.dumps(message.blocks, ensure_ascii=False) + message.text
        for char in "\u202e\u2066\u200f\u061c\x00\x07\x1b\x7f\ud83d":
            assert char not in everything


@pytest.mark.parametrize("what", NASTY)
def test_whatever_the_text_slack_takes_the_modal(what):
    view = render_details_view(details(NASTY[what]), channel="C0OPS")
    check_blocks(view["blocks"])
    assert len(view["title"]["text"]) <= 24
    assert len(view["private_metadata"]) <= 3_000
    for text in mrkdwn_texts(view["blocks"]):
        assert "<!channel" not in text


@pytest.mark.parametrize("role", [*Role, None])
def test_help_fits_for_every_role(role):
    def everybody(_role, _whole):
        return tuple(f"U{i:010}" for i in range(200)), tuple(f"S{i:010}" for i in range(200))

    report = build_help(actor(role), "slack")
    message = render_help(report, "/" + "j" * 31, everybody, ("Slack is away. " * 20,) * 9)
    assert isinstance(message, Message)
    check_blocks(message.blocks)


def test_a_shown_page_never_holds_half_an_item():
    report = replace(samples.many_errors(), groups=groups("x" * 4_000), since_seconds=3600.0)
    message = render_result(report, "/jobs", by="U0ANA")
    dividers = sum(block["type"] == "divider" for block in message.blocks)
    assert message.text.count(" × ") == dividers > 3
