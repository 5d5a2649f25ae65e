"""Why a job that a person named is left alone, and what that person must know before more is done.

The rows are those of `judge_jobs` in `named`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from jobs_maint.durations import format_age, format_time, format_wait
from jobs_maint.models import ItemOutcome, ItemResult, say_idle, why_idle
from jobs_maint.operations.jobs.lateness import wait_by_hand, wait_to_be_heard
from jobs_maint.operations.rescue.rules import RescueRules
from jobs_maint.operations.rescue.speaking import ONE, SEVERAL, Who
from jobs_maint.settings import MaintSettings
from jobs_maint.told_settings import spell_value
from jobs_maint.upstream import OUR_TASKS

__all__ = [
    "describe_ends",
    "describe_risk",
    "describe_silence",
    "describe_waits",
    "refuse_job",
    "refuse_other_run",
]

MOST_SILENT = 3
"""Silent workers that a preview names."""
RULE = "only running jobs can be rescued"


def describe_risk(row: Mapping[str, Any], code: str) -> tuple[str, ...]:
    """What a person must know before forcing a rescue: who seems to run it, and the risk.

    `code`: what becomes of the job, as `foretell` says it.
    """
    if row["named"]:
        first = f"{_runs(row, ONE)} (beat at {_at(row['beat_at'])})."
    elif row["beats"]:
        alive = f"is alive (beat at {_at(row['beat_at'])})"
        first = f"{_holds(row, ONE)} and {alive}, but does not report it."
    elif row["heartbeat_fresh"]:
        first = f"{_holds(row, ONE)} and is alive (heartbeat at {_at(row['last_heartbeat'])})."
    else:
        first = f"{_holds(row, ONE)} but shows no recent sign of life{_last_sign(row)}."
    return (
        f"{first[0].upper()}{first[1:]}",
        f"If that worker is still running it, the job {_say_doubled(code)}.",
    )


def describe_silence(
    rows: Mapping[int, Mapping[str, Any]],
    refusals: Mapping[int, ItemResult],
    stalled_after: timedelta,
    codes: Mapping[int, str] | None = None,
) -> tuple[str, ...]:
    """What a person must know whose jobs go back earlier than the rescue would put them back.

    `codes`: what becomes of each job, as `foretell` says it. Nothing when the rescue would act now,
    or their workers have been silent for as long.
    """
    early = [
        row
        for job_id, row in rows.items()
        if job_id not in refusals
        and row["due_in"] > 0
        and (row["silent_seconds"] or 0.0) < stalled_after.total_seconds()
    ]
    if not early:
        return ()
    silent = {row["worker_id"]: row for row in early}
    lines = [
        f"{_worker(row)[0].upper()}{_worker(row)[1:]} is silent: {_last_beat(row)}."
        for row in list(silent.values())[:MOST_SILENT]
    ]
    if (more := len(silent) - MOST_SILENT) > 0:
        lines.append("So is 1 more worker." if more == 1 else f"So are {more:,} more workers.")
    which = "the worker" if len(silent) == 1 else "a worker"
    found = dict.fromkeys((codes or {}).get(row["id"], "put_back") for row in early)
    if len(early) == 1:
        risk = f"the job {_say_doubled(*found)}"
    elif len(found) == 1:
        risk = f"each of its jobs {_say_doubled(*found)}"
    elif "put_back" in found:
        again = "each of its jobs that starts again will run twice"
        risk = f"{again}, and the others go on although they are marked as failed or aborted"
    else:
        risk = "its jobs go on although they are marked as failed or aborted"
    lines.append(f"If {which} is only blocked or cut off, {risk}. {_left_alone(early)}")
    return tuple(lines)


def _say_doubled(code: str) -> str:
    """What a job does that its worker still runs, after a rescue."""
    if code == "put_back":
        return "will run twice"
    return f"goes on although it is marked as {code}"


def describe_waits(
    rows: Sequence[Mapping[str, Any]], mine: MaintSettings, theirs: MaintSettings, asker: str
) -> tuple[str, ...]:
    """Where the workers' own rescue waits for another span, while one of the two still waits."""
    told = []
    for name in ("stalled_after", "stalled_after_unknown"):
        noticed = [
            row["noticed_seconds"]
            for row in rows
            if row["suspected"] and row["had_recorder"] == (name == "stalled_after")
        ]
        spans = getattr(mine, name), getattr(theirs, name)
        if noticed and spans[0] != spans[1] and min(noticed) < max(spans).total_seconds():
            told.append(
                f"The workers' own rescue waits {spell_value(theirs, name)} "
                f"({MaintSettings.env_name(name)}); this {asker}'s {spell_value(mine, name)}."
            )
    return tuple(told)


def describe_ends(
    rows: Sequence[Mapping[str, Any]], mine: RescueRules, theirs: RescueRules, asker: str
) -> tuple[str, ...]:
    """Where one of the two marks jobs as failed that the other puts back."""
    told = []
    for fails in (True, False):
        jobs = [
            row["id"]
            for row in rows
            if row["task_name"] not in OUR_TASKS
            and theirs.fails(row["task_name"]) == fails
            and mine.fails(row["task_name"]) != fails
        ]
        if not jobs:
            continue
        more = f" and {len(jobs) - 1:,} more" if len(jobs) > 1 else ""
        which, what = f"job {min(jobs)}{more}", "them" if more else "it"
        does = {True: "marks {} as failed", False: "puts {} back"}
        told.append(
            f"The workers' own rescue {does[fails].format(which)} "
            f"({MaintSettings.env_name('rescue_policy')}); this {asker}'s "
            f"{does[not fails].format(what)}."
        )
    return tuple(told)


def _left_alone(rows: Sequence[Mapping[str, Any]]) -> str:
    if (idle := rows[0]["idle"]) is not None:
        return say_idle(idle)
    who = ONE if len(rows) == 1 else SEVERAL
    seconds, acts = min((_acts(row, who) for row in rows), key=lambda found: found[0])
    if seconds <= 0:
        return f"Left alone, {acts} now."
    # A clock time: a preview, and the dialog of its button, are read up to ten minutes later.
    return f"Left alone, {acts} at {_at(rows[0]['looked_at'] + timedelta(seconds=seconds))}."


def _acts(row: Mapping[str, Any], who: Who) -> tuple[float, str]:
    """In how many seconds the rescue acts on a suspect, at its pass as `stuck` says it."""
    if row["acts_in"] is None:  # too many come before it
        return row["due_in"], f"{who.they} {who.are} due"
    return row["acts_in"], "the rescue acts"


def refuse_job(job_id: int, row: dict[str, Any] | None, who: Who = ONE) -> ItemResult | None:
    """Why the job is left alone; None when its worker is dead.

    `who`: whether the reason is told of several.
    """
    if row is None:
        no_such = "is no such job" if who is ONE else "are no such jobs"
        reason = f"there {no_such}; {who.they} may have been purged"
        return ItemResult(job_id, ItemOutcome.SKIPPED, "not_found", reason)
    if row["status"] != "doing":
        return _item(row, "wrong_status", f"{who.their} status is {row['status']}; {RULE}")
    if row["named"]:
        reason = f"{_runs(row, who)} (beat at {_at(row['beat_at'])}); {_ask_later(row)}"
        return _item(row, "worker_alive", reason)
    if not row["suspected"]:
        return _item(row, "worker_alive", f"{_runs(row, who)}; {_why_alive(row, who)}")
    due_in = row["due_in"]
    if due_in <= 0:
        return None
    by_force = f"`rescue --force {job_id}` (for admins)"
    if row["idle"] is not None:
        otherwise = f"only {by_force} acts, as {why_idle(row['idle'])}"
    else:
        seconds, acts = _acts(row, who)
        otherwise = f"{acts} {format_wait(seconds)}, {by_force} at once"
    if row["beats"] or (row["heartbeat_fresh"] and not row["had_recorder"]):
        sign = f"beat at {_at(row['beat_at'])}" if row["beats"] else (
            f"heartbeat at {_at(row['last_heartbeat'])}"
        )  # fmt: skip
        alive = f"is alive ({sign}), but does not report {who.them}"
        reason = f"{_holds(row, who)} and {alive}; {otherwise}"
        return _item(row, "worker_alive", reason)
    if not row["had_recorder"]:
        reason = (
            f"{_worker(row)} never beat: it seems to have no recorder, so it may be draining or "
            f"blocked and still running {who.the}; {otherwise}"
        )
        if row["worker_id"] is None:
            reason = (
                f"no beat ever named {who.them}: {who.their} worker died at once, or it has no "
                f"recorder, may be draining or blocked and still runs {who.the}; {otherwise}"
            )
        return _item(row, "worker_unknown", reason)
    return _refuse_early(row, who)


def _ask_later(row: Mapping[str, Any]) -> str:
    silent_in = max(row["quiet_seconds"] - row["silent_seconds"], row["heartbeat_in"] or 0.0)
    again = f"if it was killed since, ask again {format_wait(silent_in)}"
    if row["others_beat"]:
        return again
    return f"{again}, and again {format_wait(row['quiet_seconds']).removeprefix('in ')} later"


def _refuse_early(row: Mapping[str, Any], who: Who) -> ItemResult | None:
    """Where nobody can be sure yet; None: the worker is dead."""
    wait, heard = wait_by_hand(row, row["due_in"]) or 0.0, wait_to_be_heard(row)
    if wait <= 0:
        return None
    again = f"ask again {format_wait(wait)}"
    if wait > heard:
        reason = (
            f"{_worker(row)} no longer reports {who.them}, but may be alive until its heartbeat at "
            f"{_at(row['last_heartbeat'])} is 30 s old: {again}; before that only "
            f"`rescue --force {row['id']}` (for admins) acts"
        )
        return _item(row, "too_soon", reason, wait)
    why = "the other workers have only just begun to report"
    if row["heard_in"] is None:
        why = (
            "no worker reports now (a new one only from its first job on), so "
            f"{who.their} own may just be late"
        )
    return _item(row, "too_soon", f"{why}, as after a database outage; {again}", wait)


def refuse_other_run(row: Mapping[str, Any]) -> ItemResult:
    reason = f"it was started again after the preview, at {_at(row['started_at'])}"
    return _item(row, "started_again", reason)


def _why_alive(row: Mapping[str, Any], who: Who) -> str:
    """Why a job that no beat reports is not a suspect: the exceptions in notice_suspects."""
    if row["beats"] and row["started_at"] is not None and row["started_at"] > row["beat_at"]:
        return f"it took {who.the} after its last beat"
    if row["beats"]:
        return f"it beats, but its event loop is blocked, so it may yet start {who.the}"
    if row["heartbeat_fresh"]:
        return f"its heartbeat at {_at(row['last_heartbeat'])} is recent"
    return f"{who.the} {who.have} just started"


def _runs(row: Mapping[str, Any], who: Who) -> str:
    if row["started_at"] is None:
        return f"{_worker(row)} is running {who.them}"
    return f"{_worker(row)} has been running {who.them} since {_at(row['started_at'])}"


def _holds(row: Mapping[str, Any], who: Who) -> str:
    if row["started_at"] is None:
        return f"{_worker(row)} has {who.them}"
    return f"{_worker(row)} has had {who.them} since {_at(row['started_at'])}"


def _worker(row: Mapping[str, Any]) -> str:
    who = f"worker {row['worker_id']}" if row["worker_id"] is not None else "a worker"
    return f"{who} ({row['host']} pid {row['pid']})" if row["host"] else who


def _last_beat(row: Mapping[str, Any]) -> str:
    if row["beat_at"] is None:  # its row was dropped meanwhile
        return f"no beat has named its job for {format_age(row['noticed_seconds'])}"
    return f"its last beat was at {_at(row['beat_at'])}, {format_age(row['silent_seconds'])} ago"


def _last_sign(row: Mapping[str, Any]) -> str:
    signs = [at for at in (row["beat_at"], row["last_heartbeat"]) if at is not None]
    return f", the last was at {_at(max(signs))}" if signs else ""


def _at(at: datetime) -> str:
    return format_time(at, seconds=True)


def _item(
    row: Mapping[str, Any], code: str, reason: str, again_in: float | None = None
) -> ItemResult:
    about = row["queue_name"], row["task_name"], again_in
    return ItemResult(row["id"], ItemOutcome.SKIPPED, code, reason, *about)
