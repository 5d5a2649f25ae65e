"""One frozen dataclass per request: what was asked, and the role it needs.

A front end turns words into an action; `perform` checks, does and audits it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, Literal

from jobs_maint.durations import format_duration
from jobs_maint.errors import NotPermitted

__all__ = [
    "ALL_QUEUES",
    "Action",
    "Actor",
    "ApplySchema",
    "CheckSchema",
    "CloseDigest",
    "GetJob",
    "Grant",
    "ListFailed",
    "OpenDigest",
    "PurgeFinished",
    "QueueScope",
    "RescueStalled",
    "RetryJobs",
    "Role",
    "ShowHelp",
    "ShowSchemaSql",
    "ShowStats",
    "permit",
    "quote_word",
]


class Role(StrEnum):
    """admin ⊇ operator ⊇ viewer."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def covers(self, needed: Role) -> bool:
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class QueueScope:
    """The queues a grant reaches: globs with `*` and `?`; None reaches every queue."""

    globs: tuple[str, ...] | None = None

    def covers(self, queue: str) -> bool:
        return self.globs is None or any(_matches(glob, queue) for glob in self.globs)

    @property
    def like_patterns(self) -> list[str] | None:
        """The same globs as SQL LIKE patterns, None for every queue."""
        if self.globs is None:
            return None
        return [_like(glob) for glob in self.globs]


ALL_QUEUES = QueueScope()


def _matches(glob: str, text: str) -> bool:
    pattern = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in glob)
    return re.fullmatch(pattern, text, re.DOTALL) is not None


def _like(glob: str) -> str:
    escaped = re.sub(r"([\\%_])", r"\\\1", glob)
    return escaped.replace("*", "%").replace("?", "_")


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, perhaps only for some queues and only in some channels (ids)."""

    role: Role
    queues: tuple[str, ...] | None = None
    channels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `id` is stable (a Slack user id, a login name); `name` is for readers only."""

    kind: Literal["shell", "slack", "task"]
    id: str
    name: str = ""
    channel: str | None = None
    grants: tuple[Grant, ...] = ()

    @classmethod
    def shell(cls, login: str, host: str) -> Actor:
        """A person with the database password: all roles."""
        return cls("shell", f"{login}@{host}", login, None, (Grant(Role.ADMIN),))

    @classmethod
    def task(cls, name: str) -> Actor:
        """One of our own periodic tasks."""
        return cls("task", name, name, None, (Grant(Role.ADMIN),))

    def grants_here(self) -> tuple[Grant, ...]:
        """The grants that hold in the actor's channel."""
        return tuple(g for g in self.grants if g.channels is None or self.channel in g.channels)

    @property
    def role(self) -> Role | None:
        """The highest role held here, on whichever queues."""
        order = list(Role)
        roles = [grant.role for grant in self.grants_here()]
        return max(roles, key=order.index, default=None)

    def scope(self, needed: Role) -> QueueScope | None:
        """The queues on which this actor holds the role; None when on none."""
        globs: list[str] = []
        found = False
        for grant in self.grants_here():
            if not grant.role.covers(needed):
                continue
            found = True
            if grant.queues is None:
                return ALL_QUEUES
            globs.extend(grant.queues)
        return QueueScope(tuple(dict.fromkeys(globs))) if found else None


@dataclass(frozen=True, slots=True)
class Action:
    """Base. `role` None: anyone who may use the tool at all, also without a grant.

    `act`: changes something, so it is audited and needs fresh knowledge of who may. `verb`: what
    it does, to follow "You may not …". `whole`: needs a grant that reaches every queue.
    """

    word: ClassVar[str]
    verb: ClassVar[str]
    role: ClassVar[Role | None] = Role.VIEWER
    act: ClassVar[bool] = False
    whole: ClassVar[bool] = False

    def words(self) -> str:
        """The request as one would type it; what the audit shows."""
        return self.word


@dataclass(frozen=True, slots=True)
class ShowStats(Action):
    queue: str | None = None

    word: ClassVar[str] = "stats"
    verb: ClassVar[str] = "see the queues"

    def words(self) -> str:
        return _words("stats", self.queue)


@dataclass(frozen=True, slots=True)
class ListFailed(Action):
    queue: str | None = None
    task: str | None = None
    error: str | None = None
    since: timedelta | None = None
    limit: int = 20

    word: ClassVar[str] = "failed"
    verb: ClassVar[str] = "see failed jobs"

    def words(self) -> str:
        return _words(
            "failed",
            self.queue,
            task=self.task,
            error=self.error,
            since=self.since,
            limit=None if self.limit == 20 else self.limit,
        )


@dataclass(frozen=True, slots=True)
class GetJob(Action):
    job_id: int
    reveal: bool = False
    """Show arguments and errors without redaction; the shell only, audited."""

    word: ClassVar[str] = "status"
    verb: ClassVar[str] = "see a job"

    def words(self) -> str:
        return f"status {self.job_id}" + (" --reveal" if self.reveal else "")


@dataclass(frozen=True, slots=True)
class RetryJobs(Action):
    job_ids: tuple[int, ...]
    reset_attempts: bool = False

    word: ClassVar[str] = "retry"
    verb: ClassVar[str] = "retry jobs"
    role: ClassVar[Role | None] = Role.OPERATOR
    act: ClassVar[bool] = True

    def words(self) -> str:
        ids = " ".join(map(str, self.job_ids))
        return f"retry {ids}" + (" --reset-attempts" if self.reset_attempts else "")


@dataclass(frozen=True, slots=True)
class ShowHelp(Action):
    about: str | None = None

    word: ClassVar[str] = "help"
    verb: ClassVar[str] = "see the help"
    role: ClassVar[Role | None] = None

    def words(self) -> str:
        return _words("help", self.about)


@dataclass(frozen=True, slots=True)
class PurgeFinished(Action):
    """Delete finished jobs by the retention settings. `time_limit` bounds one call.

    `resume_after` is what an unfinished report said.
    """

    dry_run: bool = False
    time_limit: timedelta | None = None
    resume_after: Mapping[str, int] = field(default_factory=dict)

    word: ClassVar[str] = "purge"
    verb: ClassVar[str] = "delete finished jobs"
    role: ClassVar[Role | None] = Role.ADMIN
    act: ClassVar[bool] = True
    whole: ClassVar[bool] = True

    def words(self) -> str:
        return "purge --dry-run" if self.dry_run else "purge"


@dataclass(frozen=True, slots=True)
class RescueStalled(Action):
    """Put dead workers' jobs back, under the policy of the settings."""

    word: ClassVar[str] = "rescue"
    verb: ClassVar[str] = "rescue jobs"
    role: ClassVar[Role | None] = Role.OPERATOR
    act: ClassVar[bool] = True
    whole: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class OpenDigest(Action):
    """Take the window that is due for this digest and summarise it.

    `period` is one cron period: what the first window covers.
    """

    name: str
    period: timedelta
    queues: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None
    groups: int = 10

    word: ClassVar[str] = "digest"
    verb: ClassVar[str] = "send digests"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class CloseDigest(Action):
    """Say what came of an opened window: only `sent` and `quiet` advance it."""

    window_id: int
    state: Literal["sent", "quiet", "failed"]
    channel: str | None = None
    ts: str | None = None
    error: str | None = None

    word: ClassVar[str] = "digest"
    verb: ClassVar[str] = "send digests"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class ApplySchema(Action):
    word: ClassVar[str] = "schema apply"
    verb: ClassVar[str] = "change the schema"
    role: ClassVar[Role | None] = Role.ADMIN
    act: ClassVar[bool] = True
    whole: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class CheckSchema(Action):
    word: ClassVar[str] = "schema status"
    verb: ClassVar[str] = "see the schema"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class ShowSchemaSql(Action):
    word: ClassVar[str] = "schema sql"
    verb: ClassVar[str] = "see the schema"
    role: ClassVar[Role | None] = Role.ADMIN


def permit(actor: Actor, action: Action) -> QueueScope:
    """The queues the actor may reach with this action; raises NotPermitted."""
    if action.role is None:
        return ALL_QUEUES
    scope = actor.scope(action.role)
    has = actor.role
    if scope is None:
        held = f"you are {has}" if has else "you have no role here"
        raise NotPermitted(
            f"You may not {action.verb}: it needs the role {action.role}; {held}.",
            needs=action.role,
            has=has,
        )
    if action.whole and scope.globs is not None:
        raise NotPermitted(
            f"You may not {action.verb}: it needs the role {action.role} on every queue; "
            f"you hold it on {', '.join(scope.globs)}.",
            needs=action.role,
            has=has,
        )
    return scope


def _words(word: str, *places: object, **options: object) -> str:
    parts = [word, *(quote_word(str(place)) for place in places if place is not None)]
    for name, value in options.items():
        if value is not None:
            text = format_duration(value) if isinstance(value, timedelta) else str(value)
            parts.append(f"--{name} {quote_word(text)}")
    return " ".join(parts)


def quote_word(text: str) -> str:
    """The text as one word of a command line, quoted where it has to be."""
    if text and not re.search(r"\s|(?:^|=)['\"]", text):
        return text
    quote = "'" if '"' in text else '"'
    return f"{quote}{text}{quote}"
