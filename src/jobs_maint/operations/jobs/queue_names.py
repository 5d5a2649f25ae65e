"""Does the queue exist, and may the actor reach it?"""

from __future__ import annotations

import difflib

from jobs_maint.actions import QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.errors import InvalidRequest, NotPermitted
from jobs_maint.sql import load_queries

__all__ = ["require_queue"]


async def require_queue(conn: Conn, queue: str, scope: QueueScope) -> None:
    """Raise when the actor's grants do not reach the queue, or no job was ever in it."""
    if not scope.covers(queue):
        raise NotPermitted(
            f"You may not see or change the queue {queue!r}: your grant reaches "
            f"{', '.join(scope.globs or ())}.",
            queues=(queue,),
        )
    names = [
        row["queue_name"] for row in await fetch_all(conn, load_queries("stats")["list_queues"])
    ]
    if queue in names:
        return
    visible = [name for name in names if scope.covers(name)]
    close = difflib.get_close_matches(queue, visible, n=1)
    if close:
        raise InvalidRequest(f"There is no queue {_short(queue)!r}; did you mean {close[0]!r}?")
    if visible:
        hint = f"queues with jobs: {', '.join(visible[:20])}{' …' if len(visible) > 20 else ''}"
    else:
        hint = "no queue has a job yet"
    raise InvalidRequest(f"There is no queue {_short(queue)!r}; {hint}.")


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
