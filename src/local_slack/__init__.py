"""A strict local Slack for the demo and the tests: `python -m local_slack --config FILE`.

It answers as Slack does and counts every breach of Slack's rules; see `LocalSlack.breaches`.
Names are loaded on first use, so that the command can say which package it lacks.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local_slack.client import LocalSlackControl
    from local_slack.config import (
        App,
        Channel,
        Config,
        Limits,
        Team,
        User,
        Usergroup,
        load_config,
        parse_config,
    )
    from local_slack.delivery import CommandResult, RawResponse
    from local_slack.errors import ConfigError, ControlError
    from local_slack.journal import Breach, Call
    from local_slack.messages import SeenMessage
    from local_slack.page.panel import Panel, Step, Switch
    from local_slack.page.settings import Page, load_page
    from local_slack.server import LocalSlack
    from local_slack.serving import serve
    from local_slack.text import as_text
    from local_slack.views import SeenView

__all__ = [
    "App",
    "Breach",
    "Call",
    "Channel",
    "CommandResult",
    "Config",
    "ConfigError",
    "ControlError",
    "Limits",
    "LocalSlack",
    "LocalSlackControl",
    "Page",
    "Panel",
    "RawResponse",
    "SeenMessage",
    "SeenView",
    "Step",
    "Switch",
    "Team",
    "User",
    "Usergroup",
    "as_text",
    "load_config",
    "load_page",
    "parse_config",
    "serve",
]

_HOMES = {
    "App": "local_slack.config",
    "Breach": "local_slack.journal",
    "Call": "local_slack.journal",
    "Channel": "local_slack.config",
    "CommandResult": "local_slack.delivery",
    "Config": "local_slack.config",
    "ConfigError": "local_slack.errors",
    "ControlError": "local_slack.errors",
    "Limits": "local_slack.config",
    "LocalSlack": "local_slack.server",
    "LocalSlackControl": "local_slack.client",
    "Page": "local_slack.page.settings",
    "Panel": "local_slack.page.panel",
    "RawResponse": "local_slack.delivery",
    "SeenMessage": "local_slack.messages",
    "SeenView": "local_slack.views",
    "Step": "local_slack.page.panel",
    "Switch": "local_slack.page.panel",
    "Team": "local_slack.config",
    "User": "local_slack.config",
    "Usergroup": "local_slack.config",
    "as_text": "local_slack.text",
    "load_config": "local_slack.config",
    "load_page": "local_slack.page.settings",
    "parse_config": "local_slack.config",
    "serve": "local_slack.serving",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'local_slack' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
