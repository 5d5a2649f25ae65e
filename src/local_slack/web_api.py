"""The Web API over HTTP: reads a call, checks token, scopes and limits, runs the method."""

import json
from typing import Any

from aiohttp import web

from local_slack.config import Channel
from local_slack.errors import SlackError
from local_slack.fault_answers import FAULT_STATUS, answer_fault, drop_connection
from local_slack.faults import Faults
from local_slack.journal import Journal
from local_slack.methods import METHODS, Method
from local_slack.posting import Api, Arguments

JSON_ARGUMENTS = ("attachments", "blocks", "message", "metadata", "view")
NOT_JSON = {"blocks": "invalid_blocks_format", "metadata": "invalid_metadata_format"}


class WebApi:
    def __init__(self, api: Api, journal: Journal, faults: Faults) -> None:
        self._api = api
        self._journal = journal
        self._faults = faults
        self._app = api.workspace.config.app

    async def handle(self, request: web.Request) -> web.Response:
        name = request.match_info["method"]
        arguments: Arguments = {}
        try:
            arguments = await read_arguments(request)
            has_blocks = bool(arguments.get("blocks") or arguments.get("view"))
            fault = self._faults.take(name, arguments.get("channel"), has_blocks=has_blocks)
            if fault is not None and fault.kind != "accepted_but_lost":
                self._journal.add_call(name, arguments, FAULT_STATUS[fault.kind], fault.kind)
                refusal = "invalid_arguments" if "view" in arguments else "invalid_blocks"
                response = await answer_fault(fault, self._faults, request, refusal=refusal)
                response.headers.update(self._headers(name))
                return response
            body = {"ok": True, **self._run(name, arguments)}
            self._journal.add_call(name, arguments, 200, fault.kind if fault else None)
            if fault is not None:
                return drop_connection(request)
            return web.json_response(body, headers=self._headers(name))
        except SlackError as error:
            self._journal.add_call(name, arguments, error.status, error.code)
            if error.is_breach:
                self._journal.add_breach(error.code, f"{name} was answered {error.code}")
            headers = {**self._headers(name), **error.headers}
            return web.json_response(error.body, status=error.status, headers=headers)

    def _run(self, name: str, arguments: Arguments) -> dict[str, Any]:
        method = METHODS.get(name)
        if method is None:
            raise SlackError("unknown_method", req_method=name)
        self._check_token(method, arguments.get("token"))
        self._check_scopes(method, arguments)
        if method.per_minute is not None:
            wait = self._api.limiter.retry_after_call(name, method.per_minute)
            if wait:
                raise SlackError("ratelimited", status=429, headers={"Retry-After": str(wait)})
        for key in JSON_ARGUMENTS:
            arguments[key] = _decode(key, arguments.get(key))
        return method.run(self._api, arguments)

    def _check_token(self, method: Method, token: Any) -> None:
        if not token:
            raise SlackError("not_authed")
        # An unset app token does not count: an empty one never gets here.
        if token not in {self._app.bot_token, self._app.app_token}:
            raise SlackError("invalid_auth")
        if token != (self._app.app_token if method.is_app_level else self._app.bot_token):
            raise SlackError("not_allowed_token_type")

    def _check_scopes(self, method: Method, arguments: Arguments) -> None:
        if not method.scopes:
            return
        needed = method.scopes[0]
        channel = self._api.workspace.channels.get(str(arguments.get("channel")))
        # Of a group message without the bot, Slack does not even say that it is one.
        known = channel is not None and (
            not channel.is_mpim or self._api.workspace.has_bot(channel)
        )
        if channel is not None and known and len(method.scopes) > 1:
            needed = method.scopes[_kind_of(channel)]
        provided = self._provided(method)
        if needed not in provided:
            # The app could not know about a scope that was revoked after its installation.
            is_breach = needed not in self._app.bot_scopes
            raise SlackError(
                "missing_scope", is_breach=is_breach, needed=needed, provided=",".join(provided)
            )

    def _provided(self, method: Method | None) -> tuple[str, ...]:
        is_app = method is not None and method.is_app_level
        return self._app.app_scopes if is_app else self._api.workspace.bot_scopes

    def _headers(self, name: str) -> dict[str, str]:
        method = METHODS.get(name)
        headers = {"x-oauth-scopes": ",".join(self._provided(method))}
        if method is not None and method.scopes:
            headers["x-accepted-oauth-scopes"] = ",".join(method.scopes)
        return headers


async def read_arguments(request: web.Request) -> Arguments:
    """Read query, form or JSON, as the SDK sends them; the header's token wins."""
    arguments: Arguments = dict(request.query)
    if request.content_type == "application/json":
        try:
            body = await request.json()
        except ValueError as exc:
            raise SlackError("invalid_json") from exc
        if not isinstance(body, dict):
            raise SlackError("json_not_object")
        arguments |= body
    elif request.can_read_body:
        arguments |= dict(await request.post())
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        arguments["token"] = token.strip()
    return arguments


def _kind_of(channel: Channel) -> int:
    """The place of its scope in `Method.scopes`."""
    return 3 if channel.is_mpim else 2 if channel.is_im else 1 if channel.is_private else 0


def _decode(key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as exc:
        raise SlackError(NOT_JSON.get(key, "invalid_arguments")) from exc
