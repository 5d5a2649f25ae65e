"""Does the queue exist, may the actor reach it, and what of the queues asked for is in reach?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from jobs_maint.actions import QueueScope, escape_glob, find_named, plain_name, quote_word
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.durations import parse_window, respell_duration
from jobs_maint.errors import InvalidRequest, NotPermitted
from jobs_maint.quoting import in_quotes
from jobs_maint.spelling import ask_meant, find_nearest
from jobs_maint.sql import load_queries

__all__ = ["limit_reach", "require_queue"]

_MOST_NAMED = 5
_QUOTES = ("'", '"')


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

    A queue whose jobs are all gone is known by the failures that are recorded or remembered.

    `as_glob`: names are suggested as the command reads them, where it takes globs. `by_group`: the
    request for a group of errors instead, where it takes one; `by_span`: for a span of time.
    `by_glob`: the word whose `--queues` takes a glob, where this one takes none.
    """
    if not scope.covers(queue):
        raise _refuse([queue], scope)
    names = [
        row["queue_name"] for row in await fetch_all(conn, load_queries("stats")["list_queues"])
    ]
    if queue in names:
        return
    remembered = await _list_remembered(conn)
    if queue in remembered:
        return
    visible = [name for name in names if scope.covers(name)]
    known = [*visible, *(name for name in remembered if scope.covers(name))]
    is_glob = not as_glob and plain_name(queue) is None
    if near := [] if is_glob else find_nearest(queue, known):
        typed = [_typed(name, as_glob=as_glob) for name in near]
        meant = ask_meant(name if name.startswith(_QUOTES) else f"'{name}'" for name in typed)
        raise InvalidRequest(f"There is no queue {in_quotes(queue)}{meant}")
    if (named := find_named(queue)) is not None:
        line = by_group(named.group) if by_group is not None and named.group else named.line
        raise InvalidRequest(
            f"There is no queue {in_quotes(queue)}: that is the name of {named.what}; did you mean "
            f"'{line}'?",
            suggestion=line,
        )
    if by_span is not None and (span := _find_span(queue)) is not None:
        line = by_span(span)
        raise InvalidRequest(
            f"There is no queue {in_quotes(queue)}; did you mean '{line}'?", suggestion=line
        )
    if is_glob and by_glob is not None:
        raise InvalidRequest(
            f"There is no queue {in_quotes(queue)}; a glob goes with --queues: "
            f"{by_glob} --queues {quote_word(queue)}"
        )
    if visible:
        typed = [_typed(name, as_glob=as_glob) for name in visible[:20]]
        hint = f"queues with jobs: {', '.join(typed)}{' …' if len(visible) > 20 else ''}"
    else:
        hint = f"no queue {'that you reach ' * bool(scope.globs)}has a job now"
    name = "; a queue is named in full here, not by a glob" * is_glob
    raise InvalidRequest(f"There is no queue {in_quotes(queue)}{name}; {hint}.")


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
