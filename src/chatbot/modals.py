"""A job's details in a modal, opened within the three seconds that Slack gives."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from chatbot.replies import Message
from chatbot.replies.details import render_details_view, render_loading_view
from chatbot.requests import Ask
from chatbot.services import Services
from jobs_maint.actions import GetJob
from jobs_maint.errors import JobsMaintError
from jobs_maint.models import JobDetails

__all__ = ["Modal", "open_modal"]

log = logging.getLogger(__name__)


class Modal:
    """One open modal; what it shows is replaced as a whole."""

    def __init__(self, services: Services, view_id: str, ask: Ask) -> None:
        self._services = services
        self._view_id = view_id
        self._ask = ask

    async def show(self, job: JobDetails) -> None:
        view = render_details_view(job, channel=self._ask.channel)
        await self._update(view)

    async def show_message(self, message: Message, job_id: int) -> None:
        """A refusal or an error, where the details would have stood."""
        view = {**render_loading_view(job_id), "blocks": message.blocks}
        await self._update(view)

    async def _update(self, view: Mapping[str, Any]) -> None:
        body = {"view_id": self._view_id, "view": view}
        await self._services.slack.call("views.update", body, read=False)


async def open_modal(services: Services, ask: Ask, action: GetJob) -> Modal | None:
    """The modal of this click: the one it came from, or a new one that says it is loading.

    None when Slack opens none any more: the answer then goes the usual way.
    """
    if ask.view is not None:
        return Modal(services, ask.view, ask)
    if ask.trigger is None or not ask.clicked:
        return None
    body = {"trigger_id": ask.trigger, "view": render_loading_view(action.job_id)}
    try:
        opened = await services.slack.call("views.open", body, read=False)
    except JobsMaintError as exc:
        log.info("chatbot.modal_not_opened reason=%s", exc)
        return None
    return Modal(services, str((opened.get("view") or {}).get("id", "")), ask)
