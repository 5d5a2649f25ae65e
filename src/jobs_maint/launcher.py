"""`jobs-chatbot`: starts the bot, or says which package of the same name hides it.

It stands here, as a team's own package `chatbot` hides everything in ours.
"""

# ruff: noqa: PLC0415  Ctrl-C ends these imports too

import sys

from jobs_maint.interrupts import end_on_interrupt

__all__ = ["describe_hidden_bot", "main"]

_BOT = "chatbot"
_OURS = b"procrastinate-ops"
"""In the first line of our package."""


def describe_hidden_bot() -> tuple[str, str] | None:
    """What is so where `import chatbot` does not find our package, and what to do.

    It is not imported.
    """
    import importlib.util
    from contextlib import suppress
    from pathlib import Path

    try:
        spec = importlib.util.find_spec(_BOT)
    except (ImportError, ValueError):  # a module without a spec stands in its place
        spec = None
    if spec is None:
        return "the package chatbot of procrastinate-ops is not installed", "install it anew"
    folder = next(iter(spec.submodule_search_locations or ()), None)
    place = folder or spec.origin or "an unknown place"
    if spec.has_location and spec.origin:
        with suppress(OSError):
            if _OURS in Path(spec.origin).read_bytes().partition(b"\n")[0]:
                return None
    where = "where it is not on Python's path (PYTHONPATH, site-packages)"
    return (
        f"the package chatbot at {place} hides the one of procrastinate-ops",
        f"rename it, or start jobs-chatbot {where}",
    )


def main() -> None:
    """Run the bot, if it is ours that would run."""
    end_on_interrupt()
    import importlib

    from jobs_maint.errors import InvalidSettings

    if hidden := describe_hidden_bot():
        sys.stderr.write(f"jobs-chatbot: {'; '.join(hidden)}\n")
        sys.exit(InvalidSettings.exit_code)
    importlib.import_module(f"{_BOT}.__main__").main()
