"""Words that nobody wrote: tokens, and the codes that a login or a link gives out once."""

from __future__ import annotations

import re

from jobs_maint.redaction.names import is_other_code
from jobs_maint.redaction.shapes import UUID

__all__ = ["BARE_USER_CODE", "LOGIN_KEYS", "USER_CODE", "is_code", "is_login_code", "is_token"]

_WRITTEN = re.compile(r"[A-Z]?[a-z]{3,}|[A-Z]{4,}(?![a-z])|\d{4}")
_UNWRITTEN = re.compile(r"(?=(?:[a-z]*\d){3})[a-z\d]{32,}", re.IGNORECASE)
_DATE = re.compile(r"(?<!\d)(?:19|20)\d\d[-/_.]?[01]\d(?:[-/_.T]|$)|\d\d:\d\d")
_SLUG = re.compile(r"(?:[a-z]+|\d{1,4})(?:[-_](?:[a-z]+|\d{1,4}))+", re.IGNORECASE)
"""`step-2-of-3`"""
_SIGNS = re.compile(r"[\w~%.+/=-]{6,4000}")
_ALIKE = "(?:[A-Z]+|[A-Z]?[a-z]+)"
_NUMBERED = re.compile(rf"{_ALIKE}[-_]?\d{{1,5}}|\d{{1,5}}[-_]?{_ALIKE}|0[xX][0-9A-Fa-f]+")
"""`ERR1042`, `0x80070005`"""
USER_CODE = re.compile(r"(?=.*[A-Z])[A-Z0-9]{4}-[A-Z0-9]{4}")
"""What a person types in where another device logs in."""
BARE_USER_CODE = re.compile(
    r"(?![A-Z]+\d+$)(?=.*[A-Z])(?:[B-DF-HJ-NP-TV-Z]{8,9}|(?=.*\d)[A-Z\d]{8,9})"
)
"""The same without its hyphen, where the name says so: no word, which has vowels."""
LOGIN_KEYS = frozenset(
    """granttype redirecturi redirecturl codeverifier clientsecret verificationuri verificationurl
    devicecode""".split()  # noqa: SIM905  a list of words to read
)
"""Of a request or an answer of OAuth, in small letters without signs: beside one of these `code`
is a secret."""
_LOGIN = re.compile(
    r"grant[_-]?type|authorization_code|redirect_?ur[il]|code_?verifier|client_?secret"
    r"|verification_?ur[il]|device_?code|params:oauth:|user[ ]code",
    re.IGNORECASE,
)
_WORD_BEFORE = re.compile(r"([a-z]+)[ -]$", re.IGNORECASE)
_NEAR = 300


def is_token(value: str, *, mixed: bool) -> bool:
    """Letters and digits that nobody wrote; `mixed`: in both cases, as ids seldom are."""
    if len(value) < (16 if mixed else 10) or UUID.fullmatch(value):
        return False
    if _DATE.search(value) or _SLUG.fullmatch(value):
        return False
    digits, letters = (sum(map(kind, value)) for kind in (str.isdigit, str.isalpha))
    both = re.search("[a-z]", value) and re.search("[A-Z]", value)
    if not letters or digits < (1 if both else 2) or (mixed and not both):
        return False
    return _UNWRITTEN.fullmatch(value) is not None or not _is_written(value)


def is_code(value: str) -> bool:
    """The same, of six characters and more: where a link or a login says that it is a code."""
    if _SIGNS.fullmatch(value) is None:
        return False
    if UUID.fullmatch(value) or USER_CODE.fullmatch(value):
        return True
    if _DATE.search(value) or _SLUG.fullmatch(value):
        return False
    if _NUMBERED.fullmatch(value) or not any(map(str.isalpha, value)) or _is_written(value):
        return False
    if any(map(str.isdigit, value)):
        return True
    return len(value) >= 10 and value.lower() != value and value.upper() != value


def is_login_code(value: str, text: str, begin: int) -> bool:
    """Whether this is what a login of OAuth hands over, by what stands near the name `code`."""
    if not is_code(value):
        return False
    before = _WORD_BEFORE.search(text, max(0, begin - 20), begin)
    if before is not None and is_other_code(before[1]):
        return False
    return _LOGIN.search(text, max(0, begin - _NEAR), begin + _NEAR) is not None


def _is_written(value: str) -> bool:
    return sum(map(len, _WRITTEN.findall(value))) > 0.7 * len(value)
