"""One message, as Slack stores it and as one user sees it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class SeenMessage:
    """A message as a user sees it in a channel.

    `kind` is `message`, `command` (the typed command that an in_channel answer shows) or `error`
    (what Slack itself tells the user when a command failed).
    """

    ts: str
    channel: str
    user: str
    text: str
    blocks: list[dict[str, Any]]
    ephemeral: bool
    kind: str
    edited: bool
    metadata: dict[str, Any] | None
    thread_ts: str | None


@dataclass
class Message:
    ts: str
    channel: str
    user: str
    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)
    ephemeral_to: str | None = None
    kind: str = "message"
    edited_ts: str | None = None
    metadata: dict[str, Any] | None = None
    thread_ts: str | None = None
    bot_id: str | None = None
    app_id: str | None = None
    changed: int = 0
    """What `Workspace.changes` was when it was last posted or edited."""

    def is_seen_by(self, user: str | None) -> bool:
        return self.ephemeral_to is None or user is None or self.ephemeral_to == user

    def seen(self) -> SeenMessage:
        return SeenMessage(
            ts=self.ts,
            channel=self.channel,
            user=self.user,
            text=self.text,
            blocks=self.blocks,
            ephemeral=self.ephemeral_to is not None,
            kind=self.kind,
            edited=self.edited_ts is not None,
            metadata=self.metadata,
            thread_ts=self.thread_ts,
        )

    def to_slack(self, *, with_metadata: bool) -> dict[str, Any]:
        """Return the message object of the Web API; fields that are not set are left out."""
        body: dict[str, Any] = {
            "type": "message",
            "user": self.user,
            "text": self.text,
            "ts": self.ts,
            "blocks": self.blocks or None,
            "bot_id": self.bot_id,
            "app_id": self.app_id,
            "thread_ts": self.thread_ts,
            "metadata": self.metadata if with_metadata else None,
        }
        if self.edited_ts is not None:
            body["edited"] = {"user": self.user, "ts": self.edited_ts}
        return {name: value for name, value in body.items() if value is not None}
