"""What a bot wrote that was suspended right then, while another one took over the watch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chatbot.handling.context import Services
from chatbot.messages.errors import add_note, render_note
from chatbot.messages.message import Message
from chatbot.slack.errors import SlackRefused, SlackUnavailable
from chatbot.slack.posting import MAY_BE_A_REPEAT, Posted
from chatbot.watching.first_posts import render_told
from jobs_maint.actions import Actor, ListIncidents
from jobs_maint.perform import perform

__all__ = ["Late"]

Render = Callable[[], Awaitable[Message | None]]


class Late:
    """Messages to be put right by `flush`, after each look until Slack took them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._messages: dict[Posted, Render] = {}

    def withdraw(self, posted: Posted) -> None:
        """Another bot has posted the same, and its message counts."""
        self._add(posted, render_note("This is told in another message: it came late"))

    def doubt(self, posted: Posted, message: Message) -> None:
        """Another bot may have posted the same."""
        self._add(posted, add_note(message, MAY_BE_A_REPEAT))

    def put_right(self, incident_id: int, key: str, there: Posted) -> None:
        """What the message says now may be older than what another bot wrote."""

        async def render() -> Message | None:
            services, by = self._services, Actor.task("chatbot")
            report = await perform(services.pool, by, ListIncidents(), settings=services.maint)
            for incident in (*report.open, *report.recent):
                if incident.id == incident_id:
                    return render_told(services, incident, key, there.channel, report.as_of)
            return None

        self._messages[there] = render

    def _add(self, posted: Posted, message: Message) -> None:
        async def render() -> Message | None:
            return message

        self._messages[posted] = render

    async def flush(self) -> None:
        for posted, render in list(self._messages.items()):
            message = await render()
            try:
                if message is not None:
                    posting = self._services.slack.posting
                    await posting.update(posted.channel, posted.ts, message)
            except SlackUnavailable:
                continue
            except SlackRefused:
                pass  # somebody deleted it
            self._messages.pop(posted, None)
