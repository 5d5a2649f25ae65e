"""What a person does on the page."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from local_slack.controls import Controls
from local_slack.delivery import CommandResult
from local_slack.errors import ControlError
from local_slack.page.seen import list_recent, list_thread

Asked = dict[str, Any]


async def act(slack: Controls, user: str, asked: Asked) -> Any:
    """Do it as this user; raise `ControlError` for what the person could not do."""
    name = str(asked.get("do"))
    if name in ACTS:
        result = await ACTS[name](slack, user, asked)
        return asdict(result) if result else None
    if name in LOOKS:
        return LOOKS[name](slack, user, asked)
    raise ControlError(f"the page cannot do {name!r}")


def _command(slack: Controls, user: str, asked: Asked) -> Awaitable[CommandResult]:
    return slack.command(user, asked["channel"], asked["text"])


def _click(slack: Controls, user: str, asked: Asked) -> Awaitable[CommandResult]:
    value = asked.get("value")
    return slack.click(user, asked["channel"], asked["ts"], asked["action"], value=value)


def _choose(slack: Controls, user: str, asked: Asked) -> Awaitable[CommandResult]:
    return slack.choose(user, asked["channel"], asked["ts"], asked["action"], asked["value"])


def _click_in_view(slack: Controls, user: str, asked: Asked) -> Awaitable[CommandResult]:
    return slack.click_in_view(user, asked["action"], value=asked.get("value"))


def _choose_in_view(slack: Controls, user: str, asked: Asked) -> Awaitable[CommandResult]:
    return slack.choose_in_view(user, asked["action"], asked["value"])


def _submit(slack: Controls, user: str, asked: Asked) -> Awaitable[CommandResult]:
    return slack.submit_view(user, asked["values"])


def _close(slack: Controls, user: str, _asked: Asked) -> Awaitable[CommandResult | None]:
    return slack.close_view(user)


def _say(slack: Controls, user: str, asked: Asked) -> None:
    slack.post_as_user(user, asked["channel"], asked["text"], thread_ts=asked.get("thread"))


def _show_older(slack: Controls, user: str, asked: Asked) -> Asked:
    messages, more = list_recent(slack, user, asked["channel"], asked["before"])
    return {"messages": messages, "more": more}


def _show_thread(slack: Controls, user: str, asked: Asked) -> Asked:
    return {"messages": list_thread(slack, user, asked["channel"], asked["ts"])}


def _open_direct(slack: Controls, user: str, _asked: Asked) -> str:
    return slack.open_dm(user)


ACTS: dict[str, Callable[[Controls, str, Asked], Awaitable[CommandResult | None]]] = {
    "choose": _choose,
    "choose_in_view": _choose_in_view,
    "click": _click,
    "click_in_view": _click_in_view,
    "close": _close,
    "command": _command,
    "submit": _submit,
}
"""What the app hears of; the result says how it acknowledged."""
LOOKS: dict[str, Callable[[Controls, str, Asked], Any]] = {
    "direct": _open_direct,
    "older": _show_older,
    "say": _say,
    "thread": _show_thread,
}
