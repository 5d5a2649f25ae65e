"""Where an answer may be seen, and getting it there."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from chatbot.access.directory import Directory, Unknown
from chatbot.inbound.slack_request import Ask
from chatbot.messages import Message, add_note, render_note
from chatbot.messages.parts import Span, channel, code, user
from chatbot.settings.bot import ChatbotSettings
from chatbot.slack.client import SlackClient
from jobs_maint.errors import JobsMaintError

__all__ = ["Answer", "Delivery"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    message: Message
    private: bool
    act: bool = False
    replaces: bool = False


class Delivery:
    """Answers go to the channel, or to one person; an act is told to the audit channel too."""

    def __init__(self, settings: ChatbotSettings, slack: SlackClient, directory: Directory) -> None:
        self._settings = settings
        self._slack = slack
        self._directory = directory

    async def try_to_deliver(self, ask: Ask, answer: Answer) -> None:
        """What cannot be delivered is logged; there is nobody left to tell."""
        try:
            await self._deliver(ask, await self.limit(ask, answer))
        except JobsMaintError as exc:
            log.warning("chatbot.answer_lost channel=%s reason=%s", ask.channel, exc)
        except Exception:
            log.exception("chatbot.answer_failed channel=%s", ask.channel)

    async def limit(self, ask: Ask, answer: Answer) -> Answer:
        """The answer as it may be shown: nothing goes where another organisation reads it."""
        if answer.private:
            return answer
        if ask.channel.startswith("D"):
            return replace(answer, private=True, replaces=answer.replaces and ask.private)
        why = await self.find_obstacle(ask.channel)
        if why is None:
            return answer
        message = add_note(answer.message, f"Only you see this: {why}")
        return replace(answer, message=message, private=True, replaces=False)

    async def find_obstacle(self, place: str) -> str | None:
        """Why not everybody in the channel may be answered, as a clause; None when they may."""
        try:
            if not await self._directory.is_shared_outside(place):
                return None
        except Unknown as exc:
            if exc.is_about_membership:
                return "the bot is not in this channel. With /invite it can answer to all."
            return f"the bot cannot tell whether people outside read this channel. {exc}"
        return "this channel is shared with another organisation."

    async def _deliver(self, ask: Ask, answer: Answer) -> None:
        try:
            await self._respond(ask, answer)
        finally:
            if answer.act:
                await self.tell_audit_channel(ask, answer.message, private=answer.private)

    async def _respond(self, ask: Ask, answer: Answer) -> None:
        if ask.response_url is None and not answer.private:
            # A modal's buttons bring no address to answer to.
            await self._slack.posting.post(ask.channel, answer.message)
            return
        await self._slack.answering.respond(
            ask.response_url,
            answer.message,
            channel=ask.channel,
            user=ask.user,
            in_channel=not answer.private,
            replace_original=answer.replaces,
        )

    async def tell_audit_channel(self, ask: Ask, message: Message, *, private: bool) -> None:
        """`private`: nobody else saw the message, so it is told even where it was asked."""
        if self._settings.audit_channel == ask.channel and not private:
            return
        note = await self.post_audit(message, by=ask.user, asked_in=ask.channel, words=ask.words)
        if note is not None:
            await self._respond(ask, Answer(render_note(note), private=True))

    async def post_audit(
        self, message: Message, *, by: str, asked_in: str, words: str
    ) -> str | None:
        """To the audit channel, where there is one; returns why it could not be told."""
        place = self._settings.audit_channel
        if place is None:
            return None
        where: Span | str = "a direct message"
        if not asked_in.startswith("D"):
            where = channel(asked_in)
        typed = code(f"{self._settings.command} {words}")
        copy = add_note(message, user(by), " in ", where, " · ", typed)
        try:
            if await self._is_outside(place):
                log.warning("chatbot.audit_channel_refused channel=%s", place)
                return f"The audit channel {place} was not told: it is shared outside."
            await self._slack.posting.post(place, copy)
        except JobsMaintError as exc:
            log.warning("chatbot.audit_channel_failed channel=%s reason=%s", place, exc)
            return f"The audit channel could not be told: {exc}"
        return None

    async def _is_outside(self, place: str) -> bool:
        try:
            return await self._directory.is_shared_outside(place)
        except Unknown:
            # The channel was chosen in the settings; only a known danger keeps us out.
            return False
