"""The preview of retry, cancel or discard of a set, and dismissing one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from jobs_maint import audit
from jobs_maint.actions import DropSelection, PreviewBulk, Role, plain_name
from jobs_maint.call import Call, Handlers
from jobs_maint.database import transaction
from jobs_maint.models import Preview
from jobs_maint.operations.jobs.error_groups import find_group
from jobs_maint.operations.jobs.queue_names import limit_reach, require_globs, require_queue
from jobs_maint.operations.jobs.task_names import refuse_misspelt_task
from jobs_maint.operations.session import get_time
from jobs_maint.operations.sets.frozen import dismiss_selection, freeze_set
from jobs_maint.operations.spans import cut_span

__all__ = ["HANDLERS"]


async def preview_bulk(call: Call[PreviewBulk]) -> Preview:
    asked, wanted = call.action, call.action.filter
    async with call.pool.connection() as conn, transaction(conn):
        queue = plain_name(wanted.queue) if wanted.queue is not None else None
        if queue is not None:
            await require_queue(
                conn,
                queue,
                call.scope,
                as_glob=True,
                by_group=lambda name: replace(
                    asked, filter=replace(wanted, queue=None, group=name)
                ).words(),
                by_span=lambda span: replace(
                    asked, filter=replace(wanted, queue=None, since=span)
                ).words(),
            )
        named = [wanted.queue] if wanted.queue is not None else None
        limited = limit_reach(call.scope, named, wanted.queues)
        await require_globs(conn, call.scope, None if queue else named, wanted.queues)
        group = None
        if wanted.group is not None:
            group = await find_group(
                conn,
                wanted.group,
                call.scope,
                lambda name: replace(asked, filter=replace(wanted, group=name)).words(),
            )
        is_ahead = False
        if isinstance(wanted.until, datetime):
            to_now = replace(asked, filter=replace(wanted, until=None))
            now = await get_time(conn)
            _, is_ahead = cut_span(wanted.since, wanted.until, now, asked, to_now)
        preview = await freeze_set(
            conn,
            call.actor,
            asked.bulk,
            wanted,
            words=asked.words(),
            reset_attempts=asked.reset_attempts,
            needs=(asked.role or Role.ADMIN).value,
            group=group,
            scope=call.scope,
            rules=call.rules,
        )
        if not preview.count and not preview.skips:
            await refuse_misspelt_task(conn, call.scope, wanted.task, wanted.tasks)
        preview = replace(preview, until_in_future=is_ahead)
        if wanted.job_ids is None:  # of those that were named, each is told of
            preview = replace(preview, limited_to_queues=limited)
        counts = {"jobs": preview.expected}
        await audit.record(conn, call.actor, asked, "previewed", counts=counts)
    return preview


async def drop_selection(call: Call[DropSelection]) -> str:
    """The words of the preview; raises SelectionExpired as a confirmation would."""
    async with call.pool.connection() as conn, transaction(conn):
        taken = await dismiss_selection(conn, call.actor, call.action.key)
    return str(taken["words"])


HANDLERS: Handlers = {PreviewBulk: preview_bulk, DropSelection: drop_selection}
