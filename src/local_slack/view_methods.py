"""`views.open`, `views.push`, `views.update`: no scopes, tier 4 (`docs.slack.dev`)."""

from typing import Any

from local_slack.posting import Api, Arguments


def open_view(api: Api, arguments: Arguments) -> dict[str, Any]:
    view = api.modals.open(arguments.get("trigger_id"), arguments.get("view"))
    return {"view": view.to_slack(api.workspace.config)}


def push_view(api: Api, arguments: Arguments) -> dict[str, Any]:
    view = api.modals.push(arguments.get("trigger_id"), arguments.get("view"))
    return {"view": view.to_slack(api.workspace.config)}


def update_view(api: Api, arguments: Arguments) -> dict[str, Any]:
    return {"view": api.modals.update(arguments).to_slack(api.workspace.config)}
