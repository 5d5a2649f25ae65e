"""Which of the jobs that a preview counts stay, as rows of the team's tables refer to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from psycopg import errors as pg

from jobs_maint.database import Conn, Pool, fetch_all, is_timeout, transaction
from jobs_maint.operations.refusals import Refusals, forbid
from jobs_maint.operations.session import switch_jit_off
from jobs_maint.quoting import few
from jobs_maint.sql import load_queries

__all__ = ["Keys"]

PATIENCE = timedelta(seconds=5)
"""A key without an index makes the count slow; a person waits for it."""


@dataclass(slots=True)
class Keys:
    """Foreign keys that keep a job for as long as a row refers to it.

    `counted`: those onto the jobs themselves. `uncounted`: those onto what goes with a job, and all
    of them once the count took too long or a right was missing.
    """

    counted: Sequence[dict[str, Any]] = ()
    uncounted: Sequence[dict[str, Any]] = ()

    @classmethod
    async def find(cls, conn: Conn) -> Self:
        keys = await fetch_all(conn, load_queries("doctor")["list_foreign_keys"])
        keys = [key for key in keys if key["blocks"]]
        counted = [key for key in keys if key["direct"] and key["target_columns"] == "id"]
        return cls(counted, [key for key in keys if key not in counted])

    async def count(self, pool: Pool, walk: dict[str, Any], refusals: Refusals) -> int:
        """How many of the old jobs of this walk stay; tells them to `refusals`, by key."""
        if not self.counted:
            return 0
        cases = " ".join(
            f"WHEN EXISTS (SELECT FROM {key['table_name']} r WHERE r.{key['columns']} = j.id) "
            f"THEN {place}".replace("%", "%%")
            for place, key in enumerate(self.counted)
        )
        query = load_queries("purge")["list_referred"].replace("NULL::int", f"CASE {cases} END")
        try:
            async with (
                pool.connection() as conn,
                transaction(conn, statement_timeout=PATIENCE),
            ):
                await switch_jit_off(conn)
                rows = await fetch_all(conn, query.encode(), walk)
        except (pg.InsufficientPrivilege, pg.QueryCanceled) as exc:
            if isinstance(exc, pg.QueryCanceled) and not is_timeout(exc):
                raise
            self.counted, self.uncounted = (), (*self.counted, *self.uncounted)
            return 0
        for row in rows:
            key = self.counted[row["key"]]
            refusals.add(forbid(key["key"], key["table_name"]), row["sample"], row["jobs"])
        return sum(row["jobs"] for row in rows)

    def warn(self) -> tuple[str, ...]:
        if not self.uncounted:
            return ()
        names = few([f"{key['key']} of table {key['table_name']}" for key in self.uncounted], 3)
        return (
            f"Jobs that rows of other tables refer to stay, and were not counted apart: {names}.",
        )
