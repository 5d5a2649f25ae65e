"""HTTP: `POST /slack/events` behind our own signature check, `/healthz`, `/readyz`.

The check is ours because Bolt answers some forged requests with 500 and logs the body of others.
No part of a body is logged here at any level.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest

from chatbot.inbound.bodies import Bodies, BodyRefused
from chatbot.inbound.guarded_server import REFUSALS, GuardedRunner, mark_checked
from chatbot.inbound.refusals import RefusalLog
from chatbot.runtime.logs import identified

__all__ = ["build_runner", "build_web", "check_signature"]

LARGEST_BODY = 512 * 1024
LONGEST_CHECK = 2_000
"""Bytes: of a request without a signature no more is read. It may be Slack's `ssl_check`."""
WINDOW = 300.0
"""Seconds for which a signature is valid; Slack's own rule."""
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)

Ready = Callable[[], Awaitable[str | None]]
"""None when ready, else the reason."""


def check_signature(
    secret: str, *, timestamp: str | None, signature: str | None, body: bytes, now: float
) -> str | None:
    """None for a request that Slack signed at most five minutes ago, else what is wrong with it."""
    if timestamp is None or signature is None:
        return "unsigned"
    if not _TIMESTAMP.fullmatch(timestamp) or not _SIGNATURE.fullmatch(signature):
        return "malformed"
    if abs(now - int(timestamp)) > WINDOW:
        return f"stale by={now - int(timestamp):.0f}s"
    base = b"v0:" + timestamp.encode() + b":" + body
    expected = "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return None if hmac.compare_digest(expected, signature) else "forged"


def build_web(
    app: AsyncApp | None, secret: str | None, *, ready: Ready, clock: Callable[[], float]
) -> web.Application:
    """The routes; without `app` and `secret` (Socket Mode) only those for health."""
    site = web.Application(client_max_size=LARGEST_BODY)
    refusals = site[REFUSALS] = RefusalLog()

    async def answer_health(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def answer_ready(_request: web.Request) -> web.Response:
        problem = await ready()
        return web.Response(status=503 if problem else 200, text=problem or "ready")

    async def answer_elsewhere(request: web.Request) -> web.Response:
        path = re.sub(r"[^\w/.-]", "?", request.path, flags=re.ASCII)[:60]
        refusals.warning(
            "chatbot.request_refused reason=wrong_path path=%s: Slack's request URL ends in "
            "/slack/events, by POST", path,
        )  # fmt: skip
        return web.Response(status=404)

    site.router.add_get("/healthz", answer_health)
    site.router.add_get("/readyz", answer_ready)
    if app is not None and secret is not None:
        site.router.add_post("/slack/events", _Events(app, secret, clock, refusals).answer)
        site.router.add_route("*", "/{path:.*}", answer_elsewhere)
    return site


def build_runner(site: web.Application, *, shutdown_timeout: float = 5.0) -> web.AppRunner:
    """The server for the site.

    Slack never compresses a request, so bodies are not unpacked: a compressed one is refused like
    any other forgery, even if it would unpack to gigabytes.
    """
    return GuardedRunner(
        site, access_log=None, shutdown_timeout=shutdown_timeout, auto_decompress=False
    )


class _Events:
    def __init__(
        self, app: AsyncApp, secret: str, clock: Callable[[], float], refusals: RefusalLog
    ) -> None:
        self._app = app
        self._secret = secret
        self._clock = clock
        self._refusals = refusals
        self._bodies = Bodies()

    async def answer(self, request: web.Request) -> web.Response:
        with identified():
            return await self._answer(request)

    async def _answer(self, request: web.Request) -> web.Response:
        looks_signed = _looks_signed(request)
        try:
            body = await self._bodies.read(request, LARGEST_BODY if looks_signed else LONGEST_CHECK)
        except BodyRefused as exc:
            status, reason = exc.status, exc.reason
            if not looks_signed and status == 413:
                status, reason = 401, "unsigned"
            self._refusals.warning("chatbot.request_refused reason=%s", reason)
            refused = web.Response(status=status)
            refused.force_close()
            return refused
        if _is_ssl_check(body):
            # Slack's protocol: it is unsigned, expects an answer and runs nothing.
            return web.Response()
        signature = request.headers.get("X-Slack-Signature")
        problem = check_signature(
            self._secret,
            timestamp=request.headers.get("X-Slack-Request-Timestamp"),
            signature=signature,
            body=body,
            now=self._clock(),
        )
        if problem is not None:
            told = f"{problem}{_explain(problem)}"
            self._refusals.warning("chatbot.request_refused reason=%s", told)
            return web.Response(status=401)
        mark_checked(request)
        try:
            ask = AsyncBoltRequest(
                body=body.decode(),
                query=request.query_string,
                headers={name: [value] for name, value in request.headers.items()},
                context={"delivery": hashlib.sha256(str(signature).encode()).hexdigest()},
            )
            return await to_aiohttp_response(await self._app.async_dispatch(ask))
        except Exception as exc:  # noqa: BLE001  Bolt fails on a body that is not an object
            # Not the exception itself: it may quote the body.
            name = type(exc).__name__
            self._refusals.warning("chatbot.request_refused reason=unreadable error=%s", name)
            return web.Response(status=400)


def _looks_signed(request: web.Request) -> bool:
    timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
    signature = request.headers.get("X-Slack-Signature", "")
    return bool(_TIMESTAMP.fullmatch(timestamp) and _SIGNATURE.fullmatch(signature))


def _explain(problem: str) -> str:
    if problem.startswith("stale"):
        return ": a replay, or this machine's clock is wrong"
    if problem == "forged":
        return ": SLACK_SIGNING_SECRET is of another app, or a proxy changed the body"
    return ""


def _is_ssl_check(body: bytes) -> bool:
    if len(body) > LONGEST_CHECK or b"ssl_check" not in body:
        return False
    fields = parse_qs(body.decode("ascii", "replace"))
    return fields.get("ssl_check") == ["1"]
