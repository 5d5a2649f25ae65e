"""`schema apply`, `schema status` and `schema sql`."""

from __future__ import annotations

from jobs_maint import audit
from jobs_maint.actions import ApplySchema, CheckSchema, ShowSchemaSql
from jobs_maint.call import Call, Handlers
from jobs_maint.models import SchemaReport
from jobs_maint.operations.schema import applying

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


HANDLERS: Handlers = {
    ApplySchema: apply_schema,
    CheckSchema: check_schema,
    ShowSchemaSql: show_schema_sql,
}
