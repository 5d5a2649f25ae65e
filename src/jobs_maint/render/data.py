"""Results as JSON: the dataclasses' own field names, plus `kind`; `docs/reference/json.md`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from jobs_maint import models

__all__ = ["KINDS", "build_data", "render_json"]

KINDS: dict[type, str] = {
    models.StatsReport: "stats",
    models.FailedJobsReport: "failed",
    models.JobDetails: "status",
    models.ActReport: "retry",
    models.Preview: "preview",
    models.BulkReport: "bulk",
    models.PurgeReport: "purge",
    models.RescueReport: "rescue",
    models.ErrorsReport: "errors",
    models.DigestReport: "digest",
    models.StuckReport: "stuck",
    models.WorkersReport: "workers",
    models.AuditReport: "audit",
    models.DoctorReport: "doctor",
    models.SchemaReport: "schema",
    models.HelpReport: "help",
}


def build_data(result: object) -> dict[str, Any]:
    """Plain dicts, lists, texts and numbers; times are ISO 8601 in UTC with Z, spans seconds."""
    if type(result) not in KINDS:
        raise TypeError(f"no shape is documented for {type(result).__name__}")
    data = {"kind": KINDS[type(result)], **_plain(result)}
    if isinstance(result, models.FailedJobsReport):
        data["not_shown"] = result.not_shown
    if isinstance(result, models.ActReport):
        data["kind"] = result.verb
        data["done"] = len(result.done)
        data["skipped"] = len(result.skipped)
    if isinstance(result, models.Preview):
        data["expected"] = result.expected
    if isinstance(result, models.BulkReport):
        data["left"] = result.left
    if isinstance(result, models.PurgeReport):
        data["total"] = result.total
    if isinstance(result, models.RescueReport):
        data["counts"] = result.counts
    if isinstance(result, models.AuditReport):
        data["not_shown"] = result.total - len(result.entries)
    return data


def render_json(result: object) -> str:
    """One object. ASCII only, so that no foreign text can harm a terminal."""
    return json.dumps(build_data(result), indent=2)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
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
