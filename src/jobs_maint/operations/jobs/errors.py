"""Which recorded errors show a text: what readers see is searched, never what is hidden."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jobs_maint.actions import QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.database.encoding import fit
from jobs_maint.errors import InvalidRequest
from jobs_maint.quoting import in_quotes
from jobs_maint.redaction import HIDDEN, Rules, measure, redact_text, run_apart
from jobs_maint.sql import load_queries
from jobs_maint.verbs import say_unrecorded

__all__ = ["Records", "find_records_showing"]

NOT_RECORDED = 0
_SAY_SO = {say_unrecorded(awaited=False), say_unrecorded(awaited=True)}
"""What readers see in the place of an error that was not stored."""
MOST_CHARACTERS = 4_000_000
"""Of unlike errors that have the text, looked through for one answer: some seconds of a thread."""

_NUMBER = re.compile(r"(?<![\w+=@-])\d{1,9}(?![\w+=@-])", re.ASCII)
"""One that stands for itself, and is no part of a key or a password."""


@dataclass(frozen=True, slots=True)
class Records:
    """Ids of records, and of the jobs they belong to.

    Among the ids is `NOT_RECORDED` where failed jobs without a record are meant too.
    """

    ids: list[int]
    jobs: list[int]

    @property
    def only_jobs(self) -> list[int] | None:
        """The jobs among which all are; None where they are not known."""
        return None if NOT_RECORDED in self.ids else self.jobs


async def find_records_showing(
    conn: Conn,
    error: str,
    rules: Rules,
    *,
    statuses: Sequence[str],
    gone: bool = False,
    scope: QueueScope,
    queue: str | None = None,
    task: str | None = None,
) -> Records:
    """The records whose error, as it is shown, has the text, case ignored.

    "error not recorded", or "not stored yet", the whole of it, also means the failed jobs that are
    shown so.
    `gone`: also of jobs that were deleted. `queue` and `task` are LIKE patterns. Redaction only
    takes away, so the pieces of the text between two hidden places are in the raw error as well:
    the database finds by the longest of them, and each unlike error is then looked at as it is
    shown. Raises InvalidRequest when those are too many.
    """
    rows = await fetch_all(
        conn,
        load_queries("failures")["find_errors_with"],
        {
            "piece": max(error.split(HIDDEN), key=len),
            "statuses": list(statuses),
            "gone": gone,
            "queues": scope.like_patterns,
            "queue": queue,
            "task": task,
            "most": MOST_CHARACTERS,
        },
    )
    if any(row["too_many"] for row in rows):
        raise InvalidRequest(
            f"Too many unlike errors have the text {in_quotes(error)} to look at each as it is "
            "shown; give more of the text, a queue, or --task"
        )
    # Stored escaped where the database's encoding lacks a character; so is what is looked for.
    wanted = str(fit(conn, {"error": error})["error"]).lower()

    def look() -> Records:
        known: dict[str, bool] = {}
        found = []
        for row in rows:
            text, like = row["text"], _alike(row["text"], wanted)
            if like not in known:
                known[like] = wanted in redact_text(text, rules).lower()
            if known[like]:
                found.append(row)
        none = [NOT_RECORDED] if wanted.strip() in _SAY_SO else []
        return Records(
            [*none, *(record for row in found for record in row["records"])],
            list({job for row in found for job in row["jobs"]}),
        )

    return await run_apart(look, measure(row["text"] for row in rows))


def _alike(text: str, wanted: str) -> str:
    """Texts that differ in numbers alone are looked at once, where no number is looked for."""
    if any(char.isdigit() for char in wanted):
        return text
    return _NUMBER.sub(lambda found: "0" * len(found[0]), text)
