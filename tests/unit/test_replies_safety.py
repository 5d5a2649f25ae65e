"""Foreign text in every kind of message: nothing in it acts, nothing breaks Slack's limits."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chatbot.messages import (
    Progress,
    add_note,
    render_acts,
    render_broken,
    render_bulk,
    render_details,
    render_digest,
    render_dropped,
    render_error,
    render_failed,
    render_lost,
    render_preview,
    render_progress,
    render_purge,
    render_stats,
    render_too_late,
)
from chatbot.messages.words import cut_middle
from jobs_maint.actions import quote_word
from jobs_maint.errors import InvalidRequest
from jobs_maint.models import (
    ActReport,
    BulkReport,
    DigestReport,
    ErrorGroup,
    FailedGroup,
    FailedJobsReport,
    FailedRun,
    ItemOutcome,
    ItemResult,
    JobDetails,
    JobEvent,
    LostRun,
    Preview,
    PurgeReport,
    QueueStats,
    RescueReport,
    SetGroup,
    SkipGroup,
    StatsReport,
    WorkerCounts,
)
from local_slack.blocks import check_blocks

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NASTY = {
    "a mention of everybody": "<!channel> <!here> <@U0ANA> <!subteam^S0ONCALL>",
    "a link": "<https://evil.example|click> <javascript:alert(1)|x>",
    "HTML": "</script><img src=x onerror=alert(1)>",
    "marks": "*bold* _it_ ~no~ `code` ```fence``` :fire:",
    "turned direction": "\u202etxt.exe\u202c \u2066a\u2069 \u200f\u061c",
    "NUL and controls": "a\x00b\x07c\x1b[31md\x7f",
    "emoji": "💥👩‍👩‍👧‍👦 żółć 漢字 \U0001f1e9\U0001f1ea",
    "a lone surrogate": "half \ud83d of it",
    "nothing": "",
    "only spaces": " \n \t ",
    "a megabyte": "x" * 1_000_000,
    "a hundred kilobytes of lines": "line <!channel>\n" * 6_000,
    "a megabyte of ampersands": "&" * 1_000_000,
}


def stats(text):
    queues = tuple(QueueStats(text + str(i), ready=1, failed_last_hour=1) for i in range(150))
    return render_stats(StatsReport(NOW, queues, WorkerCounts(1, 1), (), 3, text), "/jobs")


def failed(text):
    groups = tuple(
        FailedGroup(text, 9, 9, (2**63 - 1 - i,), True, text, "error", text, text)
        for i in range(1_000)
    )
    report = FailedJobsReport(
        NOW, (), 2_000, 1_000, text, text, text, 3600.0, groups=groups, groups_not_shown=1
    )
    return render_failed(report, "/jobs")


def details(text):
    run = FailedRun(1, NOW, "error", text, text, True, text)
    job = JobDetails(
        NOW, 1, "failed", text, text, 3, 1, text, text, NOW, True, 1, {text[:99]: text}, True,
        tuple(JobEvent(text, NOW, 1.0) for _ in range(500)), (run,) * 500, text,
    )  # fmt: skip
    return render_details(job)


def retry(text):
    done = [ItemResult(i, ItemOutcome.DONE, "put_back", "", text, text) for i in range(250)]
    late = [ItemResult(i, ItemOutcome.SKIPPED, "c", f"{i} {text}", text, text) for i in range(250)]
    return render_acts(ActReport((*done, *late), 3.0), "/jobs", by="U0ANA")


def digest(text, number=40):
    groups = tuple(ErrorGroup(text, text, text, 9, 3, "rising", True) for _ in range(number))
    queues = (QueueStats(text, ready=1, oldest_ready_seconds=900.0),)
    since = NOW - timedelta(days=1)
    failed = 9 * number + 40
    report = DigestReport(1, text, since, NOW, failed, 6, 1, 1, 1, groups, 5, 40, queues, 12)
    only = replace(report, only_queues=(text, text), only_tasks=(text,))
    return render_digest(only, "/jobs")


def error(text):
    exc = InvalidRequest(f"{text!r} is no word")
    return render_error(exc, "/jobs", text, suggestion=text[:3_000] or None)


def skips(text):
    return tuple(SkipGroup(f"{text}{i}", f"{i} {text}", 2, (2**63 - 1,)) for i in range(12))


def preview(text, **fields):
    groups = tuple(SetGroup(f"{text}{i}", text, 1) for i in range(12))
    key = fields.pop("key", "k3y")
    words = f"retry --all {quote_word(text)}"
    wide = Preview("retry", words, key, 2**31, 2**31, groups, skips(text), NOW, **fields)
    return render_preview(wide, "/jobs", by="U0ANA")


def nothing(text):
    return preview(text, key=None)


def force(text):
    one = Preview("rescue", text, "k3y", 1, 0, (), (), NOW, warnings=(text,) * 9, risk=True)
    return render_preview(one, "/jobs", by="U0ANA")


def bulk(text):
    report = BulkReport(
        text, text, 17, 2**31, 9, skips(text), skips(text), 3.2, True, (text,), 9, skips(text),
        skips(text),
    )  # fmt: skip
    return render_bulk(report, "/jobs", by="U0ANA", why_stopped=text)


def purge(text):
    report = PurgeReport({f"{text}{i}": 2 for i in range(12)}, 9, 3.2, False)
    return render_purge(report, "/jobs", by="U0ANA", why_stopped=text, words=text)


def progress(text):
    return render_progress(Progress(text, text, "U0ANA", 2**40, 2**41, 1e9, 17), "/jobs")


def broken(text):
    far = Progress("retry", text, "U0ANA", 5, 9, 3.0, 17)
    return render_broken(far, "/jobs", reason=text)


def lost(text):
    run = LostRun(17, text, "cancel", text, {text: 2, "done": 5}, 9, "C0OPS", "1.2", NOW)
    return render_lost(run, "/jobs")


def dropped(text):
    return render_dropped(text, "/jobs", by="U0ANA")


def late(text):
    return render_too_late(text, "/jobs", why="late")


def rescued(text):
    item = ItemResult(7, ItemOutcome.DONE, "failed", f"{text}; {text}", text, text)
    return render_acts(RescueReport((item,), 0, 0.1), "/jobs", by="U0ANA")


KINDS = [
    stats, failed, details, retry, digest, error, preview, nothing, force, bulk,
    purge, progress, broken, lost, dropped, late, rescued,
]  # fmt: skip


def mrkdwn_texts(value):
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield value["text"]
        for inner in value.values():
            yield from mrkdwn_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from mrkdwn_texts(inner)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", NASTY)
def test_whatever_the_text_slack_takes_the_message_and_nothing_in_it_acts(kind, what):
    message = kind(NASTY[what])
    for text in [message.text, *mrkdwn_texts(message.blocks)]:
        for live in ("<!channel", "<!here", "<@U0ANA> <", "<!subteam", "<https:", "<java", "```"):
            assert live not in text
    everything = json.dumps(message.blocks, ensure_ascii=False) + message.text
    for char in "\u202e\u2066\u200f\u061c\x00\x07\x1b\x7f\ud83d":
        assert char not in everything
    noted = add_note(message, "Only you see this: ", "why")
    check_blocks(noted.blocks)
    assert 0 < len(noted.text) <= 40_000
    json.dumps([noted.text, noted.blocks]).encode()
    noted.text.encode()


@pytest.mark.parametrize("kind", KINDS)
def test_emoji_and_other_scripts_are_shown_as_they_are(kind):
    everything = json.dumps(kind("👩‍👩‍👧‍👦 漢字").blocks, ensure_ascii=False)
    assert "👩‍👩‍👧‍👦 漢字" in everything


def test_a_traceback_is_cut_in_the_middle_and_says_how_much_is_left_out():
    lines = [f"line {i}" for i in range(5_000)]
    run = FailedRun(1, NOW, "error", "E", "m", False, "\n".join(lines))
    job = JobDetails(
        NOW, 7, "failed", "q", "t", 1, 0, None, None, None, False, None, {}, False, (), (run,)
    )
    text = render_details(job).text
    assert "line 0\n" in text
    assert text.endswith("line 4999")
    assert "characters left out; jobs-maint status 7 shows more of it" in text


def test_what_the_recorder_left_out_of_a_traceback_counts_as_left_out():
    half = "\n".join(f"line {i}" for i in range(1_000))
    stored = f"{half}\n… 50,000 characters cut …\n{half}"
    shown = cut_middle(stored, 3_000, "see there")
    head, tail = re.split("\n… .* …\n", shown)
    missing = 50_000 + 2 * len(half) - len(head) - len(tail)
    assert f"… {missing:,} characters left out; see there …" in shown


def test_digest_groups_that_do_not_fit_are_counted_with_their_failures():
    message = digest("x")
    shown = message.text.count("was 3")
    assert shown == 40
    assert "5 more groups, 40 failures, not shown" in message.text
    long = digest("<" * 1_000, number=300)
    shown = long.text.count("was 3")
    assert 0 < shown < 300
    left, failures = 305 - shown, 40 + 9 * (300 - shown)
    assert f"{left} more groups, {failures:,} failures, not shown" in long.text
