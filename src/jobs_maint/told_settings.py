"""The settings of maintenance that workers tell, so that others can foretell what they will do.

Only these, none of which is secret. As they are stored: a span in seconds, null for `never`; the
policy as a list of pairs, as its order counts and jsonb keeps none.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from jobs_maint.durations import format_duration
from jobs_maint.settings import MaintSettings

__all__ = ["KEPT", "TOLD", "adopt", "list_differing", "list_unread", "spell_value", "tell"]

KEPT = {s: f"keep_{s}" for s in ("succeeded", "failed", "cancelled", "aborted")}
"""Final status → how long the purge keeps it."""
_SPANS = {"stalled_after", "stalled_after_unknown", *KEPT.values()}
TOLD = (
    "queue",
    "rescue_cron",
    "stalled_after",
    "stalled_after_unknown",
    "max_rescues",
    "rescue_policy",
    "purge_cron",
    *KEPT.values(),
)
LONGEST_SPAN = timedelta(days=36_500)
LONGEST = 100
"""Characters of a policy that are shown."""


def tell(settings: MaintSettings) -> dict[str, Any]:
    return {name: _pack(getattr(settings, name)) for name in TOLD}


def adopt(
    settings: MaintSettings, told: Mapping[str, Any], but: Collection[str] = ()
) -> MaintSettings:
    """These settings with what a worker told in the place of theirs, as far as it can be read.

    `but`: names of those that stay as they are.
    """
    found = {name: value for name, value in _read(told).items() if name not in but}
    return settings.model_copy(update=found)


def list_unread(told: Mapping[str, Any]) -> list[str]:
    """Names of those that a worker told and that cannot be read."""
    found = _read(told)
    return [name for name in TOLD if name in told and name not in found]


def _read(told: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name in TOLD:
        with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError):
            found[name] = _unpack(name, told[name])
    return found


def list_differing(one: MaintSettings, other: MaintSettings) -> list[str]:
    return [name for name in TOLD if _pack(getattr(one, name)) != _pack(getattr(other, name))]


def spell_value(settings: MaintSettings, name: str) -> str:
    """As it is written in the environment; `empty` for a cron that is off."""
    value = getattr(settings, name)
    if name in _SPANS:
        return format_duration(value)
    if isinstance(value, str):
        return repr(value) if value else "empty"
    text = json.dumps(value)
    return f"{text[:LONGEST]}…" if len(text) > LONGEST else text


def _pack(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return [list(pair) for pair in value.items()] if isinstance(value, Mapping) else value


def _unpack(name: str, value: Any) -> Any:
    if name in _SPANS and value is not None:
        value = timedelta(seconds=value)
        if not timedelta() < value <= LONGEST_SPAN:
            raise ValueError(f"{name} is {value}")
    elif name == "rescue_policy":
        value = dict(value)
    return _type_of(name).validate_python(value)


@functools.cache
def _type_of(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(MaintSettings.model_fields[name].rebuild_annotation())
