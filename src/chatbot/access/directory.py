"""Who is who in Slack, cached for as long as that is safe.

An act needs data at most a minute old, a read ten minutes. When Slack does not answer, a read may
use a copy up to an hour old; an act may not. Who else reads a channel is asked anew each time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, Protocol

from chatbot.slack.errors import SlackUnavailable, is_about_membership
from chatbot.slack.identity import is_shared_outside, name_person
from jobs_maint.errors import JobsMaintError

__all__ = ["Directory", "SlackPeople", "Unknown"]

FRESH_FOR_ACTS = 60.0
FRESH_FOR_READS = 600.0
USABLE_FOR_READS = 3_600.0
FRESH_FOR_ALL = 2.0
"""For what everybody in a channel sees: when all ask at once, Slack is asked for one of them."""
_MOST = 5_000


class SlackPeople(Protocol):
    """What this asks of Slack."""

    async def list_group_members(self, group: str) -> frozenset[str]: ...
    async def list_groups(self) -> Any: ...
    async def get_user(self, user: str) -> Any: ...
    async def get_channel(self, channel: str) -> Any: ...


class Unknown(Exception):
    """Slack did not say; the text says why."""

    @property
    def may_pass(self) -> bool:
        """Whether Slack may answer in a minute; a refusal lasts until somebody fixes its cause."""
        return isinstance(self.__cause__, SlackUnavailable)

    @property
    def is_about_membership(self) -> bool:
        """Whether the bot could find out by joining the channel."""
        return is_about_membership(self.__cause__)

    @property
    def is_about_absence(self) -> bool:
        """Whether Slack said that there is no such person or group."""
        reason = getattr(self.__cause__, "reason", "")
        return reason in {"user_not_found", "user_not_visible", "no_such_subteam"}


@dataclass(frozen=True, slots=True)
class _Copy:
    value: Any
    at: float


class Directory:
    """Slack's answers with their age, by `clock` in seconds. Raises Unknown and nothing else."""

    def __init__(self, slack: SlackPeople, clock: Callable[[], float]) -> None:
        self._slack = slack
        self._clock = clock
        self._copies: dict[Hashable, _Copy] = {}
        self._locks: dict[Hashable, asyncio.Lock] = {}
        self._failures: dict[Hashable, JobsMaintError] = {}

    async def members_of(self, group: str, *, act: bool) -> frozenset[str]:
        members: frozenset[str] = await self._get(
            ("group", group), lambda: self._slack.list_group_members(group), act=act
        )
        return members

    async def is_full_member(self, user: str) -> bool:
        """Whether this is an active member of the workspace: no guest, stranger or bot."""
        person = await self._get(("user", user), lambda: self._slack.get_user(user), act=False)
        flags = ("is_restricted", "is_ultra_restricted", "is_stranger", "deleted", "is_bot")
        return person.get("id") == user and not any(person.get(flag) for flag in flags)

    async def is_askable(self, user: str) -> bool:
        """Whether a person reads what is written to them: neither deactivated nor a bot."""
        person = await self._get(("user", user), lambda: self._slack.get_user(user), act=False)
        return person.get("id") == user and not (person.get("deleted") or person.get("is_bot"))

    async def name(self, user_or_group: str) -> str:
        """What a person or user group is called; empty where Slack does not say."""
        one = user_or_group
        with contextlib.suppress(Unknown):
            if one.startswith("S"):
                groups = await self._get(("groups",), self._slack.list_groups, act=False)
                return str(groups.get(one, ""))
            return name_person(
                await self._get(("user", one), lambda: self._slack.get_user(one), act=False)
            )
        return ""

    async def is_shared_outside(self, channel: str) -> bool:
        """Whether people of another organisation read this channel, or may soon."""
        place = await self._get(
            ("channel", channel),
            lambda: self._slack.get_channel(channel),
            act=True,
            fresh=FRESH_FOR_ALL,
        )
        return is_shared_outside(place)

    async def is_bot_there(self, channel: str) -> bool:
        """Whether the bot is in the channel, so that it can edit its messages there."""
        try:
            place = await self._get(
                ("channel", channel), lambda: self._slack.get_channel(channel), act=False
            )
        except Unknown as exc:
            # Without the scope to ask, try to edit.
            return not exc.is_about_membership
        return bool(place.get("is_member", True))

    async def _get(
        self,
        key: Hashable,
        ask: Callable[[], Awaitable[Any]],
        *,
        act: bool,
        fresh: float | None = None,
    ) -> Any:
        """`act`: no older copy will do when Slack does not answer."""
        if fresh is None:
            fresh = FRESH_FOR_ACTS if act else FRESH_FOR_READS
        failed_before = self._failures.get(key)
        async with self._locks.setdefault(key, asyncio.Lock()):
            copy = self._copies.get(key)
            if copy is not None and self._age(copy) <= fresh:
                return copy.value
            asked_at = self._clock()
            try:
                value = await self._ask(key, ask, failed_before)
            except JobsMaintError as exc:
                if not act and copy is not None and self._age(copy) <= USABLE_FOR_READS:
                    return copy.value
                raise Unknown(str(exc)) from exc
            self._failures.pop(key, None)
            self._forget_old()
            self._copies[key] = _Copy(value, asked_at)
            return value

    async def _ask(
        self, key: Hashable, ask: Callable[[], Awaitable[Any]], failed_before: JobsMaintError | None
    ) -> Any:
        """Ask Slack, unless the same call failed while this one waited for its turn.

        Slack may take a minute to fail: ten people would wait ten minutes for the same answer.
        """
        failed = self._failures.get(key)
        if failed is not None and failed is not failed_before:
            raise failed.with_traceback(None)
        try:
            return await ask()
        except JobsMaintError as exc:
            self._failures[key] = exc
            raise

    def _age(self, copy: _Copy) -> float:
        age = self._clock() - copy.at
        # A clock that was set back says nothing about age.
        return age if age >= 0 else float("inf")

    def _forget_old(self) -> None:
        if len(self._failures) > _MOST:
            self._failures.clear()
        if len(self._copies) < _MOST:
            return
        for key, copy in list(self._copies.items()):
            if self._age(copy) > USABLE_FOR_READS:
                del self._copies[key]
                if not self._locks[key].locked():
                    del self._locks[key]
