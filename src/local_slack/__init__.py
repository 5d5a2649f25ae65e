"""A strict local Slack for the demo and the tests: `python -m local_slack --config FILE`.

It answers as Slack does and counts every breach of Slack's rules; see `LocalSlack.breaches`.
"""

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
from local_slack.server import LocalSlack
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
    "RawResponse",
    "SeenMessage",
    "SeenView",
    "Team",
    "User",
    "Usergroup",
    "as_text",
    "load_config",
    "parse_config",
]
