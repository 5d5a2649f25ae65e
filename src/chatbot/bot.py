"""The Bolt app: acknowledge at once, then work; no exception leaves a listener."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from slack_bolt.async_app import AsyncApp, AsyncBoltContext
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from chatbot.handling.commands import Answers
from chatbot.handling.context import build_services
from chatbot.inbound.slack_request import (
    SHARE,
    SlackRequest,
    read_click,
    read_command,
    read_submission,
)
from chatbot.runtime.awake import Awake
from chatbot.runtime.work import Work
from chatbot.settings.bot import ChatbotSettings
from chatbot.slack.client import SlackClient
from chatbot.slack.identity import Identity
from chatbot.slack.quiet import silent_logger
from jobs_maint.actions import Actor
from jobs_maint.database import Pool, check_schema
from jobs_maint.errors import (
    DatabaseUnavailable,
    JobsMaintError,
    SchemaMismatch,
)
from jobs_maint.settings import MaintSettings

__all__ = ["Bot", "build_app"]

log = logging.getLogger(__name__)

SLACK_CHECK = 60.0
"""Seconds for which `is_ready` trusts one `auth.test`."""
LONGEST_LOOK = 5.0
"""Seconds within which `is_ready` answers; a look that takes longer is waited for by the next."""
FAILURE_KEPT = 2.0
"""Seconds for which `is_ready` repeats why it is not."""
_NOT_READY = (
    # These may name tables and hosts, and anybody may ask.
    (SchemaMismatch, "tables are missing or out of date; run `jobs-maint schema apply`"),
    (DatabaseUnavailable, "the jobs database does not answer; the bot's log says more"),
)
_TOO_SLOW = f"the jobs database or Slack did not answer within {LONGEST_LOOK:.0f} s"
Reader = Callable[[Mapping[str, Any], str], SlackRequest]


def build_app(
    settings: ChatbotSettings,
    pool: Pool,
    *,
    maint: MaintSettings | None = None,
    clock: Callable[[], float] = time.time,
) -> AsyncApp:
    """The app, for a process of your own, which must verify the requests' signatures.

    `Bot` adds what a process needs: readiness and a way to drain.
    """
    return Bot(settings, pool, maint=maint, clock=clock).app


class Bot:
    """The app and what its process needs. `clock` returns seconds; ages are judged by it."""

    def __init__(
        self,
        settings: ChatbotSettings,
        pool: Pool,
        *,
        maint: MaintSettings | None = None,
        clock: Callable[[], float] = time.time,
        slack: SlackClient | None = None,
        ready_pool: Pool | None = None,
        only: Actor | None = None,
    ) -> None:
        """`ready_pool`: for the check of readiness alone, which must not wait for commands.

        `only`: whoever asks is this person, as in `jobs-chatbot local`.
        """
        self.settings = settings
        self.work = Work()
        self.awake = Awake()
        maint = maint or MaintSettings.load()
        self.slack = slack or SlackClient(settings)
        self.slack.stamp.environment = maint.environment or ""
        self._pool = pool
        self._clock = clock
        self._identity: Identity | None = None
        self._checked_at = float("-inf")
        self._ready_pool = ready_pool or pool
        self._look: asyncio.Task[str | None] | None = None
        self._problem: str | None = None
        self._failed_at = float("-inf")
        self._told = ""
        self.services = build_services(settings, maint, pool, self.slack, self.work, clock, only)
        self._answers = Answers(self.services)
        self.app = self._build()

    async def identify(self) -> Identity:
        """Ask Slack whose token this is. Raises InvalidSettings for a bad one, SlackUnavailable."""
        self._identity = await self.slack.web.auth_test()
        self._checked_at = self._clock()
        return self._identity

    async def is_ready(self) -> str | None:
        """None if requests can be served now, otherwise why not, in words for strangers.

        Who asks at once shares one look, and a failure is kept for a moment.
        """
        if 0 <= self._clock() - self._failed_at <= FAILURE_KEPT:
            return self._problem
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._find_problem())
        look = self._look
        done, _ = await asyncio.wait({look}, timeout=LONGEST_LOOK)
        problem = self._problem = look.result() if done else _TOO_SLOW
        self._failed_at = self._clock() if problem else float("-inf")
        return problem

    async def _find_problem(self) -> str | None:
        try:
            await check_schema(self._ready_pool)
            if not 0 <= self._clock() - self._checked_at <= SLACK_CHECK:
                await self.identify()
        except JobsMaintError as exc:
            if str(exc) != self._told:
                self._told = str(exc)
                log.warning("chatbot.not_ready reason=%s", exc)
            return next((text for kind, text in _NOT_READY if isinstance(exc, kind)), str(exc))
        self._told = ""
        return None

    async def close(self, seconds: float = 25.0) -> None:
        """Finish the work in flight, then close the connections to Slack."""
        if late := await self.work.drain(seconds):
            log.warning("chatbot.work_cancelled count=%d", late)
        if self._look is not None:
            self._look.cancel()
        await self._answers.close()
        await self.slack.close()

    def _build(self) -> AsyncApp:
        # Bolt calls it with keyword arguments and does not accept a bound method.
        async def authorize(
            enterprise_id: str | None = None, team_id: str | None = None
        ) -> AuthorizeResult:
            return self._authorize(enterprise_id, team_id)

        app = AsyncApp(
            # Not `chatbot`: Bolt silences the logger of this name together with its own.
            name="slack_bolt_app",
            logger=silent_logger(),
            client=AsyncWebClient(base_url=self.settings.slack_api_url, logger=silent_logger()),
            authorize=authorize,
            request_verification_enabled=False,
            # Listeners only acknowledge and start the work; otherwise Bolt would check every 10 ms
            # whether they did.
            process_before_response=True,
            attaching_function_token_enabled=False,
            attaching_conversation_kwargs_enabled=False,
        )

        async def on_command(ack: Any, body: dict[str, Any], context: AsyncBoltContext) -> None:
            await ack()
            self._take(read_command, body, context)

        async def on_click(ack: Any, body: dict[str, Any], context: AsyncBoltContext) -> None:
            await ack()
            self._take(read_click, body, context)

        async def on_submit(ack: Any, body: dict[str, Any], context: AsyncBoltContext) -> None:
            await ack()
            self._take(read_submission, body, context)

        async def on_unknown_command(ack: Any, body: dict[str, Any]) -> None:
            name = str(body.get("command", ""))[:40]
            await ack(
                response_type="ephemeral",
                text=f"🟡 This bot listens to {self.settings.command}, not to {name}. "
                "Whoever installed the app can make the names match (CHATBOT_COMMAND).",
            )

        async def on_other(ack: Any) -> None:
            await ack()

        async def on_error(error: Exception) -> BoltResponse:
            # Not the error itself: it may quote the body.
            log.error("chatbot.request_unreadable error=%s", type(error).__name__)
            return BoltResponse(status=400)

        async def refuse_foreign(body: dict[str, Any], next: Any) -> Any:  # noqa: A002  Bolt's name
            return await self._refuse_foreign(body) or await next()

        app.use(refuse_foreign)
        app.error(on_error)
        app.command(self.settings.command)(on_command)
        app.command(re.compile(r".*"))(on_unknown_command)
        app.action(re.compile(r"^jobs_[a-z]+:"))(on_click)
        app.view(SHARE)(on_submit)
        # Left open by an older version of the app; unanswered, Slack would show an error.
        app.action(re.compile(r".*"))(on_other)
        app.view(re.compile(r".*"))(on_other)
        app.view_closed(re.compile(r".*"))(on_other)
        app.shortcut(re.compile(r".*"))(on_other)
        return app

    async def _refuse_foreign(self, body: Mapping[str, Any]) -> BoltResponse | None:
        """The refusal of a request that Slack signed for another workspace or app."""
        try:
            who = self._identity or await self.slack.web.get_identity()
        except JobsMaintError as exc:
            log.warning("chatbot.request_refused reason=unknown_identity error=%s", exc.code)
            return BoltResponse(status=503)
        if (what := who.find_foreign(body)) is None:
            return None
        log.warning(
            "chatbot.request_foreign %s: this bot serves team=%s enterprise=%s app=%s; use the bot "
            "token, app token and signing secret of one app in one workspace",
            what, who.team_id, who.enterprise_id or "-", who.app_id or "-",
        )  # fmt: skip
        return BoltResponse(status=401)

    def _take(self, read: Reader, body: Mapping[str, Any], context: AsyncBoltContext) -> None:
        """Start the work. A listener that raises after its ack would lose the ack."""
        try:
            request = read(body, str(context.get("delivery", "")))
            request = replace(request, slept=self.awake.slept())
        except Exception as exc:  # noqa: BLE001  the request is signed, so the fault is ours
            log.error("chatbot.request_unreadable error=%s", type(exc).__name__)  # noqa: TRY400  no body in the log
            return
        self.work.start(self._answers.handle(request))

    def _authorize(self, enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        """Every signed request is for this one workspace, so there is no need to ask Slack."""
        who = self._identity
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id,
            bot_user_id=who.user_id if who else None,
            bot_id=who.bot_id if who else None,
            bot_token=self.settings.require_bot_token(),
        )
