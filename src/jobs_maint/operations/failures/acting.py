"""Who is on a group of errors, and whether it is muted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NoReturn

from jobs_maint.actions import MuteGroup, Role, TakeGroup
from jobs_maint.call import Call, record_act, require_every_queue
from jobs_maint.database import Conn, fetch_all, fetch_one, transaction
from jobs_maint.errors import InvalidRequest, JobNotFound, NotPermitted
from jobs_maint.models import GroupReport, say_person
from jobs_maint.operations.failures.memory import collect_groups
from jobs_maint.operations.failures.states import Known
from jobs_maint.operations.jobs.error_groups import refuse_unknown
from jobs_maint.operations.session import get_time
from jobs_maint.redaction import redact_text
from jobs_maint.sql import load_queries

__all__ = ["find_taken_off", "find_whole", "is_on", "mute_group", "refuse_others", "take_group"]

Done = Literal["taken", "dropped", "muted", "unmuted"]
MARKS_OF: Mapping[Done, Sequence[str]] = {
    "dropped": ("taken_by", "taken_at"),
    "unmuted": ("muted_until", "muted_above"),
}
"""What is ended by it."""


async def take_group(call: Call[TakeGroup]) -> GroupReport:
    asked = call.action
    async with call.pool.connection() as conn:
        if isinstance(asked.target, int):
            await collect_groups(conn)  # it may have failed a moment ago
        async with transaction(conn):
            name = asked.target
            if isinstance(name, int):
                name = await _find_group_of_job(conn, call, name)
            before = await _lock_group(conn, call, name)
            whole = await find_whole(conn, before, "dropped") if asked.drop else None
            if asked.drop and before["taken_by"] is None:
                raise InvalidRequest(
                    f"nobody has taken {before['name']}, so there is nothing to give back"
                )
            if asked.drop:
                refuse_others(call, before["name"], before["taken_by"])
            if not asked.drop and is_on(call, before["taken_by"]):
                return await _report(conn, call, before, "taken", had_since=before["taken_at"])
            taken_by = None if asked.drop else call.actor.label
            values = {"name": before["name"], "taken_by": taken_by}
            row = await fetch_one(conn, load_queries("groups")["take_group"], values)
            done: Done = "dropped" if asked.drop else "taken"
            return await _finish(conn, call, row, done, before["taken_by"], whole)


def is_on(call: Call[Any], taken_by: str | None) -> bool:
    """Whether who asks has taken it; their name may have changed since."""
    return taken_by is not None and taken_by.partition(" ")[0] == call.actor.label.partition(" ")[0]


def find_taken_off(call: Call[Any], done: Done, before: str | None) -> str | None:
    """Who was on it `before` and was taken off by somebody else."""
    return before if done == "dropped" and not is_on(call, before) else None


def refuse_others(call: Call[Any], name: str, taken_by: str | None) -> None:
    """A button that was left from before somebody else took it must not take that one off."""
    if taken_by is None or is_on(call, taken_by):
        return
    if call.actor.role is None or not call.actor.role.covers(Role.ADMIN):
        raise InvalidRequest(
            f"{say_person(taken_by)} is on {name} now, not you; they can give it back, or an admin "
            "can"
        )


async def mute_group(call: Call[MuteGroup]) -> GroupReport:
    asked = call.action
    async with call.pool.connection() as conn:
        if isinstance(asked.group, int):
            await _refuse_job(conn, call, asked.group)
        async with transaction(conn):
            return await _mute(conn, call, asked.group)


async def _refuse_job(conn: Conn, call: Call[MuteGroup], job_id: int) -> NoReturn:
    """A mute is for all jobs that fail so: say what they are called, and how to mute them."""
    await collect_groups(conn)
    async with transaction(conn):
        name = await _find_group_of_job(conn, call, job_id)
        await _lock_group(conn, call, name)
    words = replace(call.action, group=name).words()
    raise InvalidRequest(f"Job {job_id} failed with {name}; type: {words}", suggestion=words)


async def _mute(conn: Conn, call: Call[MuteGroup], name: str) -> GroupReport:
    asked, before = call.action, await _lock_group(conn, call, name)
    if asked.above is not None:
        await _refuse_exceeded(conn, asked, before["name"], asked.above)
    values = {
        "name": before["name"],
        "seconds": asked.span.total_seconds() if asked.span is not None else None,
        "above": asked.above,
    }
    off = asked.span is None and asked.above is None
    whole = await find_whole(conn, before, "unmuted") if off else None
    row = await fetch_one(conn, load_queries("groups")["mute_group"], values)
    done: Done = "unmuted" if off else "muted"
    return await _finish(conn, call, row, done, before["taken_by"], whole)


async def find_whole(
    conn: Conn, group: Mapping[str, Any], done: Done, called: str = ""
) -> dict[str, Any] | None:
    """The row of all groups of its kind, where they are still taken or muted after that.

    Raises InvalidRequest where the group, `called` so, is so only with them.
    """
    rows = await fetch_all(conn, load_queries("groups")["find_whole"], {"name": group["name"]})
    now, called = await get_time(conn), called or group["name"]

    def is_so(row: Mapping[str, Any]) -> bool:
        if done == "dropped":
            return row["taken_by"] is not None
        return row["muted_until"] is not None and row["muted_until"] > now

    if not rows or not is_so(rows[0]):
        return None
    whole = rows[0]
    if is_so(group):
        return whole
    name = whole["name"]
    if done == "dropped":
        raise InvalidRequest(
            f"{say_person(whole['taken_by'])} has taken all errors of this kind, {name}, not "
            f"{called} alone; give that back",
            suggestion=TakeGroup(name, drop=True).words(),
        )
    raise InvalidRequest(
        f"all errors of this kind are muted, as {name}, and {called} with them; end that mute",
        suggestion=MuteGroup(name).words(),
    )


async def _refuse_exceeded(conn: Conn, asked: MuteGroup, name: str, above: int) -> None:
    """Its next failure would end such a mute."""
    query = load_queries("groups")["count_last_hour"]
    failures = (await fetch_one(conn, query, {"name": name}))["failures"]
    if failures >= above:
        raise InvalidRequest(
            f"{name} failed {failures:,} times in the last hour, so its next failure would end a "
            f"mute --above {above}/h. Name a higher rate, or only how long, --for 24h",
            suggestion=replace(asked, group=name, above=2 * failures).words(),
        )


async def _find_group_of_job(conn: Conn, call: Call[Any], job_id: int) -> str:
    """The name of the group of the job's last error."""
    queries, scope, word = load_queries("groups"), call.scope, call.action.word
    found = await fetch_all(conn, queries["find_last_error"], {"job_id": job_id})
    if not found:
        raise JobNotFound(f"There is no job {job_id}; it may have been purged.")
    row = found[0]
    if not scope.covers(row["queue_name"]):
        raise NotPermitted(
            f"You may not {word} the error of job {job_id}: it is in a queue that your grant does "
            f"not reach ({', '.join(scope.globs or ())})."
        )
    if row["fingerprint"] is None:
        raise InvalidRequest(f"Job {job_id} has no recorded error, so there is nothing to {word}")
    groups = await fetch_all(conn, queries["find_groups"], {"fingerprints": [row["fingerprint"]]})
    names = [group["name"] for group in groups if group["task_name"] == row["task_name"]]
    if not names:
        raise InvalidRequest(
            f"The error of job {job_id} has no group yet: it is retried, or not counted yet. Try "
            "again in a minute"
        )
    name: str = names[0]
    return name


async def _lock_group(conn: Conn, call: Call[Any], name: str) -> dict[str, Any]:
    """Raises InvalidRequest where no group has this name in the queues that the actor reaches.

    Raises NotPermitted where it occurs in others, too: what is said of it is said of all.
    """
    queries, scope = load_queries("groups"), call.scope
    await fetch_all(conn, load_queries("incidents")["lock_incident_of_group"], {"name": name})
    rows = await fetch_all(conn, queries["lock_group"], {"name": name})
    if not rows or not any(map(scope.covers, rows[0]["queues"])):
        field = "target" if isinstance(call.action, TakeGroup) else "group"
        await refuse_unknown(
            conn, name, scope, lambda other: replace(call.action, **{field: other}).words()
        )
    require_every_queue(call, Known.of(rows[0]).is_within(scope))
    return rows[0]


async def _finish(
    conn: Conn,
    call: Call[Any],
    row: dict[str, Any],
    done: Done,
    before: str | None,
    whole: dict[str, Any] | None,
) -> GroupReport:
    """Say so of its incident too, and report; `whole`: what it is still taken or muted as."""
    whom = find_taken_off(call, done, before)
    said = {"name": row["name"], "what": done, "by": call.actor.label, "whom": whom}
    for query in ("mark_incident_of_group", "note_part_of_incident"):
        await fetch_all(conn, load_queries("incidents")[query], said)
    if whole is not None:
        row = {**row, **{name: whole[name] for name in MARKS_OF[done]}}
    name = whole["name"] if whole is not None else None
    return await _report(conn, call, row, done, before=before, whole=name)


async def _report(
    conn: Conn, call: Call[Any], row: dict[str, Any], done: Done, **more: Any
) -> GroupReport:
    await record_act(conn, call)
    as_of = await get_time(conn)
    return GroupReport(
        as_of=as_of,
        done=done,
        task=row["task_name"],
        exception_type=row["exception_type"],
        message=redact_text(row["message"], call.rules),
        failures=row["failures"],
        last_at=row["last_at"],
        **more,
        **Known.of(row).told(as_of),
    )
