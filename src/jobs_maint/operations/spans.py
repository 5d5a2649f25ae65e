"""A span that was asked for, as far as it has passed."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from jobs_maint.actions import Action
from jobs_maint.errors import InvalidRequest

__all__ = ["cut_span"]

SECOND = timedelta(seconds=1)
"""Clocks differ, and a span is spelled no earlier than its end."""


def cut_span(
    since: timedelta | None, until: datetime, now: datetime, asked: Action[Any], to_now: Action[Any]
) -> tuple[timedelta | None, bool]:
    """What has passed of a span, in whole seconds, and whether it ends in the future.

    Raises InvalidRequest for one that begins there; `to_now` asks for the one that ends now.
    """
    ahead = until - now
    if ahead < SECOND:
        return since, False
    if since is not None and since <= ahead:
        line = to_now.words()
        raise InvalidRequest(
            f"{asked.words()} is a span in the future, where nothing has happened yet; for the "
            f"span that ends now write '{line}'",
            suggestion=line,
        )
    if since is not None:
        since = timedelta(seconds=math.ceil((since - ahead).total_seconds()))
    return since, True
