"""The periodic task that sends the digests; `registering` adds it to the team's app.

A digest's window advances only after Slack accepted the message, whose thread then gets the rest.
A failed post is retried later,
for a window that begins at the same time. If nobody knows whether a post arrived (Slack did not
answer, or the sender died), the channel is searched for it first, so that it is not sent twice;
where that cannot be done, the message says that it may be a repeat.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import procrastinate

from chatbot.digests.finding import EVENT, find_posted, put_note
from chatbot.digests.retrying import UntilItIsSent
from chatbot.digests.schedule import build_utc_cron, get_period, is_due
from chatbot.digests.threads import complete_thread, complete_threads, store_thread
from chatbot.digests.windows import Windows
from chatbot.messages import Message, add_note, is_quiet, render_digest, render_thread
from chatbot.messages.parts import channel
from chatbot.settings.bot import ChatbotSettings
from chatbot.settings.values import DigestSetting
from chatbot.slack.client import SlackClient
from chatbot.slack.errors import SlackRefused, SlackUnavailable
from chatbot.slack.identity import is_shared_outside
from chatbot.slack.pacing import NotBefore
from chatbot.slack.posting import Posted
from chatbot.slack.web_api import WebApi
from jobs_maint.actions import CloseDigest, HoldDigest, OpenDigest
from jobs_maint.errors import InvalidSettings, JobsMaintError
from jobs_maint.models import DigestReport
from jobs_maint.settings import MaintSettings
from jobs_maint.tasks import jobs_pool, mark_times, our_task

__all__ = ["build_blueprint"]

log = logging.getLogger(__name__)

PRIORITY = 10
NOT_DUE = "not sent: the last one ended less than half a period ago; the next one covers this"
NO_PLACE = {"channel_not_found", "is_archived", "not_in_channel", "is_ext_shared"}
MAY_BE_A_REPEAT = (
    "Part of this may be a repeat: it is not known whether the digest before it arrived."
)


def build_blueprint(
    settings: ChatbotSettings,
    maint: MaintSettings,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> procrastinate.Blueprint:
    """A fresh one for each call: a blueprint belongs to the app it was added to."""
    blueprint = procrastinate.Blueprint()
    not_before = NotBefore(clock)
    digests = {digest.name: digest for digest in settings.digests}

    @blueprint.task(
        name="send_digest",
        queue=maint.queue,
        priority=PRIORITY,
        pass_context=True,
        retry=UntilItIsSent(),
    )
    @our_task
    async def send_digest(context: procrastinate.JobContext, timestamp: int, name: str) -> str:
        digest = digests.get(name)
        if digest is None:
            return f"there is no digest named {name} any more"
        tick = datetime.fromtimestamp(timestamp, UTC)
        if not is_due(digest.cron, digest.timezone, tick):
            return "not due"
        slack = SlackClient(
            settings, clock=clock, sleep=sleep,
            environment=maint.environment, not_before=not_before,
        )  # fmt: skip
        async with jobs_pool(context.app, maint) as pool:
            windows = Windows(pool, maint, sleep=sleep)
            try:
                return await _send(digest, settings, slack, windows, tick=tick)
            finally:
                await slack.close()

    times = {name: (digest.cron, digest.timezone) for name, digest in digests.items()}
    mark_times(send_digest.func, times)
    for digest in settings.digests:
        blueprint.periodic(
            cron=build_utc_cron(digest.cron, digest.timezone, datetime.now(UTC)),
            periodic_id=digest.name,
            queueing_lock=f"chatbot:digest:{digest.name}",
            task_kwargs={"name": digest.name},
        )(send_digest)
    return blueprint


async def _send(
    digest: DigestSetting,
    settings: ChatbotSettings,
    slack: SlackClient,
    windows: Windows,
    *,
    tick: datetime,
) -> str:
    period = get_period(digest.cron, digest.timezone, tick)
    key = secrets.token_urlsafe(16)
    apart = [one.name for one in settings.digests if not digest.shares_jobs(one)]
    asked = OpenDigest(
        digest.name, period, key, digest.queues, digest.tasks, digest.groups, tuple(apart)
    )
    slack.stamp.database = await windows.identify_database(slack.stamp.environment)
    may_look = await find_posted(slack, windows, digest.name)
    await complete_threads(slack, windows, digest.name)
    report: DigestReport | None = await windows.do(asked)
    if report is None:
        return NOT_DUE
    if digest.when_quiet == "skip" and is_quiet(report):
        await windows.do(CloseDigest(report.window_id, "quiet"))
        return "quiet"
    try:
        message = render_digest(report, settings.command, settings.runbooks, has_thread=True)
        thread = render_thread(report, settings.command, settings.runbooks)
        if report.maybe_told_until is not None and not may_look:
            message = add_note(message, MAY_BE_A_REPEAT)
        held = HoldDigest(report.window_id, digest.channel, store_thread(thread, key))
        posted, problem = await _post(slack, digest, settings, held, message, key, windows)
    except Exception as exc:
        # Left open, the window would stay locked for five minutes and retries would skip it.
        known = isinstance(exc, JobsMaintError)
        why = str(exc) if known else type(exc).__name__
        failed = CloseDigest(
            report.window_id, "failed", windows.channel or digest.channel, error=why,
            posted_nothing=windows.channel is None or _took_nothing(exc),
        )  # fmt: skip
        await windows.do(failed)
        log.warning("chatbot.digest_failed name=%s reason=%s", digest.name, why)
        raise

    async def note_repeat() -> None:
        await put_note(slack.posting, posted, message)

    await windows.close_sent(report.window_id, posted, problem, note_repeat)
    log.info(
        "chatbot.digest_sent name=%s channel=%s failed=%d",
        digest.name,
        posted.channel,
        report.failed,
    )
    await complete_thread(slack, windows, report.window_id, posted)
    return "sent"


def _took_nothing(exc: Exception) -> bool:
    if isinstance(exc, SlackUnavailable):
        return not exc.maybe_done
    return isinstance(exc, SlackRefused | InvalidSettings)


async def _post(
    slack: SlackClient,
    digest: DigestSetting,
    settings: ChatbotSettings,
    held: HoldDigest,
    message: Message,
    key: str,
    windows: Windows,
) -> tuple[Posted, str | None]:
    """Where it was posted, and why not in its own channel."""
    metadata = {"event_type": EVENT, "event_payload": {"key": key, "name": digest.name}}

    async def post(place: str, message: Message) -> Posted:
        async def before() -> None:
            await windows.hold(replace(held, channel=place))

        return await slack.posting.post(place, message, metadata=metadata, before=before)

    try:
        await _refuse_outside(slack.web, digest)
        return await post(digest.channel, message), None
    except SlackRefused as exc:
        audit = settings.audit_channel
        if exc.reason not in NO_PLACE or audit is None or audit == digest.channel:
            raise
        note = (
            "Posted here because its channel ",
            channel(digest.channel),
            f" does not take it: {exc}",
        )
        return await post(audit, add_note(message, *note)), str(exc)


async def _refuse_outside(web: WebApi, digest: DigestSetting) -> None:
    """Nothing when the app may not ask: the channel was chosen by whoever runs the bot."""
    try:
        channel = await web.get_channel(digest.channel)
    except SlackRefused:
        return
    if is_shared_outside(channel):
        raise SlackRefused(
            f"The digest {digest.name} was not sent: the channel {digest.channel} is shared "
            "with another organisation; name another channel in CHATBOT_DIGESTS",
            reason="is_ext_shared",
        )
