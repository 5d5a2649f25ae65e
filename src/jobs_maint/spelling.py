"""Which of the known names somebody may have meant by one that is none."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["ask_meant", "find_nearest", "see_help"]

MOST_NAMES = 3
"""More that are equally near say nothing of what was meant."""


def find_nearest(typed: str, known: Iterable[str], *, most: int | None = None) -> list[str]:
    """Those with the fewest wrong characters: several where they are equally near.

    One is changed, missing, too much, or swapped with its neighbour. What has more than `most` of
    them is another name, no typo: two of eight characters or more, one of three or more.
    """
    nearest: list[str] = []
    limit = (len(typed) > 2) + (len(typed) > 7) if most is None else most
    for name in dict.fromkeys(known):
        wrong = _count_wrong(typed, name, limit)
        if wrong < limit:
            limit, nearest = wrong, []
        if wrong == limit:
            nearest.append(name)
    return sorted(nearest) if len(nearest) <= MOST_NAMES else []


def ask_meant(names: Iterable[str]) -> str:
    """The end of a sentence; empty where there is none to ask about."""
    either = " or ".join(names)
    return f"; did you mean {either}?" if either else ""


def see_help(about: str = "help", see: str = "; see") -> str:
    """The end of a sentence; as code, or `see help failed` would say that the help failed."""
    return f"{see} `help`" if about == "help" else f"{see} `help {about}`"


def _count_wrong(one: str, other: str, most: int) -> int:
    """Exact up to `most`."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    older: list[int] = []
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one):
        older, before, row = before, row, [i + 1]
        for j, its in enumerate(other):
            wrong = min(before[j + 1] + 1, row[j] + 1, before[j] + (letter != its))
            if i and j and (letter, one[i - 1]) == (other[j - 1], its):
                wrong = min(wrong, older[j - 1] + 1)
            row.append(wrong)
        if min(*before, *row) > most:
            return most + 1
    return row[-1]
