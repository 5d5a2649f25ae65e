"""Rescue jobs that a person named: at once if their worker is dead, never if it is alive.

The pass waits for `stalled_after`; a person who names a job has already looked. So it is enough
that its worker used to beat and is silent now, as long as some worker is reporting; but if it has
not been so for `stalled_after`, that person is told who fell silent, and confirms. A job of a live
worker needs `--force`, and so does a job of a worker that never beat: nothing shows whether it is
alive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from jobs_maint.actions import ALL_QUEUES, QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import ItemResult, SkipGroup
from jobs_maint.operations.following import follow_workers
from jobs_maint.operations.jobs.locking import lock_jobs
from jobs_maint.operations.refusals import refuse_row
from jobs_maint.operations.rescue.outlook import Outlook, find_outlook
from jobs_maint.operations.rescue.passes import rescue_rows
from jobs_maint.operations.rescue.reasons import refuse_job, refuse_other_run
from jobs_maint.operations.rescue.rules import RescueRules
from jobs_maint.settings import MaintSettings
from jobs_maint.sql import load_queries

__all__ = [
    "Claim",
    "claim_of",
    "group_skips",
    "judge_jobs",
    "rescue_jobs",
]

Claim = tuple[int, str | None]
"""One run of a job: its attempt and when it started, as text."""

SAMPLE = 5


async def judge_jobs(
    conn: Conn, job_ids: Sequence[int], settings: MaintSettings, scope: QueueScope = ALL_QUEUES
) -> tuple[dict[int, dict[str, Any]], dict[int, ItemResult]]:
    """Locked rows by id, and the reason for each job that must not be touched.

    Call `notice_stalled_jobs` first, in a transaction of its own. Raises NotPermitted when one
    of the jobs is outside `scope`. `settings`: by which they are due to whoever asks; when the
    rescue itself acts on them goes by those of the workers.
    """
    await lock_jobs(conn, job_ids, scope, "rescue")
    params = {"ids": list(job_ids), **RescueRules.of(settings).spans}
    found = await fetch_all(conn, load_queries("stalled")["judge_jobs"], params)
    waits = any(row["suspected"] and row["due_in"] > 0 for row in found)
    outlook = Outlook(None, {}, {})
    if waits:
        theirs = RescueRules.of(await follow_workers(conn, settings))
        outlook = await find_outlook(conn, theirs)
    rows = {
        row["id"]: {**row, "idle": outlook.idle, "acts_in": outlook.acts_in.get(row["id"])}
        for row in found
    }
    refusals = {job_id: refuse_job(job_id, rows.get(job_id)) for job_id in job_ids}
    return rows, {job_id: item for job_id, item in refusals.items() if item is not None}


async def rescue_jobs(
    conn: Conn,
    job_ids: Sequence[int],
    settings: MaintSettings,
    others: Sequence[Mapping[str, str]] = (),
    *,
    scope: QueueScope = ALL_QUEUES,
    claims: Mapping[int, Claim] | None = None,
    forced_by: str | None = None,
) -> tuple[ItemResult, ...]:
    """Act on these jobs in the caller's short transaction; one item per id, in the order asked.

    `others`: policies that hold beside that of the settings.
    `claims`: what a preview showed; a job that was started again since then is left alone.
    `forced_by`: a person who knows that no worker runs them, so that beats are not checked.
    """
    rows, refusals = await judge_jobs(conn, job_ids, settings, scope)
    items = dict(refusals)
    if forced_by is not None:
        items = {i: item for i, item in items.items() if item.code in {"not_found", "wrong_status"}}
    for job_id, claim in (claims or {}).items():
        row = rows.get(job_id)
        if job_id not in items and row is not None and claim_of(row) != claim:
            items[job_id] = refuse_other_run(row)
    chosen = [rows[job_id] for job_id in sorted(rows) if job_id not in items]
    acted = await rescue_rows(
        conn, chosen, RescueRules.of(settings, (), others), forced_by=forced_by
    )
    items |= {row["id"]: item for row, item in zip(chosen, acted, strict=True) if item}
    if left := [row["id"] for row in chosen if row["id"] not in items]:
        # Reported by a worker at this instant; or else a trigger kept it.
        reported: dict[int, ItemResult] = {}
        if forced_by is None:
            _, reported = await judge_jobs(conn, left, settings, scope)
        items |= {i: reported.get(i) or _kept(rows[i]) for i in left}
    return tuple(items[job_id] for job_id in job_ids)


def _kept(row: Mapping[str, Any]) -> ItemResult:
    return refuse_row(row["id"], None, row["queue_name"], row["task_name"])


def claim_of(row: Mapping[str, Any]) -> Claim:
    at: datetime | None = row["started_at"]
    return row["attempt"], at.isoformat() if at is not None else None


def group_skips(
    items: Sequence[ItemResult], of_several: Callable[[ItemResult], str]
) -> tuple[SkipGroup, ...]:
    """What one could do about each would make every reason one of its own.

    `of_several`: the reason of an item as it is told of several.
    """
    groups: defaultdict[tuple[str, str], list[ItemResult]] = defaultdict(list)
    for item in items:
        groups[item.code, _without_id(item.reason, item)].append(item)
    return tuple(
        replace(group, reason=_without_id(of_several(alike[0]), alike[0]))
        if group.count > 1
        else group
        for alike in groups.values()
        for group in (SkipGroup.of(alike, SAMPLE),)
    )


def _without_id(reason: str, item: ItemResult) -> str:
    return reason.replace(f"--force {item.job_id}`", "--force ID`")
