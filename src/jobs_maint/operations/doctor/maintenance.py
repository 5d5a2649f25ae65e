"""The doctor's checks on what should have run: rescue, purge, digests; and acts cut off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from croniter import croniter

from jobs_maint import upstream
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.durations import format_age, format_duration
from jobs_maint.models import Finding, say_idle
from jobs_maint.operations.doctor.findings import (
    Situation,
    count,
    error,
    few,
    few_jobs,
    note,
    ok,
    warning,
)
from jobs_maint.operations.rescue.outlook import find_outlook
from jobs_maint.operations.rescue.rules import RescueRules
from jobs_maint.operations.rescue.workers import count_stuck_jobs
from jobs_maint.sql import load_queries

__all__: list[str] = []

RESCUE_GRACE = timedelta(minutes=10)
"""Procrastinate skips a tick that is later than that."""
PURGE_GRACE = timedelta(hours=1)
"""The purge waits for everything else in its queue."""
JUST_STARTED = timedelta(minutes=2)
"""Whoever starts a worker asks the doctor then; what was missed before is told after that."""
DIGEST_GRACE = timedelta(hours=1)
KNOWN_WINDOWS = 7
"""This many windows of a digest include its longest pause, such as a weekend."""
MOST_REASONS = 3
MOST_SAMPLE = 3


async def check_rescue(conn: Conn, situation: Situation) -> Finding:
    cron = situation.workers_settings.rescue_cron
    if not cron:
        return note(
            "rescue",
            "The rescue is off (JOBS_MAINT_RESCUE_CRON is empty): jobs of dead workers stay in "
            "doing.",
            "Set JOBS_MAINT_RESCUE_CRON for the workers, or run `jobs-maint rescue` whenever one "
            "dies.",
        )
    run = await _find_last_run(conn, situation, upstream.RESCUE, "rescue")
    return judge_schedule("rescue", cron, run, RESCUE_GRACE, told=bool(situation.told))


async def check_purge(conn: Conn, situation: Situation) -> Finding:
    cron = situation.workers_settings.purge_cron
    if not cron:
        return note(
            "purge",
            "The nightly purge is off (JOBS_MAINT_PURGE_CRON is empty): finished jobs are kept.",
            "Set JOBS_MAINT_PURGE_CRON for the workers, or run `jobs-maint purge` from time to "
            "time.",
        )
    run = await _find_last_run(conn, situation, upstream.PURGE, "purge")
    return judge_schedule("purge", cron, run, PURGE_GRACE, told=bool(situation.told))


async def _find_last_run(conn: Conn, situation: Situation, task: str, word: str) -> dict[str, Any]:
    params = {"queue": situation.workers_settings.queue, "task": task, "word": word}
    return await fetch_one(conn, load_queries("doctor")["find_last_run"], params)


def judge_schedule(
    check: str, cron: str, run: dict[str, Any], grace: timedelta, *, told: bool = False
) -> Finding:
    """One missed tick is a warning, two are an error. Crons are UTC, times the database's.

    `told`: the cron is what the workers told.
    """
    now: datetime = run["now"].astimezone(UTC)
    last: datetime | None = run["succeeded_at"]
    deleted: datetime | None = run["deleted_at"]
    expected = croniter(cron, now - grace).get_prev(datetime)
    ran = max(filter(None, (last, deleted)), default=None)
    failed = run["failed_at"] is not None and (ran is None or run["failed_at"] > ran)
    if failed:
        fix = f"Its last run failed; see `jobs-maint status {run['failed_job_id']}`."
    else:
        fix = "Check that a worker of an app with jobs_maint.register(app) listens to the queue" + (
            "." if told else f", and that it uses the same cron ({cron!r})."
        )
    age = f"last succeeded {format_age(now - last)} ago" if last else "has never succeeded"
    untold = not failed and deleted is not None and deleted == ran
    if untold and ran is not None:
        ago = format_age(now - ran)
        age = f"last ran {ago} ago; its job is deleted, so how it ended is not known"
    since = ran or run["applied_at"]
    if since is None or since >= expected:
        if failed:
            return warning(check, f"The {check} {age}, and its last run failed.", fix)
        if untold:
            return note(check, f"The {check} {age}.", "Run the workers with delete_jobs='never'.")
        return ok(check, f"The {check} {age if last else 'is not due yet'}.")
    begun: datetime | None = run["started_at"]
    if not failed and begun is not None and now - begun < JUST_STARTED:
        due = croniter(cron, now).get_next(datetime)
        return note(
            check,
            f"The {check} {age}; the first live worker started {format_age(now - begun)} ago.",
            f"Wait: it is due at {due:%Y-%m-%d %H:%M} UTC ({cron}).",
        )
    before = croniter(cron, expected).get_prev(datetime)
    judge = warning if since >= before else error
    return judge(
        check,
        f"The {check} {age}; it should have run at {expected:%Y-%m-%d %H:%M} UTC ({cron}).",
        fix,
    )


async def check_digests(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    rows = await fetch_all(conn, load_queries("doctor")["list_digests"])
    if not rows:
        return ok("digests", "No digest has been sent yet.")
    late = [row for row in rows if _is_late(row)]
    refused = [row for row in rows if row["last_state"] == "failed"]
    if late:
        worst = max(late, key=lambda row: row["behind_seconds"] or 0.0)
        reached = worst["behind_seconds"]
        return warning(
            "digests",
            f"{_name(late, 'The')} {'is' if len(late) == 1 else 'are'} late: "
            f"{'it' if len(late) == 1 else worst['name']} "
            + (
                f"covers failures up to {format_age(reached)} ago."
                if reached
                else "was never sent."
            )
            + _say_reasons([row for row in late if row["last_state"] == "failed"]),
            "Check the bot's settings, and `jobs-maint failed` for chatbot:send_digest; a digest "
            "removed from CHATBOT_DIGESTS is forgotten after 90 days.",
        )
    if refused:
        return warning(
            "digests",
            f"The last attempt to send {_name(refused)} failed.{_say_reasons(refused)}",
            "It will be tried again; if it keeps failing, check the channel and the bot's token.",
        )
    lost = [row["name"] for row in rows if row["last_state"] == "sending" and row["gone"]]
    if lost:
        return warning(
            "digests",
            f"The worker that was sending the digest {few(lost)} did not come back.",
            "It is sent again as soon as the rescue has put its job back; "
            "`jobs-maint rescue` does so now.",
        )
    elsewhere = [row for row in rows if row["last_state"] == "sent" and row["last_error"]]
    if elsewhere:
        return warning(
            "digests",
            f"{_name(elsewhere, 'The')} went to the audit channel.{_say_reasons(elsewhere)}",
            "Invite the bot to the digest's channel, or name another one in CHATBOT_DIGESTS.",
        )
    return ok("digests", f"{count(len(rows), 'digest')} sent on time.")


def _is_late(row: dict[str, Any]) -> bool:
    if not row["windows"]:
        return bool(row["last_state"] == "failed")
    pauses = 1 if row["windows"] >= KNOWN_WINDOWS else 3
    allowed = pauses * row["longest_seconds"] + DIGEST_GRACE.total_seconds()
    return bool(row["behind_seconds"] > allowed)


def _name(rows: Sequence[dict[str, Any]], the: str = "the") -> str:
    return f"{the} {'digest' if len(rows) == 1 else 'digests'} {few([row['name'] for row in rows])}"


def _say_reasons(rows: Sequence[dict[str, Any]]) -> str:
    """Each once; where there are several, with the digests that it is of."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        reasons.setdefault(row["last_error"] or "", []).append(row["name"])
    reasons.pop("", None)
    if len(reasons) == 1 and len(*reasons.values()) == len(rows):
        return f" {next(iter(reasons))}"
    shown = list(reasons.items())[:MOST_REASONS]
    told = "".join(f" {few(names)}: {reason.rstrip('.')}." for reason, names in shown)
    more = len(reasons) - len(shown)
    return f"{told} And {count(more, 'more reason')}." if more else told


async def check_suspects(conn: Conn, situation: Situation) -> Finding:
    settings = situation.workers_settings
    rules = RescueRules.of(settings)
    found = await count_stuck_jobs(conn, rules)
    if not found:
        return ok("suspects", "No running job is without a live worker.")
    jobs = sum(row["jobs"] for row in found)
    sample = sorted(job for row in found for job in row["sample"])
    noticed = [row["noticed_seconds"] for row in found if row["noticed_seconds"] is not None]
    since = f"the first noticed {format_age(max(noticed))} ago" if noticed else (
        "not noticed by the rescue yet"
    )  # fmt: skip
    which = few_jobs(sample, MOST_SAMPLE, total=jobs)
    what = f"{count(jobs, 'running job')} without a live worker ({which}), {since}"
    if overdue := sum(row["overdue"] for row in found):
        return warning(
            "suspects",
            f"{what}; {overdue:,} should have been put back by now.",
            "Run `jobs-maint rescue`: it puts them back, or says of each why it cannot.",
        )
    if idle := (await find_outlook(conn, rules)).idle:
        return warning(
            "suspects",
            f"{what}. {say_idle(idle)}",
            "`jobs-maint stuck` says when `jobs-maint rescue` acts on them, and which ones you can "
            "rescue by id now.",
        )
    return note(
        "suspects",
        f"{what}.",
        f"The rescue puts each back {format_duration(settings.stalled_after)} after noticing it, "
        f"or {format_duration(settings.stalled_after_unknown)} if its worker has no recorder; "
        "`jobs-maint stuck` shows them.",
    )


async def check_audit(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    rows = await fetch_all(conn, load_queries("doctor")["list_lost_runs"])
    if not rows:
        return ok("audit", "No act in the audit was cut off.")
    acts = few([f"{row['word']} #{row['audit_id']}" for row in rows], 3, total=rows[0]["total"])
    return warning(
        "audit",
        f"{count(rows[0]['total'], 'act')} cut off: {acts} still `started`, but the process is "
        "gone.",
        "The next rescue, purge or command on many jobs marks it interrupted. Completed work is "
        "kept; repeat the command to do the rest.",
    )
