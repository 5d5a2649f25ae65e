"""Slack user and user-group ids → grants. Whatever is unknown grants nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatbot.access.directory import Directory, Unknown
from chatbot.settings.values import EVERYBODY, GrantSetting
from jobs_maint.actions import ALL_QUEUES, Action, Actor, ConfirmSelection, Grant, QueueScope, Role

__all__ = ["KnownActor", "Roles"]


@dataclass(frozen=True, slots=True)
class KnownActor:
    """The actor with the grants that are certain, and why others could not be looked up.

    Only a grant that could allow the request counts as a problem.
    """

    actor: Actor
    problems: tuple[str, ...] = ()
    passing: bool = True
    """Whether the problems may be gone in a minute; a missing scope will not."""


class Roles:
    """CHATBOT_ROLES, read for one person at a time."""

    def __init__(self, grants: Mapping[Role, Sequence[GrantSetting]], directory: Directory) -> None:
        self._grants = [(role, one) for role, several in grants.items() for one in several]
        self._directory = directory

    async def build_actor(
        self,
        user: str,
        channel: str,
        action: Action[Any],
        *,
        name: str = "",
        offers: bool = False,
    ) -> KnownActor:
        """Names grant nothing; `name` is only for readers of the audit.

        `offers`: what may be pressed next is to be known too, also of a role that only acts need.
        """
        found: list[Grant] = []
        problems: dict[str, None] = {}
        passing = True
        least = enough = action.role
        # The role for a confirmation is known only when its selection is read.
        if isinstance(action, ConfirmSelection):
            least, enough = Role.OPERATOR, Role.ADMIN
        if offers:
            enough = Role.ADMIN
        by_id = [pair for pair in self._grants if user in pair[1].users]
        others = [pair for pair in self._grants if user not in pair[1].users]
        for role, setting in (*by_id, *others):
            if (
                enough
                and Actor("slack", user, "", channel, tuple(found)).scope(enough) == ALL_QUEUES
            ):
                # The known grants suffice: do not wait for answers that would change nothing.
                break
            # Only a grant that can allow the act must be fresh; others show which role is held.
            helps = least is None or role.covers(least)
            try:
                if await self._is_meant(user, setting, act=action.act and helps):
                    found.append(setting.build(role))
            except Unknown as exc:
                if helps:
                    problems[str(exc)] = None
                    passing = passing and exc.may_pass
        actor = Actor("slack", user, name, channel, tuple(found))
        return KnownActor(actor, tuple(problems), passing)

    async def _is_meant(self, user: str, setting: GrantSetting, *, act: bool) -> bool:
        if user in setting.users:
            return True
        unknown: Unknown | None = None
        for group in setting.usergroups:
            try:
                if user in await self._directory.members_of(group, act=act):
                    return True
            except Unknown as exc:
                unknown = exc
        if EVERYBODY in setting.users and await self._directory.is_full_member(user):
            return True
        if unknown is not None:
            raise unknown
        return False

    def holders(
        self,
        needed: Role,
        asker: Actor | None = None,
        queues: Sequence[str] = (),
        *,
        anywhere: bool = False,
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Ids of the users and of the user groups that hold a role on all of these queues.

        Those with the lowest sufficient role come first. Left out are the asker; who does not hold
        it in the asker's channel, unless it is asked about `anywhere`; and, if the asker holds the
        role for some queues, who does not hold it for others.
        """
        users: dict[str, None] = {}
        groups: dict[str, None] = {}
        order = list(Role)
        for role, setting in sorted(self._grants, key=lambda pair: order.index(pair[0])):
            reach = QueueScope(setting.queues)
            if not (anywhere or asker is None or _counts_in(setting, asker.channel)):
                continue
            if not role.covers(needed) or not all(map(reach.covers, queues)):
                continue
            if _reaches_further(setting, needed, asker):
                users.update(dict.fromkeys(u for u in setting.users if u != EVERYBODY))
                groups.update(dict.fromkeys(setting.usergroups))
        if asker is not None:
            users.pop(asker.id, None)
        return tuple(users), tuple(groups)


def _counts_in(setting: GrantSetting, channel: str | None) -> bool:
    return setting.channels is None or channel in setting.channels


def _reaches_further(setting: GrantSetting, needed: Role, asker: Actor | None) -> bool:
    scope = asker.scope(needed) if asker is not None else None
    if scope is None or scope.globs is None or setting.queues is None:
        return True
    return not set(setting.queues) <= set(scope.globs)
