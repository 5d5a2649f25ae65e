"""What is to be done about our tables and indexes, and who can do it: one verdict for all words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jobs_maint.database import Conn, fetch_all
from jobs_maint.operations.schema.comparing import (
    find_differences,
    find_lost_tables,
    find_other_owners,
    find_sequences_behind,
)
from jobs_maint.operations.schema.indexes import (
    Index,
    find_index,
    list_all_indexes,
    list_indexes,
    say_taken,
)
from jobs_maint.quoting import few
from jobs_maint.sql import Migration, list_migrations, load_queries

__all__ = [
    "APPLY",
    "IndexVerdict",
    "Verdict",
    "find_renamed",
    "judge",
    "judge_indexes",
    "list_steps",
]

APPLY = "Run `jobs-maint schema apply`."
_UPDATE = "Update procrastinate-ops on this machine."
_RESTORE = (
    "Restore what is named; `jobs-maint schema sql` prints how it is made, and skips what is there."
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`sentence` and `fix`: the worst of what was found; `fix` is None if all is well.

    `steps`, `lost`, `behind` and `given`: what `schema apply` does. `wrong`: what only a person can
    mend. `newer`: the last migration applied, where this release does not know it. `astray`: tables
    belong to a role that they should not, and this one cannot give them to another.
    """

    sentence: str
    fix: str | None = None
    steps: Sequence[Migration] = ()
    lost: Sequence[str] = ()
    behind: Sequence[str] = ()
    wrong: Sequence[str] = ()
    newer: int | None = None
    given: Sequence[str] = ()
    astray: bool = False

    @property
    def trouble(self) -> str | None:
        """What `schema apply` does not mend, and what does."""
        return f"{self.sentence} {self.fix}" if self.wrong or self.newer or self.astray else None

    @property
    def pending(self) -> list[str]:
        lost = [f"the table {table} is missing (it is made again, empty)" for table in self.lost]
        return [*(step.name for step in self.steps), *lost, *self.behind, *self.given]

    @property
    def works(self) -> bool:
        """Whether what was found stops no word by itself."""
        return not (self.steps or self.lost or self.behind or self.wrong)


async def judge(conn: Conn, found: dict[str, Any]) -> Verdict:
    """Of the places that `find_places` found; without Procrastinate's tables, of the steps."""
    applied = await _list_applied(conn, found)
    known = list_migrations()
    steps = [migration for migration in known if migration.number not in applied]
    if steps:
        names = few([step.name for step in steps])
        told = f"The tables of procrastinate-ops are out of date: {names} not applied."
        return Verdict(told, APPLY, steps=steps)
    last = max(applied)
    newer = last if last > known[-1].number else None
    home = found["jobs_schema"]
    if home is not None and (verdict := await _compare(conn, home, newer)) is not None:
        return verdict
    if newer is not None:
        told = f"The tables of procrastinate-ops are newer ({last:04d}) than this release."
        return Verdict(told, _UPDATE, newer=newer)
    return Verdict(f"The tables of procrastinate-ops are current ({last:04d}).")


async def _compare(conn: Conn, home: str, newer: int | None) -> Verdict | None:
    """What differs from what the migrations make; None where nothing does."""
    lost = await find_lost_tables(conn, home)
    wrong = await find_differences(conn, home)
    renamed = await find_renamed(conn, home, lost)
    if newer is not None:  # which may have dropped them itself
        wrong = [*(f"the table {table} is missing" for table in lost), *wrong]
        if not wrong:
            return None
        told = (
            f"The tables of procrastinate-ops are newer ({newer:04d}) than this release, which "
            f"cannot work with them: {few(wrong, 10)}."
        )
        return Verdict(told, _UPDATE, wrong=wrong, newer=newer)
    wrong += renamed.values()
    lost = [table for table in lost if table not in renamed]
    if wrong:
        told = "The tables of procrastinate-ops differ from what the migrations made: "
        return Verdict(
            f"{told}{few(wrong, 10)}.",
            f"{_RESTORE} Then run `jobs-maint schema apply`.",
            lost=lost,
            wrong=wrong,
        )
    if lost:
        told = f"Tables of procrastinate-ops are missing in the schema {home}: {few(lost)}."
        return Verdict(
            told, "Run `jobs-maint schema apply`; it makes them again, empty.", lost=lost
        )
    if (verdict := await _judge_owners(conn, home)) is not None:
        return verdict  # who does not own them may not be able to read what is asked next
    behind = [
        f"the numbers of {column.table}.{column.name} begin anew below {last}, given before"
        for column, last in await find_sequences_behind(conn, home)
    ]
    if behind:
        told = f"In tables of procrastinate-ops {few(behind)}."
        fix = "Run `jobs-maint schema apply`; it lets them go on."
        return Verdict(told, fix, behind=behind)
    return None


async def _judge_owners(conn: Conn, home: str) -> Verdict | None:
    others = await find_other_owners(conn, home)
    if not others:
        return None
    tables, wanted = few([row["name"] for row in others], 3), others[0]["wanted"]
    owners = few(sorted({row["owner"] for row in others}), 3)
    theirs = f"belong to {owners}, and Procrastinate's to {wanted}"
    told = f"Tables of procrastinate-ops {theirs}: {tables}."
    if all(row["may"] for row in others):
        given = [f"{wanted} as the owner of {tables}"]
        return Verdict(told, f"{APPLY[:-1]}; it gives them to {wanted}.", given=given)
    fix = f"as a superuser or a member of both roles; it gives them to {wanted}."
    return Verdict(told, f"{APPLY[:-1]} {fix}", astray=True)


async def find_renamed(conn: Conn, home: str, lost: Sequence[str]) -> dict[str, str]:
    """Of tables that are not there, those that another name hides, each with what to do."""
    params = {"home": home, "tables": lost}
    rows = await fetch_all(conn, load_queries("schema")["find_renamed"], params)
    return {
        row["name"]: f"the table {row['name']} is called {row['now']} now (ALTER TABLE "
        f"{row['quoted']} RENAME TO {row['name']}; or, where nobody needs it, DROP TABLE "
        f"{row['quoted']})"
        for row in rows
    }


async def list_steps(conn: Conn, found: dict[str, Any]) -> list[Migration]:
    """The migrations that are not applied, in order."""
    applied = await _list_applied(conn, found)
    return [migration for migration in list_migrations() if migration.number not in applied]


async def _list_applied(conn: Conn, found: dict[str, Any]) -> set[int]:
    """Ours that stand beside other tables of Procrastinate, further down the path, are theirs."""
    if not found["our_schema"] or found["jobs_schema"] not in (None, found["our_schema"]):
        return set()
    rows = await fetch_all(conn, load_queries("schema")["list_applied"])
    return {row["number"] for row in rows}


@dataclass(frozen=True, slots=True)
class IndexVerdict:
    """`missing`: what `schema apply` builds; `taken`: why it cannot, a sentence each."""

    missing: Sequence[str] = ()
    taken: Sequence[str] = ()


async def judge_indexes(conn: Conn, home: str, verdict: Verdict) -> IndexVerdict:
    """Those that are not there, were made otherwise, or whose build did not end well.

    Of tables that are missing themselves nothing is said, nor of indexes that a step makes, nor
    where a newer release made the tables.
    """
    if verdict.newer is not None:
        return IndexVerdict()
    theirs = {name for name, _ in list_indexes()}
    indexes = [one for one in list_all_indexes() if not verdict.steps or one.name in theirs]
    rows: list[tuple[Index, dict[str, Any] | None]] = [
        (index, await find_index(conn, index, home)) for index in indexes
    ]
    bad = [(index.name, row["taken_by"]) for index, row in rows if row and not row["good"]]
    return IndexVerdict(
        [name for name, taken_by in bad if not taken_by],
        [f"{name}: {say_taken(taken_by)}" for name, taken_by in bad if taken_by],
    )
