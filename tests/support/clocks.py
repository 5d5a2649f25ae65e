"""Changes of the clocks in three zones, and when a digest is due around them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from croniter import croniter

from chatbot.digests.schedule import build_utc_cron, is_due

__all__ = ["CHANGES", "list_ticks"]

CHANGES = [
    ("America/New_York", datetime(2027, 3, 14, 7, tzinfo=UTC), timedelta(hours=-1)),
    ("Europe/Berlin", datetime(2027, 3, 28, 1, tzinfo=UTC), timedelta(hours=-1)),
    ("Australia/Lord_Howe", datetime(2027, 4, 3, 15, tzinfo=UTC), timedelta(minutes=30)),
    ("Australia/Lord_Howe", datetime(2027, 10, 2, 15, 30, tzinfo=UTC), timedelta(minutes=-30)),
    ("Europe/Berlin", datetime(2027, 10, 31, 1, tzinfo=UTC), timedelta(hours=1)),
    ("America/New_York", datetime(2027, 11, 7, 6, tzinfo=UTC), timedelta(hours=1)),
]
"""The zone, the time, and how much longer that day is."""


def list_ticks(cron: str, timezone: str, since: datetime, until: datetime) -> list[datetime]:
    """The ticks of the UTC expression that are due; both times are included."""
    begin = since.astimezone(UTC)
    ticks = croniter(build_utc_cron(cron, timezone, begin), begin - timedelta(seconds=1))
    found = []
    while (tick := ticks.get_next(datetime)) <= until:
        if is_due(cron, timezone, tick):
            found.append(tick)
    return found
