"""Names of a program after the name of a secret: `self._token = token`, `password=row.password`."""

from __future__ import annotations

import re

from jobs_maint.redaction.names import Strength, get_strength, split

__all__ = ["DOT", "NAME", "is_variable"]

NAME = r"[^\W\d][\w$]{0,60}+"
DOT = r"(?:\.|::|->|[?!]\.)"
_ROOTS = frozenset(
    """self this cls req request res response config cfg settings options opts params props args
    kwargs env process var local data module each ctx context conf app state row event payload body
    user users credentials creds secrets account accounts session db client form hdrs
    headers constants""".split()  # noqa: SIM905  a list of words to read
)
"""What a value comes from: `var.db_password`, `row.token`."""
_DECLARED = re.compile(
    r"(?:^|(?<=[\s;{(]))(?:const|let|val|var|final|[Ss]tring|auto|static|readonly|private|elif"
    r"|if|while|assert)[ ]{1,3}\$?$"
)
_OWN = re.compile(r"(?:self|this|cls)\.|(?<=@)|(?<=\$this->)")
_WORDY = re.compile(r"(?:password|secret)s?", re.IGNORECASE)
"""What people also choose as a password."""
_TARGETS = re.compile(r"(?:^|\n)[ \t]*(?:[\w.]{1,40}(?:, | = )){1,4}$")
"""`user, ` before `password = login`."""
_TYPED = re.compile(
    r"(?:[a-z_]\w*\.)*[A-Z][a-z]+[A-Z]\w*(?=[ ][=|][ ]|,[ ]\w{1,40}:|\)(?:[ ]->|:))"
)
"""A type: `session: ClientSession = `, `session: ClientSession) -> str`."""
_NAMED = re.compile(r"[a-z]{1,5}|(?:[A-Z][a-z]+)+|[A-Z_]+|[a-z]+(?:_[a-z]+)+")
"""`token = Comment`, in a parser."""


def is_variable(begin: int, name: str, start: re.Match[str], between: str) -> bool:
    """`self._token = token`, `password=row.password`, `const secret = other`."""
    text, at, path = start.string, start.start(), start["path"]
    words, own = split(path), split(name)
    if any(char.isdigit() for char in path) or not words or not own:
        return False
    if len(path) < 3:
        return True
    if between[:1] in ("'", '"'):  # {"MYSQL_PWD": password}; JSON's texts stand in quotes
        return "_" in path or get_strength(words) is not Strength.NONE
    assigned = between.endswith("= ")
    of_parser = own in (["token"], ["tokens"]) and _NAMED.fullmatch(path)
    if assigned and (of_parser or _TARGETS.search(text, max(0, begin - 120), begin)):
        return True
    if between == ": " and _TYPED.match(text, at) and not _WORDY.match(own[-1]):
        return True
    parts = re.split(DOT, path)
    if len(parts) > 1 and (parts[0].lower() in _ROOTS or assigned):
        return True
    if _OWN.match(text, begin) or _DECLARED.search(text, max(0, begin - 20), begin):
        return True
    called = between in ("=", ": ") and text[start.end() : start.end() + 1] in (",", ")")
    called = called or assigned or len(parts) > 1 or text[at] == "$"
    if name.isupper() or not called:  # PASSWORD=my_password
        return False
    if len(words) > 1:
        return words[-1] == own[-1] or get_strength(words) is not Strength.NONE
    return len(own) > 1 and words == own[-1:] and not _WORDY.fullmatch(path)
