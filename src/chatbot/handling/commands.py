"""Answer one request: the core checks and works, then the message goes where it may be seen."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import Any

from chatbot.access.roles import KnownActor
from chatbot.handling.context import Services
from chatbot.handling.delivery import NOT_HERE, Answer
from chatbot.handling.foreign import refuse_foreign
from chatbot.handling.help import answer_help
from chatbot.handling.job_modal import Modal, open_modal
from chatbot.handling.offers import keep_offers
from chatbot.handling.preview_buttons import Acts
from chatbot.handling.problems import (
    explain_error,
    explain_refusal,
    explain_unexpected,
    refuse_late,
)
from chatbot.handling.reach import shows_less, tell_reach, tell_shows_less
from chatbot.handling.read_limits import ReadLimits
from chatbot.handling.shared_reads import Shared
from chatbot.handling.told import deliver
from chatbot.handling.used_words import add_what_follows
from chatbot.inbound.slack_request import BUTTONS, LONGEST_TEXT, SlackRequest
from chatbot.messages import (
    Message,
    add_note,
    add_notes,
    render_acts,
    render_details,
    render_note,
    render_stopped,
)
from chatbot.messages.people import name_actor
from chatbot.messages.result import render_result
from chatbot.setup.doctor_in_slack import add_slack
from jobs_maint.actions import (
    ALL_QUEUES,
    Action,
    GetIncident,
    GetJob,
    ListFailed,
    PreviewBulk,
    PreviewPurge,
    RescueJobs,
    Role,
    RunDoctor,
    ShowHelp,
)
from jobs_maint.errors import InvalidRequest, JobsMaintError, NotPermitted
from jobs_maint.grammar import Command, parse_words, split_text
from jobs_maint.models import JobDetails, Preview
from jobs_maint.perform import Watch, claim_request, perform

__all__ = ["Answers"]

log = logging.getLogger(__name__)

NOT_SHARED = "This was not shared: "
LAST_WORDS = 3.0


def _may_act(request: SlackRequest) -> bool:
    """Whether it may change something; of what cannot be read nothing is done."""
    if request.button in {"confirm", "dismiss", "stop"}:
        return True
    try:
        return parse_words(split_text(request.text), "slack").action.act
    except InvalidRequest:
        return False


def _is_apt(request: SlackRequest, action: Action[Any]) -> bool:
    """Whether one of our buttons carries this action: only `run` changes jobs."""
    if request.button == "share":
        return isinstance(action, GetJob)
    return request.button == "run" or not action.act


def _is_private(request: SlackRequest, command: Command) -> bool:
    """Whether only the asker sees what was read."""
    private = isinstance(command.action, GetJob | GetIncident) or command.private
    return not command.action.act and (private or request.private)


class Answers:
    """Handles asks; `handle` never raises."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._acts = Acts(services)
        self._shared = Shared()
        self._reads = ReadLimits(services.pool.max_size // 2)
        self._previews = ReadLimits(services.pool.max_size // 4)

    async def close(self) -> None:
        await self._shared.close()

    async def handle(self, request: SlackRequest) -> None:
        """Handle each key once: a request that Slack or somebody else repeats changes nothing."""
        answer: Answer | None
        try:
            act = _may_act(request)
            if not await claim_request(self._services.pool, request.key, act=act):
                log.info(
                    "chatbot.request_repeated user=%s channel=%s", request.user, request.channel
                )
                return
            answer = await self._answer(request)
        except JobsMaintError as exc:
            answer = await explain_error(self._services, exc, request)
        except asyncio.CancelledError:
            await self._tell_stopped(request)
            raise
        except Exception as exc:  # noqa: BLE001  logged, and reported to the asker
            act = request.button in {"confirm", "stop"}
            answer = explain_unexpected(self._services, exc, request, act=act)
        if answer is not None:
            await self._deliver(request, answer)

    async def _deliver(self, request: SlackRequest, answer: Answer) -> None:
        if answer.undone is not None:
            seen = await self._services.origins.tell_undone(request.channel, answer.undone)
            if seen and request.clicked and request.private:
                # Everybody sees it there; what only the asker saw is not true any more.
                answer = replace(answer, private=True, replaces=True)
        if answer.replaces:
            self._services.origins.forget(request)
        await deliver(self._services, request, answer)
        if answer.used is not None:
            await self._services.origins.tell_done(request.channel, *answer.used)
        if answer.wakes:
            self._services.woken.set()

    async def _tell_stopped(self, request: SlackRequest) -> None:
        """Tell the asker, in the seconds before the process ends, that no answer will come."""
        log.warning("chatbot.request_stopped user=%s channel=%s", request.user, request.channel)
        message = render_stopped(self._services.command, request.words)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                answer = Answer(message, private=True)
                await self._services.delivery.try_to_deliver(request, answer)

    async def _answer(self, request: SlackRequest) -> Answer | None:
        if request.too_long:
            raise InvalidRequest(
                f"the command is longer than {LONGEST_TEXT:,} characters; none of it was run. "
                "Split it into several commands"
            )
        await refuse_foreign(self._services, request)
        self._services.origins.remember(request)
        if request.button not in BUTTONS:
            raise InvalidRequest(
                "this button comes from another version of the bot, so it did nothing; type the "
                "command instead"
            )
        match request.button:
            case "confirm" | "stop" if request.slept:
                raise refuse_late(request)
            case "confirm":
                return await self._acts.confirm(request)
            case "dismiss":
                return await self._acts.dismiss(request)
            case "stop":
                return await self._acts.stop(request)
        return await self._answer_words(request)

    async def _answer_words(self, request: SlackRequest) -> Answer | None:
        command = parse_words(split_text(request.text), "slack")
        if command.action.act and request.slept:
            raise refuse_late(request)
        if isinstance(command.action, ListFailed):
            command = replace(command, action=replace(command.action, grouped=True))
        if not _is_apt(request, command.action):
            raise InvalidRequest(
                f"this button is not allowed to {command.action.word}; nothing was done"
            )
        try:
            in_modal = request.button == "run" or request.view is not None
            if isinstance(command.action, GetJob) and in_modal:
                modal = await open_modal(self._services, request, command.action)
                if modal is not None:
                    return await self._show_job(request, command.action, modal)
            offers = _is_private(request, command)
            known = await self._services.find_actor(request, command.action, offers=offers)
            answer = await self._run(request, command, known)
            if request.view is None or not command.action.act:
                return answer
            # The result first: the modal may be closed by now.
            await self._deliver(request, answer)
            await self._show_anew(request)
            return None  # noqa: TRY300  all of it may fail unexpectedly
        except JobsMaintError:
            raise
        except Exception as exc:  # noqa: BLE001  logged, and reported to the asker
            return explain_unexpected(self._services, exc, request, act=command.action.act)

    async def _run(self, request: SlackRequest, command: Command, known: KnownActor) -> Answer:
        action = command.action
        services = self._services
        by = services.name_asker(request)
        if isinstance(action, ShowHelp):
            return await answer_help(services, action, known)
        if action.act and command.private:
            raise InvalidRequest(
                f"{action.word} has no option --private; changes to jobs are shown in the channel"
            )
        watch = Watch(place=(request.channel, None))
        try:
            result = await self._perform(action, known, watch)
        except NotPermitted as exc:
            return Answer(await explain_refusal(services, exc, action, known), private=True)
        if request.button == "share":
            return await self._share(request, result)
        if isinstance(action, RunDoctor) and services.only is None:  # else there is no Slack
            result = await add_slack(result, services.settings, services.slack, services.directory)
        message = await self._render(request, command, result)
        private = _is_private(request, command)
        if private:
            message = replace(message, blocks=keep_offers(message.blocks, known, result))
        if request.clicked and not request.refresh and not private and not action.act:
            # A typed command is shown by Slack; for a click we say who asked.
            message = add_note(message, "asked by ", name_actor(by))
        told = action.act and not isinstance(result, Preview)  # which only asks
        reach = known.actor.scope(Role.VIEWER) or ALL_QUEUES
        if not told:
            message = tell_reach(message, reach, result)
        if not (private or action.act) and shows_less(request, reach):
            message, private = tell_shows_less(message), True
        replaces = request.refresh and private == request.private
        answer = Answer(message, private, told, replaces, watch.audit_id)
        return add_what_follows(answer, action, result, request, by) if told else answer

    async def _render(self, request: SlackRequest, command: Command, result: Any) -> Message:
        services, by = self._services, self._services.name_asker(request)
        if isinstance(command.action, RescueJobs) and not isinstance(result, Preview):
            return render_acts(result, services.command, by=by)
        # Some reports are of thousands: other answers go on meanwhile.
        return await asyncio.to_thread(
            render_result,
            result,
            services.command,
            by=by,
            page=request.page,
            dry_run=command.dry_run,
            runbooks=services.settings.runbooks,
        )

    async def _perform(self, action: Any, known: KnownActor, watch: Watch | None = None) -> Any:
        """Those who see all queues see the same: when many ask at once, one look-up serves them."""
        services = self._services

        async def look_up() -> Any:
            limits = self._reads
            if isinstance(action, PreviewBulk | PreviewPurge):
                limits = self._previews
            elif action.act:
                return await perform(
                    services.pool, known.actor, action, settings=services.maint, watch=watch
                )
            async with limits.turn(known.actor.id):
                return await perform(services.pool, known.actor, action, settings=services.maint)

        if action.role is Role.VIEWER and known.actor.scope(Role.VIEWER) == ALL_QUEUES:
            return await self._shared.get(action, look_up)
        return await look_up()

    async def _show_job(self, request: SlackRequest, action: GetJob, modal: Modal) -> Answer | None:
        """None, or the message to send when the modal cannot show it."""
        services = self._services
        try:
            known = await services.find_actor(request, action, offers=True)
            job: JobDetails = await self._perform(action, known)
        except NotPermitted as exc:
            message = await explain_refusal(services, exc, action, known)
        except JobsMaintError as exc:
            message = (await explain_error(services, exc, request)).message
        except Exception as exc:  # noqa: BLE001  logged, and reported to the asker
            message = explain_unexpected(services, exc, request, act=False).message
        else:
            if await modal.show(job, known):
                return None
            message = render_result(
                job,
                services.command,
                by=services.name_asker(request),
                runbooks=services.settings.runbooks,
            )
            message = replace(message, blocks=keep_offers(message.blocks, known, job))
            return Answer(message, private=True)
        shown = await modal.show_message(message, action.job_id)
        return None if shown else Answer(message, private=True)

    async def _show_anew(self, request: SlackRequest) -> None:
        """Refresh the modal whose button changed its job; a failure is only logged."""
        try:
            action = parse_words(split_text(request.shown), "slack").action
            if isinstance(action, GetJob):
                modal = await open_modal(self._services, request, action)
                if modal is not None:
                    await self._show_job(request, action, modal)
        except Exception as exc:  # noqa: BLE001  the act itself was reported
            log.warning("chatbot.modal_not_renewed error=%s", type(exc).__name__)

    async def _share(self, request: SlackRequest, job: JobDetails) -> Answer:
        """Show the channel what only the asker saw; pressing the button is their consent."""
        obstacle: str | None = "only you read this conversation. Use the command in a channel."
        if not request.channel.startswith("D"):
            self._services.delivery.remember_place(request)
            obstacle = await self._services.delivery.find_obstacle(request.channel)
        if obstacle is not None:
            return Answer(render_note(f"{NOT_SHARED}{obstacle}"), private=True)
        runbooks = self._services.settings.runbooks
        shown = add_notes(render_details(job, runbooks=runbooks), job)
        asker = name_actor(self._services.name_asker(request))
        shared = add_note(shown, "shared by ", asker)
        return Answer(shared, private=False, instead=render_note(f"{NOT_SHARED}{NOT_HERE}"))
