"""`jobs-chatbot` and `python -m chatbot`."""

from __future__ import annotations

import sys

from chatbot.settings.extra import needs_extra
from jobs_maint.errors import InvalidSettings

__all__ = ["main"]


def main() -> None:
    """Run the bot; without the extra it needs, one sentence instead of an ImportError."""
    try:
        with needs_extra("the bot"):
            from chatbot.cli import main as run  # noqa: PLC0415  see above
    except InvalidSettings as exc:
        sys.stderr.write(f"jobs-chatbot: {exc}\n")
        sys.exit(exc.exit_code)
    run()


if __name__ == "__main__":
    main()
