"""Which modals Slack takes: `docs.slack.dev/reference/views/modal-views`.

Slack answers `invalid_arguments` to a bad view, with the reasons at `/view/…`.
"""

import json
from typing import Any

from local_slack.blocks import check_blocks, refuse_blocks
from local_slack.check_parts import Found, check_fields, check_id, check_text
from local_slack.errors import SlackError

MAX_LABEL = 24
MAX_METADATA = 3000
MAX_VIEW = 250_000
"""Bytes of JSON: the reference says 250 kB."""
FLAGS = ("clear_on_close", "notify_on_close", "submit_disabled")
FIELDS = (
    "type",
    "title",
    "blocks",
    "close",
    "submit",
    "private_metadata",
    "callback_id",
    "external_id",
    *FLAGS,
)


def check_view(view: Any, unsupported: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a copy with the ids of its blocks set; raise what Slack would answer."""
    if not isinstance(view, dict):
        raise refuse_blocks([("/view", "must be an object")], code="invalid_arguments")
    if len(json.dumps(view).encode()) > MAX_VIEW:
        raise SlackError("view_too_large")
    problems = list(_find_problems(view))
    if problems:
        raise refuse_blocks(problems, code="invalid_arguments")
    try:
        blocks = check_blocks(view.get("blocks"), unsupported, "modal")
    except SlackError as exc:
        errors = [one.replace("[json-pointer:", "[json-pointer:/view") for one in _errors(exc)]
        metadata = {"messages": [f"[ERROR] {one}" for one in errors]}
        raise SlackError(
            "invalid_arguments", is_breach=exc.is_breach, response_metadata=metadata
        ) from exc
    return {**view, "blocks": blocks}


def _find_problems(view: dict[str, Any]) -> Found:
    yield from check_fields(view, FIELDS, "/view")
    if view.get("type") != "modal":
        yield "/view/type", "must be modal"
    yield from check_text(view, "title", "/view", MAX_LABEL, plain=True)
    for key in ("close", "submit"):
        if view.get(key) is not None:
            yield from check_text(view, key, "/view", MAX_LABEL, plain=True)
    metadata = view.get("private_metadata")
    if metadata is not None and not isinstance(metadata, str):
        yield "/view/private_metadata", "must be a string"
    elif len(metadata or "") > MAX_METADATA:
        yield "/view/private_metadata", f"must be less than {MAX_METADATA + 1} characters"
    yield from check_id(view, "callback_id", "/view")
    yield from check_id(view, "external_id", "/view")
    for key in FLAGS:
        if not isinstance(view.get(key, False), bool):
            yield f"/view/{key}", "must be a boolean"
    blocks = view.get("blocks")
    kinds = [one.get("type") for one in blocks if isinstance(one, dict)] if blocks else []
    if "input" in kinds and not view.get("submit"):
        yield "/view/submit", "submit is required when there are input blocks"


def _errors(exc: SlackError) -> list[str]:
    return list(exc.extra.get("errors", [f"{exc.code} [json-pointer:/blocks]"]))
