"""How soon a digest that was not sent is tried again, and for how long."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from chatbot.digests.retrying import UntilItIsSent
from chatbot.slack.errors import SlackRefused, SlackUnavailable

AWAY = SlackUnavailable("Slack is down")


def count_pauses(exception):
    """Seconds between the tries, until it gives up."""
    pauses = []
    while decision := UntilItIsSent().get_retry_decision(
        exception=exception, job=SimpleNamespace(attempts=len(pauses))
    ):
        pauses.append(round((decision.retry_at - datetime.now(UTC)).total_seconds()))
    return pauses


@pytest.mark.parametrize(
    ("exception", "longest"),
    [(AWAY, 30), (OSError(), 30), (SlackRefused("no", reason="is_archived"), 600)],
)
def test_pauses_stay_short_and_end_after_about_a_day(exception, longest):
    pauses = count_pauses(exception)
    assert pauses[:3] == [2, 4, 8]
    assert max(pauses) == longest
    assert 0.9 * 86_400 < sum(pauses) <= 86_400


def test_what_slack_asks_for_is_waited_for():
    asked = SlackUnavailable("Slack asks to wait", pause=90.0)
    assert count_pauses(asked)[0] == 91


def test_an_error_that_nobody_foresaw_is_tried_ten_times_and_not_for_a_day():
    assert len(count_pauses(RuntimeError("a bug"))) == 10
