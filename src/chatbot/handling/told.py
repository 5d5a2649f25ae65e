"""An act is kept in the database until Slack has its outcome, so that another bot can tell it."""

from __future__ import annotations

import logging

from chatbot.handling.context import Services
from chatbot.handling.delivery import Answer
from chatbot.inbound.slack_request import SlackRequest
from jobs_maint.actions import Actor, CloseRun
from jobs_maint.errors import JobsMaintError
from jobs_maint.perform import perform

__all__ = ["deliver", "note_told", "store"]

log = logging.getLogger(__name__)


async def deliver(services: Services, request: SlackRequest, answer: Answer) -> None:
    """Deliver the answer, or log why not."""
    told = await services.delivery.try_to_deliver(request, answer)
    if told and answer.audit_id is not None:
        await note_told(services, answer.audit_id)


async def note_told(services: Services, audit_id: int) -> None:
    """Slack has the outcome."""
    await store(services, CloseRun(audit_id))


async def store(services: Services, told: CloseRun) -> None:
    """What the database cannot be told now is kept, and tried again with the next look."""
    services.unstored[told.audit_id] = told
    try:
        await perform(services.pool, Actor.task("chatbot"), told, settings=services.maint)
    except JobsMaintError as exc:
        log.warning("chatbot.lost_runs_unknown reason=%s", exc)
    else:
        services.unstored.pop(told.audit_id, None)
