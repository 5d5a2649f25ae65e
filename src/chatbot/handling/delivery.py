"""Where an answer may be seen, and getting it there."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, replace

from chatbot.access.directory import Directory, Unknown
from chatbot.handling.follow_ups import Followed, FollowUps
from chatbot.handling.origins import Origins
from chatbot.inbound.slack_request import SlackRequest
from chatbot.messages import Message, add_note
from chatbot.messages.marking import Mark
from chatbot.messages.message import without_buttons
from chatbot.messages.packer import pack
from chatbot.messages.parts import Span, channel, code, paragraph
from chatbot.messages.people import name_actor
from chatbot.messages.words import escape, sentence
from chatbot.settings.bot import ChatbotSettings
from chatbot.slack.client import SlackClient
from chatbot.slack.editing import Target
from chatbot.slack.errors import SlackRefused, SlackUnavailable, is_about_membership
from chatbot.slack.posting import Posted
from jobs_maint.errors import JobsMaintError
from jobs_maint.quoting import cut_ids

__all__ = ["NOT_HERE", "Answer", "Delivery"]

log = logging.getLogger(__name__)

NOT_HERE = "the bot is not in this channel. Add it with /invite to share answers here."
_MOST_GROUPS = 1_000


@dataclass(frozen=True, slots=True)
class Answer:
    message: Message
    private: bool
    act: bool = False
    replaces: bool = False
    audit_id: int | None = None
    """Of an act that is kept until it was told."""
    followed: Followed | None = None
    """What became of the act is told later."""
    used: tuple[str, Mark] | None = None
    """Words whose button was used, and what stands there now."""
    undone: str | None = None
    """Words whose button stands again where it was used: they, or these with an option."""
    instead: Message | None = None
    """What only the asker is told where a bot that is no member cannot post it."""
    wakes: bool = False
    """It may have changed an incident, whose message is to be put right."""


class Delivery:
    """Answers go to the channel, or to one person; an act is also posted to the audit channel."""

    def __init__(
        self,
        settings: ChatbotSettings,
        slack: SlackClient,
        directory: Directory,
        follow_ups: FollowUps,
        origins: Origins,
    ) -> None:
        self._follow_ups = follow_ups
        self._origins = origins
        self._settings = settings
        self._slack = slack
        self._directory = directory
        self._groups: dict[str, None] = {}

    async def try_to_deliver(self, request: SlackRequest, answer: Answer) -> bool:
        """Deliver, or log why not; False when it may work later."""
        try:
            await self._deliver(request, answer)
        except JobsMaintError as exc:
            log.warning("chatbot.answer_lost channel=%s reason=%s", request.channel, exc)
            return not isinstance(exc, SlackUnavailable)
        except Exception:
            log.exception("chatbot.answer_failed channel=%s", request.channel)
            return False
        return True

    async def limit(self, request: SlackRequest, answer: Answer) -> Answer:
        """The answer, made private where another organisation could read it."""
        if answer.private:
            return answer
        if request.channel.startswith("D"):
            return replace(answer, private=True, replaces=answer.replaces and request.private)
        self.remember_place(request)
        why = await self.find_obstacle(request.channel)
        if why is None:
            return answer
        message = add_note(answer.message, f"Only you see this: {why}")
        return replace(answer, message=message, private=True, replaces=False)

    def remember_place(self, request: SlackRequest) -> None:
        """Slack names the place in commands and clicks, but not when a modal is submitted."""
        if not request.in_group:
            return
        self._groups[request.channel] = None
        if len(self._groups) > _MOST_GROUPS:
            del self._groups[next(iter(self._groups))]

    async def find_obstacle(self, place: str) -> str | None:
        """Why the whole channel must not see the answer, as a clause; None if it may."""
        try:
            if not await self._directory.is_shared_outside(place):
                return None
        except Unknown as exc:
            if exc.is_about_membership and place in self._groups:
                return "no bot can be added to a group message. Ask in a channel to share answers."
            if exc.is_about_membership:
                return NOT_HERE
            return f"the bot cannot tell whether outsiders can read this channel. {exc}"
        return "this channel is shared with another organisation."

    async def find_obstacle_of(self, target: Target) -> str | None:
        """The same of a message; None also where one person alone reads it."""
        is_open = target.ts is not None or target.in_channel
        if not is_open or target.channel.startswith("D"):
            return None
        return await self.find_obstacle(target.channel)

    async def finish(self, target: Target, message: Message) -> None:
        """The last word on an act: where all may read it, else to the asker alone."""
        why = await self.find_obstacle_of(target)
        if why is not None:
            asker = name_actor(target.user) if target.user else "the asker"
            with contextlib.suppress(JobsMaintError):
                only = paragraph(["Only ", asker, f" sees the outcome: {why}"])
                await self._slack.editing.finish(target, pack([only]))
            target = replace(target, ts=None, in_channel=False, replaces=False)
            message = add_note(message, f"Only you see this: {why}")
        await self._slack.editing.finish(target, message)

    async def _deliver(self, request: SlackRequest, answer: Answer) -> None:
        shown = await self.limit(request, answer)
        again = answer.audit_id is not None
        try:
            await self._respond(request, shown)
            again = False
        except JobsMaintError as exc:
            again = again and isinstance(exc, SlackUnavailable)
            raise
        finally:
            if answer.act:  # without what limits who sees the answer
                await self.tell_audit_channel(
                    request, answer.message, private=shown.private, again=again
                )

    async def _respond(self, request: SlackRequest, answer: Answer) -> None:
        if not answer.private and await self._is_to_be_posted(request, answer):
            try:
                posted = await self._slack.posting.post(
                    request.channel, answer.message, thread=request.thread
                )
            except (SlackRefused, SlackUnavailable) as exc:
                log.info("chatbot.answer_not_posted channel=%s reason=%s", request.channel, exc)
                # A modal comes without the address by which a bot answers where it is no member.
                if answer.instead and is_about_membership(exc) and not request.response_url:
                    answer = replace(answer, message=answer.instead, private=True)
            else:
                self._follow(posted, request, answer)
                return
        if not await self._is_told_in_thread(request, answer):
            await self._slack.answering.respond(
                request.response_url,
                answer.message,
                channel=request.channel,
                user=request.user,
                in_channel=not answer.private,
                replace_original=answer.replaces,
                thread=request.thread,
            )
        if answer.followed is not None:
            later = replace(answer, followed=None)

            async def tell(message: Message) -> None:
                news = await self.limit(request, replace(later, message=message))
                await self._respond(request, news)

            self._follow_ups.add(replace(answer.followed, only_bad=True), tell)

    def _follow(self, posted: Posted, request: SlackRequest, answer: Answer) -> None:
        """Say in the message what becomes of the act."""
        if answer.followed is None:
            return
        target = Target(posted.channel, posted.ts, user=request.user)

        async def tell(message: Message) -> None:
            async with self._origins.replaced(posted.channel, posted.ts):
                await self.finish(target, message)

        self._follow_ups.add(answer.followed, tell)

    async def _is_told_in_thread(self, request: SlackRequest, answer: Answer) -> bool:
        """Of the address of a click, Slack promises only that all may be answered in a thread."""
        if request.thread is None or not answer.private or answer.replaces:
            return False
        if not await self._directory.is_bot_there(request.channel):
            return False
        try:
            await self._slack.posting.post_ephemeral(
                request.channel, request.user, answer.message, thread=request.thread
            )
        except JobsMaintError as exc:
            log.info("chatbot.not_told_in_thread channel=%s reason=%s", request.channel, exc)
            return False
        return True

    async def _is_to_be_posted(self, request: SlackRequest, answer: Answer) -> bool:
        """Rather than answered: a modal's buttons have no address, and a post can be edited later.

        A typed command is answered, or Slack would not show it to the others.
        """
        if request.response_url is None:
            return True
        follows = answer.followed is not None and request.clicked
        return follows and await self._directory.is_bot_there(request.channel)

    async def tell_audit_channel(
        self, request: SlackRequest, message: Message, *, private: bool, again: bool
    ) -> None:
        """`private`: only the asker saw the message, so it is posted even where it was asked.

        `again`: both channels will be told once more, so nobody hears that this one was not.
        """
        if self._settings.audit_channel == request.channel and not private:
            return
        note = await self.post_audit(
            message, by=request.user, asked_in=request.channel, words=request.words
        )
        if note is not None and not again:
            await self._respond(request, Answer(note, private=True))

    async def post_audit(
        self, message: Message, *, by: str, asked_in: str, words: str
    ) -> Message | None:
        """Post to the audit channel, if there is one; returns what to say where that failed."""
        place = self._settings.audit_channel
        if place is None:
            return None
        where: Span | str = "a direct message"
        if not asked_in.startswith("D"):
            where = channel(asked_in)
        typed = cut_ids(f"{self._settings.command} {words}")
        said = {line.strip() for line in message.text.splitlines()}
        what = () if escape(typed) in said else (" · ", code(typed))
        copy = add_note(message, name_actor(by), " in ", where, *what)
        try:
            if await self.is_outside(place):
                log.warning("chatbot.audit_channel_refused channel=%s", place)
                return _tell_missed(typed, "another organisation can read it")
            await self._slack.posting.post(place, without_buttons(copy))
        except JobsMaintError as exc:
            log.warning("chatbot.audit_channel_failed channel=%s reason=%s", place, exc)
            return _tell_missed(typed, str(exc))
        return None

    async def is_outside(self, place: str) -> bool:
        """Whether another organisation reads this channel of the settings.

        Raises SlackUnavailable while Slack does not say. Where the app may not ask, whoever chose
        the channel knows.
        """
        try:
            return await self._directory.is_shared_outside(place)
        except Unknown as exc:
            if isinstance(exc.__cause__, SlackUnavailable):
                raise exc.__cause__ from exc
            return False


def _tell_missed(typed: str, why: str) -> Message:
    return pack(
        [paragraph(["The audit channel was not told of ", code(typed), sentence(f": {why}")])]
    )
