"""Slack's error words → sentences that say what to do; what its headers say."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from slack_sdk.errors import SlackApiError

from chatbot.slack.errors import SlackRefused, SlackUnavailable
from jobs_maint.errors import InvalidSettings

__all__ = [
    "AgainLater",
    "compare_clocks",
    "explain",
    "explain_reason",
    "get_retry_after",
    "understand",
]

_TOKEN_ERRORS = {
    "invalid_auth",
    "not_authed",
    "not_allowed_token_type",
    "account_inactive",
    "token_revoked",
    "token_expired",
}

# Slack says of these that a part may have been done all the same.
_MAYBE_DONE = {"fatal_error", "internal_error"}
_TRY_AGAIN = {"service_unavailable", "request_timeout"}

_DEFECT = "this is a defect in the bot, not in what you typed; please report it"
_FORBIDDEN = (
    "the workspace does not let the bot post in this channel; ask a workspace admin to allow "
    "it, or name another channel in the settings"
)
_NOT_A_MEMBER = (
    "there is no such channel, or it is private and the bot is not in it; "
    "check the ID, and invite the bot with /invite"
)

_SENTENCES = {
    "cant_update_message": "the bot did not post this message; ask again to get a new one",
    "cannot_reply_to_message": "this message cannot be replied to; ask again in the channel",
    "channel_not_found": _NOT_A_MEMBER,
    "channel_type_not_supported": "the bot cannot post there; ask in another channel",
    "edit_window_closed": (
        "the workspace does not allow edits to messages this old; ask again to get a new one"
    ),
    "ekm_access_denied": "an admin of your organisation has suspended posting; ask them",
    "invalid_attachments": f"Slack does not accept the blocks of this message; {_DEFECT}",
    "invalid_blocks": f"Slack does not accept the blocks of this message; {_DEFECT}",
    "invalid_blocks_format": f"Slack does not accept the blocks of this message; {_DEFECT}",
    "is_archived": ("the channel is archived; unarchive it, or name another one in the settings"),
    "is_ext_shared": "it is shared with another organisation; name another one in the settings",
    "is_inactive": (
        "the channel is archived or frozen; unarchive it, or name another one in the settings"
    ),
    "message_limit_exceeded": (
        "the apps in this workspace have used up today's messages; wait, or ask an admin"
    ),
    "message_not_found": "the message no longer exists; ask again to get a new one",
    "messages_tab_disabled": (
        "the app does not accept direct messages; turn on the Messages Tab under App Home"
    ),
    "msg_blocks_too_long": f"the blocks of the message are too long for Slack; {_DEFECT}",
    "msg_too_long": "the message is too long for Slack; ask for less, for instance with --limit",
    "no_such_subteam": "there is no such user group; check its ID in CHATBOT_ROLES",
    "no_text": f"the message is empty; {_DEFECT}",
    "not_in_channel": "the bot is not in the channel; invite it there with /invite",
    "plan_upgrade_required": (
        "the workspace's plan does not include user groups; name users in CHATBOT_ROLES instead"
    ),
    "restricted_action": _FORBIDDEN,
    "restricted_action_non_threadable_channel": _FORBIDDEN,
    "restricted_action_read_only_channel": _FORBIDDEN,
    "restricted_action_thread_locked": _FORBIDDEN,
    "restricted_action_thread_only_channel": _FORBIDDEN,
    "team_access_not_granted": (
        "the app is not installed in this workspace of the organisation; install it there"
    ),
    "user_not_found": "there is no such user; check the ID in CHATBOT_ROLES",
    "user_not_in_channel": "the person is not in the channel; they must join it to see the answer",
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


def explain_reason(reason: str) -> str:
    return _SENTENCES.get(reason, "Slack does not say why")


class AgainLater(Exception):
    """To be tried again after `pause` seconds (0: as one likes); else `final` is the error."""

    def __init__(self, final: Exception, pause: float = 0.0) -> None:
        super().__init__(str(final))
        self.final = final
        self.pause = pause


def understand(method: str, exc: SlackApiError, *, repeat: bool) -> Exception:
    """`repeat`: the call may be repeated though it was maybe done."""
    response: Any = exc.response
    status = getattr(response, "status_code", getattr(response, "status", 0))
    data = getattr(response, "data", None)
    data = data if isinstance(data, dict) else {}
    reason = str(data.get("error", ""))
    if status == 429 or reason in {"ratelimited", "rate_limited"}:
        pause = get_retry_after(getattr(response, "headers", {}) or {})
        wait = f"Slack asks to wait {pause:.0f} s before the next {method}"
        return AgainLater(SlackUnavailable(wait, pause=pause), pause)
    if status < 500 and not reason:
        # A page instead of an answer says nothing of the request.
        final = SlackUnavailable(
            f"What answered {method} (status {status}) is not Slack; check SLACK_API_URL, and "
            "whether a proxy stands between",
            maybe_done=status < 300,
        )
        return AgainLater(final) if repeat and final.maybe_done else final
    if status >= 500 or reason in _MAYBE_DONE:
        said = reason if status < 500 else f"status {status}"
        final = SlackUnavailable(f"Slack answered {method} with {said}", maybe_done=True)
        return AgainLater(final) if repeat else final
    if reason in _TRY_AGAIN:
        return AgainLater(SlackUnavailable(f"Slack answered {method} with {reason}"))
    if reason in _TOKEN_ERRORS:
        return InvalidSettings(
            f"SLACK_BOT_TOKEN is not accepted by Slack ({reason}); copy the Bot User OAuth Token "
            "from the app's page OAuth & Permissions"
        )
    return SlackRefused(
        explain(method, reason, data),
        reason=reason,
        details=_list_details(data),
        needed=str(data.get("needed", "")),
    )


def _list_details(data: Mapping[str, Any]) -> tuple[str, ...]:
    faults = data.get("errors")
    if isinstance(faults, list) and any(isinstance(one, dict) for one in faults):
        told = [one for one in faults if isinstance(one, dict)]
        return tuple(f"{one.get('message')} at {one.get('pointer')}" for one in told)
    metadata = data.get("response_metadata")
    said = metadata.get("messages") if isinstance(metadata, dict) else None
    return tuple(map(str, said)) if isinstance(said, list) else ()


def get_retry_after(headers: Any) -> float:
    for name in ("Retry-After", "retry-after"):
        try:
            return max(float(headers.get(name)), 0.0)
        except (TypeError, ValueError):
            continue
    return 1.0


def compare_clocks(date: object, now: float) -> float | None:
    """Seconds that `now` is ahead of the header Date; None where it has no time."""
    try:
        return now - parsedate_to_datetime(str(date)).timestamp()
    except (TypeError, ValueError):
        return None
