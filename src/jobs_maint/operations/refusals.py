"""Why rows were refused: one refusal in words, and counts by reason over many."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence

import psycopg
from psycopg import errors as pg

from jobs_maint.database import RACES, find_function, is_timeout
from jobs_maint.fingerprint import normalise
from jobs_maint.models import ItemOutcome, ItemResult, SkipGroup
from jobs_maint.redaction import redact_text

__all__ = [
    "KEPT",
    "MOST_REASONS",
    "OtherReasons",
    "Refusals",
    "describe_refusal",
    "describe_slow",
    "forbid",
    "refuse_row",
]

KEPT = (
    "a row-level security policy or a trigger of procrastinate_jobs kept it as it was; see the "
    r"output of \d procrastinate_jobs in psql"
)
MOST_REASONS = 10
_MOST_SLOW = 3
"""So many rows of a run may each use up the time of a statement; then all may be like them."""
SAMPLE = 5
_OTHERS = "the database refused, for other reasons"
_SAID = re.compile(r"\(.*\)", re.DOTALL)
"""What was said stands in brackets; what stands before them names a key or a function."""


class OtherReasons(psycopg.Error):
    """For rows that were refused for more reasons than are told apart."""


def describe_refusal(exc: psycopg.Error) -> str:
    """A phrase: which key, constraint or function of which table refused, and what to do."""
    if isinstance(exc, OtherReasons):
        return _OTHERS
    diag = exc.diag
    lines = (diag.message_primary or str(exc)).strip().splitlines()
    said = redact_text(lines[0])[:300] if lines else type(exc).__name__
    table = ".".join(filter(None, (diag.schema_name, diag.table_name)))
    ours = (diag.table_name or "").startswith("procrastinate_")
    if isinstance(exc, RACES):
        who = "".join(f" ({note})" for note in getattr(exc, "__notes__", ()))
        return f"another session holds what it needs{who}; try again when that is done"
    if isinstance(exc, pg.ForeignKeyViolation | pg.RestrictViolation) and table and not ours:
        return forbid(diag.constraint_name, table)
    if diag.constraint_name and table:
        return (
            f"the constraint {diag.constraint_name} of table {table} refuses it ({said}); change "
            "that constraint or the row"
        )
    if diag.column_name and table:
        return (
            f"the column {diag.column_name} of table {table} refuses it ({said}); let the column "
            "be empty, or make its foreign key ON DELETE CASCADE"
        )
    if function := find_function(exc):
        left = "".join(f"; {note}" for note in getattr(exc, "__notes__", ()))
        return (
            f"the database function {function} refuses it ({said}); change that function, or see "
            f"to what it needs{left}"
        )
    return f"the database refused it ({said})"


def describe_slow(exc: pg.QueryCanceled, before: int) -> str:
    """A phrase about a row that alone used up its time in a function of the team.

    Raises `exc` where it was something else, or where `before` so many rows of the run did.
    """
    function = find_function(exc)
    if not is_timeout(exc) or function is None or before >= _MOST_SLOW:
        raise exc
    limit = exc.__notes__[0]  # by `note_timeout`
    return (
        f"the database function {function} did not end within {limit}; see to what it waits for, "
        "such as another server"
    )


def forbid(key: str | None, table: str) -> str:
    """Of a foreign key that keeps a row."""
    return (
        f"the foreign key {key} of table {table} forbids it; give that key ON DELETE CASCADE or ON "
        f"DELETE SET NULL, or delete those rows of {table} first"
    )


def refuse_row(
    job_id: int, exc: psycopg.Error | None, queue: str | None = None, task: str | None = None
) -> ItemResult:
    """The outcome of a locked row that did not change; without an error no row was touched."""
    reason = KEPT if exc is None else describe_refusal(exc)
    return ItemResult(job_id, ItemOutcome.FAILED, "error", reason, queue, task)


class Refusals:
    """Counts by reason over many batches; beyond ten reasons the rest is one group.

    Those that differ in the ids and the like in what was said are one, told in the words of the
    first.
    """

    def __init__(self) -> None:
        self._groups: dict[str, tuple[int, tuple[int, ...]]] = {}
        self._words: dict[str, str] = {}

    @property
    def count(self) -> int:
        return sum(count for count, _ in self._groups.values())

    def add(self, reason: str, ids: Sequence[int], more: int = 0) -> None:
        """`more`: how many there are, where `ids` is a sample."""
        key = _SAID.sub(lambda said: normalise(said[0]), reason)
        reason = self._words.get(key, reason)
        told = len(self._groups) - (_OTHERS in self._groups)
        if reason not in self._groups and told >= MOST_REASONS:
            reason = _OTHERS
        else:
            self._words[key] = reason
        count, sample = self._groups.get(reason, (0, ()))
        self._groups[reason] = count + (more or len(ids)), (*sample, *ids)[:SAMPLE]

    def plus(self, items: Iterable[ItemResult]) -> Refusals:
        """These and those of the items that failed."""
        both = copy.deepcopy(self)
        for item in items:
            if item.outcome is ItemOutcome.FAILED:
                both.add(item.reason, [item.job_id])
        return both

    def add_errors(self, refused: Mapping[int, psycopg.Error]) -> None:
        alike: dict[psycopg.Error, list[int]] = {}
        for job_id, exc in refused.items():
            alike.setdefault(exc, []).append(job_id)
        for exc, ids in alike.items():
            self.add(describe_refusal(exc), ids)

    def list_groups(self, code: str = "error") -> tuple[SkipGroup, ...]:
        found = sorted(self._groups.items(), key=lambda group: -group[1][0])
        return tuple(SkipGroup(code, reason, *counted) for reason, counted in found)
