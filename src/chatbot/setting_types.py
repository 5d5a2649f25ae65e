"""Values of the settings that are more than text: grants and digests."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from croniter import croniter
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import NoDecode

from jobs_maint.actions import Grant, Role
from jobs_maint.settings import JsonText

__all__ = ["EVERYBODY", "Channel", "DigestSetting", "GrantSetting", "Roles"]

EVERYBODY = "*"


def _id_check(pattern: str, sentence: str) -> BeforeValidator:
    def check(value: object) -> object:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError(f"{value!r} {sentence}")
        return value

    return BeforeValidator(check)


Channel = Annotated[
    str,
    _id_check(
        r"[CG][A-Z0-9]{1,30}",
        "is no channel id; write the id (C…, at the end of the channel's details), not its name",
    ),
]
User = Annotated[
    str,
    _id_check(
        r"[UW][A-Z0-9]{1,30}|\*",
        "is no user id; write the id (U…, from the person's profile), names can be changed",
    ),
]
Usergroup = Annotated[
    str,
    _id_check(
        r"S[A-Z0-9]{1,30}",
        "is no user-group id; write the id (S…, from the group's page), not its handle",
    ),
]
Name = Annotated[str, Field(min_length=1, max_length=128)]


class GrantSetting(BaseModel):
    """Who holds one role, on which queues and in which channels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    users: tuple[User, ...] = ()
    usergroups: tuple[Usergroup, ...] = ()
    queues: Annotated[tuple[Name, ...] | None, Field(min_length=1)] = None
    channels: Annotated[tuple[Channel, ...] | None, Field(min_length=1)] = None

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not self.users and not self.usergroups:
            raise ValueError('it names nobody; give "users" or "usergroups"')
        return self

    def build(self, role: Role) -> Grant:
        return Grant(role, self.queues, self.channels)


class DigestSetting(BaseModel):
    """One failure summary: where it goes, when, and what it covers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,59}$")]
    channel: Channel
    cron: str
    timezone: str = "UTC"
    queues: Annotated[tuple[Name, ...] | None, Field(min_length=1)] = None
    tasks: Annotated[tuple[Name, ...] | None, Field(min_length=1)] = None
    groups: Annotated[int, Field(ge=1, le=30)] = 10
    when_quiet: Literal["post", "skip"] = "post"

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        # Procrastinate takes a sixth field, for seconds.
        if len(value.split()) not in {5, 6} or not croniter.is_valid(value):
            raise ValueError(
                f"{value!r} is not a cron expression; write five fields such as '0 9 * * *'"
            )
        return " ".join(value.split())

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(
                f"{value!r} is no time zone; write a name such as 'UTC' or 'Europe/Berlin'"
            ) from None
        return value

    @model_validator(mode="after")
    def _has_seconds_in_utc_only(self) -> Self:
        if len(self.cron.split()) == 6 and self.timezone != "UTC":
            raise ValueError("a cron expression with seconds is understood in UTC only")
        return self


def _grant_lists(value: object) -> object:
    """Accept one grant where a list is meant, and name the roles when the key is none."""
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004  pydantic turns a ValueError into the sentence
            'it must be an object such as {"operator": {"users": ["U…"]}}'
        )
    for role in value:
        if role not in set(Role):
            raise ValueError(f"{role!r} is no role; the roles are {', '.join(Role)}")
    return {role: [grant] if isinstance(grant, dict) else grant for role, grant in value.items()}


Roles = Annotated[
    dict[Role, tuple[GrantSetting, ...]], NoDecode, BeforeValidator(_grant_lists), JsonText
]
