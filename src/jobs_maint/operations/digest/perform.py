"""`digest`, and the windows that the periodic task opens and closes."""

from __future__ import annotations

from jobs_maint.actions import CloseDigest, HoldDigest, ListUnsureDigests, OpenDigest, ShowDigest
from jobs_maint.call import Call, Handlers, read, write
from jobs_maint.models import DigestReport
from jobs_maint.operations.digest.windows import (
    close_window,
    hold_window,
    list_unsure_windows,
    open_window,
    summarise_now,
)

__all__ = ["HANDLERS"]


async def show_digest(call: Call[ShowDigest]) -> DigestReport:
    asked = call.action
    return await read(
        call,
        lambda conn: summarise_now(
            conn,
            queue=asked.queue,
            since=asked.since,
            maintenance_queue=call.settings.queue,
            scope=call.scope,
            rules=call.rules,
        ),
    )


async def open_digest(call: Call[OpenDigest]) -> DigestReport | None:
    asked = call.action
    return await write(
        call,
        lambda conn: open_window(
            conn,
            name=asked.name,
            key=asked.key,
            period=asked.period,
            queues=asked.queues,
            tasks=asked.tasks,
            groups=asked.groups,
            maintenance_queue=call.settings.queue,
            rules=call.rules,
        ),
    )


async def close_digest(call: Call[CloseDigest]) -> bool:
    asked = call.action
    return await write(
        call,
        lambda conn: close_window(
            conn, asked.window_id, asked.state,
            channel=asked.channel, ts=asked.ts, error=asked.error,
            posted_nothing=asked.posted_nothing, noted=asked.noted,
        ),
    )  # fmt: skip


async def hold_digest(call: Call[HoldDigest]) -> bool:
    asked = call.action
    return await write(call, lambda conn: hold_window(conn, asked.window_id, asked.channel))


async def list_unsure(call: Call[ListUnsureDigests]) -> dict[str, tuple[int, str]]:
    return await read(call, lambda conn: list_unsure_windows(conn, call.action.name))


HANDLERS: Handlers = {
    ShowDigest: show_digest,
    ListUnsureDigests: list_unsure,
    OpenDigest: open_digest,
    HoldDigest: hold_digest,
    CloseDigest: close_digest,
}
