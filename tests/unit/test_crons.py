"""The last tick of a cron, by local time, through both changes of the clocks of a year."""

from datetime import UTC, datetime, timedelta

import pytest

from chatbot.digests.schedule import is_due
from jobs_maint import crons
from jobs_maint.crons import count_ticks, find_last_tick

MINUTE = timedelta(minutes=1)
CHANGES = [
    ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),  # by half an hour
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
]


@pytest.mark.parametrize(("zone", "change"), CHANGES)
@pytest.mark.parametrize(
    "cron",
    [
        "30 2 * * *",
        "0 * * * *",
        "30 * * * *",
        "15,45 1-3 * * *",
        "15,30 2 * * *",
        "*/15 * * * *",
        "0 */2 * * *",
        "*/30 1-2 * * *",
    ],
)
def test_it_is_the_last_time_at_which_a_digest_is_due(zone, change, cron, monkeypatch):
    """As the digests themselves decide, around the change, and whatever was asked before."""
    monkeypatch.setattr(crons, "_known_spans", lambda _cron, _zone: [])
    begin = change - timedelta(hours=27)
    last = None
    for n in range(32 * 4):
        at = begin + n * 15 * MINUTE
        if is_due(cron, zone, at):
            last = at
        if n >= 24 * 4:
            assert find_last_tick(cron, zone, at + timedelta(seconds=40)) == last, at


@pytest.mark.parametrize(
    ("cron", "every"), [("* * * * * */15", 15), ("* * * * *", 60), ("*/5 * * * *", 300)]
)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_within_the_second_before_a_tick_it_is_the_one_before(cron, every, zone, monkeypatch):
    monkeypatch.setattr(crons, "_known_spans", lambda _cron, _zone: [])
    tick = datetime(2026, 3, 14, 12, tzinfo=UTC)
    span = timedelta(seconds=every)
    for parts in (-12, -10, -9, -5, -1, 0, 1, 12):
        at = tick + timedelta(milliseconds=100 * parts)
        assert find_last_tick(cron, zone, at) == (tick if at >= tick else tick - span), at


def test_seconds_before_a_tick_it_is_the_one_before():
    noon = datetime(2026, 3, 14, 12, tzinfo=UTC)
    for at, hour in ((noon, 12), (noon - timedelta(seconds=1), 11), (noon + 59 * MINUTE, 12)):
        assert find_last_tick("0 * * * *", "UTC", at).hour == hour
    assert find_last_tick("0 6 * * 1-5", "UTC", noon).weekday() == 4  # it is a Saturday


def test_ticks_are_counted_back_to_a_time_or_to_a_bound():
    noon = datetime(2026, 3, 14, 12, tzinfo=UTC)
    assert count_ticks("*/5 * * * *", noon - 12 * MINUTE, noon, 50) == (noon - 10 * MINUTE, 3)
    assert count_ticks("*/5 * * * *", noon - 10 * MINUTE, noon, 50) == (noon - 5 * MINUTE, 2)
    assert count_ticks("*/5 * * * *", noon, noon, 50) == (noon, 1)
    assert count_ticks("* * * * *", noon - 999 * MINUTE, noon, 4) == (noon - 3 * MINUTE, 4)
