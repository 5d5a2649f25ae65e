"""Settings of the bot and of the digests: `CHATBOT_*` and `SLACK_*`."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from chatbot.settings.incidents import Incidents, IncidentsSetting
from chatbot.settings.links import HeartbeatUrl, Runbooks
from chatbot.settings.values import EVERYBODY, Channel, DigestSetting, GrantSetting, Roles
from jobs_maint.actions import Role
from jobs_maint.errors import InvalidSettings
from jobs_maint.settings import JsonText, OurSettings

__all__ = ["ChatbotSettings", "DigestSetting", "GrantSetting"]

_LINK_VALUE = re.compile(r"^(?:tcp|udp|sctp)://")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _blank_is_unset(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _one_word(value: SecretStr | None) -> SecretStr | None:
    """A token goes into a header: a line break in it, from a careless paste, breaks every call."""
    if value is None:
        return None
    text = value.get_secret_value().strip()
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError(
            "it contains a space, a line break or a character that no token has; copy it again"
        )
    return SecretStr(text)


Secret = Annotated[SecretStr | None, BeforeValidator(_blank_is_unset), AfterValidator(_one_word)]


class _Environment(EnvSettingsSource):
    """The environment without what Kubernetes adds: `CHATBOT_PORT=tcp://…` is not a port."""

    def __call__(self) -> dict[str, Any]:
        values = super().__call__()
        return {
            name: value
            for name, value in values.items()
            if not (name.lower().endswith("port") and _LINK_VALUE.match(str(value)))
        }


class ChatbotSettings(OurSettings):
    """Settings of the bot. Names: `docs/reference/settings.md`."""

    model_config = SettingsConfigDict(env_prefix="CHATBOT_")
    prefix: ClassVar[str] = "CHATBOT_"
    file_tables: ClassVar[tuple[str, ...]] = ("chatbot", "slack")

    slack_bot_token: Secret = Field(None, validation_alias=AliasChoices("SLACK_BOT_TOKEN"))
    slack_app_token: Secret = Field(None, validation_alias=AliasChoices("SLACK_APP_TOKEN"))
    slack_signing_secret: Secret = Field(
        None, validation_alias=AliasChoices("SLACK_SIGNING_SECRET")
    )
    slack_api_url: str = Field(
        "https://slack.com/api/", validation_alias=AliasChoices("SLACK_API_URL")
    )
    command: str = "/jobs"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 3000
    roles: Roles = Field(default_factory=dict)
    digests: Annotated[tuple[DigestSetting, ...], NoDecode, JsonText] = ()
    audit_channel: Annotated[Channel | None, BeforeValidator(_blank_is_unset)] = None
    incidents: Incidents = IncidentsSetting()
    heartbeat_url: Annotated[HeartbeatUrl, BeforeValidator(_blank_is_unset)] = None
    runbooks: Runbooks = Field(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        sources = super().settings_customise_sources(
            settings_cls, init_settings, env_settings, dotenv_settings, file_secret_settings
        )
        return tuple(_Environment(settings_cls) if s is env_settings else s for s in sources)

    @field_validator("slack_bot_token")
    @classmethod
    def _is_bot_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and value.get_secret_value().startswith("xoxe"):
            raise ValueError(
                "it is a rotating token (xoxe.…), which expires after 12 hours and which the bot "
                "does not renew; make a Slack app without token rotation, as `jobs-chatbot "
                "manifest` prints it, and copy its Bot User OAuth Token (xoxb-…)"
            )
        return _starts(value, ("xoxb-",), "a bot token, which starts with xoxb-")

    @field_validator("slack_app_token")
    @classmethod
    def _is_app_token(cls, value: SecretStr | None) -> SecretStr | None:
        return _starts(value, ("xapp-",), "an app-level token, which starts with xapp-")

    @field_validator("slack_api_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        url = value.strip() or "https://slack.com/api/"
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
            raise ValueError(
                f"{value!r} is not a web address; Slack's own is https://slack.com/api/"
            )
        return url if url.endswith("/") else f"{url}/"

    @field_validator("host")
    @classmethod
    def _is_host(cls, value: str) -> str:
        # An empty name would mean every address of the machine.
        return value.strip() or "127.0.0.1"

    @field_validator("command")
    @classmethod
    def _is_command(cls, value: str) -> str:
        if not re.fullmatch(r"/[a-z0-9_-]{1,31}", value, re.ASCII):
            raise ValueError(
                f"{value!r} is not a slash command; write / and up to 31 lower-case letters, "
                "digits, - or _"
            )
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        for role, grants in self.roles.items():
            if role is not Role.VIEWER and any(EVERYBODY in grant.users for grant in grants):
                raise ValueError(
                    f'CHATBOT_ROLES gives {role} to everybody ("*"); only viewer may be given to '
                    "everybody"
                )
        names = [digest.name for digest in self.digests]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"CHATBOT_DIGESTS has two digests named {twice[0]!r}; names must be unique"
            )
        return self

    @property
    def is_local(self) -> bool:
        """Whether the Web API is on this machine, which no proxy can reach."""
        return urlsplit(self.slack_api_url).hostname in _LOOPBACK

    def find_incident_channel(self, queues: tuple[str, ...] = ()) -> str | None:
        """Where incidents of these queues are told: as set, else where the first digest goes."""
        if self.incidents is None:
            return None
        first = self.digests[0].channel if self.digests else None
        return self.incidents.find_channel(queues) or first

    def list_incident_channels(self) -> list[str]:
        if self.incidents is None:
            return []
        usual = self.find_incident_channel()
        return list(dict.fromkeys([*self.incidents.list_channels(), *([usual] if usual else [])]))

    def find_app_id(self) -> str | None:
        """The app's id, which an app-level token contains: `xapp-1-A0123-…`."""
        token = self.slack_app_token.get_secret_value() if self.slack_app_token else ""
        found = re.match(r"xapp-\d+-(A[A-Z0-9]+)-", token)
        return found[1] if found else None

    def require_bot_token(self) -> str:
        """The bot token; raises InvalidSettings when it is not set."""
        return _require(
            self.slack_bot_token,
            "SLACK_BOT_TOKEN is not set; copy the Bot User OAuth Token (xoxb-…) from the app's "
            "page OAuth & Permissions",
        )

    def require_mode(self) -> Literal["socket", "http"]:
        """How Slack reaches the bot; raises InvalidSettings when neither way is set up."""
        if self.slack_app_token is not None:
            return "socket"
        _require(
            self.slack_signing_secret,
            "neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET is set; set the app token (xapp-…) "
            "for Socket Mode, or the signing secret to receive requests over HTTP",
        )
        return "http"


def _starts(value: SecretStr | None, heads: tuple[str, ...], what: str) -> SecretStr | None:
    if value is None:
        return None
    if not value.get_secret_value().startswith(heads):
        raise ValueError(f"it is not {what}")
    return value


def _require(value: SecretStr | None, sentence: str) -> str:
    if value is None:
        raise InvalidSettings(sentence)
    return value.get_secret_value()
