"""`digest`, and the windows that the periodic task opens and closes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jobs_maint.actions import (
    CloseDigest,
    DropPosted,
    HoldDigest,
    HoldThread,
    LeaveThread,
    ListThreads,
    ListUnsureDigests,
    OpenDigest,
    ShowDigest,
)
from jobs_maint.call import Call, Handlers, describe_error, read, write
from jobs_maint.models import DigestReport
from jobs_maint.operations.digest.summary import Summing, summarise, summarise_now
from jobs_maint.operations.digest.threads import (
    drop_posted,
    hold_thread,
    leave_thread,
    list_threads,
)
from jobs_maint.operations.digest.windows import (
    close_window,
    hold_window,
    list_unsure_windows,
    open_window,
)
from jobs_maint.operations.failures.grouping import Window
from jobs_maint.operations.failures.memory import remember_for_read, remember_groups
from jobs_maint.operations.incidents.reach import leave_out_digests

__all__ = ["HANDLERS"]


async def show_digest(call: Call[ShowDigest]) -> DigestReport:
    asked, how = call.action, Summing(call.settings, call.rules)
    await remember_for_read(call.pool)
    return await read(
        call,
        lambda conn: summarise_now(
            conn, how, queue=asked.queue, since=asked.since, scope=call.scope
        ),
    )


async def open_digest(call: Call[OpenDigest]) -> DigestReport | None:
    """The summary is made of one moment, which the opening cannot be: it sees what others do."""
    asked = call.action
    window = await write(
        call, lambda conn: open_window(conn, name=asked.name, key=asked.key, period=asked.period)
    )
    if window is None:
        return None
    wanted = Window(window.since, window.until, asked.queues, asked.tasks)
    await remember_groups(call.pool, passes=1)  # what is not remembered yet is new once more
    how = Summing(call.settings, call.rules, asked.groups)
    try:
        report = await read(call, lambda conn: summarise(conn, how, wanted))
    except Exception as exc:
        why = describe_error(exc)[1]
        await write(
            call,
            lambda conn: close_window(conn, window.id, "failed", error=why, posted_nothing=True),
        )
        raise
    return replace(
        report,
        incidents=tuple(leave_out_digests({asked.name, *asked.untold}, report.incidents)),
        window_id=window.id,
        name=asked.name,
        truncated_from=window.truncated_from,
        held_since=window.held_since,
        maybe_told_until=window.maybe_told_until,
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
    return await write(
        call, lambda conn: hold_window(conn, asked.window_id, asked.channel, asked.thread)
    )


async def list_unsure(call: Call[ListUnsureDigests]) -> dict[str, tuple[int, str]]:
    return await read(call, lambda conn: list_unsure_windows(conn, call.action.name))


async def find_threads(call: Call[ListThreads]) -> dict[int, tuple[str, str]]:
    return await read(call, lambda conn: list_threads(conn, call.action.name))


async def take_thread(call: Call[HoldThread]) -> Mapping[str, Any] | None:
    asked = call.action
    return await write(call, lambda conn: hold_thread(conn, asked.window_id, asked.sender))


async def drop(call: Call[DropPosted]) -> None:
    asked = call.action
    await write(call, lambda conn: drop_posted(conn, asked.window_id, asked.key, asked.if_twice))


async def leave(call: Call[LeaveThread]) -> None:
    asked = call.action
    await write(
        call,
        lambda conn: leave_thread(conn, asked.window_id, asked.sender, refused=asked.refused),
    )


HANDLERS: Handlers = {
    ListThreads: find_threads,
    HoldThread: take_thread,
    DropPosted: drop,
    LeaveThread: leave,
    ShowDigest: show_digest,
    ListUnsureDigests: list_unsure,
    OpenDigest: open_digest,
    HoldDigest: hold_digest,
    CloseDigest: close_digest,
}
