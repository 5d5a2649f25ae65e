"""One view of a modal, as Slack stores it and as its user sees it."""

from dataclasses import dataclass, field
from typing import Any

from local_slack.config import Config

State = dict[str, dict[str, dict[str, Any]]]
"""block_id → action_id → what is filled in there."""


@dataclass(frozen=True)
class SeenView:
    """The view on top, as its user sees it.

    `values` is the content of the inputs; `errors` are shown at the inputs (by block_id); `trouble`
    is what Slack itself shows when the app did not answer; `depth` counts the views of the stack.
    """

    id: str
    title: str
    submit: str | None
    close: str | None
    blocks: list[dict[str, Any]]
    values: State
    errors: dict[str, str]
    trouble: str | None
    callback_id: str
    private_metadata: str
    external_id: str
    hash: str
    depth: int


@dataclass
class View:
    id: str
    user: str
    content: dict[str, Any]
    """The view object that the app gave, its blocks with ids."""
    hash: str
    root_id: str
    previous_id: str | None
    values: State
    errors: dict[str, str] = field(default_factory=dict)
    trouble: str | None = None

    @property
    def blocks(self) -> list[dict[str, Any]]:
        blocks: list[dict[str, Any]] = self.content["blocks"]
        return blocks

    @property
    def external_id(self) -> str:
        return str(self.content.get("external_id") or "")

    def label(self, key: str) -> str | None:
        """Return the text of `title`, `submit` or `close`."""
        value = self.content.get(key)
        return value["text"] if value else None

    def seen(self, depth: int) -> SeenView:
        return SeenView(
            id=self.id,
            title=self.label("title") or "",
            submit=self.label("submit"),
            close=self.label("close"),
            blocks=self.blocks,
            values=self.values,
            errors=dict(self.errors),
            trouble=self.trouble,
            callback_id=self.content.get("callback_id") or "",
            private_metadata=self.content.get("private_metadata") or "",
            external_id=self.external_id,
            hash=self.hash,
            depth=depth,
        )

    def to_slack(self, config: Config) -> dict[str, Any]:
        """Return the view of answers and payloads."""
        return {
            "id": self.id,
            "team_id": config.workspace.team_id,
            "type": "modal",
            "blocks": self.blocks,
            "title": self.content["title"],
            "submit": self.content.get("submit"),
            "close": self.content.get("close"),
            "private_metadata": self.content.get("private_metadata") or "",
            "callback_id": self.content.get("callback_id") or "",
            "external_id": self.external_id,
            "clear_on_close": bool(self.content.get("clear_on_close")),
            "notify_on_close": bool(self.content.get("notify_on_close")),
            "submit_disabled": bool(self.content.get("submit_disabled")),
            "state": {"values": self.values},
            "hash": self.hash,
            "root_view_id": self.root_id,
            "previous_view_id": self.previous_id,
            "app_id": config.app.app_id,
            "app_installed_team_id": config.workspace.team_id,
            "bot_id": config.app.bot_id,
        }
