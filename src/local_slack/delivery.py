"""Brings commands and clicks to the app, and judges how it acks."""

import asyncio
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from slack_sdk.signature import SignatureVerifier

from local_slack.errors import ControlError, SlackError
from local_slack.journal import Delivered, Journal
from local_slack.modals import Modals
from local_slack.responses import Origin, Responses, parse_answer
from local_slack.sockets import Sockets
from local_slack.state import Workspace

TIMEOUT = "operation_timeout"
FAILED = "dispatch_failed"
MALFORMED = "invalid_command_response"
MALFORMED_VIEW = "invalid_view_response"


@dataclass(frozen=True)
class CommandResult:
    """How the app acked a command, a click, a submit or a close.

    `status` is the HTTP status (200 for an acked envelope, None when nothing came in time);
    `error_shown` is the code that the user sees, None when all went well.
    """

    request_id: str
    acked: bool
    status: int | None
    seconds: float
    error_shown: str | None


@dataclass(frozen=True)
class RawResponse:
    status: int
    body: str


@dataclass(frozen=True)
class _Request:
    kind: str
    payload: dict[str, Any]
    body: str
    headers: Mapping[str, str]
    origin: Origin

    @property
    def takes_answer(self) -> bool:
        """Whether the ack may carry a body."""
        return self.kind == "slash_commands" or self.is_submission

    @property
    def is_submission(self) -> bool:
        return self.payload.get("type") == "view_submission"


class Delivery:
    def __init__(
        self,
        workspace: Workspace,
        journal: Journal,
        responses: Responses,
        sockets: Sockets,
        modals: Modals,
    ) -> None:
        self._workspace = workspace
        self._modals = modals
        self._journal = journal
        self._responses = responses
        self._sockets = sockets
        self._app = workspace.config.app
        self._requests: dict[str, _Request] = {}
        self._session: aiohttp.ClientSession | None = None
        self.request_url = self._app.request_url

    async def send(self, kind: str, payload: dict[str, Any], origin: Origin) -> CommandResult:
        """Deliver a `slash_commands` or `interactive` payload once, as a fresh request."""
        is_command = kind == "slash_commands"
        body = urlencode(payload if is_command else {"payload": json.dumps(payload)})
        request = _Request(kind, payload, body, self.sign(body), origin)
        request_id = str(uuid.uuid4())
        self._requests[request_id] = request
        return await self._deliver(request_id, request)

    async def replay(self, request_id: str) -> CommandResult:
        """Deliver the same request again: same envelope id, same bytes and signature."""
        if request_id not in self._requests:
            raise ControlError(f"there was no request {request_id}")
        return await self._deliver(request_id, self._requests[request_id])

    async def post_raw(self, body: str, headers: Mapping[str, str]) -> RawResponse:
        """Post anything to the app; nothing is judged."""
        async with self._http().post(self._url(), data=body.encode(), headers=headers) as response:
            return RawResponse(response.status, await response.text())

    def sign(self, body: str, *, secret: str | None = None, age: float = 0.0) -> dict[str, str]:
        """Return Slack's headers, signed `age` seconds ago by the machine's own clock."""
        timestamp = str(int(time.time() - age))
        verifier = SignatureVerifier(secret or self._app.signing_secret)
        return {
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": verifier.generate_signature(timestamp=timestamp, body=body) or "",
        }

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _deliver(self, request_id: str, request: _Request) -> CommandResult:
        started = time.monotonic()
        status: int | None = None
        error: str | None = None
        try:
            if self._app.mode == "http":
                status, answer = await self._post(request)
            else:
                timeout = self._workspace.config.limits.ack_seconds
                answer = await self._sockets.send(
                    request.kind,
                    request.payload,
                    request_id,
                    timeout=timeout,
                    takes_answer=request.takes_answer,
                )
                status = 200
            error = self._judge(request, status, answer)
        except TimeoutError:
            error = TIMEOUT
            limit = self._workspace.config.limits.ack_seconds
            self._journal.add_breach("late_ack", f"no ack to a {request.kind} within {limit:g} s")
        except (aiohttp.ClientError, ConnectionError):
            error = FAILED
        if error is not None:
            self._show_error(request, error)
        seconds = time.monotonic() - started
        at = self._workspace.clock()
        self._journal.add_request(
            Delivered(request_id, request.kind, request.payload, status, seconds, error, at)
        )
        return CommandResult(request_id, status == 200, status, seconds, error)

    async def _post(self, request: _Request) -> tuple[int, Any]:
        async with (
            asyncio.timeout(self._workspace.config.limits.ack_seconds),
            self._http().post(
                self._url(),
                data=request.body.encode(),
                headers=request.headers,
                allow_redirects=False,
            ) as response,
        ):
            text = await response.text(errors="replace")
            is_json = response.content_type == "application/json"
            if not text or response.status != 200:
                return response.status, None
            return response.status, text if is_json else {"text": text}

    def _judge(self, request: _Request, status: int, answer: Any) -> str | None:
        """Show the ack's body; return the error that the user sees instead."""
        if status != 200:
            self._journal.add_breach("ack_status", f"a {request.kind} was acked with {status}")
            return FAILED
        if answer is not None and not request.takes_answer:
            self._journal.add_breach("ack_body_ignored", "the ack of a click cannot carry a body")
            return None
        try:
            self._take_answer(request, parse_answer(answer) if isinstance(answer, str) else answer)
        except SlackError as exc:
            if exc.is_breach:
                what = request.payload.get("type", "command")
                self._journal.add_breach("malformed_ack", f"the ack of a {what} has {exc.code}")
            return MALFORMED_VIEW if request.is_submission else MALFORMED
        return None

    def _take_answer(self, request: _Request, answer: Any) -> None:
        if request.is_submission and request.origin.view is not None:
            self._modals.respond(request.origin.view, answer)
        elif answer is not None:
            self._show_ack(request.origin, answer)

    def _show_ack(self, origin: Origin, answer: Any) -> None:
        if not isinstance(answer, dict):
            raise SlackError("invalid_payload")
        if "text" in answer or "blocks" in answer:
            self._responses.apply(origin, answer)
        elif answer.get("response_type") == "in_channel":
            self._responses.show_command(origin)
        elif answer.get("response_type") not in {None, "ephemeral"}:
            raise SlackError("invalid_response_type")

    def _show_error(self, request: _Request, error: str) -> None:
        if request.origin.view is not None:
            text = f'We had some trouble connecting: "{error}". Try again?'
            self._modals.show_trouble(request.origin.view, text)
            return
        what = request.payload["command"] if request.kind == "slash_commands" else "The button"
        self._responses.show_error(request.origin, f'{what} failed with the error "{error}"')

    def _url(self) -> str:
        if not self.request_url:
            raise ControlError("no request_url is set, so the app cannot be reached over HTTP")
        return self.request_url

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            # One connection per request, as if each came from another of Slack's machines.
            connector = aiohttp.TCPConnector(force_close=True)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session
