"""Reading the audit trail."""

from __future__ import annotations

from datetime import timedelta

from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import AuditEntry, AuditReport
from jobs_maint.operations.session import get_time
from jobs_maint.redaction import redact_text
from jobs_maint.sql import load_queries

__all__ = ["list_audit"]


async def list_audit(conn: Conn, *, actor: str | None, since: timedelta, limit: int) -> AuditReport:
    """Who did what, newest first; `actor` matches a part of kind, id or name, case ignored."""
    rows = await fetch_all(
        conn,
        load_queries("audit")["list_audit"],
        {"actor": actor, "since_seconds": since.total_seconds(), "limit": limit},
    )
    entries = tuple(
        AuditEntry(
            audit_id=row["audit_id"],
            started_at=row["started_at"],
            actor=f"{row['actor_kind']}:{row['actor_name'] or row['actor_id']}",
            action=row["action"],
            outcome=row["outcome"],
            counts=row["counts"],
            error=redact_text(row["error"]) if row["error"] else None,
            elapsed_seconds=row["elapsed_seconds"],
        )
        for row in rows
    )
    as_of = await get_time(conn)
    total = rows[0]["total"] if rows else 0
    return AuditReport(as_of, entries, total, since.total_seconds(), actor)
