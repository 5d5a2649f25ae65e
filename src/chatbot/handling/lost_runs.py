"""Acts whose bot process died in the middle: their messages say so and offer the rest."""

from __future__ import annotations

import asyncio
import logging

from chatbot.handling.context import Services
from chatbot.messages import Message
from chatbot.messages.progress import render_lost
from chatbot.slack.editing import Target
from chatbot.slack.errors import SlackRefused
from jobs_maint.actions import Actor, CloseRun, TakeLostRuns
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
    """Returns how many messages now say that their act was interrupted.

    One replica reports each run; if Slack does not answer, it is tried again after a minute.
    """
    runs = await perform(services.pool, _BOT, TakeLostRuns(), settings=services.maint)
    told = 0
    for run in runs:
        message = render_lost(run, services.command)
        try:
            await _tell(services, run, message)
        except JobsMaintError as exc:
            log.warning("chatbot.lost_run_untold audit_id=%d reason=%s", run.audit_id, exc)
            continue
        await perform(services.pool, _BOT, CloseRun(run.audit_id), settings=services.maint)
        if run.channel != services.settings.audit_channel:
            await services.delivery.post_audit(
                message, by=run.actor_id, asked_in=run.channel, words=run.words
            )
        told += 1
    return told


async def _tell(services: Services, run: LostRun, message: Message) -> None:
    """Edit the run's message; if Slack refuses that, tell the person who asked for the run."""
    if run.ts is not None:
        try:
            await services.slack.editing.finish(Target(run.channel, run.ts), message)
        except SlackRefused:
            log.info("chatbot.lost_run_told_to_one audit_id=%d", run.audit_id)
        else:
            return
    await services.slack.editing.finish(Target(run.channel, user=run.actor_id), message)
