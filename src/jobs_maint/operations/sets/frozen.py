"""What a filter means now, frozen: the set that a confirmation will act on, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from jobs_maint.actions import ALL_QUEUES, Actor, BulkVerb, JobFilter, QueueScope, Role
from jobs_maint.database import Conn, fetch_all
from jobs_maint.durations import format_time
from jobs_maint.errors import SelectionExpired
from jobs_maint.models import Preview, SetGroup, SkipGroup
from jobs_maint.operations.jobs.error_groups import NamedGroup, describe_newest
from jobs_maint.operations.jobs.locking import outside_grant
from jobs_maint.operations.jobs.serving import find_unserved
from jobs_maint.operations.selections import drop_older, freeze_words
from jobs_maint.operations.sets.failed import find_set_errors
from jobs_maint.operations.sets.seen import keep_seen
from jobs_maint.operations.sets.selecting import keep_filter, select
from jobs_maint.operations.sets.undo import Undo, find_undo
from jobs_maint.redaction import DEFAULT, Rules, run_apart
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS
from jobs_maint.verbs import FINAL_STATUSES, find_state, find_verb

__all__ = ["SAMPLE", "dismiss_selection", "find_needs", "freeze_set", "use_selection"]

SAMPLE = 5
"""Example ids per reason in a preview or a report."""
_ONE_FAILED = "It had failed or been aborted before it was discarded; it runs again."
_ALL_FAILED = "They had failed or been aborted before they were discarded; they run again."


async def freeze_set(
    conn: Conn,
    actor: Actor,
    verb: BulkVerb,
    wanted: JobFilter,
    *,
    words: str,
    needs: str,
    reset_attempts: bool = False,
    group: NamedGroup | None = None,
    scope: QueueScope = ALL_QUEUES,
    rules: Rules = DEFAULT,
) -> Preview:
    """Select the set and keep it for ten minutes; changes no job.

    `needs` is the role a confirmation requires, `group` what `wanted.group` names. Raises
    InvalidRequest when the request to undo changed no job, NotPermitted where all that is left of
    named jobs is out of reach.
    """
    undo = None
    if wanted.request is not None:
        undo = await find_undo(conn, wanted.request, scope, actor)
        wanted = replace(wanted, job_ids=tuple(undo.open_ids))
    selected = await select(conn, verb, wanted, group, rules, scope)
    rows, records, until = selected.rows, selected.records, selected.until
    error = errors = None
    if group and records:
        error = await describe_newest(conn, group, records, rows, rules, until)
    if verb is not BulkVerb.CANCEL:
        errors = await find_set_errors(conn, rows, rules, until)
    skips = await _expect_skips(conn, rows) if verb is BulkVerb.RETRY else []
    left_out = await _find_left_out(conn, verb, wanted, rows, scope, undo)
    skips += left_out
    remain = rows[0]["matching"] - len(rows) if rows else 0
    job_ids, groups, statuses, later = await run_apart(lambda: _sum_up(rows), len(rows))
    several = verb is not BulkVerb.CANCEL and len(wanted.statuses) > 1
    seen = await run_apart(lambda: keep_seen(verb, rows), len(rows))
    key = expires_at = None
    if not rows:
        await drop_older(conn, actor, verb.value, words)
    else:
        key, expires_at = await freeze_words(
            conn,
            actor,
            verb.value,
            words=words,
            job_ids=job_ids,
            params={
                "reset_attempts": reset_attempts,
                "needs": needs,
                "queues": list(dict.fromkeys(queue for (queue, _), _ in groups.most_common())),
                "remain": remain,
                "left_out": [asdict(skip) for skip in left_out],
                "filter": keep_filter(verb, wanted, remain),
                **seen,
            },
        )
    warnings: tuple[str, ...] = ()
    if verb is BulkVerb.RETRY:
        names = list(dict.fromkeys(queue for queue, _ in groups))
        warnings = await find_unserved(conn, names, len(rows))
        if undo is not None and undo.discards and rows:
            warnings = (_ONE_FAILED if len(rows) == 1 else _ALL_FAILED, *warnings)
    return Preview(
        verb=verb.value,
        words=words,
        key=key,
        count=len(rows),
        remain=remain,
        groups=tuple(SetGroup(*names, count) for names, count in groups.most_common()),
        skips=tuple(skips),
        expires_at=expires_at,
        by_status=statuses if several else {},
        running=statuses["doing"],
        later=later if verb is BulkVerb.RETRY else 0,
        error=error,
        errors=errors,
        warnings=warnings,
    )


def _sum_up(
    rows: Sequence[dict[str, Any]],
) -> tuple[list[int], Counter[tuple[str, str]], Counter[str], int]:
    """The ids, how many there are of each queue and task, of each status, and with a time."""
    return (
        [row["id"] for row in rows],
        Counter((row["queue_name"], row["task_name"]) for row in rows),
        Counter(row["status"] for row in rows),
        sum(row["later"] for row in rows),
    )


async def _expect_skips(conn: Conn, rows: Sequence[dict[str, Any]]) -> list[SkipGroup]:
    """Jobs of the set that cannot wait because of their queueing lock, as things are now."""
    job_ids = [row["id"] for row in rows if row["queueing_lock"] is not None]
    if not job_ids:
        return []
    query = load_queries("jobs")["find_taken_locks"]
    taken = {row["queueing_lock"] for row in await fetch_all(conn, query, {"ids": job_ids})}
    held, twice = await run_apart(lambda: _split(rows, taken), len(rows))
    found = []
    for ids, reason in (
        (held, "a job with the same queueing lock is already waiting"),
        (twice, "an older job of this set has the same queueing lock"),
    ):
        if ids:
            group = SkipGroup("queueing_lock_taken", reason, len(ids), tuple(ids[:SAMPLE]))
            found.append(group)
    return found


def _split(rows: Sequence[dict[str, Any]], taken: set[str]) -> tuple[list[int], list[int]]:
    """Jobs whose lock is `taken`, and those whose lock an older one of the set gets."""
    held, twice = [], []
    seen: set[str] = set()
    for row in rows:
        lock = row["queueing_lock"]
        if lock in taken:
            held.append(row["id"])
        elif lock in seen:
            twice.append(row["id"])
        elif lock is not None:
            seen.add(lock)
    return held, twice


async def _find_left_out(
    conn: Conn,
    verb: BulkVerb,
    wanted: JobFilter,
    rows: Sequence[dict[str, Any]],
    scope: QueueScope,
    undo: Undo | None,
) -> list[SkipGroup]:
    """Ids that were given but do not exist, or are in a status that was not asked for.

    Or out of reach; where that leaves none, it is refused as for a single job. Of a request, the
    jobs that it changed, unless only some of those were asked for: those out of reach by number.
    """
    whole = JobFilter(statuses=wanted.statuses, request=wanted.request, job_ids=wanted.job_ids)
    if undo is not None and wanted != whole:
        return []
    request = undo.request if undo is not None else None
    named = undo.ids if undo is not None else wanted.job_ids or ()
    there = {row["id"] for row in rows}
    left = [job_id for job_id in named if job_id not in there]
    if not left:
        return []
    statuses = list(wanted.statuses or verb.statuses[:1])
    asked = {
        "ids": left,
        "queues": scope.like_patterns,
        "ours": OUR_TASKS,
        "request": request,
        "statuses": statuses,
    }
    found = await fetch_all(conn, load_queries("bulk")["list_left_out"], asked)
    states = {row["state"]: row["ids"] for row in found}
    known = {job_id for ids in states.values() for job_id in ids}
    outside, _ = states.pop("outside", []), states.pop("elsewhere", [])
    if outside and request is None and not rows:
        raise outside_grant(outside, scope, verb.value)
    groups: list[tuple[str, str, Sequence[int]]] = []
    for state, those in states.items():
        for since, ids in await undo.say_since(conn, those) if undo else [("", those)]:
            # What the status alone would not leave out is left out for what was done since.
            now = "" if since and state in statuses else find_state(state)
            groups.append(("wrong_status", "; ".join(filter(None, (now, since))), ids))
    where = f"outside your grant ({', '.join(scope.globs or ())})"
    groups.append(("not_permitted", where, outside))
    groups.append(("not_found", "not found", [one for one in left if one not in known]))
    return [
        SkipGroup(code, reason, len(ids), () if request and ids is outside else tuple(ids[:SAMPLE]))
        for code, reason, ids in groups
        if ids
    ]


async def dismiss_selection(conn: Conn, actor: Actor, key: str) -> dict[str, Any]:
    """Take the frozen set so that it never runs; raises as `use_selection` does."""
    taken = await use_selection(conn, actor, key)
    await fetch_all(conn, load_queries("bulk")["dismiss_selection"], {"key": key})
    return taken


async def find_needs(conn: Conn, actor: Actor, key: str) -> tuple[Role, str, tuple[str, ...]]:
    """The role that a confirmation requires, what for ("You may not …"), and on which queues.

    The queues only of the actor's own preview: that of another may show more than they may see.
    """
    found = await fetch_all(conn, load_queries("bulk")["find_selection"], {"key": key})
    if not found:
        return Role.OPERATOR, "change jobs", ()
    row = found[0]
    own = (row["actor_kind"], row["actor_id"]) == (actor.kind, actor.id)
    queues = tuple(row["queues"] or ()) if own else ()
    return Role(row["needs"]), f"{find_verb(row['verb']).ask.lower()} these jobs", queues


async def use_selection(conn: Conn, actor: Actor, key: str) -> dict[str, Any]:
    """Take the frozen set, once. Raises SelectionExpired saying why it cannot be used."""
    queries = load_queries("bulk")
    who = {"key": key, "actor_kind": actor.kind, "actor_id": actor.id}
    rows = await fetch_all(conn, queries["use_selection"], who)
    if rows:
        return rows[0]
    found = await fetch_all(conn, queries["find_selection"], {"key": key})
    again = "nothing was changed. Ask for a new preview"
    if not found:
        raise SelectionExpired(f"This preview is not known here; {again}.")
    if (found[0]["actor_kind"], found[0]["actor_id"]) != (actor.kind, actor.id):
        raise SelectionExpired(
            "Only the person who asked for this preview can confirm it; "
            "nothing was changed. Ask for your own.",
            why="not_yours",
        )
    if found[0]["replaced"]:
        raise SelectionExpired(
            "This preview was replaced by a newer one; nothing was changed.", why="replaced"
        )
    if found[0]["dismissed"]:
        raise SelectionExpired(f"This preview was dismissed; {again}.", why="dismissed")
    if found[0]["used_at"] is not None:
        raise SelectionExpired(
            f"This preview was already confirmed{_say_became(found[0])}; it runs only once.",
            why="used",
        )
    raise SelectionExpired(f"This preview is older than ten minutes; {again}.", why="late")


def _say_became(used: Mapping[str, Any]) -> str:
    """` at 2026-11-23 11:44:10 UTC: 3 jobs retried, request 68`; no more than the audit has."""
    at = f" at {format_time(used['used_at'], seconds=True)}"
    if used["request"] is None:
        return at
    counts, request = used["counts"], f"request {used['request']}"
    if used["outcome"] == "started":
        return f"{at} and still runs: {request}"
    names = FINAL_STATUSES if used["verb"] == "purge" else ("done",)
    jobs = sum(counts.get(name, 0) for name in names)
    told = [f"{jobs:,} {'job' if jobs == 1 else 'jobs'} {find_verb(used['verb']).done}"]
    if asked := counts.get("abort_requested"):
        told.append(f"{asked:,} asked to abort")
    if used["outcome"] in {"failed", "interrupted"}:
        told.append(f"then it {'failed' if used['outcome'] == 'failed' else 'was interrupted'}")
    return f"{at}: {', '.join([*told, request])}"
