"""As what each job of a set was shown, and which of them are to be left as they are now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from jobs_maint.actions import ALL_QUEUES, BulkVerb, QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import ItemOutcome, ItemResult
from jobs_maint.operations.jobs.locking import lock_jobs
from jobs_maint.sql import load_queries

__all__ = ["Seen", "keep_seen", "leave_out", "read_seen"]

Seen = Mapping[int, tuple[str, int]]
"""Id → status and attempts that the preview showed."""

_ENDED = (BulkVerb.RETRY, BulkVerb.DISCARD)
"""What acts on jobs that have ended: why they ended is what the person decided on. Of a waiting job
no more need be kept than its id: one that started meanwhile, or waits for its next attempt by its
own retry strategy, is still one to cancel."""


_ANOTHER = ("another_job", "another job, deferred after the preview, has its id now")


def keep_seen(verb: BulkVerb, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """For the frozen set: the states there are, and of each job which of them."""
    if verb not in _ENDED:
        return {}
    states: dict[tuple[str, int], int] = {}
    of_each = [states.setdefault((row["status"], row["attempts"]), len(states)) for row in rows]
    return {"states": list(map(list, states)), "state_of": of_each}


def read_seen(job_ids: Sequence[int], params: Mapping[str, Any]) -> Seen:
    """Empty where the states were not kept."""
    states = [(status, attempts) for status, attempts in params.get("states", ())]
    return {
        job_id: states[number]
        for job_id, number in zip(job_ids, params.get("state_of", ()), strict=False)
    }


async def leave_out(
    conn: Conn, ids: Sequence[int], scope: QueueScope, seen: Seen, shown_at: datetime
) -> tuple[Sequence[int], list[ItemResult]]:
    """The jobs to act on, and those left as they are, with the reason; all of them locked.

    Left are jobs that the grant does not reach any more: earlier batches are committed, so that a
    refusal of the whole act would tell them as not done. And jobs that ended anew since the
    preview: somebody gave them up, also after others had put them back, or they ran again and
    failed with an error nobody saw. Also those that wait or run, but ended in between: somebody
    put them back, to be run. And jobs deferred after `shown_at`: the table was truncated, and they
    have the ids of others.
    """
    rows = await lock_jobs(conn, ids, ALL_QUEUES, "change")
    asked = {"ids": list(rows), "moment": shown_at}
    later = await fetch_all(conn, load_queries("bulk")["list_changed_after"], asked)
    changed = {row["id"]: row["another"] for row in later}
    left = {}
    for job_id, row in rows.items():
        found = (
            _outside(row, scope)
            or (_ANOTHER if changed.get(job_id) else None)
            or _changed(row, seen.get(job_id), ended=job_id in changed)
        )
        if found is not None:
            code, reason = found
            left[job_id] = ItemResult(
                job_id, ItemOutcome.SKIPPED, code, reason, row["queue_name"], row["task_name"]
            )
    return [job_id for job_id in ids if job_id not in left], list(left.values())


def _outside(row: Mapping[str, Any], scope: QueueScope) -> tuple[str, str] | None:
    if scope.covers(row["queue_name"]):
        return None
    return "not_permitted", f"its queue is outside your grant ({', '.join(scope.globs or ())})"


def _changed(
    row: Mapping[str, Any], before: tuple[str, int] | None, *, ended: bool
) -> tuple[str, str] | None:
    """Other jobs that wait, run or succeeded are left to the verb, whose rule says why not."""
    status = row["status"]
    if ended and status in {"todo", "doing"}:
        return "ended_otherwise", "it ended after the preview, and was then put back"
    if before is None or status not in {"failed", "cancelled", "aborted"}:
        return None
    if status != before[0]:
        return "ended_otherwise", f"it was {before[0]} in the preview and is {status} now"
    if row["attempts"] != before[1]:
        return "ran_again", "it ran again after the preview; its error may be another now"
    if ended:
        return "ended_otherwise", f"it was put back after the preview, and then {status} again"
    return None
