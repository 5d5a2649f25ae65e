"""Whom a refusal may send people to: those who hold the role and are still there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from chatbot.access.directory import Unknown
from chatbot.handling.context import Services
from chatbot.messages.people import MOST_NAMES
from jobs_maint.actions import Actor, Role

__all__ = ["Holders", "find_holders"]

Holders = tuple[tuple[str, ...], tuple[str, ...]]
"""Ids of users and of user groups."""

PATIENCE = 2.0
"""Seconds; a refusal waits no longer for Slack to say who is still there."""
_MOST_ASKED = 12


async def find_holders(
    services: Services, needed: Role, asker: Actor, queues: Sequence[str] = ()
) -> Holders:
    """Without the scope to ask, or when Slack does not answer, all who hold the role."""
    users, groups = services.roles.holders(needed, asker, queues)
    scopes = services.slack.web.granted_scopes or frozenset()

    async def is_person_there(user: str) -> bool:
        return "users:read" not in scopes or await services.directory.is_askable(user)

    async def is_group_there(group: str) -> bool:
        return bool(await services.directory.members_of(group, act=False))

    try:
        async with asyncio.timeout(PATIENCE):
            return (await _filter(users, is_person_there), await _filter(groups, is_group_there))
    except TimeoutError:
        return users, groups


async def _filter(
    names: Sequence[str], is_there: Callable[[str], Awaitable[bool]]
) -> tuple[str, ...]:
    """The first few who are there, which is as many as a refusal names."""
    kept: list[str] = []
    for name in names[:_MOST_ASKED]:
        try:
            there = await is_there(name)
        except Unknown as exc:
            there = not exc.is_about_absence
        if there:
            kept.append(name)
        if len(kept) == MOST_NAMES:
            break
    return tuple(kept)
