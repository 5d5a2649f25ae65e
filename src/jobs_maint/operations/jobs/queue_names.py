"""Does the queue exist, may the actor reach it, and what of the queues asked for is in reach?"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import timedelta

from jobs_maint.actions import GetJob, QueueScope, escape_glob, find_named, plain_name, quote_word
from jobs_maint.actions.base import EVERY_QUEUE
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.durations import parse_window, respell_duration
from jobs_maint.errors import InvalidRequest, NotPermitted
from jobs_maint.quoting import in_quotes
from jobs_maint.spelling import ask_meant, find_nearest
from jobs_maint.sql import load_queries

__all__ = ["limit_reach", "require_globs", "require_queue"]

_MOST_NAMED = 5
_QUOTES = ("'", '"')
_JOB_ID = re.compile(r"[1-9][0-9]{0,17}")


async def require_queue(
    conn: Conn,
    queue: str,
    scope: QueueScope,
    *,
    as_glob: bool = False,
    by_group: Callable[[str], str] | None = None,
    by_span: Callable[[timedelta], str] | None = None,
    by_glob: str | None = None,
) -> None:
    """Raise when the actor's grants do not reach the queue, or no job of it is known.

    A queue whose jobs are all gone is known by the failures that are recorded or remembered. What
    looks like a slip is answered as one out of reach, too: by its spelling and the queues in reach
    alone, so that the answer does not tell which others exist.

    `as_glob`: names are suggested as the command reads them, where it takes globs. `by_group`: the
    request for a group of errors instead, where it takes one; `by_span`: for a span of time.
    `by_glob`: the word whose `--queues` takes a glob, where this one takes none.
    """
    names = [
        row["queue_name"] for row in await fetch_all(conn, load_queries("stats")["list_queues"])
    ]
    is_covered = scope.covers(queue)
    if is_covered and queue in names:
        return
    remembered = await _list_remembered(conn)
    if is_covered and queue in remembered:
        return
    visible = [name for name in names if scope.covers(name)]
    known = [*visible, *filter(scope.covers, remembered)]
    none = f"{'There is' if is_covered else 'You reach'} no queue {in_quotes(queue)}"
    is_glob = not as_glob and plain_name(queue) is None
    if near := [] if is_glob else _find_near(queue, known):
        typed = [_typed(name, as_glob=as_glob) for name in near]
        meant = ask_meant(name if name.startswith(_QUOTES) else f"'{name}'" for name in typed)
        raise InvalidRequest(f"{none}{meant}")
    if (named := find_named(queue)) is not None:
        line = by_group(named.group) if by_group is not None and named.group else named.line
        meant = f": that is the name of {named.what}; did you mean '{line}'?"
        raise InvalidRequest(f"{none}{meant}", suggestion=line)
    other: str | None = None
    if by_span is not None and (span := _find_span(queue)) is not None:
        other = by_span(span)
    elif _JOB_ID.fullmatch(queue):
        other = GetJob(int(queue)).words()
    if other is not None:
        raise InvalidRequest(f"{none}; did you mean '{other}'?", suggestion=other)
    if not is_covered:
        raise _refuse([queue], scope)
    if is_glob and by_glob is not None:
        raise InvalidRequest(
            f"{none}; a glob goes with --queues: {by_glob} --queues {quote_word(queue)}"
        )
    name = "; a queue is named in full here, not by a glob" * is_glob
    hint = _list_queues(visible, scope, as_glob=as_glob)
    raise InvalidRequest(f"{none}{name}; {hint}.")


async def require_globs(conn: Conn, scope: QueueScope, *filters: Sequence[str] | None) -> None:
    """Raise where no known queue in reach matches any of the globs of a filter."""
    asked = [globs for globs in filters if globs and EVERY_QUEUE not in globs]
    if not asked:
        return
    names = [
        row["queue_name"] for row in await fetch_all(conn, load_queries("stats")["list_queues"])
    ]
    visible = [name for name in names if scope.covers(name)]
    for globs in asked:
        meant = QueueScope(tuple(globs))
        if any(map(meant.covers, visible)):
            continue
        if any(meant.covers(name) and scope.covers(name) for name in await _list_remembered(conn)):
            continue
        hint = _list_queues(visible, scope, as_glob=True)
        if len(globs) == 1 and "," in globs[0]:
            parts = [part.strip() for part in globs[0].split(",") if part.strip()]
            each = " ".join(f"--queues {quote_word(part)}" for part in parts)
            hint = f"each has its own --queues: {each}"
        raise InvalidRequest(f"No queue matches {', '.join(map(in_quotes, globs))}; {hint}.")


def _list_queues(visible: Sequence[str], scope: QueueScope, *, as_glob: bool) -> str:
    if not visible:
        return f"no queue {'that you reach ' * bool(scope.globs)}has a job now"
    typed = [_typed(name, as_glob=as_glob) for name in visible[:20]]
    return f"queues with jobs: {', '.join(typed)}{' …' if len(visible) > 20 else ''}"


def _find_near(queue: str, known: Sequence[str]) -> list[str]:
    """Those that are nearest, whatever their case."""
    near = find_nearest(queue.casefold(), map(str.casefold, known))
    return sorted({name for name in known if name.casefold() in near})


def _find_span(text: str) -> timedelta | None:
    try:
        return parse_window(respell_duration(text) or text)
    except InvalidRequest:
        return None


async def _list_remembered(conn: Conn) -> list[str]:
    """Queues of failures: no index has their names, so this is only for what is not found else."""
    rows = await fetch_all(conn, load_queries("failures")["list_queues"])
    queries = load_queries("groups")
    if (await fetch_one(conn, queries["find_access"]))["readable"]:
        rows += await fetch_all(conn, queries["list_queues"])
    return [row["queue_name"] for row in rows]


def limit_reach(scope: QueueScope, *filters: Sequence[str] | None) -> tuple[str, ...] | None:
    """The globs in reach where they are less than what was asked for, else None.

    A queue meets one glob of each of the `filters`. Raises NotPermitted where no queue can that is
    in reach. The grants alone decide: the answer must not tell which queues exist.
    """
    asked = [globs for globs in filters if globs]
    for globs in asked:
        if not any(map(scope.overlaps, globs)):
            raise _refuse([plain_name(glob) or glob for glob in globs], scope)
    if any(all(map(scope.includes, globs)) for globs in asked):
        return None
    return scope.globs


def _refuse(queues: Sequence[str], scope: QueueScope) -> NotPermitted:
    named = ", ".join(map(in_quotes, queues[:_MOST_NAMED]))
    more = ", …" if len(queues) > _MOST_NAMED else ""
    return NotPermitted(
        f"You may not see or change the queue{'s' * (len(queues) > 1)} {named}{more}: your grant "
        f"reaches {', '.join(scope.globs or ())}.",
        queues=tuple(queues),
    )


def _typed(name: str, *, as_glob: bool) -> str:
    return quote_word(escape_glob(name) if as_glob else name)
