"""What Slack sends to the app about a modal, field by field as the real one does.

Documented at `docs.slack.dev/reference/interaction-payloads/view-interactions-payload`; a modal has
neither channel nor message nor response_url.
"""

from typing import Any

from local_slack.config import Config, User
from local_slack.payloads import VERIFICATION_TOKEN, build_user
from local_slack.views import View


def build_view_submission(
    config: Config, user: User, view: View, trigger_id: str
) -> dict[str, Any]:
    return {
        **_build_common("view_submission", config, user, view),
        "trigger_id": trigger_id,
        "response_urls": [],
    }


def build_view_closed(
    config: Config, user: User, view: View, *, is_cleared: bool
) -> dict[str, Any]:
    return {**_build_common("view_closed", config, user, view), "is_cleared": is_cleared}


def build_view_click(
    config: Config, user: User, view: View, action: dict[str, Any], trigger_id: str
) -> dict[str, Any]:
    return {
        **_build_common("block_actions", config, user, view),
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": trigger_id,
        "actions": [action],
    }


def _build_common(kind: str, config: Config, user: User, view: View) -> dict[str, Any]:
    return {
        "type": kind,
        "team": {"id": config.workspace.team_id, "domain": config.workspace.domain},
        "user": build_user(config, user),
        "api_app_id": config.app.app_id,
        "token": VERIFICATION_TOKEN,
        "view": view.to_slack(config),
        "is_enterprise_install": False,
        "enterprise": None,
    }
