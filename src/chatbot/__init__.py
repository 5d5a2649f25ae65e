"""The Slack bot and the digests of procrastinate-ops."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatbot.bot import build_app
    from chatbot.digests.tasks import register_digests
    from chatbot.settings.bot import ChatbotSettings

__all__ = ["ChatbotSettings", "build_app", "register_digests"]

_HOMES = {
    "ChatbotSettings": "chatbot.settings.bot",
    "build_app": "chatbot.bot",
    "register_digests": "chatbot.digests.tasks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'chatbot' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
