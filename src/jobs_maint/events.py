"""Structured log events: `jobs_maint.jobs_purged deleted=120 batches=3`."""

from __future__ import annotations

import logging

__all__ = ["emit"]


def emit(event: str, level: int = logging.INFO, **fields: object) -> None:
    """Log one event under `package.past_tense`; `fields` also go into the record's `extra`.

    The logger is the package's, so that a team can set its level in one place.
    """
    logger = logging.getLogger(event.partition(".")[0])
    if logger.isEnabledFor(level):
        text = " ".join([event, *(f"{name}={value}" for name, value in fields.items())])
        logger.log(level, "%s", text, extra={"event": event, "fields": fields})
