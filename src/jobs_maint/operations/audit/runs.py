"""Acts that run or were not told: stopping one, taking those of processes that are gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs_maint.audit import LEASE_SECONDS
from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import LostRun, StoppedRun
from jobs_maint.operations.jobs.serving import find_unheard, find_unserved_of
from jobs_maint.sql import load_queries

__all__ = ["ask_to_stop", "forget_run", "take_lost_runs"]

_TELLING = ("retry", "rescue", "cancel")


async def ask_to_stop(conn: Conn, audit_id: int) -> StoppedRun | None:
    """Stop the run after its batch; returns whose it is, or None when it is no longer running."""
    rows = await fetch_all(conn, load_queries("audit")["ask_to_stop"], {"audit_id": audit_id})
    if not rows:
        return None
    return StoppedRun(rows[0]["actor_kind"], rows[0]["actor_id"], rows[0]["action"])


async def take_lost_runs(conn: Conn) -> tuple[LostRun, ...]:
    """Acts that must still be told, in their order; no other process gets them for a minute."""
    rows = await fetch_all(
        conn, load_queries("audit")["take_lost_runs"], {"lease_seconds": LEASE_SECONDS}
    )
    return tuple(
        [
            LostRun(
                audit_id=row["audit_id"],
                actor_id=row["actor_id"],
                word=row["word"],
                words=row["action"],
                counts=row["counts"],
                total=row["total"],
                channel=row["channel"],
                ts=row["ts"],
                started_at=row["started_at"],
                outcome=row["outcome"],
                changed=tuple(
                    (item["id"], item["code"]) for item in row["items"] if item["outcome"] == "done"
                ),
                error=row["error"] or "",
                warnings=await _look_around(conn, row),
                skips=await _count_skips(conn, row["audit_id"]),
            )
            for row in sorted(rows, key=lambda row: int(row["audit_id"]))
        ]
    )


async def _count_skips(conn: Conn, audit_id: int) -> dict[str, int]:
    rows = await fetch_all(conn, load_queries("audit")["count_skips"], {"audit_id": audit_id})
    return {row["code"]: row["jobs"] for row in rows}


async def _look_around(conn: Conn, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Whether anybody runs, or could abort, these jobs: as the act itself would have said."""
    if row["word"] not in _TELLING:
        return ()
    if row["word"] != "cancel":
        return await find_unserved_of(conn, row["audit_id"])
    query = load_queries("audit")["list_changed_by"]
    there = await fetch_all(conn, query, {"audit_id": row["audit_id"]})
    return await find_unheard(conn, [job_id for one in there for job_id in one["aborting"]])


async def forget_run(conn: Conn, audit_id: int) -> None:
    await fetch_all(conn, load_queries("audit")["forget_run"], {"audit_id": audit_id})
