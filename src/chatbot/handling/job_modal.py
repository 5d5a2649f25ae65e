"""A job's details in a modal, opened within the three seconds that Slack allows."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from chatbot.access.roles import KnownActor
from chatbot.handling.context import Services
from chatbot.handling.offers import keep_offers
from chatbot.inbound.slack_request import SlackRequest
from chatbot.messages import Message
from chatbot.messages.details import render_details_view, render_loading_view
from chatbot.slack.errors import SlackUnavailable
from jobs_maint.actions import GetJob
from jobs_maint.errors import JobsMaintError
from jobs_maint.models import JobDetails

__all__ = ["Modal", "open_modal"]

log = logging.getLogger(__name__)


class Modal:
    """One open modal; what it shows is replaced as a whole.

    `name` identifies it to Slack. `certain`: Slack confirmed that it is open.
    """

    def __init__(
        self,
        services: Services,
        request: SlackRequest,
        name: Mapping[str, str],
        *,
        certain: bool = True,
    ) -> None:
        self._services = services
        self._request = request
        self._name = name
        self._certain = certain

    async def show(self, job: JobDetails, known: KnownActor) -> bool:
        """Returns whether no other answer is needed."""
        runbooks = self._services.settings.runbooks
        request = self._request
        view = render_details_view(
            job, channel=request.channel, thread=request.thread, runbooks=runbooks
        )
        return await self._update({**view, "blocks": keep_offers(view["blocks"], known, job)})

    async def show_message(self, message: Message, job_id: int) -> bool:
        """Show a refusal or an error in place of the details; returns the same."""
        return await self._update({**render_loading_view(job_id), "blocks": message.blocks})

    async def _update(self, view: Mapping[str, Any]) -> bool:
        try:
            await self._services.slack.web.update_view(self._name, view)
        except JobsMaintError as exc:
            log.info("chatbot.modal_not_updated reason=%s", exc)
            # Whoever closed the modal needs no answer.
            return self._certain and getattr(exc, "reason", "") == "not_found"
        return True


async def open_modal(services: Services, request: SlackRequest, action: GetJob) -> Modal | None:
    """The modal of this click: the one it came from, or a new one that says it is loading.

    None when Slack no longer opens one: the answer is then sent as a message.
    """
    if request.view is not None:
        return Modal(services, request, {"view_id": request.view})
    if request.trigger is None or not request.clicked:
        return None
    view = {**render_loading_view(action.job_id), "external_id": request.key}
    try:
        opened = await services.slack.web.open_view(request.trigger, view)
    except SlackUnavailable as exc:
        log.info("chatbot.modal_not_opened reason=%s", exc)
        # It may be open all the same, still loading.
        name = {"external_id": request.key}
        return Modal(services, request, name, certain=False) if exc.maybe_done else None
    except JobsMaintError as exc:
        log.info("chatbot.modal_not_opened reason=%s", exc)
        return None
    return Modal(services, request, {"view_id": opened})
