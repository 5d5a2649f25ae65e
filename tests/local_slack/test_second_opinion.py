"""The SDK's models of blocks, by Slack itself, as a second opinion beside the local Slack.

The models know neither charts nor data tables, and of tables and rich text only the outside.
"""

from datetime import UTC, datetime

import pytest
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

from chatbot.messages import render_details, render_error, render_failed, render_stats
from jobs_maint.errors import InvalidRequest
from jobs_maint.models import (
    FailedGroup,
    FailedJobsReport,
    FailedRun,
    JobDetails,
    JobEvent,
    QueueStats,
    StatsReport,
    WorkerCounts,
)
from local_slack.blocks import check_blocks
from local_slack.errors import SlackError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def stats():
    queues = tuple(QueueStats(f"q{i}", ready=1, failed_last_hour=i) for i in range(9))
    return render_stats(StatsReport(NOW, queues, WorkerCounts(2, 1), ()), "/jobs")


def failed():
    group = FailedGroup("app.deliver", 3, 3, (7, 8, 9), True, "q", "error", "Timeout", "after 10 s")
    return render_failed(FailedJobsReport(NOW, (), 27, 20, groups=(group,) * 9), "/jobs")


def details():
    run = FailedRun(1, NOW, "error", "Timeout", "after 10 s", True, "Traceback\n  …")
    job = JobDetails(
        NOW, 7, "failed", "webhook", "app.deliver", 3, 1, None, "lock", NOW, False, None,
        {"order": 7}, False, (JobEvent("deferred", NOW, 1.0),), (run,), "worker",
    )  # fmt: skip
    return render_details(job)


def error():
    return render_error(InvalidRequest("no such word"), "/jobs", "statz", suggestion="stats")


@pytest.mark.parametrize("render", [stats, failed, details, error])
def test_the_sdk_takes_every_block_of_a_reply_and_knows_each_of_its_fields(render):
    blocks = render().blocks

    assert blocks
    assert [Block.parse(block).to_dict() for block in blocks] == list(blocks)
    assert len(check_blocks(blocks)) == len(blocks)


def plain(text):
    return {"type": "plain_text", "text": text}


def actions(**fields):
    button = {"type": "button", "action_id": "a", "text": plain("x"), **fields}
    return {"type": "actions", "elements": [button]}


def confirm(**fields):
    there = {key: plain("x") for key in ("title", "text", "confirm", "deny")}
    return actions(confirm={**there, **fields})


SECTION = {"type": "section", "text": plain("x")}
REFUSED = [
    {"type": "section"},
    {"type": "section", "text": plain("x" * 3001)},
    {"type": "section", "fields": [plain("x")] * 11},
    {"type": "header", "text": plain("x" * 151)},
    {"type": "context", "elements": [plain("x")] * 11},
    {"type": "actions", "elements": actions()["elements"] * 26},
    {"type": "markdown", "text": "x" * 12_001},
    {"type": "container", "child_blocks": [SECTION]},
    {"type": "container", "title": plain("x" * 151), "child_blocks": [SECTION]},
    {"type": "container", "title": plain("x"), "child_blocks": [SECTION] * 11},
    {"type": "container", "title": plain("x"), "child_blocks": [SECTION], "width": "huge"},
    {**SECTION, "block_id": "x" * 256},
    actions(text=plain("x" * 76)),
    actions(value="x" * 2001),
    actions(action_id="x" * 256),
    actions(style="red"),
    confirm(title=plain("x" * 101)),
    confirm(text=plain("x" * 301)),
    confirm(confirm=plain("x" * 31)),
    confirm(deny=plain("x" * 31)),
]


@pytest.mark.parametrize("block", REFUSED)
def test_what_the_sdk_refuses_the_local_slack_refuses_too(block):
    with pytest.raises(SlackObjectFormationError):
        Block.parse(block).to_dict()
    with pytest.raises(SlackError, match="invalid_blocks"):
        check_blocks([block])
