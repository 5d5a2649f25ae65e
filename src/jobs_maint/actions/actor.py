"""Who asks, and what they may do: roles, grants, queues."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from jobs_maint.quoting import plain_name, split_glob

__all__ = [
    "ALL_QUEUES",
    "Actor",
    "Grant",
    "QueueScope",
    "Role",
    "describe_actor",
    "describe_person",
    "escape_glob",
    "like_pattern",
    "part_pattern",
    "plain_name",
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

    def overlaps(self, glob: str) -> bool:
        """Whether a queue can be named so that the glob means it and the grant reaches it."""
        return self.globs is None or any(_fits(one, glob) for one in self.globs)

    def includes(self, glob: str) -> bool:
        """Whether one glob of the grant reaches every queue that this one can mean."""
        return self.globs is None or any(_fits(one, glob, wholly=True) for one in self.globs)

    @property
    def like_patterns(self) -> list[str] | None:
        """The same globs as SQL LIKE patterns, None for every queue."""
        if self.globs is None:
            return None
        return [like_pattern(glob) for glob in self.globs]

    @property
    def mark(self) -> str:
        """Short and the same for the same globs; empty for every queue."""
        if self.globs is None:
            return ""
        return hashlib.sha256("\n".join(sorted(self.globs)).encode()).hexdigest()[:8]


ALL_QUEUES = QueueScope()


def _matches(glob: str, text: str) -> bool:
    wild = {"*": ".*", "?": "."}
    pattern = "".join(wild.get(part) or re.escape(part[-1]) for part in split_glob(glob))
    return re.fullmatch(pattern, text, re.DOTALL) is not None


def _fits(mine: str, other: str, *, wholly: bool = False) -> bool:
    """Whether some name matches both; `wholly`: whether all that match `other` match `mine`."""
    left, right = split_glob(mine), split_glob(other)
    seen: set[tuple[int, int]] = set()
    todo = [(0, 0)]
    while todo:
        state = i, j = todo.pop()
        if state in seen:
            continue
        seen.add(state)
        if state == (len(left), len(right)):
            return True
        one, two = "".join(left[i : i + 1]), "".join(right[j : j + 1])
        if one == "*":
            todo += [(i + 1, j), *([(i, j + 1)] if two else [])]
        if two == "*" and not wholly:
            todo += [(i, j + 1), *([(i + 1, j)] if one else [])]
        both = one and two and "*" not in {one, two}
        if both and (one in {two, "?"} or (two == "?" and not wholly)):
            todo.append((i + 1, j + 1))
    return False


def like_pattern(glob: str) -> str:
    """A glob as a LIKE pattern: `*` and `?` are wildcards, literal after a backslash."""
    wild = {"*": "%", "?": "_"}
    parts = (wild.get(part) or re.sub(r"([\\%_])", r"\\\1", part[-1]) for part in split_glob(glob))
    return "".join(parts)


def part_pattern(text: str) -> str:
    """What is part of a name, or a glob for all of it, as a LIKE pattern."""
    pattern = like_pattern(text)
    return pattern if plain_name(text) is None else f"%{pattern}%"


def escape_glob(name: str) -> str:
    """The glob that means exactly this name."""
    return re.sub(r"([*?])", r"\\\1", name)


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, optionally limited to some queues and some channels (ids)."""

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

    @property
    def label(self) -> str:
        """Who it is, for readers of records: see `describe_actor`."""
        return describe_actor(self.kind, self.id, self.name)

    def grants_here(self) -> tuple[Grant, ...]:
        """The grants that apply in the actor's channel."""
        return tuple(g for g in self.grants if g.channels is None or self.channel in g.channels)

    @property
    def role(self) -> Role | None:
        """The highest role held here, on any queue."""
        order = list(Role)
        roles = [grant.role for grant in self.grants_here()]
        return max(roles, key=order.index, default=None)

    def scope(self, needed: Role) -> QueueScope | None:
        """The queues on which this actor holds the role; None if there are none."""
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


def describe_actor(kind: str, actor_id: str, name: str) -> str:
    """`slack:U0EVE (admin)`: the id first, for a name is what people call themselves."""
    return f"{kind}:{describe_person(actor_id, name)}"


def describe_person(actor_id: str, name: str) -> str:
    """As `describe_actor`, without what kind of person it is."""
    who, called = _as_word(actor_id, 100), _as_word(name, 60)
    known = not called or who == called or who.startswith(f"{called}@")
    return who if known else f"{who} ({called})"


_ACTING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _as_word(text: str, most: int) -> str:
    """One short line in which no character moves, hides or reorders the others."""
    plain = "".join(" " if unicodedata.category(char) in _ACTING else char for char in text)
    plain = " ".join(plain.split())
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"
