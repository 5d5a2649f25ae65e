"""For how many reasons jobs failed in a span."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Reasons"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """All groups of errors that failed in the span, also those that are not shown.

    A reason is a group whose error was recorded. `largest`: how many failures the largest one has,
    or where no error was recorded, the largest task.
    """

    groups: int = 0
    new: int = 0
    returned: int = 0
    """As `new`, of the 500 largest groups."""
    groups_not_recorded: int = 0
    failures_not_recorded: int = 0
    largest: int = 0
    largest_state: str | None = None
    largest_first_at: datetime | None = None

    @property
    def all_groups(self) -> int:
        return self.groups + self.groups_not_recorded

    @property
    def news(self) -> int:
        """How many are new or back; of failures without a recorded error nobody knows."""
        return self.new + self.returned
