"""What a bot wrote that was suspended right then, while another one took over the watch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chatbot.handling.context import Services
from chatbot.messages.errors import add_note, render_note
from chatbot.messages.message import Message
from chatbot.slack.errors import SlackRefused, SlackUnavailable
from chatbot.slack.posting import MAY_BE_A_REPEAT, Posted
from chatbot.watching.first_posts import NO_PLACE, render_told
from jobs_maint.actions import Actor, ListIncidents
from jobs_maint.perform import perform

__all__ = ["Late"]

Render = Callable[[], Awaitable[Message | None]]
AGAIN = 60.0
"""Seconds before a channel that took no edit is tried again."""
MOST = 100
"""Messages in such channels: nobody may ever open them again."""


class Late:
    """Messages to be put right by `flush`, after each look until Slack took them."""

    def __init__(self, services: Services, clock: Callable[[], float]) -> None:
        self._services = services
        self._clock = clock
        self._messages: dict[Posted, Render] = {}
        self._again_at: dict[Posted, float] = {}
        self._left: dict[Posted, Message] = {}
        """What those that were left say by now, or are to say."""

    def leave(self, posted: Posted, message: Message) -> None:
        """Its incident goes on in another message."""
        if self._left.get(posted) != message:
            self._left[posted] = message
            self._add(posted, message)
        if len(self._left) > MOST:
            oldest = next(iter(self._left))
            del self._left[oldest]
            self._messages.pop(oldest, None)

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
            if await services.delivery.is_outside(there.channel):
                return None
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
            if self._again_at.get(posted, 0.0) > self._clock():
                continue
            try:
                message = await render()
                if message is not None:
                    posting = self._services.slack.posting
                    await posting.update(posted.channel, posted.ts, message)
            except SlackUnavailable:
                continue
            except SlackRefused as exc:
                if exc.reason in NO_PLACE:
                    self._again_at[posted] = self._clock() + AGAIN
                    continue
                # Somebody deleted it.
            self._messages.pop(posted, None)
            self._again_at.pop(posted, None)
