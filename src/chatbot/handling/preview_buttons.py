"""The buttons of a preview and of a running act: confirm, not now, stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, datetime
from typing import Any
from weakref import WeakSet

from chatbot.access.roles import KnownActor
from chatbot.handling.context import Services
from chatbot.handling.delivery import Answer
from chatbot.handling.follow_ups import Followed
from chatbot.handling.problems import explain_refusal
from chatbot.handling.running import RunningAct
from chatbot.handling.targets import find_target, target_of_click
from chatbot.handling.told import store
from chatbot.inbound.slack_request import SlackRequest
from chatbot.messages import Message
from chatbot.messages.act_words import read_asked
from chatbot.messages.errors import render_note
from chatbot.messages.marking import Mark, tell_who_ran
from chatbot.messages.outcome import render_bulk, render_dropped, render_too_late
from chatbot.messages.purge import render_purge
from chatbot.slack.errors import SlackUnavailable
from jobs_maint.actions import (
    ALL_QUEUES,
    Action,
    CloseRun,
    ConfirmSelection,
    DropSelection,
    FollowJobs,
    Role,
    StopRun,
)
from jobs_maint.errors import InvalidRequest, JobsMaintError, NotPermitted, SelectionExpired
from jobs_maint.models import Aftermath, BulkReport, PurgeReport
from jobs_maint.perform import perform

__all__ = ["Acts"]

log = logging.getLogger(__name__)

TOO_LATE = {"late", "replaced"}
"""Why a preview's own message has to change: its buttons do nothing any more."""
LAST_WORDS = 3.0
RESTARTED = "the bot is being restarted"
ASKED_ELSEWHERE = (
    "Another process of the bot runs this and was asked to stop. Its message says how it ended: in "
    "a moment, or within a minute or two if that process was killed."
)
UNFORESEEN = "something went wrong in the bot"


class Acts:
    """Each returns the private answer to whoever pressed the button, if there is one."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._running: WeakSet[RunningAct] = WeakSet()

    async def confirm(self, request: SlackRequest) -> Answer | None:
        """Run what the preview showed; its message shows the progress, then the outcome."""
        services = self._services
        action = ConfirmSelection(request.key_of_preview)
        known = await services.find_actor(request, action)
        running = RunningAct(services, request, await find_target(services.directory, request))
        self._running.add(running)
        services.acts.add(running.watch)
        try:
            return await self._run(request, running, action, known)
        finally:
            services.acts.discard(running.watch)

    async def _run(
        self, request: SlackRequest, running: RunningAct, action: Action[Any], known: KnownActor
    ) -> Answer | None:
        services = self._services
        try:
            async with running.shown():
                report = await perform(
                    services.pool,
                    known.actor,
                    action,
                    settings=services.maint,
                    watch=running.watch,
                )
        except JobsMaintError as exc:
            if running.audit_id is None:
                return await self._explain_unbegun(request, exc, action, known)
            await self._tell(request, running, running.render_broken(str(exc)))
            return None
        except asyncio.CancelledError:
            with contextlib.suppress(TimeoutError, JobsMaintError):
                async with asyncio.timeout(LAST_WORDS):
                    await self._tell(request, running, running.render_broken(RESTARTED))
            raise
        except Exception:
            if running.audit_id is not None:
                await self._tell(request, running, running.render_broken(UNFORESEEN))
            raise
        await self._tell(request, running, self._render(report, request))
        if isinstance(report, BulkReport) and report.done:
            await self._tell_later(request, running, report, known)
        return None

    async def _explain_unbegun(
        self, request: SlackRequest, exc: JobsMaintError, action: Action[Any], known: KnownActor
    ) -> Answer | None:
        """Nothing was changed; raises what has no answer of its own."""
        services = self._services
        if isinstance(exc, NotPermitted):
            return Answer(await explain_refusal(services, exc, action, known), private=True)
        # An unknown preview may be of another database: its message is not ours to change.
        if isinstance(exc, SelectionExpired) and exc.why in TOO_LATE:
            message = render_too_late(request.words, services.command, why=exc.why)
            await RunningAct(services, request, target_of_click(request)).finish(message)
            return None
        raise exc

    async def _tell_later(
        self, request: SlackRequest, running: RunningAct, report: BulkReport, known: KnownActor
    ) -> None:
        """Also where the act came from, and once more when it is known what became of it."""
        services = self._services
        if report.verb == "retry":
            after = FollowJobs(request=report.audit_id)
            followed = Followed(after, lambda found: self._render(report, request, found))

            async def tell(message: Message) -> None:
                async with services.origins.replaced(request.channel, request.ts):
                    await running.finish(message)

            services.follow_ups.add(followed, tell)
        back = report.verb == "retry" and read_asked(report.words).puts_back
        who = tell_who_ran(report, services.name_asker(request), datetime.now(UTC), put_back=back)
        # Who reaches some queues only was not shown the others that the button names.
        whole = known.actor.scope(Role.OPERATOR) == ALL_QUEUES
        left = report.requested - report.done + report.remain if whole else None
        mark = Mark((who,), report.done, left)
        await services.origins.tell_done(request.channel, report.words, mark, add=True)

    async def _tell(self, request: SlackRequest, running: RunningAct, message: Message) -> None:
        """Show the outcome in both places; if one fails, the other still gets it.

        While Slack does not answer, the act stays among those that must still be told.
        """
        told = True
        try:
            await running.finish(message)
        except JobsMaintError as exc:
            told = not isinstance(exc, SlackUnavailable)
            log.warning("chatbot.outcome_untold channel=%s reason=%s", request.channel, exc)
        try:
            await self._services.delivery.tell_audit_channel(
                request,
                message,
                private=request.private,
                again=not told and running.audit_id is not None,
            )
        except JobsMaintError as exc:
            told = told and not isinstance(exc, SlackUnavailable)
            log.warning("chatbot.outcome_untold channel=%s reason=%s", request.channel, exc)
        end = running.watch.unwritten
        if running.audit_id is not None and (told or end is not None):
            await store(self._services, CloseRun(running.audit_id, end, told=told))

    def _render(
        self, report: Any, request: SlackRequest, after: Aftermath | None = None
    ) -> Message:
        why = RESTARTED if self._services.work.stopping.is_set() else ""
        command = self._services.command
        if isinstance(report, BulkReport):
            return render_bulk(
                report, command, by=self._services.name_asker(request), why_stopped=why, after=after
            )
        if isinstance(report, PurgeReport):
            return render_purge(
                report,
                command,
                by=self._services.name_asker(request),
                why_stopped=why,
                words=request.words,
            )
        raise TypeError(f"no outcome message for a {type(report).__name__}")

    async def dismiss(self, request: SlackRequest) -> Answer | None:
        services = self._services
        action = DropSelection(request.key_of_preview)
        known = await services.find_actor(request, action)
        try:
            words = await perform(services.pool, known.actor, action, settings=services.maint)
        except SelectionExpired as exc:
            if exc.why not in TOO_LATE:
                raise
            message = render_too_late(request.words, services.command, why=exc.why)
        else:
            message = render_dropped(words, services.command, by=self._services.name_asker(request))
        # Not an edit, of which the app has 50 a minute: a click has an address of its own.
        await RunningAct(services, request, target_of_click(request)).finish(message)
        return None

    async def stop(self, request: SlackRequest) -> Answer | None:
        services = self._services
        if not (request.text.isascii() and request.text.isdigit() and len(request.text) < 19):
            raise InvalidRequest("this button does not name a run; nothing was stopped")
        action = StopRun(int(request.text))
        known = await services.find_actor(request, action)
        try:
            await perform(services.pool, known.actor, action, settings=services.maint)
        except NotPermitted as exc:
            return Answer(await explain_refusal(services, exc, action, known), private=True)
        # Not a message of its own, which could arrive after the outcome.
        here = [running for running in self._running if running.audit_id == action.audit_id]
        for running in here:
            await running.show_stopping()
        return None if here else Answer(render_note(ASKED_ELSEWHERE), private=True)
