"""Links that open a door: a token in the path or in the query of an address."""

from __future__ import annotations

import re

from jobs_maint.redaction.rules import HIDDEN
from jobs_maint.redaction.shapes import UUID

__all__ = ["hide_links", "is_token"]

_ONCE = (
    "resets?|verify|verification|confirm|confirmations?|activate|activations?|magic|magiclink"
    "|invites?|invitations?|join|unlock|onetime|otp|autologin|recover|recovery|unsubscribe|optin"
    "|optout|passwords?|login|log[-_]in|signin|signup|register|registration|token"
    "|sent_notifications"
    "|(?:reset|verify|confirm|change|forgot|recover|activate|accept)"
    "(?:password|email|account|user|invite|invitation|registration)"
    "|(?:password|email|account|registration|user)"
    "(?:reset|verification|verify|confirm|confirmation|activation)"
)
"""What a link is for that works once, or for one person: a token follows."""
_LENT = "share|shared|shares|sharing|feeds?|ical|ics|auth|sso"
"""Before these a hash is a token, and a word with a number a name."""
_MIXED = "private|secret|s|d|dl|download|downloads|claim|accept"
_WORD = rf"(?:[a-z]{{1,20}}[-_]){{0,2}}(?:{_ONCE}|{_LENT}|{_MIXED})(?:[-_][a-z]{{1,20}}){{0,2}}"
_CHAR = r"(?:[\w~=@+-]|%(?!2F))"
_SEGMENT = rf"{_CHAR}{{1,300}}+(?:[.:]{_CHAR}{{1,300}}+){{0,6}}"
_SLASH = r"(?:\\{0,4}/|%2F)"
"""Also as JSON and queries write it."""
_PATH = re.compile(
    rf"/(?P<word>{_WORD})(?P<rest>{_SLASH}{_SEGMENT}(?:{_SLASH}{_SEGMENT}){{0,7}})", re.IGNORECASE
)
_SLASHES = re.compile(rf"({_SLASH})", re.IGNORECASE)
_CODED_PATH = re.compile(_PATH.pattern.replace("/", "%2F", 1), re.IGNORECASE)
_IS_WORD = re.compile(_WORD, re.IGNORECASE)
_OF_ONCE = re.compile(rf"(?:^|[-_])(?:{_ONCE})(?:[-_]|$)", re.IGNORECASE)
_OF_LENT = re.compile(rf"(?:^|[-_])(?:{_LENT})(?:[-_]|$)", re.IGNORECASE)
_BETWEEN = re.compile(
    r"edit|new|email|link|key|code|user|account|[0-9]{1,12}|(?-i:[MNO][\w-]{1,15})"
    r"|[^@%]{1,64}(?:@|%40).{1,100}",
    re.IGNORECASE,
)
"""What may stand before a token: what for, and whose it is (`MQ` is `1` in base64)."""
_OF_FILES = re.compile(r"(?:commits?|blobs?|tree|raw|static|assets|files|images|builds)$")
"""Before a hash of its own."""
_STEM = re.compile(r"[\w~%=-]++(?!\.(?:js|css|map|svg|ico|woff2?)$)")
_SIGNED = re.compile(r"[\w-]+(?:(?:[.:]|%3A)[\w-]{5,8})?(?:[.:]|%3A)[\w-]{27,90}")
"""What Django or itsdangerous signs: a text, a time, a signature."""
_DATED = re.compile(r"(?:\w{1,13}-)?[0-9a-z]{1,13}-[0-9a-f]{20,64}")
"""Django's token: a time and a hash."""
_HASH = re.compile(r"[0-9a-f]{32,128}")
_SHARE = re.compile(
    r"(dropbox\.com/(?:s|sh|scl/f[io]|transfer)/(?=[\w-]{11})|1drv\.ms/[a-z]/(?=s!|c/)"
    r"|calendar/ical/[^\s/]{1,100}/private-(?=[0-9a-f]{16})|owa/calendar/(?=[0-9a-f]{32}@)"
    r"|figma\.com/(?:file|design|proto|board|slides)/(?=\w{20}))[^\s\"'<>()|,?#]+"
)
"""Where services put what they share."""
_QUERY = re.compile(
    r"(?P<name>[?&;#](?:[a-z]{1,20}[-_])?(?:pass|pw|t|k|u|c|h|hash|tk|tok|ticket|invite"
    r"|invitation|confirm|confirmation|verify|verification|activation|magic|reset|sso|login|access"
    r"|rlkey|resourcekey|sesame)=)(?P<value>[\w~%.+/=-]{3,300})",
    re.IGNORECASE,
)
_WRITTEN = re.compile(r"[A-Z]?[a-z]{3,}|[A-Z]{4,}(?![a-z])|\d{4}")
_UNWRITTEN = re.compile(r"(?=(?:[a-z]*\d){3})[a-z\d]{32,}", re.IGNORECASE)
_DATE = re.compile(r"(?<!\d)(?:19|20)\d\d[-/_.]?[01]\d(?:[-/_.T]|$)|\d\d:\d\d")
_SLUG = re.compile(r"(?:[a-z]+|\d{1,4})(?:[-_](?:[a-z]+|\d{1,4}))+", re.IGNORECASE)
"""`step-2-of-3`"""
_PASSWORDS = ("pass", "pw")
_HASHES = ("h", "hash")


def hide_links(text: str) -> str:
    """`/reset-password/9f8e…`, `/reset/MQ/9f8e…`, `?t=9f8e…`, `?pass=letmein`."""
    text = _PATH.sub(_hide_path, text)
    if "%2F" in text or "%2f" in text:
        text = _CODED_PATH.sub(_hide_path, text)
    if "dropbox." in text or "1drv." in text or "calendar" in text or "figma." in text:
        text = _SHARE.sub(rf"\1{HIDDEN}", text)
    return _QUERY.sub(_hide_query, text) if "?" in text or "#" in text else text


def _hide_path(found: re.Match[str]) -> str:
    """Each token after the word, behind whose it is, or behind other words if it looks like one."""
    word, near = found["word"], True
    shown = [found[0][: found.start("word") - found.start()], word]
    for segment in _SLASHES.split(found["rest"]):
        if not segment or _SLASHES.fullmatch(segment):
            shown.append(segment)
            continue
        if _IS_WORD.fullmatch(segment):
            word, near = segment, True
            shown.append(segment)
            continue
        once = _OF_ONCE.search(word) is not None
        length = _find_token(segment, word, near=near, once=once)
        shown.append(HIDDEN + segment[length:] if length else segment)
        if _OF_FILES.match(segment):
            word = ""
        near = near and once and _BETWEEN.fullmatch(segment) is not None
    return "".join(shown)


def _find_token(segment: str, word: str, *, near: bool, once: bool) -> int:
    """How many characters of a part of a path are a token."""
    if once and (_DATED.fullmatch(segment) or _is_signed(segment)):
        return len(segment)
    stem = _STEM.match(segment)
    if stem is None:
        return 0
    value = stem[0]
    is_hash = UUID.fullmatch(value) if near and (once or "shar" in word) else None
    is_hash = is_hash or (_HASH.fullmatch(value) if near or len(value) == len(segment) else None)
    if once:
        secret = is_hash or (near and is_token(value, mixed=False))
    elif _OF_LENT.search(word):
        secret = near and (is_hash or is_token(value, mixed=True))
    else:
        secret = near and is_token(value, mixed=True)
    return len(value) if secret else 0


def _is_signed(segment: str) -> bool:
    found = _SIGNED.fullmatch(segment)
    return found is not None and is_token(re.split(r"[.:]|%3A", segment)[-1], mixed=True)


def _hide_query(found: re.Match[str]) -> str:
    name, value = found["name"][1:-1].lower(), found["value"]
    if name.endswith(_PASSWORDS):
        secret = not value.isdigit()
    elif name in _HASHES and not _follows_word(found):
        secret = False
    else:
        secret = is_token(value, mixed=False) or UUID.fullmatch(value) is not None
    return found["name"] + HIDDEN if secret else found[0]


def _follows_word(found: re.Match[str]) -> bool:
    """`/unsubscribe?u=7&h=`: a hash of another address is that of a file."""
    before = found.string[max(0, found.start() - 300) : found.start()]
    path = before.rpartition("?")[0].rstrip("/").rpartition("/")[2]
    return _OF_ONCE.search(path) is not None


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
    if _UNWRITTEN.fullmatch(value):
        return True
    return sum(map(len, _WRITTEN.findall(value))) <= 0.7 * len(value)
