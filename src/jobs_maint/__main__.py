"""`jobs-maint` and `python -m jobs_maint`."""

import sys

from jobs_maint.interrupts import end_on_interrupt

__all__ = ["main"]


def main() -> int:
    """The process, from its words to its exit code."""
    end_on_interrupt(
        "jobs-maint: interrupted", '{"error": {"code": "interrupted", "message": "interrupted"}}'
    )
    from jobs_maint.cli import run_process  # noqa: PLC0415  Ctrl-C ends this import too

    return run_process()


if __name__ == "__main__":
    sys.exit(main())
