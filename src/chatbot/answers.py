"""Answer one ask: permission and work in the core, then the message where it may be seen."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from dataclasses import dataclass, replace

from chatbot.client import SlackClient
from chatbot.directory import Directory, Unknown
from chatbot.logs import find_request_id
from chatbot.render import render_result
from chatbot.replies import (
    Message,
    add_note,
    render_error,
    render_help,
    render_note,
    render_refusal,
    render_stopped,
    render_unexpected,
)
from chatbot.replies.parts import Span, channel, code, user
from chatbot.requests import LONGEST_TEXT, Ask
from chatbot.roles import KnownActor, Roles
from chatbot.settings import ChatbotSettings
from jobs_maint.actions import Action, GetJob, Role, ShowHelp
from jobs_maint.database import Pool
from jobs_maint.errors import InvalidRequest, JobsMaintError, NotPermitted
from jobs_maint.grammar import Request, build_help, parse_words, split_text
from jobs_maint.perform import claim_request, perform
from jobs_maint.settings import MaintSettings

__all__ = ["Answers"]

log = logging.getLogger(__name__)

LAST_WORDS = 3.0
"""Seconds for a word to the one whose request is stopped with the process."""


@dataclass(frozen=True, slots=True)
class _Answer:
    message: Message
    private: bool
    act: bool = False
    replaces: bool = False


class Answers:
    """Handles asks; `handle` never raises."""

    def __init__(
        self,
        settings: ChatbotSettings,
        maint: MaintSettings,
        pool: Pool,
        slack: SlackClient,
        directory: Directory,
    ) -> None:
        self._settings = settings
        self._maint = maint
        self._pool = pool
        self._slack = slack
        self._directory = directory
        self._roles = Roles(settings.roles, directory)

    async def handle(self, ask: Ask) -> None:
        """Each key once: a request that Slack or somebody else repeats changes nothing."""
        try:
            if not await claim_request(self._pool, ask.key):
                log.info("chatbot.request_repeated user=%s channel=%s", ask.user, ask.channel)
                return
            answer = await self._answer(ask)
        except JobsMaintError as exc:
            answer = self._error(exc, ask)
        except asyncio.CancelledError:
            await self._tell_stopped(ask)
            raise
        except Exception as exc:  # noqa: BLE001  logged, and told to the one who asked
            answer = self._unexpected(exc, ask, act=False)
        await self._try_to_deliver(ask, answer)

    async def _tell_stopped(self, ask: Ask) -> None:
        """The process ends, so this has seconds; without it somebody waits for an answer."""
        log.warning("chatbot.request_stopped user=%s channel=%s", ask.user, ask.channel)
        message = render_stopped(self._settings.command, ask.text)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self._try_to_deliver(ask, _Answer(message, private=True))

    async def _try_to_deliver(self, ask: Ask, answer: _Answer) -> None:
        try:
            await self._deliver(ask, await self._where_allowed(ask, answer))
        except JobsMaintError as exc:
            log.warning("chatbot.answer_lost channel=%s reason=%s", ask.channel, exc)
        except Exception:
            log.exception("chatbot.answer_failed channel=%s", ask.channel)

    async def _answer(self, ask: Ask) -> _Answer:
        if ask.too_long:
            raise InvalidRequest(
                f"the command is longer than {LONGEST_TEXT:,} characters; nothing of it was read. "
                "Split it into several"
            )
        request = parse_words(split_text(ask.text), "slack")
        try:
            known = await self._roles.build_actor(
                ask.user, ask.channel, request.action, name=ask.name
            )
            return await self._run(ask, request, known)
        except JobsMaintError:
            raise
        except Exception as exc:  # noqa: BLE001  logged, and told to the one who asked
            return self._unexpected(exc, ask, act=request.action.act)

    async def _run(self, ask: Ask, request: Request, known: KnownActor) -> _Answer:
        action = request.action
        command = self._settings.command
        if isinstance(action, ShowHelp):
            report = build_help(known.actor, "slack", action.about)

            def holders(role: Role) -> tuple[tuple[str, ...], tuple[str, ...]]:
                return self._roles.holders(role, known.actor)

            message = render_help(report, command, holders, known.problems)
            return _Answer(message, private=True)
        if action.act and request.private:
            raise InvalidRequest(
                f"{action.word} has no option --private; what changes jobs is told to the channel"
            )
        try:
            result = await perform(self._pool, known.actor, action, settings=self._maint)
        except NotPermitted as exc:
            return _Answer(self._refuse(exc, action, known), private=True)
        private = isinstance(action, GetJob) or request.private
        private = not action.act and (private or ask.private)
        message = render_result(result, command, by=ask.user)
        if ask.clicked and not ask.refresh and not private and not action.act:
            # A typed command is shown by Slack; for a click we say who asked.
            message = add_note(message, "asked by ", user(ask.user))
        replaces = ask.refresh and private == ask.private
        return _Answer(message, private, act=action.act, replaces=replaces)

    def _refuse(self, exc: NotPermitted, action: Action, known: KnownActor) -> Message:
        needed = Role(exc.needs or action.role or Role.VIEWER)
        users, groups = self._roles.holders(needed, known.actor)
        elsewhere: list[str] = []
        if known.actor.scope(needed) is None:
            held = (grant for grant in known.actor.grants if grant.role.covers(needed))
            elsewhere = [place for grant in held for place in grant.channels or ()]
        return render_refusal(
            exc,
            users=users,
            usergroups=groups,
            problems=known.problems,
            passing=known.passing,
            elsewhere=list(dict.fromkeys(elsewhere)),
            act=action.act,
        )

    def _error(self, exc: JobsMaintError, ask: Ask) -> _Answer:
        suggestion = exc.suggestion if isinstance(exc, InvalidRequest) else None
        if suggestion is not None and not _can_run(suggestion):
            suggestion = None
        message = render_error(exc, self._settings.command, ask.text, suggestion=suggestion)
        return _Answer(message, private=True)

    def _unexpected(self, exc: Exception, ask: Ask, *, act: bool) -> _Answer:
        error_id = find_request_id() or secrets.token_hex(4)
        log.error(
            "chatbot.request_failed error_id=%s user=%s channel=%s",
            error_id,
            ask.user,
            ask.channel,
            exc_info=exc,
        )
        message = render_unexpected(error_id, self._settings.command, ask.text, act=act)
        return _Answer(message, private=True)

    async def _where_allowed(self, ask: Ask, answer: _Answer) -> _Answer:
        """Nothing goes where people of another organisation read it."""
        if answer.private:
            return answer
        if ask.channel.startswith("D"):
            return replace(answer, private=True, replaces=answer.replaces and ask.private)
        try:
            if not await self._directory.is_shared_outside(ask.channel):
                return answer
            why = "this channel is shared with another organisation."
        except Unknown as exc:
            why = "the bot is not in this channel. With /invite it can answer to all."
            if not exc.is_about_membership:
                why = f"the bot cannot tell whether people outside read this channel. {exc}"
        message = add_note(answer.message, f"Only you see this: {why}")
        return replace(answer, message=message, private=True, replaces=False)

    async def _deliver(self, ask: Ask, answer: _Answer) -> None:
        try:
            await self._respond(ask, answer)
        finally:
            if answer.act:
                await self._tell_audit_channel(ask, answer)

    async def _respond(self, ask: Ask, answer: _Answer) -> None:
        await self._slack.respond(
            ask.response_url,
            answer.message,
            channel=ask.channel,
            user=ask.user,
            in_channel=not answer.private,
            replace_original=answer.replaces,
        )

    async def _tell_audit_channel(self, ask: Ask, answer: _Answer) -> None:
        place = self._settings.audit_channel
        if place is None or (place == ask.channel and not answer.private):
            return
        where: Span | str = "a direct message"
        if not ask.channel.startswith("D"):
            where = channel(ask.channel)
        typed = code(f"{self._settings.command} {ask.text}")
        message = add_note(answer.message, user(ask.user), " in ", where, " · ", typed)
        try:
            if await self._is_outside(place):
                log.warning("chatbot.audit_channel_refused channel=%s", place)
                note = f"The audit channel {place} was not told: it is shared outside."
            else:
                await self._slack.post(place, message)
                return
        except JobsMaintError as exc:
            log.warning("chatbot.audit_channel_failed channel=%s reason=%s", place, exc)
            note = f"The audit channel could not be told: {exc}"
        await self._respond(ask, _Answer(render_note(note), private=True))

    async def _is_outside(self, place: str) -> bool:
        try:
            return await self._directory.is_shared_outside(place)
        except Unknown:
            # The channel was chosen in the settings; only a known danger keeps us out.
            return False


def _can_run(words: str) -> bool:
    try:
        parse_words(split_text(words), "slack")
    except InvalidRequest:
        return False
    return True
