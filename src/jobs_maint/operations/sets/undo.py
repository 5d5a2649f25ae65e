"""The jobs that a request changed and that no later one did: what `--request` is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs_maint.actions import Actor, QueueScope, describe_actor
from jobs_maint.database import Conn, fetch_all
from jobs_maint.durations import format_time
from jobs_maint.errors import InvalidRequest
from jobs_maint.models import say_person
from jobs_maint.quoting import in_quotes
from jobs_maint.sql import load_queries
from jobs_maint.verbs import find_verb

__all__ = ["Undo", "find_undo"]

_SINCE = {"retry": "put back", "discard": "given up"}


@dataclass(frozen=True, slots=True)
class Undo:
    """`ids`: the jobs that the request changed; `later`: by which request one was changed since.

    `ran`: those that were cancelled and ended in another way since, with no request for it.
    `discards`: whether the request was a discard, of jobs that had failed or been aborted.
    """

    request: int
    ids: Sequence[int]
    later: Mapping[int, int]
    ran: frozenset[int]
    discards: bool

    @property
    def open_ids(self) -> list[int]:
        """The jobs that can still be undone: what the request made of them holds."""
        return [one for one in self.ids if one not in self.later and one not in self.ran]

    async def say_since(self, conn: Conn, ids: Sequence[int]) -> list[tuple[str, Sequence[int]]]:
        """What was done to these jobs since, and by whom; those to which nothing was, at the end.

        `given up since by request 12 (ana, 2026-11-28 21:33 UTC)`, of several requests the last.
        """
        numbers = list({self.later[one] for one in ids if one in self.later})
        rows = await fetch_all(conn, load_queries("bulk")["list_requests"], {"ids": numbers})
        requests = {row["id"]: row for row in rows}
        found: defaultdict[str, list[int]] = defaultdict(list)
        rest: defaultdict[str, list[int]] = defaultdict(list)
        for one in ids:
            if one in self.later:
                word = requests[self.later[one]]["word"]
                found[_SINCE.get(word, find_verb(word).done)].append(one)
            else:
                rest["run again since, and not by a request" if one in self.ran else ""].append(one)
        told = []
        for done, jobs in found.items():
            by = {self.later[one] for one in jobs}
            last = _say_by(requests[max(by)])
            which = f"request {max(by)} ({last})"
            if len(by) > 1:
                which = f"{len(by):,} requests, the last of them {which}"
            told.append((f"{done} since by {which}", jobs))
        return [*told, *rest.items()]


async def find_undo(conn: Conn, request: int, scope: QueueScope, actor: Actor) -> Undo:
    """Raises InvalidRequest where there is no such request, or it changed no job."""
    queries = load_queries("bulk")
    rows = await fetch_all(conn, queries["list_request_jobs"], {"request": request})
    if not rows:
        found = await fetch_all(conn, queries["find_request"], {"request": request})
        raise _refuse(request, found[0] if found else None, scope, actor)
    return Undo(
        request,
        [row["id"] for row in rows],
        {row["id"]: row["later"] for row in rows if row["later"] is not None},
        frozenset(row["id"] for row in rows if row["ran_since"]),
        any(row["code"] == "discarded" for row in rows),
    )


def _refuse(
    request: int, row: Mapping[str, Any] | None, scope: QueueScope, actor: Actor
) -> InvalidRequest:
    """What others asked for only to whom no queue is hidden."""
    own = row is not None and (row["actor_kind"], row["actor_id"]) == (actor.kind, actor.id)
    if scope.globs is not None and not own:
        return InvalidRequest(f"Request {request} changed no job in the queues that you reach.")
    if row is None:
        return InvalidRequest(
            f"There is no request {request} in the audit; `audit` lists them.", leads_to="audit"
        )
    words = in_quotes(row["action"])
    if row["outcome"] != "previewed":
        so_far = " so far" if row["outcome"] == "started" else ""
        return InvalidRequest(
            f"Request {request} was {words}, by {_say_by(row)}: it changed no job{so_far} that "
            "could be put back; `audit` lists the requests.",
            leads_to="audit",
        )
    line = f"retry --request {row['confirmed']}"
    did = f" Request {row['confirmed']} then did it; did you mean '{line}'?"
    known = row["confirmed"] is not None
    return InvalidRequest(
        f"Request {request} was only a preview of {words}, by {_say_by(row)}; it changed nothing."
        f"{did if known else ''}",
        suggestion=line if known else None,
    )


def _say_by(row: Mapping[str, Any]) -> str:
    label = describe_actor(row["actor_kind"], row["actor_id"], row["actor_name"])
    return f"{say_person(label)}, {format_time(row['started_at'])}"
