"""Digests through the changes of the clocks, which are by half an hour on Lord Howe."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from tests.support.clocks import CHANGES, list_ticks

from chatbot.digests.schedule import get_period
from chatbot.messages import render_digest
from chatbot.messages.words import say_span
from chatbot.setup import sample_reports as samples

BEHIND = timedelta(seconds=29)
"""A window ends so long before its tick."""
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(("zone", "change", "by"), CHANGES)
@pytest.mark.parametrize("cron", ["0 9 * * *", "30 2 * * *", "0 * * * *", "15,30 2 * * *"])
def test_windows_follow_one_another_and_none_is_left_out(zone, change, by, cron):
    noon = change.astimezone(ZoneInfo(zone)).replace(hour=12, minute=0)
    ticks = list_ticks(cron, zone, noon - timedelta(days=2), noon + timedelta(days=2))
    spans = [tick - before for before, tick in pairwise(ticks)]
    assert [get_period(cron, zone, tick) for tick in ticks[1:]] == spans
    if cron == "0 * * * *":  # an hour that is skipped is none, one that is repeated has its own
        assert set(spans) == {HOUR, HOUR if abs(by) == HOUR else HOUR + by}
    else:
        days = {tick.astimezone(ZoneInfo(zone)).date() for tick in ticks}
        assert len(days) == 4
        assert len(ticks) == (8 if cron == "15,30 2 * * *" else 4)


@pytest.mark.parametrize(("zone", "change", "by"), CHANGES)
@pytest.mark.parametrize("cron", ["30 * * * *", "*/15 * * * *", "45 0-23 * * *", "@hourly"])
def test_what_is_hourly_is_sent_whenever_the_clock_shows_its_minute(zone, change, by, cron):
    """Also in the hour, or half hour, that autumn repeats; what spring skips is made up for."""
    ticks = list_ticks(cron, zone, change - 4 * HOUR, change + 4 * HOUR)
    minutes = {"30": {30}, "*/15": {0, 15, 30, 45}, "45": {45}}.get(cron.split()[0], {0})
    quarters = [change + quarter * HOUR / 4 for quarter in range(-16, 17)]
    shown = {one for one in quarters if one.astimezone(ZoneInfo(zone)).minute in minutes}
    assert shown <= set(ticks)
    made_up = set(ticks) - shown
    assert all(change <= one < change - by for one in made_up)


@pytest.mark.parametrize(
    ("cron", "hours"),
    [
        ("0 */2 * * *", [22, 0, 1, 3]),
        ("0 */4 * * *", [22, 3]),
        ("0 0-23/2 * * *", [22, 0, 3]),  # these hours, and no interval
        ("*/30 2 * * *", [0, 0, 1, 1]),
        ("0 2 * * *", [0]),
    ],
)
def test_what_autumn_repeats_counts_twice_where_an_interval_is_meant(cron, hours):
    change = datetime(2027, 10, 31, 1, tzinfo=UTC)
    found = list_ticks(cron, "Europe/Berlin", change - 3 * HOUR, change + 2 * HOUR)
    assert [tick.hour for tick in found] == hours


@pytest.mark.parametrize(("zone", "change", "by"), CHANGES)
def test_a_digest_says_how_long_its_day_was_and_its_slots_cover_it(zone, change, by):
    day = timedelta(hours=24)
    ticks = list_ticks("0 9 * * *", zone, change - day, change + day)
    since, until = (tick - BEHIND for tick in ticks)
    assert until - since == timedelta(hours=24) + by
    report = samples.digest(since=since, until=until, failed=12, slots=(1,) * 12, groups=())
    message = render_digest(report, "/jobs")
    hours = (until - since) / HOUR
    assert f"12 failures in the last {hours:g} hours, " in message.text
    assert f" in the {hours:g} hours before." in message.text
    [chart] = [block for block in message.blocks if block["type"] == "data_visualization"]
    assert len(set(chart["chart"]["axis_config"]["categories"])) == 12
    slots = re.findall(r"^(\d\d:\d\d) to (\d\d:\d\d): 1 ", message.text, re.MULTILINE)
    begins, ends = zip(*slots, strict=True)
    assert begins[1:] == ends[:-1]
    assert (begins[0], ends[-1]) == tuple(f"{tick:%H:%M}" for tick in ticks)
    lasted = [datetime.strptime(b, "%H:%M") - datetime.strptime(a, "%H:%M") for a, b in slots]  # noqa: DTZ007
    minutes = [one % timedelta(days=1) / timedelta(minutes=1) for one in lasted]
    assert sum(minutes) == 60 * hours
    assert max(minutes) - min(minutes) <= 1  # half minutes are shown as whole ones


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (0.99, "hour"), (1.5, "90 min"), (1.9, "2 hours"), (6.2, "6 hours"),
        (23, "23 hours"), (23.5, "23.5 hours"), (23.9, "24 hours"), (24.1, "24 hours"),
        (24.5, "24.5 hours"), (25, "25 hours"), (72, "3 days"), (73, "3 days"), (169, "7 days"),
    ],
)  # fmt: skip
def test_a_span_is_named_to_half_an_hour(hours, said):
    """Some seconds more or less make no other word of it."""
    for seconds in (-5, 0, 5):
        assert say_span(hours * 3_600 + seconds)[0] == said
