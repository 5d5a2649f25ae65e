"""What tables and charts say to those who cannot see them: sentences, without zeros."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chatbot.messages import render_digest, render_stats
from chatbot.messages.message import in_sentences
from chatbot.messages.result import render_result
from chatbot.setup import sample_reports as samples
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.models import QueueStats
from local_slack.blocks import check_blocks
from local_slack.text import render_blocks

NOW = samples.NOW
NEW_KINDS = ("data_visualization", "table")


def digest(**fields):
    return render_digest(samples.digest(**fields), "/jobs")


def chart_of(message):
    [chart] = [block for block in message.blocks if block["type"] == "data_visualization"]
    return chart


def test_a_row_of_stats_is_a_sentence_of_what_is_not_zero():
    assert render_stats(samples.stats(), "/jobs").text.splitlines()[-4:] == [
        (
            "webhook: 37 failed in the last hour, oldest waits 14 min, 1,204 ready, 4 doing; in 24 "
            "hours 52 failed, 18,311 done"
        ),
        "email: oldest waits 8 s, 12 ready; in 24 hours 3 failed, 40,120 done",
        "reports: oldest waits 55 s, 3 ready; in 24 hours 212 done",
        "maintenance: in 24 hours 288 done",
    ]
    both = (QueueStats("a"), QueueStats("b", ready=1, doing=2))
    quiet = replace(samples.stats(), queues=both)
    *_, waiting, nothing = render_stats(quiet, "/jobs").text.splitlines()
    assert (waiting, nothing) == (
        "b: 1 ready, 2 doing",
        "Nothing failed, waits, runs or was done in 24 hours: a",
    )
    deleting = replace(quiet, workers=replace(quiet.workers, deleting=1))
    nothing = render_stats(deleting, "/jobs").text.splitlines()[-1]
    assert nothing == "Nothing failed, waits or runs in 24 hours: a"


def test_a_row_of_workers_is_a_sentence_too():
    text = render_result(samples.workers(), "/jobs", by="U0ANA").text
    assert text.splitlines()[-4:] == [
        "web-3 pid 90: silent, seen 15 min ago; queues: reports",
        (
            "web-1 pid 712: live, seen 4 s ago, runs 2 jobs, the longest for 4 h; queues: "
            "webhook, email"
        ),
        "web-2 pid 88: live, seen 2 s ago; queues: all",
        "worker 14: live, seen 9 s ago; queues: not known",
    ]


@pytest.mark.parametrize("report", [samples.stats(), samples.workers(), samples.digest()])
def test_where_slack_takes_no_table_or_chart_the_sentences_of_the_text_stand_there(report):
    message = render_result(report, "/jobs", by="U0ANA")
    [place] = [i for i, block in enumerate(message.blocks) if block["type"] in NEW_KINDS]
    told = in_sentences(message)
    check_blocks(told.blocks, unsupported=NEW_KINDS)
    # All else is as it was, and the buttons stay.
    assert [*told.blocks[:place], *told.blocks[place + 1 :]] == [
        *message.blocks[:place], *message.blocks[place + 1 :],
    ]  # fmt: skip
    assert render_blocks([told.blocks[place]], 10_000) in told.text == message.text


@pytest.mark.parametrize("hours", [12, 13, 23, 24, 25, 25.5, 26])
def test_a_chart_never_repeats_a_category_and_its_title_says_its_slots(hours):
    """Also after an outage, and on the days when clocks change."""
    until = datetime(2026, 10, 25, 7, 59, 31, tzinfo=UTC)
    message = digest(since=until - timedelta(hours=hours), until=until)
    chart = chart_of(message)
    check_blocks(message.blocks)
    labels = chart["chart"]["axis_config"]["categories"]
    assert len(set(labels)) == 12
    title = chart["title"]
    start = (until - timedelta(hours=hours, seconds=-29)).strftime("%a %H:%M")
    step = round(hours * 5)
    said = f"{step // 60} h {step % 60} min" if step % 60 else f"{step // 60} h"
    said = "hour" if said == "1 h" else said
    about = "" if step == hours * 5 else "≈"
    assert title == f"Failures per {about}{said}, {start}–Sun 08:00 UTC"
    assert labels[0] == (start[4:] if ":" in labels[0] else start[4:6])


@pytest.mark.parametrize("seconds", [-29, -3, 0, 7, 29])
@pytest.mark.parametrize(
    ("minutes", "bars", "step"),
    [(4, 4, "minute"), (5, 5, "minute"), (60, 12, "5 min"), (61, 11, "6 min"), (63, 11, "6 min"),
     (90, 9, "10 min"), (480, 8, "hour"), (715, 12, "hour")],
)  # fmt: skip
def test_a_short_chart_has_bars_of_whole_minutes_that_end_with_its_window(
    minutes, bars, step, seconds
):
    until = datetime(2026, 10, 25, 7, 59, 31, tzinfo=UTC)
    since = until - timedelta(minutes=minutes, seconds=seconds)
    message = digest(since=since, until=until, slots=(6,) * bars, failed=6 * bars, groups=())
    check_blocks(message.blocks)
    chart = chart_of(message)
    labels = chart["chart"]["axis_config"]["categories"]
    begin = datetime(2026, 10, 25, 8, tzinfo=UTC) - timedelta(minutes=minutes)
    assert chart["title"] == f"Failures per {step}"
    assert len(set(labels)) == bars
    assert labels[0] in {f"{begin:%H:%M}", f"{begin:%H}"}
    assert chart["chart"]["axis_config"]["x_label"].endswith(" when a slot begins, UTC")
    told = [line for line in message.text.splitlines() if line.endswith(": 6 other tasks")]
    assert len(told) == bars
    assert " to 08:00: " in told[-1]


def test_a_slot_that_begins_within_an_hour_is_labelled_so_and_both_ends_of_a_day_have_a_date():
    until = datetime(2026, 10, 25, 9, 44, 31, tzinfo=UTC)
    message = digest(since=until - timedelta(days=1), until=until)
    labels = chart_of(message)["chart"]["axis_config"]["categories"]
    assert labels[:2] == ["09:45", "11:45"]
    assert "24 Oct 09:45 UTC to 25 Oct 09:45 UTC" in message.text


def test_the_sentences_of_a_chart_name_each_slot_that_has_failures():
    told = digest().text.splitlines()
    first = told.index("Failures per 2 h, Sun 12:00–Mon 12:00 UTC:")
    assert told[first + 1] == "12:00 to 14:00: 4 deliver_webhook, 2 send_receipt, 2 other tasks"
    assert all(" to " in line for line in told[first + 1 : first + 5])


@pytest.mark.parametrize(
    ("queues", "tasks", "what"),
    [
        (("webhook",), None, " of webhook"),
        (("webhook", "email*"), None, " of webhook and email*"),
        (("a", "b", "c", "d", "e"), None, " of a, b, c and 2 more queues"),
        (None, ("team.tasks.deliver",), " of task team.tasks.deliver"),
        (None, ("team.a", "*.b"), " of tasks team.a and *.b"),
        (("webhook",), ("deliver_*",), " of webhook (task deliver_*)"),
        (None, None, ""),
    ],
)
def test_a_digest_names_what_it_covers_and_its_button_shows_exactly_that(queues, tasks, what):
    hour = {"since": NOW - timedelta(hours=1), "failed_before": 0}
    covers = {"only_queues": queues, "only_tasks": tasks, **hour}
    quiet = digest(failed=0, groups=(), slots=(), **covers)
    loud = digest(failed=37, groups_not_shown=3, failures_not_shown=4, **covers)
    for message, verdict in ((quiet, f"No job{what} failed"), (loud, f"37 failures{what}")):
        start = f"{verdict} in the last hour, none the hour before."
        assert start in message.text.splitlines()[0]
        assert start in render_blocks(message.blocks[:1], 200)
    if queues and len(queues) > 3:
        assert "It covers jobs of a, b, c, d and e." in quiet.text
    [button] = [
        one for block in loud.blocks if block["type"] == "actions" for one in block["elements"]
    ]
    asked = parse_words(split_text(button["value"]), "slack").action
    single = queues == ("webhook",)
    assert (asked.queue, asked.queues) == (("webhook", None) if single else (None, queues))
    assert (asked.tasks, asked.since) == (tasks, timedelta(hours=1))
    # What is not shown is to be had by words of the same coverage.
    rest = next(line for line in loud.text.splitlines() if "not shown" in line)
    shown = parse_words(split_text(rest.partition("/jobs ")[2]), "slack").action
    assert shown == replace(asked, limit=100)


def test_a_digest_of_one_queue_that_was_asked_for_is_told_the_same_way():
    assert "57 failures of webhook in the last 24 hours" in digest(queue="webhook").text


def test_a_posted_digest_of_minutes_says_from_when_to_when_and_not_the_last():
    """It ends half a minute before its post."""
    until = datetime(2026, 11, 27, 15, 29, 30, tzinfo=UTC)
    short = {"since": until - timedelta(seconds=134), "until": until, "failed": 1}
    posted = digest(window_id=7, **short).text
    assert " failure in 2 min 14 s, " in posted.splitlines()[0]
    assert "15:27:16 UTC to 15:29:30 UTC" in posted
    assert " failure in the last 2 min 14 s, " in digest(window_id=0, **short).text


def test_a_muted_group_says_why_it_stands_below_smaller_ones():
    first, second, *_ = samples.GROUPS
    groups = (second, replace(first, muted_until=samples.NOW))
    line = next(one for one in digest(groups=groups).text.splitlines() if "muted" in one)
    assert line.endswith(", muted, so last")
    alone = digest(groups=groups[1:]).text
    assert ", muted\n" in alone
