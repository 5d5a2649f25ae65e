"""`jobs-chatbot` and `python -m chatbot`."""

# ruff: noqa: PLC0415  Ctrl-C ends these imports too

import sys

from jobs_maint.interrupts import end_on_interrupt

__all__ = ["main"]


def main() -> None:
    """Run the bot; without the extra it needs, one sentence instead of an ImportError."""
    end_on_interrupt()
    from chatbot.settings.extra import needs_extra
    from jobs_maint.errors import InvalidSettings

    try:
        with needs_extra("the bot"):
            from chatbot.cli import main as run
    except InvalidSettings as exc:
        sys.stderr.write(f"jobs-chatbot: {exc}\n")
        sys.exit(exc.exit_code)
    run()


if __name__ == "__main__":
    main()
