"""Whether what was read comes from a standby, and how old that is: known of every transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["LAG", "Standby", "met_none", "note_lag", "noted_standby"]

LAG = (
    "CASE WHEN pg_is_in_recovery() THEN extract(epoch FROM clock_timestamp()"
    " - coalesce(pg_last_xact_replay_timestamp(), pg_postmaster_start_time())) END::float8"
)
"""Seconds since the last change that a standby has seen, or since its start; null on a primary."""


@dataclass(slots=True)
class Standby:
    lag_seconds: float | None = None
    """The longest that any transaction met; None on a primary."""
    met: bool = False
    """Whether any transaction began."""


_noted: ContextVar[Standby | None] = ContextVar("noted_standby", default=None)


@contextmanager
def noted_standby() -> Iterator[Standby]:
    """What the transactions meet that begin in this block, and in the tasks it starts."""
    standby = Standby()
    token = _noted.set(standby)
    try:
        yield standby
    finally:
        _noted.reset(token)


def note_lag(lag_seconds: float | None) -> None:
    standby = _noted.get()
    if standby is None:
        return
    standby.met = True
    if lag_seconds is not None:
        standby.lag_seconds = max(lag_seconds, standby.lag_seconds or 0.0)


def met_none() -> bool:
    """Whether it is known that no transaction began in the block of `noted_standby`."""
    standby = _noted.get()
    return standby is not None and not standby.met
