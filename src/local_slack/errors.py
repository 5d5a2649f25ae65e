"""What the local Slack refuses, and the codes it uses."""

from typing import Any

# Answers that a correct bot can get too: because of the workspace, or of a faster user.
# Every other error code is the bot's mistake and counts as a breach.
STATES_OF_THE_WORKSPACE = frozenset(
    {
        "channel_is_archived",
        "channel_not_found",
        "hash_conflict",
        "is_archived",
        "is_inactive",
        "message_not_found",
        "no_such_subteam",
        "not_found",
        "not_in_channel",
        "plan_upgrade_required",
        "user_disabled",
        "user_not_found",
        "user_not_in_channel",
    }
)


class SlackError(Exception):
    """An answer of Slack with `ok: false`; `extra` goes into its body.

    `is_breach`: set where the code alone does not show whether the app is to blame.
    """

    def __init__(
        self,
        code: str,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        is_breach: bool | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.is_breach = code not in STATES_OF_THE_WORKSPACE if is_breach is None else is_breach
        self.status = status
        self.headers = headers or {}
        self.extra = extra

    @property
    def body(self) -> dict[str, Any]:
        return {"ok": False, "error": self.code, **self.extra}


class ControlError(Exception):
    """A test asked for something that no user could do; the text is a sentence."""


class ConfigError(Exception):
    """The workspace file cannot be used; the text is a sentence with the place in the file."""
