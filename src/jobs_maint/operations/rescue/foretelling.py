"""What a rescue makes of a job whose worker is gone: decided in one place, and foretold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jobs_maint import upstream
from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import ItemOutcome, ItemResult
from jobs_maint.operations.rescue.rules import RescueRules
from jobs_maint.operations.rescue.speaking import ONE, SEVERAL, Who
from jobs_maint.sql import load_queries

__all__ = ["End", "find_end", "foretell", "say_taken"]


class End(NamedTuple):
    """The status that a job gets, and why; `so`: what the record of it adds."""

    status: str
    why: str
    so: str = ""


def find_end(
    row: Mapping[str, Any], state: Mapping[str, Any], rules: RescueRules, who: Who = ONE
) -> End | None:
    """None where it starts again.

    `state`: the job's row of `get_states`. `who`: whether the reason is told of several.
    """
    if state["abort_requested"]:
        return End("aborted", "an abort was requested", ", so it was aborted")
    # The next tick of a digest may be a day away, and it is safe to send again.
    is_digest = row["task_name"] == upstream.DIGEST
    if row["task_name"] in upstream.OUR_TASKS and not is_digest:
        return End("failed", f"the next tick does {who.their} work")
    if rules.fails(row["task_name"]) and not is_digest:
        return End("failed", "the rescue policy of this task is fail")
    if state["rescues"] >= rules.max_rescues:
        times = f"{state['rescues']} time{'' if state['rescues'] == 1 else 's'}"
        why = f"{who.they} {who.were} already put back {times}"
        return End("failed", why, ", so the rescue gave up")
    if row["attempt"] >= upstream.MOST_ATTEMPTS:
        return End(
            "failed",
            f"{who.their} attempts are at {upstream.MOST_ATTEMPTS:,} and no higher number can be "
            f"stored when {'it ends' if who is ONE else 'they end'}",
            ", so the rescue gave up; retry it with --reset-attempts",
        )
    return None


def say_taken(lock: str, holder: int | None, who: Who = ONE) -> str:
    other = f"job {holder}" if holder is not None else "another job"
    return f"{who.they} cannot be put back because {other} has the same queueing lock ({lock})"


async def foretell(
    conn: Conn, rows: Sequence[Mapping[str, Any]], rules: RescueRules
) -> list[tuple[ItemResult, str]]:
    """As things are now; `rows` in the order in which they are acted on.

    Each with its reason as it is told of several.
    """
    if not rows:
        return []
    params = {"job_ids": [row["id"] for row in rows]}
    found = await fetch_all(conn, load_queries("stalled")["get_states"], params)
    states = {row["id"]: row for row in found}
    locks = [row["queueing_lock"] for row in rows if row["queueing_lock"] is not None]
    query = load_queries("jobs")["find_waiting_siblings"]
    waiting = await fetch_all(conn, query, {"queueing_locks": locks}) if locks else []
    holders = {row["queueing_lock"]: row["id"] for row in waiting}
    items = []
    for row in rows:
        code, reason, several = "put_back", "", ""
        lock = row["queueing_lock"]
        one, more = (find_end(row, states[row["id"]], rules, who) for who in (ONE, SEVERAL))
        if one is not None and more is not None:
            code, reason, several = one.status, one.why, more.why
        elif lock in holders:
            code = "failed"
            reason, several = (say_taken(lock, holders[lock], who) for who in (ONE, SEVERAL))
        elif lock is not None:
            holders[lock] = row["id"]
        items.append((ItemResult(row["id"], ItemOutcome.DONE, code, reason), several))
    return items
