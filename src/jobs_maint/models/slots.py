"""The parts of a span in which failures are counted, so that they can be drawn as bars."""

from __future__ import annotations

from datetime import datetime, timedelta

__all__ = ["end_slots", "find_slots", "name_window"]

MOST = 12
LONG = timedelta(hours=12)
STEPS = (1, 2, 3, 5, 6, 10, 15, 20, 30, 60)
"""Minutes."""


def end_slots(until: datetime) -> datetime:
    """Where the last slot ends: on the minute that the span's end is meant to be.

    The span of a digest ends some seconds before that, so that its last failures are stored; at a
    whole second, which no span that ends now does.
    """
    if until.microsecond:
        return until
    return (until + timedelta(seconds=30)).replace(second=0)


def name_window(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """Its ends to the minute, wherever they are told: it ends as its slots do."""
    end = end_slots(until).replace(second=0, microsecond=0)
    return end - timedelta(minutes=round((until - since) / timedelta(minutes=1))), end


def find_slots(window: timedelta) -> tuple[int, timedelta]:
    """How many slots a span has, and how long each is: a whole number of minutes in a short span.

    They end with the span, so that the first one may begin before it.
    """
    minutes = max(1, round(window / timedelta(minutes=1)))
    if window >= LONG or minutes > MOST * STEPS[-1]:
        return MOST, window / MOST
    may_be = [step for step in STEPS if minutes <= MOST * step]
    step = next((step for step in may_be if minutes % step == 0), may_be[0])
    return -(-minutes // step), timedelta(minutes=step)
