"""What is foretold goes by the settings of the workers that will do it, not by those of the asker.

A shell seldom has the environment of the app. So what is started there goes by them too, but for
what is set there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.settings import MaintSettings
from jobs_maint.sql import load_queries
from jobs_maint.told_settings import adopt, list_unread, tell

__all__ = [
    "Told",
    "fetch_workers",
    "follow_unless_set",
    "follow_workers",
    "list_policies",
    "list_told",
    "name_asker",
    "set_here",
]


@dataclass(frozen=True, slots=True)
class Told:
    """What some workers go by.

    `sample`: the newest of them. `unread`: names of what they told and that cannot be read.
    """

    settings: MaintSettings
    workers: int
    sample: Sequence[int]
    unread: Sequence[str]


async def list_told(conn: Conn, settings: MaintSettings) -> list[Told]:
    """What the workers go by, the one that counts first; none where no worker has told it.

    Asked are the live ones that listen to the queue of their maintenance, the newest first; where
    there are none, the last one that did, though it has ended; and only where none ever did, the
    others. The rest is as in `settings`.
    """
    queries = load_queries("workers")
    rows = await fetch_all(conn, queries["list_told"])
    if not (rows and rows[0]["maintain"]):
        asked = await fetch_one(conn, queries["can_read_last"])
        last = await fetch_all(conn, queries["get_last_told"]) if asked["readable"] else []
        rows = last or rows
    return [
        Told(
            adopt(settings, row["settings"]),
            row["workers"],
            tuple(row["sample"]),
            list_unread(row["settings"]),
        )
        for row in rows
    ]


async def fetch_workers(conn: Conn, query: LiteralString) -> list[dict[str, Any]]:
    """Its rows; where some are `silent`, without those that the last worker to tell replaced."""
    rows = await fetch_all(conn, query, {"newest": None, "newest_at": None})
    if not any(row["silent"] for row in rows):
        return rows
    queries = load_queries("workers")
    asked = await fetch_one(conn, queries["can_read_last"])
    found = await fetch_all(conn, queries["get_newest"]) if asked["readable"] else []
    return await fetch_all(conn, query, found[0]) if found else rows


async def follow_workers(conn: Conn, settings: MaintSettings) -> MaintSettings:
    """The settings by which the workers rescue and purge; the asker's where they have told none."""
    told = await list_told(conn, settings)
    return told[0].settings if told else settings


async def follow_unless_set(conn: Conn, kind: str, settings: MaintSettings) -> MaintSettings:
    """By which settings an actor of this kind rescues and purges: a task by its own."""
    if kind == "task":
        return settings
    return set_here(settings, await follow_workers(conn, settings))


async def list_policies(conn: Conn, kind: str, settings: MaintSettings) -> list[Mapping[str, str]]:
    """The rescue policies that hold beside that of whoever acts, an actor of this kind.

    While old and new workers mix, those of all of them do; none where one is set in this place.
    """
    if kind != "task" and "rescue_policy" in settings.model_fields_set:
        return []
    return [one.settings.rescue_policy for one in await list_told(conn, settings)]


def set_here(mine: MaintSettings, theirs: MaintSettings) -> MaintSettings:
    """The settings of the workers, but for those that are set in this place."""
    return adopt(mine, tell(theirs), but=mine.model_fields_set)


def name_asker(kind: str) -> str:
    """Whose settings are compared with those of the workers; `kind`: of an actor."""
    return {"slack": "bot", "task": "worker"}.get(kind, "shell")
