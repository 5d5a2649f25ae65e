"""When a digest is due: cron in its own time zone, on a queue whose crons are UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter

from jobs_maint.crons import find_last_tick, is_wild

__all__ = ["build_utc_cron", "get_period", "is_due"]


def build_utc_cron(cron: str, timezone: str, now: datetime) -> str:
    """The UTC expression whose ticks include every time that `cron` means in `timezone`.

    For UTC, the expression itself. Otherwise every hour at its minutes, shifted by the zone's
    offsets of the next two years (some include half hours, some change with the season); `is_due`
    picks the right ticks.
    """
    if timezone == "UTC":
        return cron
    zone = ZoneInfo(timezone)
    offsets = {
        int((zone.utcoffset(now + timedelta(days=15 * i)) or timedelta()).total_seconds() // 60)
        for i in range(50)
    }
    field = croniter.expand(cron)[0][0]
    minutes = range(60) if field == ["*"] else [int(minute) for minute in field]
    ticks = sorted({(minute - offset) % 60 for minute in minutes for offset in offsets})
    return f"{','.join(map(str, ticks))} * * * *" if len(ticks) < 60 else "* * * * *"


def is_due(cron: str, timezone: str, tick: datetime) -> bool:
    """Whether a tick is one that `cron` means, by local time in `timezone`.

    The hour that autumn repeats counts once, but twice where an interval is meant; a time in the
    hour that spring skips is due an hour later.
    """
    zone = ZoneInfo(timezone)
    local = tick.astimezone(zone)
    if local.fold and not is_wild(cron):
        return False
    if croniter.match(cron, local.replace(tzinfo=None)):
        return True
    before = (tick - timedelta(hours=3)).astimezone(zone).utcoffset() or timedelta()
    wanted = (tick.astimezone(UTC) + before).replace(tzinfo=None)
    is_left_out = _round_trip(wanted, zone) != wanted
    return is_left_out and bool(croniter.match(cron, wanted))


def _round_trip(wall: datetime, zone: ZoneInfo) -> datetime:
    """The same time, or another one if local clocks never show this one."""
    return wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None)


def get_period(cron: str, timezone: str, tick: datetime) -> timedelta:
    """The time from the previous run to this one, which the first digest covers."""
    this = find_last_tick(cron, timezone, tick)
    return this - find_last_tick(cron, timezone, this - timedelta(seconds=1))
