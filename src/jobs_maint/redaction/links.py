"""Links that open a door: a token in the path or in the query of an address."""

from __future__ import annotations

import re

from jobs_maint.redaction.rules import HIDDEN
from jobs_maint.redaction.shapes import UUID

__all__ = ["hide_links", "is_token"]

_ONCE = (
    "reset|verify|verification|confirm|confirmation|activate|activation|magic|magiclink|invite"
    "|invitation|join|unlock|onetime|otp|autologin|recover|recovery|unsubscribe|optin|optout"
    "|password|login|signin|token"
)
"""What a link is for that works once, or for one person: a token follows."""
_SHARED = "share|shared|shares|private|secret|s|d|dl|download|downloads|feed|claim|accept"
_PATH = re.compile(
    rf"(?<=/)(?P<word>(?:[a-z]{{1,20}}[-_])?(?:{_ONCE}|{_SHARED})(?:[-_][a-z]{{1,20}})?"
    rf"(?:/(?:edit|new|confirm|email|link|reset|feed|verify))?/)(?P<value>[\w~%=-]{{10,300}})",
    re.IGNORECASE,
)
_OF_ONCE = re.compile(rf"(?:^|[-_/])(?:{_ONCE})(?:[-_/]|$)", re.IGNORECASE)
_QUERY = re.compile(
    r"(?P<name>(?<=[?&;])(?:[a-z]{1,20}[-_])?(?:pass|pw|t|k|u|c|tk|tok|ticket|invite|invitation"
    r"|confirm|confirmation|verify|verification|activation|magic|reset|sso|login|access)=)"
    r"(?P<value>[\w~%.+/=-]{3,300})",
    re.IGNORECASE,
)
_WRITTEN = re.compile(r"[A-Z]?[a-z]{3,}|[A-Z]{4,}(?![a-z])|\d{4}")
_PASSWORDS = ("pass", "pw")


def hide_links(text: str) -> str:
    """`/reset-password/9f8e…`, `?t=9f8e…`, `?pass=letmein`."""
    text = _PATH.sub(_hide_path, text)
    return _QUERY.sub(_hide_query, text) if "?" in text else text


def _hide_path(found: re.Match[str]) -> str:
    value = found["value"]
    once = _OF_ONCE.search(found["word"]) is not None
    secret = is_token(value, mixed=not once) or (once and UUID.fullmatch(value))
    return found["word"] + HIDDEN if secret else found[0]


def _hide_query(found: re.Match[str]) -> str:
    name, value = found["name"].rstrip("=").lower(), found["value"]
    if name.endswith(_PASSWORDS):
        secret = not value.isdigit()
    else:
        secret = is_token(value, mixed=False) or UUID.fullmatch(value) is not None
    return found["name"] + HIDDEN if secret else found[0]


def is_token(value: str, *, mixed: bool) -> bool:
    """Letters and digits that nobody wrote; `mixed`: in both cases, as ids seldom are."""
    if len(value) < (16 if mixed else 10) or UUID.fullmatch(value):
        return False
    digits, letters = (sum(map(kind, value)) for kind in (str.isdigit, str.isalpha))
    both = re.search("[a-z]", value) and re.search("[A-Z]", value)
    if not letters or digits < (1 if both else 2) or (mixed and not both):
        return False
    return sum(map(len, _WRITTEN.findall(value))) <= 0.7 * len(value)
