"""Acts whose bot died in the middle or before it told the outcome: said where it should stand."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from chatbot.handling.context import Services
from chatbot.handling.told import note_told, store
from chatbot.messages import Message
from chatbot.messages.late import render_lost
from chatbot.slack.editing import Target
from chatbot.slack.errors import SlackRefused, SlackUnavailable
from jobs_maint.actions import Actor, TakeLostRuns
from jobs_maint.errors import JobsMaintError
from jobs_maint.models import LostRun
from jobs_maint.perform import perform

__all__ = ["EVERY", "tell_lost_runs", "watch_lost_runs"]

log = logging.getLogger(__name__)

EVERY = 20.0
"""Seconds between checks."""
_BOT = Actor.task("chatbot")


async def watch_lost_runs(services: Services) -> None:
    """Check until cancelled; a failed check is made up for by the next one."""
    while True:
        try:
            await tell_lost_runs(services)
        except JobsMaintError as exc:
            log.warning("chatbot.lost_runs_unknown reason=%s", exc)
        except Exception:
            log.exception("chatbot.lost_runs_failed")
        await asyncio.sleep(EVERY)


async def tell_lost_runs(services: Services) -> int:
    """Returns how many acts were told: that they were interrupted, or what they did.

    One replica tells each act; if Slack does not answer, it is tried again after a minute. What
    this bot could not store of its own acts comes first. One that goes on here, after the process
    was suspended, says by itself how it ended.
    """
    running = {watch.audit_id for watch in services.acts}
    for own in list(services.unstored.values()):
        await store(services, own)
    runs = await perform(services.pool, _BOT, TakeLostRuns(), settings=services.maint)
    told = 0
    for run in runs:
        if run.audit_id in running:
            continue
        message = render_lost(run, services.command)
        try:
            await _tell(services, run, message)
        except SlackUnavailable as exc:
            log.warning("chatbot.lost_run_untold audit_id=%d reason=%s", run.audit_id, exc)
            continue
        except JobsMaintError as exc:  # what Slack refuses now it refuses in a minute too
            log.warning("chatbot.lost_run_untold audit_id=%d reason=%s", run.audit_id, exc)
        else:
            told += 1
        if run.channel != services.settings.audit_channel:
            missed = await services.delivery.post_audit(
                message, by=run.actor_id, asked_in=run.channel, words=run.words
            )
            if missed is not None:
                asker = Target(run.channel, user=run.actor_id)
                with contextlib.suppress(JobsMaintError):
                    await services.slack.editing.finish(asker, missed)
        await note_told(services, run.audit_id)
    return told


async def _tell(services: Services, run: LostRun, message: Message) -> None:
    """In the act's message or, without one, where it was asked if all may see it there.

    Else the person who asked is told.
    """
    try:
        if run.ts is not None:
            target = Target(run.channel, run.ts, user=run.actor_id)
            await services.delivery.finish(target, message)
            return
        if await _is_open(services, run.channel):
            await services.slack.posting.post(run.channel, message)
            return
    except SlackRefused:
        log.info("chatbot.lost_run_told_to_one audit_id=%d", run.audit_id)
    await services.slack.editing.finish(Target(run.channel, user=run.actor_id), message)


async def _is_open(services: Services, place: str) -> bool:
    return not place.startswith("D") and await services.delivery.find_obstacle(place) is None
