"""`jobs-chatbot` and `python -m chatbot`."""

from __future__ import annotations

import sys

from jobs_maint.errors import InvalidSettings

__all__ = ["main"]


def main() -> None:
    """Run the bot; without the extra it needs, one sentence instead of an ImportError."""
    try:
        from chatbot.cli import main as run  # noqa: PLC0415  see above
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] not in {"aiohttp", "slack_bolt", "slack_sdk"}:
            raise
        sys.stderr.write(
            f"jobs-chatbot: {exc.name} is not installed; the bot needs the extra: "
            "pip install 'procrastinate-ops[slack]'\n"
        )
        sys.exit(InvalidSettings.exit_code)
    run()


if __name__ == "__main__":
    main()
