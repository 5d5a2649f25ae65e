"""The request for help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jobs_maint.actions.actor import Role
from jobs_maint.actions.base import Action, spell
from jobs_maint.models import HelpReport

__all__ = ["ShowHelp"]


@dataclass(frozen=True, slots=True)
class ShowHelp(Action[HelpReport]):
    about: str | None = None

    word: ClassVar[str] = "help"
    verb: ClassVar[str] = "see the help"
    role: ClassVar[Role | None] = None

    def words(self) -> str:
        return spell("help", self.about)
