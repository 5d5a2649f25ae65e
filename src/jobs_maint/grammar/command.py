"""What a person asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from jobs_maint.actions import Action

__all__ = ["Command", "Surface"]

Surface = Literal["shell", "slack"]


@dataclass(frozen=True, slots=True)
class Command:
    """What was asked, and how the answer is wanted."""

    action: Action[Any]
    as_json: bool = False
    private: bool = False
    yes: bool = False
    """Do what a preview shows without asking; the shell only."""
    dry_run: bool = False
    """Show the preview and nothing else."""
