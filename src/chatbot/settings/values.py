"""Settings with a structure: grants and digests."""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode

from jobs_maint.actions import Grant, QueueScope, Role
from jobs_maint.crons import check_cron
from jobs_maint.settings import JsonText

__all__ = ["EVERYBODY", "Channel", "DigestSetting", "GrantSetting", "Roles", "Zone"]

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
        "is not a channel ID; write the ID (C…, at the end of the channel's details), not the name",
    ),
]
User = Annotated[
    str,
    _id_check(
        r"[UW][A-Z0-9]{1,30}|\*",
        "is not a user ID; write the ID (U…, from the person's profile), because names can change",
    ),
]
Usergroup = Annotated[
    str,
    _id_check(
        r"S[A-Z0-9]{1,30}",
        "is not a user-group ID; write the ID (S…, from the group's page), not the handle",
    ),
]


def _is_name(value: str) -> str:
    if not value.strip():
        raise ValueError("the text is empty")
    return value


Name = Annotated[str, Field(max_length=128), AfterValidator(_is_name)]


def _is_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"{value!r} is not a time zone; write a name such as 'UTC' or 'Europe/Berlin'"
        ) from None
    return value


Zone = Annotated[str, AfterValidator(_is_zone)]


def _holds_something(value: tuple[str, ...] | None) -> tuple[str, ...] | None:
    # Not Field(min_length=1): that complains about an empty list when its one element is wrong.
    if value == ():
        raise ValueError("the list is empty")
    return value


def _is_no_null(value: object) -> object:
    # Whoever writes null may mean "none"; a key that is left out means "all".
    if value is None:
        raise ValueError("it is null; name some, or leave the key out for all")
    return value


Names = Annotated[
    tuple[Name, ...] | None, AfterValidator(_holds_something), BeforeValidator(_is_no_null)
]
Channels = Annotated[
    tuple[Channel, ...] | None, AfterValidator(_holds_something), BeforeValidator(_is_no_null)
]


class GrantSetting(BaseModel):
    """Who holds one role, on which queues and in which channels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    users: tuple[User, ...] = ()
    usergroups: tuple[Usergroup, ...] = ()
    queues: Names = None
    channels: Channels = None

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not self.users and not self.usergroups:
            raise ValueError('it names nobody; add "users" or "usergroups"')
        return self

    def build(self, role: Role) -> Grant:
        return Grant(role, self.queues, self.channels)


class DigestSetting(BaseModel):
    """One failure summary: where it goes, when, and what it covers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    channel: Channel
    cron: str
    timezone: Zone = "UTC"
    queues: Names = None
    tasks: Names = None
    groups: Annotated[int, Field(ge=1, le=30)] = 10
    when_quiet: Literal["post", "skip"] = "post"

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}", value):
            raise ValueError(
                f"{value!r} is not a digest name; write up to 60 letters, digits, '.', '_' or '-'"
            )
        return value

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        return check_cron(value)

    @model_validator(mode="after")
    def _has_seconds_in_utc_only(self) -> Self:
        if len(self.cron.split()) == 6 and self.timezone != "UTC":
            raise ValueError("a cron expression with seconds works in UTC only")
        return self

    def shares_jobs(self, other: DigestSetting) -> bool:
        """Whether a job can be told by both."""
        pairs = (self.queues, other.queues), (self.tasks, other.tasks)
        return all(
            theirs is None or any(map(QueueScope(mine).overlaps, theirs)) for mine, theirs in pairs
        )


def _grant_lists(value: object) -> object:
    """Accept one grant in place of a list; for a key that is not a role, list the roles."""
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004  pydantic turns a ValueError into the sentence
            'it must be an object such as {"operator": {"users": ["U…"]}}'
        )
    for role in value:
        if role not in set(Role):
            raise ValueError(f"{role!r} is not a role; the roles are {', '.join(Role)}")
    return {role: [grant] if isinstance(grant, dict) else grant for role, grant in value.items()}


def _each_key_once(value: object) -> object:
    """JSON lets the last of two equal keys win: the first would be ignored silently."""

    def check(pairs: list[tuple[str, object]]) -> dict[str, object]:
        keys = [key for key, _ in pairs]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(f"{twice[0]!r} appears twice; write one list of grants for it")
        return dict(pairs)

    if isinstance(value, str):
        try:
            json.loads(value, object_pairs_hook=check)
        except json.JSONDecodeError:
            pass  # the next step says what is wrong
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
    return value


Roles = Annotated[
    dict[Role, tuple[GrantSetting, ...]],
    NoDecode,
    BeforeValidator(_grant_lists),
    JsonText,
    BeforeValidator(_each_key_once),
]
