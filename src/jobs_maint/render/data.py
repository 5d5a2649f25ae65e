"""Results as JSON: the dataclasses' own field names, plus `kind`; `docs/reference/json.md`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from jobs_maint.models import Report

__all__ = ["build_data", "render_json"]

LAG = "standby_lag_seconds"
"""Of the whole answer, not of one that is a part of it."""


def build_data(result: object) -> dict[str, Any]:
    """Plain dicts, lists, texts and numbers; times are ISO 8601 in UTC with Z, spans seconds."""
    if not isinstance(result, Report):
        raise TypeError(f"no shape is documented for {type(result).__name__}")
    return {
        "kind": result.kind,
        **_plain(result),
        **result.computed(),
        LAG: result.standby_lag_seconds,
    }


def render_json(result: object) -> str:
    """One object. ASCII only, so that no foreign text can harm a terminal."""
    return json.dumps(build_data(result), indent=2)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in fields(value) if field.name != LAG)
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
