"""The workspace: who is in it, and which app is installed."""

import dataclasses
import tomllib
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from local_slack.errors import ConfigError

MAX_COMMAND_LENGTH = 32


@dataclass(frozen=True)
class Team:
    team_id: str
    name: str = "Local workspace"
    domain: str = "local"
    plan_upgrade_required: bool = False
    """A free plan: `usergroups.users.list` answers `plan_upgrade_required`."""
    unsupported_blocks: tuple[str, ...] = ()
    """Block types that have not rolled out to this workspace yet: `invalid_blocks`."""


@dataclass(frozen=True)
class Channel:
    id: str
    name: str
    members: tuple[str, ...] = ()
    is_private: bool = False
    is_archived: bool = False
    is_ext_shared: bool = False
    is_im: bool = False
    """A direct message between the bot and one person."""
    is_mpim: bool = False
    """A direct message of several people, named `mpdm-…`: nobody is added to it later."""


@dataclass(frozen=True)
class User:
    id: str
    name: str
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    deleted: bool = False
    is_bot: bool = False


@dataclass(frozen=True)
class Usergroup:
    id: str
    handle: str
    users: tuple[str, ...] = ()


@dataclass(frozen=True)
class App:
    bot_token: str
    bot_user_id: str
    signing_secret: str
    mode: str
    commands: tuple[str, ...] = ("/jobs",)
    app_id: str = "A0LOCAL"
    bot_id: str = "B0LOCAL"
    bot_name: str = "jobs"
    bot_scopes: tuple[str, ...] = ("commands", "chat:write")
    app_token: str = ""
    app_scopes: tuple[str, ...] = ("connections:write",)
    request_url: str = ""
    should_escape: bool = False


@dataclass(frozen=True)
class Limits:
    """Slack's own limits; a test may shorten them, the demo never does."""

    ack_seconds: float = 3.0
    burst: int = 3
    """Messages that one channel takes at once before 1 message/s applies."""
    response_url_uses: int = 5
    response_url_seconds: float = 1800.0
    connections: int = 10
    warning_seconds: float = 10.0
    """How long a Socket Mode connection stays open after `disconnect` with reason `warning`."""
    trigger_seconds: float = 3.0
    """How long a trigger_id opens a modal."""
    views: int = 3
    """How many views a modal stacks."""


@dataclass(frozen=True)
class Config:
    workspace: Team
    app: App
    channels: tuple[Channel, ...] = ()
    users: tuple[User, ...] = ()
    usergroups: tuple[Usergroup, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        _check(self)


def load_config(path: Path) -> Config:
    """Read a workspace file; raise `ConfigError` when it cannot be read or is not valid."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"{path}: is not valid TOML: {exc}") from exc
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply") from None
    try:
        return parse_config(table)
    except ConfigError as exc:
        raise ConfigError(f"{path}: {exc}") from exc


def parse_config(table: dict[str, Any]) -> Config:
    config: Config = _build(Config, table, "the file")
    if config.app.mode == "http" and not config.app.request_url:
        raise ConfigError('app.mode is "http": set app.request_url to the URL the app listens on')
    return config


def _build(cls: Any, table: Any, where: str) -> Any:
    if not isinstance(table, dict):
        raise ConfigError(f"{where} must be a table, not {table!r}")
    hints = get_type_hints(cls)
    unknown = sorted(set(table) - set(hints))
    if unknown:
        raise ConfigError(
            f"{where} has the unknown key {unknown[0]!r}; known keys: {', '.join(hints)}"
        )
    values = {}
    for item in dataclasses.fields(cls):
        if item.name in table:
            place = item.name if cls is Config else f"{where}.{item.name}"
            values[item.name] = _value(hints[item.name], table[item.name], place)
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{where} has no {item.name!r}; add it")
    return cls(**values)


def _value(hint: Any, value: Any, where: str) -> Any:
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{where} must be a list, not {value!r}")
        inner = get_args(hint)[0]
        return tuple(_value(inner, one, f"{where}[{i}]") for i, one in enumerate(value))
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, where)
    accepted: type | types.UnionType = int | float if hint is float else hint
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{where} must be of type {hint.__name__}, not {value!r}")
    return value


def _check(config: Config) -> None:
    bot = config.app.bot_user_id
    known = {user.id for user in config.users} | {bot}
    for kind, ids in (
        ("channel", [channel.id for channel in config.channels]),
        ("user", [*(user.id for user in config.users), bot]),
        ("user group", [group.id for group in config.usergroups]),
    ):
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise ConfigError(f"{kind} {twice[0]} is defined twice")
    for channel in config.channels:
        if channel.is_mpim != channel.name.startswith("mpdm-"):
            raise ConfigError(
                f"channel {channel.id} is named {channel.name!r}: the names of group messages "
                "(is_mpim), and no others, start with mpdm-"
            )
        _check_known(f"channel {channel.id}", channel.members, known)
    for group in config.usergroups:
        _check_known(f"user group {group.id}", group.users, known)
    if config.limits.burst < 1 or config.limits.ack_seconds <= 0:
        raise ConfigError("limits.burst must be at least 1 and limits.ack_seconds more than 0")
    _check_app(config.app)
    for command in config.app.commands:
        if not command.startswith("/") or not 1 < len(command) <= MAX_COMMAND_LENGTH:
            raise ConfigError(
                f"the command {command!r} must start with / and have at most "
                f"{MAX_COMMAND_LENGTH} characters"
            )


def _check_app(app: App) -> None:
    if app.mode not in {"http", "socket"}:
        raise ConfigError(f'app.mode is {app.mode!r}; it must be "http" or "socket"')
    if app.request_url and not app.request_url.startswith(("http://", "https://")):
        raise ConfigError(f"app.request_url is {app.request_url!r}; it must be an http:// URL")
    if not app.bot_token.startswith("xoxb-"):
        raise ConfigError("app.bot_token must start with xoxb-")
    if not app.signing_secret.strip():
        raise ConfigError("app.signing_secret is empty; set it")
    if app.mode == "socket" and not app.app_token.startswith("xapp-"):
        raise ConfigError('app.mode is "socket": app.app_token must be set and start with xapp-')


def _check_known(where: str, ids: tuple[str, ...], known: set[str]) -> None:
    for one in ids:
        if one not in known:
            raise ConfigError(f"{where} names the user {one}, who is not defined under users")
