"""Slack's libraries write request bodies and tokens to their logs at some levels; here to none."""

from __future__ import annotations

import logging

__all__ = ["silent_logger"]


def silent_logger() -> logging.Logger:
    """A logger for Slack's libraries, which write request bodies and tokens at some levels."""
    logger = logging.Logger("slack", level=logging.CRITICAL + 1)  # noqa: LOG001  outside the tree
    logger.disabled = True
    return logger
