"""Cron expressions that Procrastinate can take: one that it cannot ends every worker at start."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from jobs_maint.quoting import in_quotes

if TYPE_CHECKING:
    from croniter import croniter

__all__ = ["check_cron", "count_ticks", "find_last_tick", "find_next_tick", "is_wild"]

_ALIAS = re.compile(r"@(?:hourly|midnight|daily|weekly|monthly|yearly|annually)", re.IGNORECASE)
CHANGE = timedelta(hours=3)
"""Longer than clocks are ever put forward or back."""
_RANDOM = re.compile(r"[rh](?:\(|/|$)", re.IGNORECASE)
"""What croniter replaces by a new random value each time it reads the expression."""


def check_cron(text: str, *, now: datetime | None = None) -> str:
    """The expression with single spaces; raises ValueError with what is wrong with it.

    Asks for the next and the last time, as Procrastinate does: `0 0 31 2 *` is well-formed and has
    neither. A seventh field, for years, is refused: such a schedule ends one day.
    """
    from croniter import CroniterBadDateError, croniter  # noqa: PLC0415  commands would wait for it

    fields = text.split()
    plain = " ".join(fields)
    alias = len(fields) == 1 and _ALIAS.fullmatch(fields[0])
    random = any(_RANDOM.match(part) for field in fields for part in field.split(","))
    try:
        # Procrastinate takes a sixth field, for seconds.
        if not (alias or len(fields) in {5, 6}) or random or not croniter.is_valid(plain):
            raise ValueError("no cron")  # noqa: TRY301  one sentence for all of it
        times = croniter(plain, now or datetime.now(UTC))
        times.get_next()
        times.set_current(now or datetime.now(UTC))
        times.get_prev()
    except CroniterBadDateError:
        raise ValueError(f"{text!r} names a day that never comes") from None
    except Exception:  # noqa: BLE001  croniter lets some of its own slips through
        raise ValueError(
            f"{in_quotes(text)} is not a cron expression; write five fields such as '0 9 * * *'"
        ) from None
    return plain


@functools.lru_cache(maxsize=1_000)
def _parse(cron: str) -> croniter:
    from croniter import croniter  # noqa: PLC0415  see check_cron

    return croniter(cron)


def is_wild(cron: str) -> bool:
    """Whether it means an interval, not times of the day: then both of what autumn repeats.

    As cron decides on most systems: minute or hour begin with `*`, also in `*/2`.
    """
    parsed = _parse(cron)
    minute, hour = parsed.expressions[:2]
    return parsed.expanded[1] == ["*"] or minute.startswith("*") or hour.startswith("*")


@functools.lru_cache(maxsize=1_000)
def _known_spans(_cron: str, _timezone: str) -> list[tuple[datetime, datetime]]:
    """From one tick to the next, as found last: asked every few seconds, they change rarely."""
    return []


def find_last_tick(cron: str, timezone: str, at: datetime) -> datetime:
    """The last time, at or before `at`, that the cron means by local time; in UTC.

    A time that the zone skips in spring is an hour later, one that autumn repeats is the first of
    the two, or both where the cron means an interval.
    """
    known = _known_spans(cron, timezone)
    for tick, following in known:
        if tick <= at < following:
            return tick
    zone, times = ZoneInfo(timezone), _parse(cron)
    # Local times have another order than the times they mean, for the hours around a change.
    around = timedelta() if timezone == "UTC" else CHANGE
    local = at.astimezone(zone).replace(tzinfo=None, microsecond=0)
    times.set_current(local + timedelta(seconds=1))
    times.set_current(times.get_prev(datetime) - around + timedelta(seconds=1))
    wall: datetime = times.get_prev(datetime)
    times.set_current(local)
    last: datetime = times.get_next(datetime) + around
    walls = [wall]
    times.set_current(wall)
    while wall <= last:
        wall = times.get_next(datetime)
        walls.append(wall)
    found = [one.replace(tzinfo=zone).astimezone(UTC) for one in walls]
    if is_wild(cron):  # a time that is skipped has its other meaning before it, which is no tick
        again = [one.replace(tzinfo=zone, fold=1).astimezone(UTC) for one in walls]
        found += map(max, found, again)
    tick = max(one for one in found if one <= at)
    following = min(one for one in found if one > at)
    known[:] = [(tick, following), *known[:3]]
    return tick


@functools.lru_cache(maxsize=1_000)
def count_ticks(cron: str, after: datetime, last: datetime, most: int) -> tuple[datetime, int]:
    """The first tick later than `after`, and how many there are up to the tick `last`; all in UTC.

    It looks back over `most` ticks.
    """
    times, first, number = _parse(cron), last, 1
    times.set_current(last.replace(tzinfo=None))
    while number < most:
        before = times.get_prev(datetime).replace(tzinfo=UTC)
        if before <= after:
            break
        first, number = before, number + 1
    return first, number


def find_next_tick(cron: str, at: datetime) -> datetime:
    """The first tick later than `at`, in UTC."""
    times = _parse(cron)
    times.set_current(at.astimezone(UTC).replace(tzinfo=None))
    found: datetime = times.get_next(datetime)
    return found.replace(tzinfo=UTC)
