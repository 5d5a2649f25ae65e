"""The control API: act as a user and read what users see, from another process.

`POST /control/VERB` with a JSON object of the arguments of the `Controls` method of that name.
"""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from local_slack.controls import Controls
from local_slack.errors import ControlError

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost"})
MAX_WAIT = 30.0

Verb = Callable[..., Awaitable[Any]]


def add_control_routes(app: web.Application, slack: Controls) -> None:
    verbs = _build_verbs(slack)

    async def handle(request: web.Request) -> web.Response:
        refusal = _find_refusal(request)
        if refusal is not None:
            return refusal
        verb = verbs.get(request.match_info["verb"])
        if verb is None:
            return _error(404, f"unknown verb; known verbs: {', '.join(verbs)}")
        try:
            arguments = await request.json()
            if not isinstance(arguments, dict):
                return _error(400, "the body must be a JSON object")
            result = await verb(**arguments)
        except (ControlError, TypeError, ValueError) as exc:
            return _error(400, str(exc))
        except TimeoutError as exc:
            return _error(408, str(exc) or "the request took too long")
        return web.json_response({"ok": True, "result": result})

    app.router.add_post("/control/{verb}", handle)


def _find_refusal(request: web.Request) -> web.Response | None:
    """Keep web pages out: no other host name may point here, no plain form may post here."""
    host = request.host.rpartition(":")[0] if ":" in request.host else request.host
    if host not in LOCAL_HOSTS:
        return _error(403, "the control API only answers requests from this machine")
    if request.content_type != "application/json":
        return _error(415, "send application/json")
    return None


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"ok": False, "error": text}, status=status)


def _build_verbs(slack: Controls) -> dict[str, Verb]:
    async def messages(
        channel: str, as_user: str | None = None, since: int | None = None, wait: float = 0.0
    ) -> Any:
        """Return at once, or with `since` after the next change, at most `wait` seconds."""
        if since is not None:
            await slack.wait_for_change(since, min(wait, MAX_WAIT))
        seen = _plain(slack.messages(channel, as_user))
        return {"changes": slack.changes, "messages": seen}

    async def view(user: str, since: int | None = None, wait: float = 0.0) -> Any:
        if since is not None:
            await slack.wait_for_change(since, min(wait, MAX_WAIT))
        return {"changes": slack.changes, "view": _plain(slack.view(user))}

    async def breaches() -> Any:
        return _plain(slack.breaches)

    async def connections() -> Any:
        return slack.connections

    async def gaps() -> Any:
        return slack.gaps

    direct = (
        slack.add_bot,
        slack.calls,
        slack.clear_breaches,
        slack.clear_faults,
        slack.delete_channel,
        slack.delete_message,
        slack.open_dm,
        slack.post_as_user,
        slack.remove_bot,
        slack.set_archived,
        slack.set_ext_shared,
        slack.set_fault,
        slack.set_members,
        slack.set_request_url,
        slack.set_scopes,
        slack.set_unsupported_blocks,
    )
    awaited = (
        slack.choose,
        slack.choose_in_view,
        slack.click,
        slack.click_in_view,
        slack.close_view,
        slack.command,
        slack.disconnect,
        slack.post_raw,
        slack.replay,
        slack.submit_view,
        slack.wait_for_connection,
    )
    return {
        "breaches": breaches,
        "connections": connections,
        "gaps": gaps,
        "messages": messages,
        "view": view,
        **{method.__name__: _wrap(method) for method in direct},
        **{method.__name__: _wrap_async(method) for method in awaited},
    }


def _wrap(method: Callable[..., Any]) -> Verb:
    async def run(**arguments: Any) -> Any:
        return _plain(method(**arguments))

    return run


def _wrap_async(method: Callable[..., Awaitable[Any]]) -> Verb:
    async def run(**arguments: Any) -> Any:
        return _plain(await method(**arguments))

    return run


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value
