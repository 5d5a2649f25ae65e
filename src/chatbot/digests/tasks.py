"""The periodic task that sends the digests; `registering` adds it to the team's app.

A digest's window advances only after Slack accepted the message. A failed post is retried later,
for a window that begins at the same time. If nobody knows whether a post arrived (Slack did not
answer, or the sender died), the channel is searched for it first, so that it is not sent twice.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import procrastinate

from chatbot.digests.schedule import build_utc_cron, get_period, is_due
from chatbot.messages import render_digest
from chatbot.settings.bot import ChatbotSettings
from chatbot.settings.values import DigestSetting
from chatbot.slack.client import SlackClient
from chatbot.slack.errors import SlackRefused, SlackUnavailable
from chatbot.slack.identity import is_shared_outside
from chatbot.slack.own_messages import Metadata, find_own_message
from chatbot.slack.pacing import NotBefore
from chatbot.slack.posting import Posted
from chatbot.slack.web_api import WebApi
from jobs_maint.actions import Actor, CloseDigest, ListUnsureDigests, OpenDigest
from jobs_maint.database import Pool, identify_database
from jobs_maint.errors import JobsMaintError
from jobs_maint.models import DigestReport
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings
from jobs_maint.tasks import DIGEST, jobs_pool, our_task

__all__ = ["build_blueprint"]

log = logging.getLogger(__name__)

EVENT = "jobs_maint_digest"
PRIORITY = 10
TRIES = 10
PAGES = 5
"""Of 200 messages each: how far back in its channel a digest looks for itself."""


def build_blueprint(settings: ChatbotSettings, maint: MaintSettings) -> procrastinate.Blueprint:
    """A fresh one for each call: a blueprint belongs to the app it was added to."""
    blueprint = procrastinate.Blueprint()
    not_before = NotBefore(time.monotonic)
    digests = {digest.name: digest for digest in settings.digests}

    @blueprint.task(
        name="send_digest",
        queue=maint.queue,
        priority=PRIORITY,
        pass_context=True,
        retry=procrastinate.RetryStrategy(max_attempts=TRIES, exponential_wait=2),
    )
    @our_task
    async def send_digest(context: procrastinate.JobContext, timestamp: int, name: str) -> str:
        digest = digests.get(name)
        if digest is None:
            return f"there is no digest named {name} any more"
        tick = datetime.fromtimestamp(timestamp, UTC)
        if not is_due(digest.cron, digest.timezone, tick):
            return "not due"
        async with jobs_pool(context.app, maint) as pool:
            return await _send(digest, settings, maint, pool, tick=tick, not_before=not_before)

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
    maint: MaintSettings,
    pool: Pool,
    *,
    tick: datetime,
    not_before: NotBefore,
) -> str:
    actor = Actor.task(DIGEST)
    period = get_period(digest.cron, digest.timezone, tick)
    key = secrets.token_urlsafe(16)
    asked = OpenDigest(digest.name, period, key, digest.queues, digest.tasks, digest.groups)
    slack = SlackClient(settings, environment=maint.environment, not_before=not_before)
    try:
        slack.stamp.database = await identify_database(pool, slack.stamp.environment)
        unsure = await perform(pool, actor, ListUnsureDigests(digest.name), settings=maint)
        if unsure and (before := await _find_posted(slack.web, digest, unsure)) is not None:
            # If its sender died after the post, the window would be sent again. Else no change.
            seen = CloseDigest(before.window_id, "sent", digest.channel, before.ts)
            await perform(pool, actor, seen, settings=maint)
        report: DigestReport | None = await perform(pool, actor, asked, settings=maint)
        if report is None:
            return "no window is due"
        if digest.when_quiet == "skip" and not report.failed:
            await perform(pool, actor, CloseDigest(report.window_id, "quiet"), settings=maint)
            return "quiet"
        try:
            posted = await _post(slack, digest, settings, report, key)
        except Exception as exc:
            # Left open, the window would stay locked for five minutes and retries would skip it.
            known = isinstance(exc, JobsMaintError)
            why = str(exc) if known else type(exc).__name__
            failed = CloseDigest(report.window_id, "failed", digest.channel, error=why)
            await perform(pool, actor, failed, settings=maint)
            log.warning("chatbot.digest_failed name=%s reason=%s", digest.name, why)
            raise
    finally:
        await slack.close()
    sent = CloseDigest(report.window_id, "sent", posted.channel, posted.ts)
    await perform(pool, actor, sent, settings=maint)
    log.info(
        "chatbot.digest_sent name=%s channel=%s failed=%d",
        digest.name,
        posted.channel,
        report.failed,
    )
    return "sent"


async def _post(
    slack: SlackClient,
    digest: DigestSetting,
    settings: ChatbotSettings,
    report: DigestReport,
    key: str,
) -> Posted:
    if await _is_known_outside(slack.web, digest.channel):
        raise SlackRefused(
            f"The digest {digest.name} was not sent: the channel {digest.channel} is shared with "
            "another organisation; name another channel in CHATBOT_DIGESTS",
            reason="is_ext_shared",
        )
    message = render_digest(report, settings.command)
    metadata = {"event_type": EVENT, "event_payload": {"key": key, "name": digest.name}}
    return await slack.posting.post(digest.channel, message, metadata=metadata)


@dataclass(frozen=True, slots=True)
class _Seen:
    window_id: int
    ts: str


async def _find_posted(
    web: WebApi, digest: DigestSetting, unsure: Mapping[str, int]
) -> _Seen | None:
    """The newest message of these windows in the channel; None also if the app may not look.

    By the random key alone: another database may have a digest of this name in this channel.
    """

    def is_ours(metadata: Metadata) -> bool:
        return metadata.get("event_type") == EVENT and _read_key(metadata) in unsure

    try:
        found = await find_own_message(web, digest.channel, is_ours, pages=PAGES)
    except (SlackRefused, SlackUnavailable) as exc:
        log.info("chatbot.history_not_read name=%s reason=%s", digest.name, exc)
        return None
    if found is None:
        return None
    return _Seen(unsure[_read_key(found["metadata"])], str(found["ts"]))


def _read_key(metadata: Metadata) -> str:
    return str((metadata.get("event_payload") or {}).get("key"))


async def _is_known_outside(web: WebApi, channel: str) -> bool:
    """False too when the app may not ask: the channel was chosen by whoever runs the bot."""
    try:
        return is_shared_outside(await web.get_channel(channel))
    except SlackRefused:
        return False
