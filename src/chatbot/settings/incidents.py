"""What the bot watches, and where it tells of trouble: `CHATBOT_INCIDENTS`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
)
from pydantic_settings import NoDecode

from chatbot.settings.values import Channel, Zone
from jobs_maint.actions import find_place
from jobs_maint.crons import check_cron
from jobs_maint.settings import Duration, JsonText

__all__ = ["Incidents", "IncidentsSetting", "PauseSetting"]

EVERYTHING = "*"
NO_WORKER = timedelta(seconds=60)
BEHIND = timedelta(minutes=15)
FACTOR = 5.0
GROUP = 20
STUCK = timedelta(minutes=10)
SILENT = timedelta(minutes=5)


def _switch(usual: object) -> BeforeValidator:
    """`true` is the usual limit; `false`, `"off"` and `"never"` turn the condition off."""

    def read(value: object) -> object:
        if value is True:
            return usual
        return None if _is_off(value) else value

    return BeforeValidator(read)


def _is_off(value: object) -> bool:
    return value is False or (isinstance(value, str) and value.strip().lower() in {"off", "never"})


def _by_glob(usual: object) -> Callable[[object], object]:
    """One value for everything, or an object from queue glob to value; the rest has the usual."""

    def read(value: object) -> object:
        if not isinstance(value, dict):
            value = {EVERYTHING: value}
        if not all(isinstance(glob, str) and glob.strip() for glob in value):
            raise ValueError("a queue glob is empty")
        return value if EVERYTHING in value else {**value, EVERYTHING: usual}

    return read


class PauseSetting(BaseModel):
    """A planned pause: from each tick of `cron`, for as long as `for` says, nothing is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cron: str
    span: Annotated[Duration, Field(alias="for")]
    timezone: Zone = "UTC"

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        return check_cron(value)


class IncidentsSetting(BaseModel):
    """Of each condition: its limit, or None where it is off. Globs: the first that fits counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: Annotated[dict[str, Channel | None], BeforeValidator(_by_glob(None))] = {
        EVERYTHING: None
    }
    no_worker: Annotated[Duration | None, _switch(NO_WORKER)] = NO_WORKER
    queue_behind: Annotated[
        dict[str, Annotated[Duration | None, _switch(BEHIND)]], BeforeValidator(_by_glob(BEHIND))
    ] = {EVERYTHING: BEHIND}
    digest_overdue: bool = True
    failures: Annotated[Annotated[float, Field(gt=1)] | None, _switch(FACTOR)] = None
    group: Annotated[Annotated[int, Field(ge=1)] | None, _switch(GROUP)] = None
    jobs_stuck: Annotated[Duration | None, _switch(STUCK)] = None
    tick_missed: bool = False
    maintenance_overdue: bool = False
    recorder_silent: Annotated[Duration | None, _switch(SILENT)] = None
    quiet: Duration = timedelta(minutes=15)
    pauses: tuple[PauseSetting, ...] = ()

    def list_channels(self) -> list[str]:
        return list(dict.fromkeys(one for one in self.channel.values() if one is not None))

    def find_channel(self, queues: tuple[str, ...]) -> str | None:
        return find_place(self.channel.items(), queues)


def _off_is_none(value: object) -> object:
    if _is_off(value):
        return None
    if value is True:
        return {}
    return value


def _is_object(value: object) -> object:
    if value is not None and not isinstance(value, dict | IncidentsSetting):
        raise ValueError('it must be "off" or an object such as {"channel": "C…"}')
    return value


def _off_is_false(value: object) -> object:
    return False if _is_off(value) else value


Incidents = Annotated[
    IncidentsSetting | None,
    NoDecode,
    BeforeValidator(_is_object),
    BeforeValidator(_off_is_none),
    JsonText,
    BeforeValidator(_off_is_false),
]
"""None: off."""
