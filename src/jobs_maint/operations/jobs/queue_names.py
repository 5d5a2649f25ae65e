"""Does the queue exist, and may the actor reach it?"""

from __future__ import annotations

import difflib

from jobs_maint.actions import QueueScope, escape_glob, quote_word
from jobs_maint.database import Conn, fetch_all
from jobs_maint.errors import InvalidRequest, NotPermitted
from jobs_maint.sql import load_queries

__all__ = ["require_queue"]

_QUOTES = ("'", '"')


async def require_queue(
    conn: Conn, queue: str, scope: QueueScope, *, as_glob: bool = False
) -> None:
    """Raise when the actor's grants do not reach the queue, or no job was ever in it.

    `as_glob`: names are suggested as the command reads them, where it takes globs.
    """
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
        meant = _typed(close[0], as_glob=as_glob)
        raise InvalidRequest(
            f"There is no queue {_short(queue)!r}; did you mean "
            f"{meant if meant.startswith(_QUOTES) else repr(meant)}?"
        )
    if visible:
        typed = [_typed(name, as_glob=as_glob) for name in visible[:20]]
        hint = f"queues with jobs: {', '.join(typed)}{' …' if len(visible) > 20 else ''}"
    else:
        hint = "no queue has a job yet"
    raise InvalidRequest(f"There is no queue {_short(queue)!r}; {hint}.")


def _typed(name: str, *, as_glob: bool) -> str:
    return quote_word(escape_glob(name) if as_glob else name)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
