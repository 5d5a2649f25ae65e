"""Digests in other time zones, on a queue whose crons are UTC."""

from datetime import UTC, datetime, timedelta

import pytest
from croniter import croniter

from chatbot.digests.schedule import build_utc_cron, get_period, is_due

NOW = datetime(2026, 1, 10, tzinfo=UTC)


def runs(cron, timezone, begin, days):
    """The times that a worker would send: ticks of the UTC expression that are due."""
    ticks = croniter(build_utc_cron(cron, timezone, NOW), begin - timedelta(seconds=1))
    found = []
    while (tick := ticks.get_next(datetime)) < begin + timedelta(days=days):
        if is_due(cron, timezone, tick):
            found.append(tick)
    return found


def test_in_utc_the_expression_is_kept():
    assert build_utc_cron("15 9 * * 1-5", "UTC", NOW) == "15 9 * * 1-5"
    assert is_due("15 9 * * *", "UTC", datetime(2026, 1, 10, 9, 15, tzinfo=UTC))


@pytest.mark.parametrize(
    ("timezone", "hour", "minute"),
    [
        ("Europe/Berlin", 8, 0),
        ("America/New_York", 14, 0),
        ("Asia/Kolkata", 3, 30),
        ("Asia/Kathmandu", 3, 15),
        ("America/St_Johns", 12, 30),
    ],
)
def test_nine_oclock_in_another_zone_is_sent_once_a_day_at_its_time(timezone, hour, minute):
    found = runs("0 9 * * *", timezone, datetime(2026, 1, 11, tzinfo=UTC), 5)
    assert [(tick.hour, tick.minute) for tick in found] == [(hour, minute)] * 5


def test_summer_time_moves_the_utc_time_and_nothing_else():
    found = runs("0 9 * * *", "Europe/Berlin", datetime(2026, 3, 27, tzinfo=UTC), 5)
    assert [tick.hour for tick in found] == [8, 8, 7, 7, 7]


def test_a_zone_whose_summer_time_is_half_an_hour_is_served_in_both_seasons():
    for month, minute in ((1, 0), (7, 30)):
        begin = datetime(2026, month, 5, tzinfo=UTC)
        [tick] = runs("0 9 * * *", "Australia/Lord_Howe", begin, 1)
        assert tick.minute == minute


def test_the_hour_that_comes_twice_in_autumn_is_sent_once():
    found = runs("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 24, 12, tzinfo=UTC), 1)
    assert len(found) == 1


def test_a_time_in_the_hour_that_spring_leaves_out_is_kept_an_hour_later_and_once():
    # Berlin, 29 March 2026: after 01:59 comes 03:00.
    day = datetime(2026, 3, 28, 22, tzinfo=UTC)
    ticks = [day + timedelta(minutes=30 * i) for i in range(48)]
    due = [t for t in ticks if is_due("30 2 * * *", "Europe/Berlin", t)]
    assert due == [datetime(2026, 3, 29, 1, 30, tzinfo=UTC)]
    half_past_three = [t for t in ticks if is_due("30 3 * * *", "Europe/Berlin", t)]
    assert half_past_three == due


def test_days_of_the_week_are_those_of_the_zone():
    # Monday 08:00 in Auckland is still Sunday in UTC.
    found = runs("0 8 * * 1", "Pacific/Auckland", datetime(2026, 1, 11, tzinfo=UTC), 7)
    assert [tick.strftime("%a") for tick in found] == ["Sun"]


@pytest.mark.parametrize(
    ("cron", "hours"), [("0 9 * * *", 24), ("0 * * * *", 1), ("0 9 * * 1", 168)]
)
def test_the_period_is_the_time_since_the_run_before(cron, hours):
    tick = datetime(2026, 1, 12, 9, tzinfo=UTC)
    assert get_period(cron, "UTC", tick) == timedelta(hours=hours)


def test_seconds_are_understood_in_utc():
    tick = datetime(2026, 1, 12, 9, 0, 20, tzinfo=UTC)
    assert is_due("* * * * * */10", "UTC", tick)
    assert not is_due("* * * * * */10", "UTC", tick + timedelta(seconds=5))
    assert get_period("* * * * * */10", "UTC", tick) == timedelta(seconds=10)


def test_the_period_over_the_weekend_is_three_days():
    monday = datetime(2026, 1, 12, 9, tzinfo=UTC)
    assert get_period("0 9 * * 1-5", "UTC", monday) == timedelta(days=3)


def test_the_period_over_the_change_to_summer_time_is_an_hour_short():
    tick = datetime(2026, 3, 29, 7, tzinfo=UTC)
    assert get_period("0 9 * * *", "Europe/Berlin", tick) == timedelta(hours=23)
