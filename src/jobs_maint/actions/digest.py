"""Requests for failure summaries: now, or the window that is due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Literal

from jobs_maint.actions.actor import Role
from jobs_maint.actions.base import Action, spell
from jobs_maint.models import DigestReport

__all__ = [
    "CloseDigest",
    "DropPosted",
    "HoldDigest",
    "HoldThread",
    "LeaveThread",
    "ListThreads",
    "ListUnsureDigests",
    "OpenDigest",
    "ShowDigest",
]

Post = Mapping[str, Any]
"""A message as a front end stores it, with a `key` of its own."""


@dataclass(frozen=True, slots=True)
class ShowDigest(Action[DigestReport]):
    """The failure summary of the last hours; does not open or advance a window."""

    queue: str | None = None
    since: timedelta = timedelta(hours=24)

    word: ClassVar[str] = "digest"
    verb: ClassVar[str] = "see failures"

    def words(self) -> str:
        return spell("digest", self.queue, since=self.since)


@dataclass(frozen=True, slots=True)
class OpenDigest(Action[DigestReport | None]):
    """Take the window that is due for this digest and summarise it; None when none is due.

    Raises AlreadyRunning while another sender has the window: it may be dead.

    `period` is one cron period: what the first window covers. `key` is stored before the message
    is posted and carried by it, so that it can be told from those of other databases. `untold`:
    digests that it does not call late; it never says so of itself, since it is being sent.
    """

    name: str
    period: timedelta
    key: str
    queues: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None
    groups: int = 10
    untold: tuple[str, ...] = ()

    word: ClassVar[str] = "digest"
    verb: ClassVar[str] = "send digests"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class ListUnsureDigests(Action[dict[str, tuple[int, str]]]):
    """Key → window id and channel of what this digest may have posted without our knowing."""

    name: str

    word: ClassVar[str] = "digest"
    verb: ClassVar[str] = "send digests"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class HoldDigest(Action[bool]):
    """Keep an opened window for five more minutes; False where it is another sender's by now.

    `thread`: what is to be posted in the thread once the message is there, by whoever is left.
    """

    window_id: int
    channel: str
    thread: tuple[Post, ...] = ()

    word: ClassVar[str] = "digest"
    verb: ClassVar[str] = "send digests"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class CloseDigest(Action[bool]):
    """Record the outcome of an opened window; only `sent` and `quiet` advance it.

    `posted_nothing`: it is certain that Slack took no message. True: nothing was recorded, because
    this sender was taken for dead and another one may have told the same; the message has to say
    so first (`noted`).
    """

    window_id: int
    state: Literal["sent", "quiet", "failed"]
    channel: str | None = None
    ts: str | None = None
    error: str | None = None
    posted_nothing: bool = False
    noted: bool = False

    word: ClassVar[str] = "digest"
    verb: ClassVar[str] = "send digests"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class ListThreads(Action[dict[int, tuple[str, str]]]):
    """Window → channel and ts of each message of this digest whose thread nobody is completing."""

    name: str

    word: ClassVar[str] = "digest"
    verb: ClassVar[str] = "send digests"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class HoldThread(Action[Post | None]):
    """What is to be posted next in the thread of a window that was sent.

    None where all is posted, or another sender is at it: one that was not heard of for five minutes
    is gone.
    """

    window_id: int
    sender: str

    word: ClassVar[str] = "digest"
    verb: ClassVar[str] = "send digests"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class DropPosted(Action[None]):
    """What has this key is in the thread now.

    `if_twice`: what is to be done in its place where another sender had said so before.
    """

    window_id: int
    key: str
    if_twice: Post | None = None

    word: ClassVar[str] = "digest"
    verb: ClassVar[str] = "send digests"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class LeaveThread(Action[None]):
    """Let another sender complete the thread, or nobody where Slack refuses it."""

    window_id: int
    sender: str
    refused: bool = False

    word: ClassVar[str] = "digest"
    verb: ClassVar[str] = "send digests"
    role: ClassVar[Role | None] = Role.ADMIN
