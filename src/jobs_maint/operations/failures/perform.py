"""`failed`, `errors`, and who is on a group of errors."""

from __future__ import annotations

from dataclasses import replace

from jobs_maint.actions import ListErrors, ListFailed, MuteGroup, TakeGroup
from jobs_maint.call import Call, Handlers, read
from jobs_maint.database import Conn
from jobs_maint.models import ErrorsReport, FailedJobsReport
from jobs_maint.operations.failures import acting, groups, newest
from jobs_maint.operations.failures.memory import remember_for_read
from jobs_maint.operations.session import get_time
from jobs_maint.operations.spans import cut_span
from jobs_maint.operations.unstored import find_unstored

__all__ = ["HANDLERS"]


async def list_failed(call: Call[ListFailed]) -> FailedJobsReport:
    asked = call.action
    if asked.grouped:
        await remember_for_read(call.pool)

    async def look(conn: Conn) -> FailedJobsReport:
        since, until, is_ahead = asked.since, asked.until, False
        if until is not None:
            now = await get_time(conn)
            since, is_ahead = cut_span(since, until, now, asked, replace(asked, until=None))
            until = now if is_ahead else until
        report = await newest.list_failed_jobs(
            conn,
            queue=asked.queue,
            task=asked.task,
            error=asked.error,
            group=asked.group,
            respell=lambda name: replace(asked, group=name).words(),
            since=since,
            until=until,
            limit=asked.limit,
            queues=asked.queues,
            tasks=asked.tasks,
            grouped=asked.grouped,
            scope=call.scope,
            rules=call.rules,
        )
        return replace(report, until_in_future=is_ahead)

    return await read(call, look)


async def list_errors(call: Call[ListErrors]) -> ErrorsReport:
    """What failed a moment ago is counted first, so that each group has its name."""
    asked = call.action
    await remember_for_read(call.pool)

    async def look(conn: Conn) -> ErrorsReport:
        report = await groups.list_errors(
            conn,
            queue=asked.queue,
            since=asked.since,
            until=asked.until,
            queues=asked.queues,
            tasks=asked.tasks,
            limit=asked.limit,
            still_failed=True,
            scope=call.scope,
            rules=call.rules,
        )
        return replace(report, unstored=await find_unstored(conn, call.scope))

    return await read(call, look)


HANDLERS: Handlers = {
    ListFailed: list_failed,
    ListErrors: list_errors,
    TakeGroup: acting.take_group,
    MuteGroup: acting.mute_group,
}
