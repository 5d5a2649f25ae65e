"""Messages of acts on sets as they are drawn: previews, progress, outcomes, ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from chatbot import messages as replies
from chatbot.messages import Message, Progress
from chatbot.messages.aftermath import render_job_after
from chatbot.setup.sample_reports import TIMEOUT
from jobs_maint.models import (
    ActReport,
    Aftermath,
    BulkReport,
    ItemOutcome,
    ItemResult,
    LostRun,
    Preview,
    PurgeReport,
    SetError,
    SetErrors,
    SetGroup,
    SkipGroup,
)

__all__ = ["messages_of_acts"]

NOW = datetime(2026, 11, 23, 3, 24, tzinfo=UTC)
BY = "U0ANA"
COMMAND = "/jobs"

LOCK = SkipGroup(
    "queueing_lock_taken", "a job with the same queueing lock is already waiting", 2, (4713, 4720)
)
ALIVE = SkipGroup(
    "worker_alive",
    "worker 3 (web-2 pid 4711) has been running it since 02:10 (beat at 03:13)",
    1,
    (9,),
)
RETRY = Preview(
    "retry", "retry --all webhook --since 1h", "k3y", 37, 0,
    (SetGroup("webhook", "team.tasks.deliver_webhook", 37),), (LOCK,), NOW,
)  # fmt: skip


def errors_of(now: datetime) -> SetErrors:
    """Of the 37 jobs of `RETRY`."""
    error = f"httpx.ConnectTimeout: {TIMEOUT}"
    first, last = now - timedelta(minutes=29), now - timedelta(minutes=1)
    return SetErrors(37, (SetError(37, error, "E-4f2a"),), first_at=first, last_at=last)


WITH_ERRORS = replace(RETRY, errors=errors_of(NOW))
MANY_ERRORS = SetErrors(
    10_000,
    (
        SetError(6_120, f"httpx.ConnectTimeout: {TIMEOUT}", "E-4f2a"),
        SetError(2_400, "SMTPServerDisconnected: Connection unexpectedly closed", "E-07b2"),
        SetError(800, None),
    ),
    groups_not_shown=14, jobs_not_read=40_000,
    first_at=NOW - timedelta(hours=31), last_at=NOW - timedelta(minutes=1),
)  # fmt: skip
LARGE = tuple(
    SetGroup(queue, f"team.tasks.{task}", count)
    for queue, task, count in (
        ("webhook", "deliver_webhook", 31_400), ("email", "send_receipt", 9_000),
        ("email", "send_reminder", 6_000), ("reports", "build_report", 3_000),
        ("reports", "render_pdf", 500), ("sync", "pull", 60), ("sync", "push", 40),
    )
)  # fmt: skip
PURGE = Preview(
    "purge", "purge", "k3y", 12_044, 0, (), (), NOW,
    cutoffs={"succeeded": NOW - timedelta(days=30), "failed": NOW - timedelta(days=90)},
    by_status={"succeeded": 12_040, "failed": 4},
)  # fmt: skip
FORCE = Preview(
    "rescue", "rescue --force 4711", "k3y", 1, 0,
    (SetGroup("reports", "team.tasks.build_report", 1),), (), NOW,
    warnings=(
        "Worker 3 (web-2 pid 4711) has been running it since 02:10 (beat at 03:13).",
        "If that worker is still running it, the job will run twice.",
    ),
    risk=True,
)  # fmt: skip
ALONE = "No worker is alive: they wait until one starts."
AT_WORK = Progress("retry", "retry --all webhook", BY, 21, 35, 0.18, 17)
DONE = BulkReport(
    "retry", "retry --all webhook", 17, 37, 35, (LOCK,), (), 3.2, queues=("webhook",)
)  # fmt: skip
LOST = LostRun(
    17, BY, "cancel", "cancel --all webhook", {"done": 488, "skipped": 12}, 1_200, "C0OPS", "1.2",
    NOW,
)  # fmt: skip


def messages_of_acts() -> Iterator[tuple[str, str, bool, Message]]:
    """Each by its title, with what was typed, and whether only one person sees it."""
    for title, preview in _previews():
        typed = f"{COMMAND} {preview.words}"
        yield f"preview: {title}", typed, False, replies.render_preview(preview, COMMAND, by=BY)
    look = replies.render_preview(WITH_ERRORS, COMMAND, by=BY, dry_run=True)
    yield "preview: dry run", f"{COMMAND} {RETRY.words} --dry-run", False, look
    for title, message in (*_progress(), *_outcomes(), *_ends()):
        yield title, "", False, message


def _previews() -> Iterator[tuple[str, Preview]]:
    cancel = replace(RETRY, verb="cancel", words="cancel --all webhook", skips=())
    yield "retry", WITH_ERRORS
    yield (
        "retry: the largest set",
        replace(
            RETRY, words="retry --all", count=50_000, remain=1_204, groups=LARGE, skips=(),
            errors=MANY_ERRORS,
        ),
    )  # fmt: skip
    back = replace(
        RETRY, words="retry --request 17 --status cancelled", count=45_000, skips=(),
        groups=(SetGroup("newsletter", "team.tasks.send_newsletter", 45_000),),
    )  # fmt: skip
    yield "put back", back
    left = SkipGroup("wrong_status", "cancelled or given up", 2, (4713, 4714))
    words = "retry 4711 4712 4713 4714 --status failed"
    named = replace(RETRY, words=words, count=2, skips=(left,))
    yield "retry: some given up since", named
    every = {"failed": 2, "cancelled": 2}
    yield (
        "retry: not all failed",
        replace(named, words=words[:25], count=4, skips=(), by_status=every),
    )
    yield "retry: nobody runs them", replace(RETRY, warnings=(ALONE,))
    yield "cancel", cancel
    running = replace(cancel, words="cancel --all webhook --running", running=5)
    yield "cancel: running too", running
    discard = replace(WITH_ERRORS, verb="discard", words="discard --all webhook", skips=())
    yield "discard", discard
    yield "purge", PURGE
    again = replace(PURGE, surveyed_at=NOW - timedelta(minutes=24))
    yield "purge: the second of a night", again
    yield "purge: nothing", replace(again, key=None, count=0, by_status={}, expires_at=None)
    yield "rescue", replace(cancel, verb="rescue", words="rescue 7 8 9", count=3, skips=(ALIVE,))
    yield "force", FORCE
    yield "none possible", replace(RETRY, count=2)
    yield "nothing there", replace(RETRY, key=None, count=0, groups=(), skips=())


def _progress() -> Iterator[tuple[str, Message]]:
    far = replace(AT_WORK, words="retry --all", done=13_000, total=50_000, elapsed_seconds=41.0)
    for title, progress in (
        ("progress", AT_WORK),
        ("progress: a large set", far),
        ("progress: slow", replace(AT_WORK, done=1, total=3, elapsed_seconds=150.0)),
        ("progress: stopping", replace(far, stopping=True)),
    ):
        yield title, replies.render_progress(progress, COMMAND)


def _outcomes() -> Iterator[tuple[str, Message]]:
    became = (SkipGroup("cancelled", "", 30, (1,)), SkipGroup("abort_requested", "", 5, (2,)))
    cancel = replace(DONE, verb="cancel", words="cancel --all webhook --running", skips=())
    stopped = replace(
        DONE, verb="cancel", words="cancel --all newsletter", queues=("newsletter",),
        requested=63_000, done=45_000, skips=(), stopped=True,
    )  # fmt: skip
    for title, report in (
        ("outcome: retry", DONE),
        ("outcome: stopped", stopped),
        ("outcome: nobody runs them", replace(DONE, newer=31, warnings=(ALONE,))),
        ("outcome: cancel", replace(cancel, requested=35, became=became)),
        ("outcome: none done", replace(DONE, done=0, requested=2)),
    ):
        yield title, replies.render_bulk(report, COMMAND, by=BY)
    after = Aftermath(
        NOW + timedelta(minutes=3), 31, 4, error="httpx.ConnectTimeout", errors=1,
        failed_ids=(4711, 4713, 4715, 4717),
    )  # fmt: skip
    yield "outcome: later", replies.render_bulk(DONE, COMMAND, by=BY, after=after)
    left = NOW - timedelta(days=30)
    purged = PurgeReport({"succeeded": 12_040, "failed": 4}, 12, 3.2, True, oldest_left=left)
    yield "outcome: purge", replies.render_purge(purged, COMMAND, by=BY, words="purge")
    ended = replace(purged, finished=False, stopped_by="slack:U0VERA (vera)")
    yield "outcome: purge stopped", replies.render_purge(ended, COMMAND, by=BY, words="purge")
    item = ItemResult(4711, ItemOutcome.DONE, "put_back", "", "webhook", "t.deliver_webhook")
    again = Aftermath(NOW, failed=1, error="httpx.ConnectTimeout", errors=1, failed_ids=(4711,))
    yield "one job: failed again", render_job_after(item, again, by=BY)
    for verb, code in (("cancel", "cancelled"), ("cancel", "abort_requested")):
        item = ItemResult(7, ItemOutcome.DONE, code, "", "email", "team.tasks.send_receipt")
        yield (
            f"one job: {code}",
            replies.render_acts(ActReport((item,), 0.1, verb), COMMAND, by=BY),
        )


def _ends() -> Iterator[tuple[str, Message]]:
    words = AT_WORK.words
    yield "not now", replies.render_dropped(words, COMMAND, by=BY)
    yield "too late", replies.render_too_late(words, COMMAND, why="late")
    yield "replaced", replies.render_too_late(words, COMMAND, why="replaced")
    yield "interrupted", replies.render_lost(LOST, COMMAND)
    one = replace(
        LOST, word="retry", words="retry 4711", counts={"done": 1}, total=None, outcome="done",
        changed=((4711, "put_back"),),
    )  # fmt: skip
    yield "told late: one job", replies.render_lost(one, COMMAND)
    counts = {"done": 1_188, "skipped": 12}
    yield (
        "told late: a set",
        replies.render_lost(replace(LOST, counts=counts, outcome="partly"), COMMAND),
    )
    broken = replace(AT_WORK, done=500, total=1_200, counts={"done": 488, "skipped": 12})
    reason = "the jobs database does not answer: connection refused"
    yield "broken", replies.render_broken(broken, COMMAND, reason=reason)
