"""What every answer is made with."""

from __future__ import annotations

from dataclasses import dataclass

from chatbot.client import SlackClient
from chatbot.delivery import Delivery
from chatbot.directory import Directory
from chatbot.edits import MessageEdits
from chatbot.requests import Ask
from chatbot.roles import KnownActor, Roles
from chatbot.settings import ChatbotSettings
from chatbot.work import Work
from jobs_maint.actions import Action
from jobs_maint.database import Pool
from jobs_maint.settings import MaintSettings

__all__ = ["Services"]


@dataclass(frozen=True, slots=True)
class Services:
    settings: ChatbotSettings
    maint: MaintSettings
    pool: Pool
    slack: SlackClient
    directory: Directory
    roles: Roles
    delivery: Delivery
    edits: MessageEdits
    work: Work

    @property
    def command(self) -> str:
        return self.settings.command

    async def find_actor(self, ask: Ask, action: Action) -> KnownActor:
        """Who asks, with the grants that are certain now."""
        return await self.roles.build_actor(ask.user, ask.channel, action, name=ask.name)
