"""What every answer needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from chatbot.access.directory import Directory
from chatbot.access.roles import KnownActor, Roles
from chatbot.handling.delivery import Delivery
from chatbot.handling.follow_ups import FollowUps
from chatbot.handling.origins import Origins
from chatbot.inbound.slack_request import SlackRequest
from chatbot.runtime.work import Work
from chatbot.settings.bot import ChatbotSettings
from chatbot.slack.client import SlackClient
from jobs_maint.actions import Action, Actor, CloseRun
from jobs_maint.database import Pool
from jobs_maint.perform import Watch
from jobs_maint.settings import MaintSettings

__all__ = ["Services", "build_services"]


@dataclass(frozen=True, slots=True)
class Services:
    settings: ChatbotSettings
    maint: MaintSettings
    pool: Pool
    slack: SlackClient
    directory: Directory
    roles: Roles
    delivery: Delivery
    work: Work
    follow_ups: FollowUps
    origins: Origins
    only: Actor | None = None
    """Whose all requests are, where nobody else can ask; the roles then count for nothing."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody changed an incident: the watch looks at once, not at its next turn."""
    unstored: dict[int, CloseRun] = field(default_factory=dict)
    """How acts ended and that they were told, by request, while the database does not answer."""
    acts: set[Watch] = field(default_factory=set)
    """Those on sets that go on here, until their outcome was told."""

    @property
    def command(self) -> str:
        return self.settings.command

    def name_asker(self, request: SlackRequest) -> str:
        """As messages name them: a user of Slack, or whom the audit has where nobody else asks."""
        return request.user if self.only is None else self.only.label

    async def find_actor(
        self, request: SlackRequest, action: Action[Any], *, offers: bool = False
    ) -> KnownActor:
        """The asker, with the grants that are certain now; `offers`: of acts that follow too."""
        if self.only is not None:
            return KnownActor(replace(self.only, channel=request.channel))
        return await self.roles.build_actor(
            request.user, request.channel, action, name=request.name, offers=offers
        )


def build_services(
    settings: ChatbotSettings,
    maint: MaintSettings,
    pool: Pool,
    slack: SlackClient,
    work: Work,
    clock: Callable[[], float],
    only: Actor | None = None,
) -> Services:
    directory = Directory(slack.web, clock)
    follow_ups = FollowUps(pool, maint)
    origins = Origins(slack, directory)
    return Services(
        settings=settings,
        maint=maint,
        pool=pool,
        slack=slack,
        directory=directory,
        roles=Roles(settings.roles, directory),
        delivery=Delivery(settings, slack, directory, follow_ups, origins),
        work=work,
        follow_ups=follow_ups,
        origins=origins,
        only=only,
    )
