"""Cron expressions that Procrastinate can take: one that it cannot ends every worker at start."""

from __future__ import annotations

import re
from datetime import UTC, datetime

__all__ = ["check_cron"]

_ALIAS = re.compile(r"@(?:hourly|midnight|daily|weekly|monthly|yearly|annually)", re.IGNORECASE)
_RANDOM = re.compile(r"[rh](?:\(|/|$)", re.IGNORECASE)
"""What croniter replaces by a new random value each time it reads the expression."""


def check_cron(text: str, *, now: datetime | None = None) -> str:
    """The expression with single spaces; raises ValueError with what is wrong with it.

    Asks for the next and the last time, as Procrastinate does: `0 0 31 2 *` is well-formed and has
    neither. A seventh field, for years, is refused: such a schedule ends one day.
    """
    from croniter import CroniterBadDateError, croniter  # noqa: PLC0415  commands would wait for it

    fields = text.split()
    plain = " ".join(fields)
    alias = len(fields) == 1 and _ALIAS.fullmatch(fields[0])
    random = any(_RANDOM.match(part) for field in fields for part in field.split(","))
    try:
        # Procrastinate takes a sixth field, for seconds.
        if not (alias or len(fields) in {5, 6}) or random or not croniter.is_valid(plain):
            raise ValueError("no cron")  # noqa: TRY301  one sentence for all of it
        times = croniter(plain, now or datetime.now(UTC))
        times.get_next()
        times.set_current(now or datetime.now(UTC))
        times.get_prev()
    except CroniterBadDateError:
        raise ValueError(f"{text!r} names a day that never comes") from None
    except Exception:  # noqa: BLE001  croniter lets some of its own slips through
        raise ValueError(
            f"{text!r} is not a cron expression; write five fields such as '0 9 * * *'"
        ) from None
    return plain
