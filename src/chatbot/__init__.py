"""The Slack bot and the digests of procrastinate-ops.

The first line tells this package from a team's own `chatbot`. Names are loaded on first use:
`register_digests` needs nothing of the extra where no digest is set.
"""

TYPE_CHECKING = False  # not from typing: nothing is imported before `jobs_maint.interrupts`

if TYPE_CHECKING:
    from typing import Any

    from chatbot.bot import build_app
    from chatbot.digests.registering import register_digests
    from chatbot.settings.bot import ChatbotSettings

__all__ = ["ChatbotSettings", "build_app", "register_digests"]

_HOMES = {
    "ChatbotSettings": "chatbot.settings.bot",
    "build_app": "chatbot.bot",
    "register_digests": "chatbot.digests.registering",
}


def __getattr__(name: str) -> "Any":
    if name not in _HOMES:
        raise AttributeError(f"module 'chatbot' has no attribute {name!r}")
    import importlib  # noqa: PLC0415  see above

    from chatbot.settings.extra import needs_extra  # noqa: PLC0415  see above

    with needs_extra(f"chatbot.{name}"):
        return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
