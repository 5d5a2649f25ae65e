"""Durations as people write them (`30d`, `12h`, `1h30m`, `never`), and times as they read them."""

from __future__ import annotations

import math
import re
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from typing import Any, Self, SupportsIndex

from jobs_maint.errors import InvalidRequest
from jobs_maint.quoting import in_quotes

__all__ = [
    "FarTime",
    "format_age",
    "format_duration",
    "format_span",
    "format_time",
    "format_wait",
    "is_near",
    "parse_duration",
    "parse_window",
    "respell_duration",
]

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WHOLE = re.compile(r"(?:\d{1,9}(?:\.\d{1,3})?[wdhms])+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)([wdhms])", re.ASCII)
_SPELT = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) *([a-z]+) *", re.ASCII)
_MONTH = re.compile(r"(\d+(?:\.\d+)?)\s*M(?![A-Za-z])", re.ASCII)
_NAMES = {
    "w": "w wk wks week weeks",
    "d": "d day days",
    "h": "h hr hrs hour hours",
    "m": "m min mins minute minutes",
    "s": "s sec secs second seconds",
}
_LONGEST = timedelta(days=36_500)
_HALF_A_DAY = timedelta(hours=12)


def parse_duration(text: str) -> timedelta | None:
    """`30d` → 30 days; `never` → None. Raises InvalidRequest for anything else and above 100 y.

    Capital letters are read as small ones, but `1M` may be a month.
    """
    words = text.strip().lower()
    if words == "never":
        return None
    if found := _MONTH.search(text):
        count = found[1]
        raise InvalidRequest(
            f"{in_quotes(text)} may be minutes or months: write {count}m for minutes, "
            f"{float(count) * 30:g}d for months"
        )
    if not _WHOLE.fullmatch(words):
        meant = respell_duration(text)
        none = f"{in_quotes(text)} is not a duration"
        if meant:
            raise InvalidRequest(none, f"; did you mean {meant}?")
        raise InvalidRequest(f"{none}; write a number and a unit, such as 30d, 12h, 5m or 90s")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(words))
    duration = timedelta(seconds=min(seconds, _LONGEST.total_seconds() + 1))
    if duration > _LONGEST:
        raise InvalidRequest(
            f"{in_quotes(text)} is longer than a hundred years; the maximum is 36500d"
        )
    return duration


def respell_duration(text: str) -> str | None:
    """`7 days` → `7d`, `1h 30min` → `1h30m`; None for what is well spelt, or no span of time."""
    words = text.strip().lower()
    found = _SPELT.findall(words)
    if "".join(map("".join, found)) != words.replace(" ", ""):
        return None
    units = {name: unit for unit, names in _NAMES.items() for name in names.split()}
    meant = "".join(f"{number}{units.get(unit, '?')}" for number, unit in found)
    if meant == words or not _WHOLE.fullmatch(meant):
        return None
    try:
        parse_window(meant)
    except InvalidRequest:
        return None
    return meant


def parse_window(text: str) -> timedelta:
    """A span looking back from now. Raises InvalidRequest for zero and for `never` as well."""
    window = parse_duration(text)
    if window is None or window <= timedelta():
        raise InvalidRequest(
            f"{in_quotes(text)} is not a span of time; write one such as 24h or 7d"
        )
    return window


def format_duration(duration: timedelta | None) -> str:
    """The shortest text that `parse_duration` reads back: `30d`, `1h30m`, `never`."""
    if duration is None:
        return "never"
    seconds = duration.total_seconds()
    parts = []
    for unit, size in _UNITS.items():
        if unit == "w":
            continue
        count = seconds // size if unit != "s" else seconds
        if count:
            parts.append(f"{count:g}{unit}")
            seconds -= count * size
    return "".join(parts) or "0s"


def format_wait(seconds: float) -> str:
    """When something happens: `now`, `in 19 s`, `in 4 min 12 s`, `in 3 h`; never too early."""
    if seconds <= 0:
        return "now"
    whole = math.ceil(seconds)
    if whole < 100:
        return f"in {whole} s"
    if whole < 3_600:
        minutes, rest = divmod(whole, 60)
        return f"in {minutes} min {rest} s" if rest else f"in {minutes} min"
    return f"in {format_age(math.ceil(seconds / 60) * 60)}"


def format_age(duration: timedelta | float) -> str:
    """A span for a reader: `8 s`, `14 min`, `3 h`, `2 d`; below a second `0.4 s`, `< 0.1 s`."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    seconds = max(seconds, 0.0)
    if seconds < 0.05:
        return "< 0.1 s"
    if seconds < 0.95:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 5_940:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3_600:.0f} h"
    return f"{seconds / 86_400:.0f} d"


def format_span(seconds: float) -> str:
    """A window: as `format_age`, but `2 h 30 min` where one unit would tell another window."""
    said = format_age(seconds)
    number, unit = said.removeprefix("< ").split()
    if abs(float(number) * _UNITS[unit[0]] - seconds) <= seconds / 30:
        return said
    for unit, size, part, smaller in (
        ("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1),
    ):  # fmt: skip
        if seconds >= size:
            whole, rest = divmod(round(seconds / smaller), size // smaller)
            return f"{whole} {unit} {rest} {part}" if rest else f"{whole} {unit}"
    return said


class FarTime(datetime):
    """A time of the database that no datetime holds: `infinity`, the year 10000, before our era.

    It shows as text. It compares as the last moment there is, or the first, and nothing that is
    added moves it.
    """

    text: str
    """As PostgreSQL writes it and reads it back."""

    def __new__(cls, text: str) -> Self:
        if text.startswith("-") or text.endswith("BC"):
            self = super().__new__(cls, MINYEAR, 1, 1, tzinfo=UTC)
        else:
            self = super().__new__(cls, MAXYEAR, 12, 31, 23, 59, 59, 999_999, UTC)
        self.text = text
        return self

    @property
    def label(self) -> str:
        if self.text.endswith("infinity"):
            return self.text
        return "after 9999" if self.year == MAXYEAR else "before the year 1"

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"FarTime({self.text!r})"

    def __format__(self, pattern: str) -> str:
        return self.label

    def strftime(self, format: str) -> str:  # noqa: A002, ARG002  the name is datetime's
        return self.label

    def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:  # noqa: ARG002
        return self.label

    def astimezone(self, tz: Any = None) -> Self:  # noqa: ARG002  it is the same in every zone
        return self

    def __add__(self, span: timedelta) -> Self:
        return self

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self if isinstance(other, timedelta) else super().__sub__(other)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return FarTime, (self.text,)


def format_time(at: datetime, *, seconds: bool = False) -> str:
    """`2026-11-23 11:44 UTC`; `infinity` and `after 9999` for what lies beyond a calendar."""
    if isinstance(at, FarTime):
        return at.label
    return f"{at.astimezone(UTC):{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}} UTC"


def is_near(at: datetime, as_of: datetime) -> bool:
    """Whether the time of day alone says which is meant; ten minutes ago at 00:05, too."""
    return at.date() == as_of.date() or abs(at - as_of) < _HALF_A_DAY
