"""A list that does not fit turns pages: nothing is left out, nothing comes twice."""

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from chatbot.messages import render_details_view, render_loading_view
from chatbot.messages.packer import cut_rows, pack_pages
from chatbot.messages.parts import paragraph
from chatbot.messages.result import render_result
from chatbot.setup import sample_reports as samples
from chatbot.setup.sample_messages import all_messages
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.models import (
    AuditEntry,
    AuditReport,
    DoctorReport,
    ErrorGroup,
    ErrorsReport,
    FailedGroup,
    FailedJobsReport,
    Finding,
    QueueStats,
    StatsReport,
    StuckReport,
    WorkerCounts,
    WorkersReport,
    WorkerView,
    count_reasons,
)
from local_slack.blocks import check_blocks
from local_slack.text import render_blocks

NOW = samples.NOW
LONG = "a rather long error that takes its room on the page " * 20


def find_more(message):
    """Words and page of the button that turns the page."""
    for block in message.blocks:
        for element in block.get("elements", []):
            if str(element.get("action_id", "")).startswith("jobs_page:"):
                return element["value"], int(element["action_id"].partition(":")[2])
    return None


def failed(limit, total=137):
    groups = tuple(
        FailedGroup("a.send", 1, 1, (9_000 - i,), True, "q", "error", "E", f"{i} {LONG}")
        for i in range(min(limit, total))
    )
    left = total - len(groups)
    return FailedJobsReport(NOW, (), total, limit, groups=groups, groups_not_shown=left)


def errors(limit, total=137):
    groups = tuple(
        ErrorGroup(f"a.task_{9_000 - i}", "E", LONG, 500 - i, 3, "rising", True, NOW, NOW, i + 1)
        for i in range(min(limit, total))
    )
    shown = sum(group.count for group in groups)
    return ErrorsReport(
        NOW, 86_400.0, None, groups, 90_000, 3, total - len(groups), 90_000 - shown,
        replace(count_reasons(groups), groups=total),
    )  # fmt: skip


def audit(limit, total=137):
    entries = tuple(
        AuditEntry(9_000 - i, NOW, "slack:U0ANA", f"retry {LONG}", "failed", {}, LONG)
        for i in range(min(limit, total))
    )
    return AuditReport(NOW, entries, total, 86_400.0)


def limit_of(action):
    return getattr(action, "limit", 0)


def stuck(_limit):
    jobs = tuple(samples.stuck_job(9_000 - i, "send", 900, 0.0) for i in range(137))
    return StuckReport(NOW, jobs[:100], jobs[100:])


def workers(_limit):
    there = tuple(
        WorkerView(i, True, f"host{9_000 - i}", 7, ("q",), True, 2.0, ()) for i in range(137)
    )
    return WorkersReport(NOW, there)


def stats(_limit):
    queues = tuple(QueueStats(f"queue{9_000 - i}", ready=1, failed_last_hour=1) for i in range(137))
    return StatsReport(NOW, queues, WorkerCounts(1, 0), ())


def doctor(_limit):
    findings = tuple(Finding(f"c{9_000 - i}", "error", f"{i} {LONG}", LONG) for i in range(137))
    return DoctorReport(NOW, findings)


@pytest.mark.parametrize(
    ("read", "limit", "name"),
    [
        (failed, 20, r"job (\d{4})"),
        (errors, 10, r"task_(\d{4})"),
        (audit, 50, r"request (\d{4})"),
        (stuck, 0, r"job (\d{4}) "),
        (workers, 0, r"host(\d{4}) pid 7:"),
        (stats, 0, r"queue(\d{4}):"),
        (doctor, 0, r"c(\d{4})\n"),
    ],
)
def test_more_leads_through_the_whole_list(read, limit, name):
    page, said, ids = 1, [], []
    while page:
        message = render_result(read(limit), "/jobs", by="U0ANA", page=page)
        check_blocks(message.blocks)
        ids += re.findall(name, message.text)
        said += re.findall(r"(?:\d+–)?\d+ of 137 \w+", render_blocks(message.blocks, 10_000))
        turn = find_more(message)
        page = 0
        if turn:
            words, page = turn
            limit = limit_of(parse_words(split_text(words), "slack").action) or limit
        assert len(said) < 200
    assert len(set(ids)) == 137
    assert int(re.search(r"(\d+) of", said[-1])[1]) == 137
    assert said[0].startswith("1–")


def test_a_list_shorter_than_asked_for_has_no_pages():
    message = render_result(failed(20, total=3), "/jobs", by="U0ANA")
    assert find_more(message) is None
    assert " of 3" not in message.text


def test_a_page_cut_short_by_the_limit_asks_for_the_same_page_with_more_on_it():
    words, page = find_more(render_result(failed(5), "/jobs", by="U0ANA"))
    assert (words, page) == ("failed --until 2026-11-23T12:00:00Z", 1)


def test_beyond_the_longest_list_it_is_said_how_to_narrow_it():
    report = failed(1_000, total=2_000)
    message = render_result(report, "/jobs", by="U0ANA", page=1_000)
    assert find_more(message) is None
    assert "1,000 of 2,000 groups" in message.text
    assert (
        "a list shows at most 1,000 groups: narrow it with /jobs failed --task NAME" in message.text
    )


def test_beyond_the_longest_list_of_errors_it_is_said_how_to_narrow_it():
    text = render_result(errors(1_000, total=2_000), "/jobs", by="U0ANA", page=1_000).text
    assert "a list shows at most 1,000 groups: narrow it with /jobs errors --tasks NAME" in text
    assert "at most" not in render_result(errors(500, total=2_000), "/jobs", by="U0ANA").text


@pytest.mark.parametrize("page", [0, -3, 99])
def test_a_page_that_is_not_there_any_more_is_the_nearest_one(page):
    items = [[paragraph([f"item {i}"])] for i in range(25)]
    message = pack_pages([], items, page=page, total=25, noun="items", more=lambda _needed: "stuck")
    assert ("item 24" if page > 1 else "item 0") in message.text


def test_rows_of_a_table_are_cut_into_pages_that_cover_them_all():
    rows = [list(cut_rows(137, page)) for page in (1, 2, 3, 4)]
    assert [row for page in rows[:3] for row in page] == list(range(137))
    assert rows[3] == rows[2]
    assert list(cut_rows(0, 1)) == []


@pytest.mark.parametrize("one", list(all_messages()), ids=lambda one: one[0])
def test_the_text_says_every_number_and_id_that_the_blocks_show(one):
    *_, message = one
    check_blocks(message.blocks)
    shown = render_blocks(message.blocks, 10_000).replace("Mute for 24 h", "")
    for number in re.findall(r"\d[\d,.]*", shown):
        assert number.rstrip(".,") in message.text, number


def test_the_text_of_a_digest_says_what_its_chart_draws():
    message = render_result(samples.digest(), "/jobs", by="U0ANA")
    [chart] = [block for block in message.blocks if block["type"] == "data_visualization"]
    series = chart["chart"]["series"]
    values = [point["value"] for one in series for point in one["data"]]
    assert sum(values) == 57
    assert [one["name"] for one in series] == ["deliver_webhook", "send_receipt", "other tasks"]
    told = re.findall(r"^\d\d:\d\d to \d\d:\d\d: .*$", message.text, re.MULTILINE)
    assert sum(map(int, re.findall(r"(\d+) (?:deliver|send|other)", "".join(told)))) == 57


def test_failures_of_groups_that_are_not_shown_are_in_the_chart_too():
    report = samples.digest(groups=samples.GROUPS[:1], groups_not_shown=5, failures_not_shown=20)
    message = render_result(report, "/jobs", by="U0ANA")
    series = message.blocks[1]["chart"]["series"]
    assert [(one["name"], sum(point["value"] for point in one["data"])) for one in series] == [
        ("deliver_webhook", 37), ("other tasks", 20),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"slots": ()},
        {"failed": 9},
        {"since": NOW - timedelta(hours=27)},
        {"since": NOW - timedelta(minutes=3), "slots": (0, 40, 17), "groups": ()},
        {"since": NOW - timedelta(hours=1), "slots": (0,) * 11 + (57,), "groups": ()},
    ],
)
def test_a_digest_of_few_failures_or_of_few_or_many_bars_has_no_chart(fields):
    message = render_result(replace(samples.digest(), **fields), "/jobs", by="U0ANA")
    assert all(block["type"] != "data_visualization" for block in message.blocks)


def test_a_job_as_a_modal_says_what_its_message_says_and_can_be_shared():
    job = samples.details()
    view = render_details_view(job, channel="C0OPS")
    check_blocks(view["blocks"])
    assert (view["title"]["text"], view["submit"]["text"]) == ("Job 4711", "Share here")
    assert view["callback_id"] == "jobs_share"
    assert json.loads(view["private_metadata"]) == {"words": "status 4711", "channel": "C0OPS"}
    # Slack makes the one that submits green; a second green one would compete with it.
    buttons = [one for block in view["blocks"] for one in block.get("elements", [])]
    assert {one.get("style") for one in buttons if one["type"] == "button"} == {None}
    message = render_result(job, "/jobs", by="U0ANA")
    shown = render_blocks(view["blocks"])
    own = "[Retry job 4711] [Refresh] [Share]"
    assert shown == render_blocks(message.blocks).replace(own, "[Retry job 4711] [Refresh]")
    assert shown.splitlines()[0].startswith("🔴 ConnectTimeout: POST")
    assert shown.index("Timeline") < shown.index("Failed attempts") < shown.index("Traceback")


def test_a_modal_is_there_before_the_job_was_read():
    view = render_loading_view(2**63 - 1)
    assert len(view["title"]["text"]) <= 24
    assert "submit" not in view
    assert str(2**63 - 1) in render_blocks(view["blocks"])


def test_only_the_answer_that_one_person_sees_has_a_share_button():
    message = render_result(samples.details(), "/jobs", by="U0ANA")
    ids = [e["action_id"] for b in message.blocks for e in b.get("elements", []) if "value" in e]
    assert "jobs_share:status 4711" in ids
