"""Whether a task that nothing was found of was misspelt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jobs_maint.actions import QueueScope, escape_glob, plain_name, quote_word
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.errors import InvalidRequest
from jobs_maint.quoting import in_quotes, split_glob
from jobs_maint.spelling import ask_meant, find_nearest
from jobs_maint.sql import load_queries

__all__ = ["refuse_misspelt_task"]

MOST_JOBS = 10_000
"""The newest, whose tasks are known: no index has the names of all."""


async def refuse_misspelt_task(
    conn: Conn, scope: QueueScope, task: str | None, tasks: Sequence[str] | None = None
) -> None:
    """Raise where no known task matches and one is called nearly so.

    `task` and `tasks` as in `JobFilter`. Of another name nobody can say that no task has it: a task
    may have run long ago, or never.
    """
    if task is None and not tasks:
        return
    known = await _list_known(conn, scope)
    filters: list[tuple[Sequence[str], bool]] = []
    if task is not None:
        part = task.casefold() if plain_name(task) is None else f"*{task.casefold()}*"
        filters.append(((task,), any(QueueScope((part,)).covers(one.casefold()) for one in known)))
    if tasks:
        filters.append((tasks, any(map(QueueScope(tuple(tasks)).covers, known))))
    for typed, is_known in filters:
        if is_known:
            continue
        near = [name for one in typed for name in _find_near(one, known)]
        if meant := ask_meant(f"'{quote_word(escape_glob(name))}'" for name in near[:3]):
            raise InvalidRequest(
                f"No task of the newest {MOST_JOBS:,} jobs and of the recorded errors matches "
                f"{', '.join(map(in_quotes, typed))}{meant}"
            )


def _find_near(typed: str, known: Sequence[str]) -> list[str]:
    """By the whole name or its last part; of a glob, by what it says of their beginning or end."""
    plain = plain_name(typed)
    said = plain or "".join(part[-1] for part in split_glob(typed) if part not in {"*", "?"})
    said = said.casefold()
    spelt = {name: set(_spell(name.casefold(), 0 if plain else len(said))) for name in known}
    near = set(find_nearest(said, {one for names in spelt.values() for one in names}))
    return [name for name in known if near & spelt[name]]


def _spell(name: str, length: int) -> Iterator[str]:
    for one in (name, name.rpartition(".")[2]):
        yield from (one[:length], one[-length:]) if length else (one,)


async def _list_known(conn: Conn, scope: QueueScope) -> list[str]:
    params = {"most": MOST_JOBS, "queues": scope.like_patterns}
    rows = await fetch_all(conn, load_queries("jobs")["list_newest_tasks"], params)
    queries = load_queries("groups")
    if (await fetch_one(conn, queries["find_access"]))["readable"]:
        rows += await fetch_all(conn, queries["list_tasks"], {"queues": scope.like_patterns})
    return sorted({row["task_name"] for row in rows})
