"""CHATBOT_INCIDENTS reaches the watch as it is meant."""

import json

from chatbot.settings.bot import ChatbotSettings
from chatbot.watching.limits import build_limits
from jobs_maint.actions import DigestPlan, Limits, Pause
from jobs_maint.models import IncidentKind

DAILY = {"name": "daily", "channel": "C0OPS", "cron": "0 8 * * *", "timezone": "Europe/Berlin"}


def limits(**incidents):
    settings = ChatbotSettings.load(incidents=json.dumps(incidents), digests=json.dumps([DAILY]))
    return build_limits(settings.incidents, settings)


def test_by_default_three_kinds_are_watched_with_the_limits_of_the_core():
    usual = limits()
    assert usual.kinds == {
        IncidentKind.NO_WORKER, IncidentKind.QUEUE_BEHIND, IncidentKind.DIGEST_OVERDUE
    }  # fmt: skip
    assert usual.digests == (DigestPlan("daily", "0 8 * * *", "Europe/Berlin"),)
    assert usual == Limits(kinds=usual.kinds, digests=usual.digests)
    kinds = dict.fromkeys(IncidentKind, True) | {"failures": True}
    del kinds["failures_high"]
    assert limits(**kinds) == Limits(digests=usual.digests)


def test_what_is_off_is_not_watched_and_a_queue_that_is_off_does_not_fall_to_the_next_glob():
    one = limits(
        no_worker="2m", digest_overdue=False, jobs_stuck="1h", quiet="5m",
        queue_behind={"bulk": "off", "email*": "5m"},
        pauses=[{"cron": "0 2 * * 0", "for": "2h"}],
    )  # fmt: skip
    assert one.kinds == {
        IncidentKind.NO_WORKER, IncidentKind.QUEUE_BEHIND, IncidentKind.JOBS_STUCK
    }  # fmt: skip
    assert one.queue_behind == (("bulk", float("inf")), ("email*", 300.0), ("*", 900.0))
    assert (one.no_worker, one.jobs_stuck, one.quiet) == (120.0, 3600.0, 300.0)
    assert one.pauses == (Pause("0 2 * * 0", 7200.0),)
    assert IncidentKind.QUEUE_BEHIND not in limits(queue_behind="off").kinds


def test_what_is_told_in_different_channels_is_kept_apart():
    two = limits(channel={"mail*": "C0MAIL"})
    assert two.find_place(["mail", "mail-out"]) == "C0MAIL"
    assert two.find_place(["mail", "web"]) == two.find_place([]) == "C0OPS"


def test_a_channel_is_found_by_the_globs_that_queues_have_everywhere():
    """In these a bracket is a bracket: the watch and whoever posts must not differ."""
    settings = ChatbotSettings.load(incidents='{"channel": {"mail[1]*": "C0MAIL", "*": "C0OPS"}}')
    for queue, place in (("mail[1]-out", "C0MAIL"), ("mail1", "C0OPS")):
        assert settings.find_incident_channel((queue,)) == place
        assert build_limits(settings.incidents, settings).find_place([queue]) == place
