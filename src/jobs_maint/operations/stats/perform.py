"""`stats`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from jobs_maint.actions import ShowStats
from jobs_maint.call import Call, Handlers, read
from jobs_maint.database import Conn
from jobs_maint.models import StatsReport
from jobs_maint.operations.failures.alike import ask_for, count_left_behind
from jobs_maint.operations.failures.groups import list_errors
from jobs_maint.operations.failures.memory import remember_for_read
from jobs_maint.operations.failures.states import count_news
from jobs_maint.operations.stats.queues import get_stats
from jobs_maint.operations.unstored import find_unstored

__all__ = ["HANDLERS"]


async def show_stats(call: Call[ShowStats]) -> StatsReport:
    """What failed a moment ago is counted first, so that errors are new here as in `errors`."""
    queue = call.action.queue
    await remember_for_read(call.pool)

    async def look(conn: Conn) -> StatsReport:
        report = await get_stats(conn, queue=queue, settings=call.settings, scope=call.scope)
        report = replace(report, unstored=await find_unstored(conn, call.scope))
        hour = timedelta(hours=1)
        if any(one.failed_last_hour for one in report.queues):
            news = await count_news(conn, report.as_of - hour, queue, call.scope)
            report = replace(report, new_errors=news.groups, new_errors_at_least=not news.complete)
            asked = ask_for(queue=queue, queues=call.scope.like_patterns)
            left = await count_left_behind(conn, hour, asked)
            report = replace(report, **left)
        if not call.action.errors:
            return report
        day = timedelta(days=1)
        found = await list_errors(
            conn, queue=queue, since=day, limit=10, scope=call.scope, rules=call.rules
        )
        return replace(report, errors=found)

    return await read(call, look)


HANDLERS: Handlers = {ShowStats: show_stats}
