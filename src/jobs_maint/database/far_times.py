"""Times that PostgreSQL holds and Python does not: one such row must not fail a query of many."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import adapt, pq
from psycopg.abc import AdaptContext, Buffer

from jobs_maint.durations import FarTime

__all__ = ["load_far_times"]

TIMESTAMPTZ = psycopg.adapters.types["timestamptz"].oid


def load_far_times(cursor: psycopg.AsyncCursor[Any]) -> None:
    """Whatever this cursor reads or sends: `infinity` and the year 10000 are a FarTime."""
    cursor.adapters.register_loader(TIMESTAMPTZ, _Loader)
    cursor.adapters.register_dumper(FarTime, _Dumper)


class _Loader(adapt.Loader):
    """Psycopg's own loader, and a FarTime where it gives up."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        plain = psycopg.adapters.get_loader(oid, pq.Format.TEXT)
        if plain is None:  # pragma: no cover  psycopg always has one
            raise LookupError("psycopg has no loader for timestamptz")
        self._load = plain(oid, context).load

    def load(self, data: Buffer) -> Any:
        try:
            return self._load(data)
        except psycopg.DataError:
            text = bytes(data).decode("ascii", "replace")
            if text.endswith(("infinity", "BC")) or len(text.partition("-")[0]) > len("9999"):
                return FarTime(text)
            raise


class _Dumper(adapt.Dumper):
    """Back as PostgreSQL wrote it, so that it is the same moment."""

    oid = TIMESTAMPTZ

    def dump(self, obj: FarTime) -> bytes:
        return obj.text.encode()
