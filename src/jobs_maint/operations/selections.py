"""What a confirmation will do, kept until then; a set of jobs or only the words."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from jobs_maint.actions import Actor
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.sql import load_queries

__all__ = ["drop_older", "freeze_words"]

LIFETIME = timedelta(minutes=10)


async def drop_older(conn: Conn, actor: Actor, verb: str, words: str) -> None:
    """In Slack an older preview of the same stands in the channel with its buttons.

    It can no longer be confirmed. Two shells of one account do not disturb each other.
    """
    if actor.kind == "slack":
        same = {"actor_kind": actor.kind, "actor_id": actor.id, "verb": verb, "words": words}
        await fetch_all(conn, load_queries("bulk")["replace_selections"], same)


async def freeze_words(
    conn: Conn,
    actor: Actor,
    verb: str,
    *,
    words: str,
    job_ids: Sequence[int] = (),
    params: dict[str, Any],
) -> tuple[str, Any]:
    """Keep what a confirmation will do; returns the key and when it expires."""
    await drop_older(conn, actor, verb, words)
    key = secrets.token_urlsafe(9)
    kept = await fetch_one(
        conn,
        load_queries("bulk")["insert_selection"],
        {
            "key": key,
            "actor_kind": actor.kind,
            "actor_id": actor.id,
            "verb": verb,
            "words": words,
            "params": Jsonb(params),
            "job_ids": list(job_ids),
            "lifetime_seconds": LIFETIME.total_seconds(),
        },
    )
    return key, kept["expires_at"]
