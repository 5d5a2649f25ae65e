"""`blocks.validate`: what is wrong with blocks, a message or a view, without sending it."""

import re
from typing import Any

from local_slack.blocks import check_blocks
from local_slack.errors import SlackError
from local_slack.posting import Api, Arguments
from local_slack.view_checks import check_view

KINDS = ("blocks", "message", "view")
POINTER = re.compile(r"(.*) \[json-pointer:(.*)\]", re.DOTALL)


def validate_blocks(api: Api, arguments: Arguments) -> dict[str, Any]:
    """Answer `invalid_…` with one entry for each fault; that is no breach: the app asks first."""
    given = [kind for kind in KINDS if arguments.get(kind) is not None]
    if len(given) != 1:
        text = "must provide exactly one of `blocks`, `view`, or `message`"
        raise SlackError("invalid_arguments", response_metadata={"messages": [text]})
    kind, value = given[0], arguments[given[0]]
    missing = api.workspace.unsupported_blocks
    try:
        if kind == "view":
            check_view(value, missing)
        else:
            check_blocks(_get_blocks(value) if kind == "message" else value, missing)
    except SlackError as exc:
        errors = [_describe(one, kind) for one in _list_faults(exc)]
        raise SlackError(f"invalid_{kind}", is_breach=False, errors=errors) from exc
    return {}


def _get_blocks(message: Any) -> Any:
    return message.get("blocks") if isinstance(message, dict) else None


def _list_faults(exc: SlackError) -> list[str]:
    said = exc.extra.get("response_metadata", {}).get("messages")
    return [one.removeprefix("[ERROR] ") for one in said or [f"{exc.code} [json-pointer:/blocks]"]]


def _describe(fault: str, kind: str) -> dict[str, str]:
    """The pointer leads from what was given: `/0/type` in blocks, `/blocks/0/type` elsewhere."""
    found = POINTER.fullmatch(fault)
    text, pointer = found.groups() if found else (fault, "")
    start = {"blocks": "/blocks", "view": "/view", "message": ""}[kind]
    return {"code": "failed_constraint", "message": text, "pointer": pointer.removeprefix(start)}
