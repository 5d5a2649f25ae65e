"""What the page shows beside the workspace."""

import json
import secrets
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from local_slack.errors import ConfigError
from local_slack.page.panel import Panel

SECRET_BYTES = 24


@dataclass(frozen=True)
class Page:
    """`roles`: user id → the word that the page shows beside the name.

    `words`: what the composer offers after the command, each `{"name", "usage", "about",
    "options": [{"name", "takes", "about"}]}`. `notice`: one sentence that says what this is.
    Whoever knows the `secret` may act as anybody. `panel`: beside the messages; not in a file.
    """

    roles: dict[str, str] = field(default_factory=dict)
    words: list[dict[str, Any]] = field(default_factory=list)
    notice: str = "A local Slack: nothing leaves this machine."
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(SECRET_BYTES), repr=False)
    panel: Panel | None = None


def load_page(path: Path) -> Page:
    """Read a JSON file of the fields of `Page`; raise `ConfigError` when it is not valid."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except ValueError as exc:
        raise ConfigError(f"{path}: is not valid JSON: {exc}") from exc
    kinds = {"roles": dict, "words": list, "notice": str, "secret": str}
    known = [one.name for one in fields(Page) if one.name in kinds]
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: must be a JSON object")
    for name, value in table.items():
        if name not in kinds:
            raise ConfigError(f"{path}: unknown key {name!r}; known keys: {', '.join(known)}")
        if not isinstance(value, kinds[name]):
            raise ConfigError(f"{path}: {name} must be of type {kinds[name].__name__}")
    return Page(**table)
