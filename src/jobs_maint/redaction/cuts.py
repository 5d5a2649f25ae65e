"""What follows a cut in a stored text: it is judged with what stands before the cut."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from jobs_maint.redaction.inserts import find_end_of_rows
from jobs_maint.redaction.rules import HIDDEN, Rules

__all__ = ["hide_around_cuts"]

_CUT = re.compile(r"\n… [\d,]{1,15} characters cut …\n")
_MOST = 8
"""Cuts in one text; of more, what is between them is not shown."""
_Q = r"\\{0,4}['\"]"
_HALF = re.compile(
    rf"""(?:\s{{1,8}}(?={_Q}))?(?:\\.|[^\s'"\\])*
         (?:{_Q}\s?(?:=>|[:=])\s?(?:[^\s'",}}]+)?)?(?:{_Q}(?:\\.|[^'"\\\n])*)?""",
    re.VERBOSE,
)
"""The end of a word, of a text in quotes, or of a name with its value; a text in quotes whose name
may have been cut off."""
_USER = re.compile(r"://(?P<user>[^/@:]{0,200}:(?!\d{1,5}(?:[/?#]|$))[^@]+)\Z")
"""The user-info of a URL whose host was cut off."""


def hide_around_cuts(text: str, rules: Rules, redact: Callable[[str], str]) -> str:
    """Without what belongs to a secret, or to rows with secrets, that began before a cut."""
    cuts = list(_CUT.finditer(text))
    if len(cuts) > _MOST:
        between = f"{cuts[0][0]}{HIDDEN}{cuts[-1][0]}"
        text = text[: cuts[0].start()] + between + text[cuts[-1].end() :]
        cuts = list(_CUT.finditer(text))
    ends = [*(cut.start() for cut in cuts), len(text)]
    marks = [*(cut[0] for cut in cuts), ""]
    before = text[: ends[0]]
    parts, whole = [_redact_to(before, marks[0], redact)], True
    for cut, end, mark in zip(cuts, ends[1:], marks[1:], strict=True):
        after = text[cut.end() : end]
        alone = _redact_to(after, mark, redact)
        joined = _redact_to(before + after, mark, redact)
        kept = joined[: _count_alike(joined, parts[-1])]
        if whole and kept != parts[-1]:  # it ends with a secret that goes on
            parts[-1] = kept.removesuffix(HIDDEN) + HIDDEN
        parts[-1] = _hide_user(parts[-1])
        shown = _end_alike(joined, alone)
        for border in _find_borders(before, after, rules):
            beyond = _redact_to(after[border:], mark, redact)
            shown = min(shown, _end_alike(beyond, alone), key=len)
        parts += [cut[0], shown if shown == alone else HIDDEN + shown.removeprefix(HIDDEN)]
        whole = shown == alone != ""
        before = after if shown else before
    return "".join(parts)


def _redact_to(text: str, cut: str, redact: Callable[[str], str]) -> str:
    """What is shown of it where that cut follows."""
    shown = redact(text + cut)
    return shown.removesuffix(cut) if shown.endswith(cut) else redact(text)


def _find_borders(before: str, after: str, rules: Rules) -> Iterator[int]:
    """Where what began before a cut ends after it."""
    rows = find_end_of_rows(before, after, rules)
    if rows is not None:
        yield rows
    half = _HALF.match(after)
    yield half.end() if half else 0


def _hide_user(text: str) -> str:
    begin = max(text.rfind(sign) for sign in " \n\t\"'<>@") + 1
    found = _USER.search(text, begin)
    return text[: found.start("user")] + HIDDEN if found else text


def _end_alike(one: str, other: str) -> str:
    """The end that both have."""
    return other[len(other) - _count_alike(one[::-1], other[::-1]) :]


def _count_alike(one: str, other: str) -> int:
    """How many characters at the beginnings are the same."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
