"""Slack's error words → sentences that say what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_sdk.errors import SlackApiError

from chatbot.errors import SlackRefused, SlackUnavailable
from jobs_maint.errors import InvalidSettings

__all__ = ["AgainLater", "explain", "get_retry_after", "understand"]

_TOKEN_ERRORS = {
    "invalid_auth",
    "not_authed",
    "not_allowed_token_type",
    "account_inactive",
    "token_revoked",
    "token_expired",
}

_SENTENCES = {
    "not_in_channel": "the bot is not in the channel; invite it there with /invite",
    "is_archived": "the channel is archived; name another one in the settings",
    "channel_not_found": (
        "Slack knows no such channel, or it is private and the bot is not in it; "
        "check the id, and invite the bot with /invite"
    ),
    "restricted_action": "the workspace does not let the bot post in this channel",
    "msg_too_long": "the message is too long for Slack",
    "invalid_blocks": "Slack does not take the blocks of this message",
    "plan_upgrade_required": (
        "the workspace's plan has no user groups; name users in CHATBOT_ROLES instead"
    ),
    "no_such_subteam": "Slack knows no such user group; check its id in CHATBOT_ROLES",
    "user_not_found": "Slack knows no such user; check the id in CHATBOT_ROLES",
}


def explain(method: str, reason: str, data: Mapping[str, Any]) -> str:
    """One sentence for a refusal of `method`."""
    if reason == "missing_scope":
        needed = str(data.get("needed", "")) or "one more scope"
        return (
            f"Slack refused {method} (missing_scope): the app lacks the scope {needed}; "
            "add it under OAuth & Permissions and install the app again"
        )
    sentence = _SENTENCES.get(reason)
    return f"Slack refused {method} ({reason})" + (f": {sentence}" if sentence else "")


class AgainLater(Exception):
    def __init__(self, final: Exception, pause: float = 0.0) -> None:
        super().__init__(str(final))
        self.final = final
        self.pause = pause


def understand(method: str, exc: SlackApiError, *, read: bool) -> Exception:
    response: Any = exc.response
    status = getattr(response, "status_code", getattr(response, "status", 0))
    data = getattr(response, "data", None)
    data = data if isinstance(data, dict) else {}
    reason = str(data.get("error", ""))
    if status == 429 or reason in {"ratelimited", "rate_limited"}:
        pause = get_retry_after(getattr(response, "headers", {}) or {})
        final = SlackUnavailable(f"Slack asks to wait {pause:.0f} s before the next {method}")
        return AgainLater(final, pause)
    if status < 500 and not reason:
        return SlackUnavailable(
            f"What answered {method} (status {status}) is not Slack; check SLACK_API_URL, and "
            "whether a proxy stands between"
        )
    if status >= 500:
        final = SlackUnavailable(f"Slack answered {method} with status {status}")
        return AgainLater(final) if read else final
    if reason in _TOKEN_ERRORS:
        return InvalidSettings(
            f"SLACK_BOT_TOKEN is not accepted by Slack ({reason}); copy the Bot User OAuth Token "
            "from the app's page OAuth & Permissions"
        )
    return SlackRefused(explain(method, reason, data), reason=reason)


def get_retry_after(headers: Any) -> float:
    for name in ("Retry-After", "retry-after"):
        try:
            return max(float(headers.get(name)), 0.0)
        except (TypeError, ValueError):
            continue
    return 1.0
