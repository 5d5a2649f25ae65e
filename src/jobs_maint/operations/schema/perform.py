"""`schema apply`, `schema status`, `schema sql` and `schema drop`."""

from __future__ import annotations

from jobs_maint import audit
from jobs_maint.actions import (
    ApplySchema,
    CheckSchema,
    DropSchema,
    PreviewDropSchema,
    ShowSchemaSql,
)
from jobs_maint.call import Call, Handlers
from jobs_maint.events import emit
from jobs_maint.models import SchemaDropReport, SchemaReport
from jobs_maint.operations.schema import applying, dropping

__all__ = ["HANDLERS"]


async def apply_schema(call: Call[ApplySchema]) -> SchemaReport:
    report = await applying.apply_schema(call.pool, indexes=call.action.indexes)
    if report.applied:
        counts = {"applied": len(report.applied)}
        await audit.record_alone(call.pool, call.actor, call.action, "done", counts=counts)
    return report


async def check_schema(call: Call[CheckSchema]) -> SchemaReport:
    return await applying.check_schema(call.pool)


async def show_schema_sql(_call: Call[ShowSchemaSql]) -> SchemaReport:
    return applying.render_schema_sql()


async def preview_drop(call: Call[PreviewDropSchema]) -> SchemaDropReport:
    return await dropping.preview_drop(call.pool, call.settings)


async def drop_schema(call: Call[DropSchema]) -> SchemaDropReport:
    """Not audited: the audit is among what goes. The log keeps who did it."""
    report = await dropping.drop_schema(call.pool, call.settings)
    if report.dropped:
        emit(
            "jobs_maint.schema_dropped", actor=str(call.actor.id),
            tables=len(report.tables), indexes=len(report.indexes), jobs=report.jobs,
        )  # fmt: skip
    return report


HANDLERS: Handlers = {
    ApplySchema: apply_schema,
    CheckSchema: check_schema,
    DropSchema: drop_schema,
    PreviewDropSchema: preview_drop,
    ShowSchemaSql: show_schema_sql,
}
