"""Reading the audit trail."""

from __future__ import annotations

import re
from datetime import timedelta

from jobs_maint.actions import describe_actor
from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import AuditEntry, AuditReport
from jobs_maint.operations.session import get_time
from jobs_maint.redaction import DEFAULT, Rules, redact_texts
from jobs_maint.sql import load_queries

__all__ = ["list_audit"]


async def list_audit(
    conn: Conn, *, actor: str | None, since: timedelta, limit: int, rules: Rules = DEFAULT
) -> AuditReport:
    """Who did what, newest first; `actor` matches a part of what names somebody, case ignored."""
    text = None if actor is None else _without_cut(actor)
    rows = await fetch_all(
        conn,
        load_queries("audit")["list_audit"],
        {"actor": text, "since_seconds": since.total_seconds(), "limit": limit},
    )
    actions = await redact_texts([row["action"] for row in rows], rules)
    errors = await redact_texts([row["error"] or "" for row in rows], rules)
    entries = tuple(
        AuditEntry(
            audit_id=row["audit_id"],
            started_at=row["started_at"],
            actor=describe_actor(row["actor_kind"], row["actor_id"], row["actor_name"]),
            action=action,
            outcome=row["outcome"],
            counts=row["counts"],
            error=error or None,
            elapsed_seconds=row["elapsed_seconds"],
        )
        for row, action, error in zip(rows, actions, errors, strict=True)
    )
    as_of = await get_time(conn)
    total = rows[0]["total"] if rows else 0
    return AuditReport(as_of, entries, total, since.total_seconds(), actor)


def _without_cut(actor: str) -> str:
    """A name as a list shows it, which may have cut its end."""
    text = " ".join(actor.split())
    return re.sub(r"(?<=.)(?:…|\.\.\.)\)?$", "", text) or actor
