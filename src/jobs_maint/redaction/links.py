"""Links that open a door: a token in the path or in the query of an address."""

from __future__ import annotations

import re

from jobs_maint.redaction.names import Strength, get_strength, split
from jobs_maint.redaction.rules import HIDDEN
from jobs_maint.redaction.shapes import UUID
from jobs_maint.redaction.tokens import is_code, is_token

__all__ = ["hide_links"]

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
_NAME = (
    r"(?:[a-z]{1,20}[-_])?(?:pass|pw|t|k|u|c|h|hash|tk|tok|ticket|invite|invitation|confirm"
    r"|confirmation|verify|verification|activation|magic|reset|sso|login|access|rlkey|resourcekey"
    r"|sesame|code|key|id|i|s|r|v|x|otc)"
)
_QUERY = re.compile(
    rf"(?P<sign>[?&;#])(?P<name>{_NAME})(?P<is>=)(?P<value>[\w~%.+/=-]{{3,300}})", re.IGNORECASE
)
_CODED_QUERY = re.compile(
    rf"(?P<sign>%3F|%26|\\u0026)(?P<name>{_NAME})(?P<is>=|%3D)"
    r"(?P<value>(?:[\w~.+/-]|%(?!26|22|23)){3,300})",
    re.IGNORECASE,
)
"""In the query of another link; an `&` in JSON."""
_PASSWORDS = ("pass", "pw")
_OF_LINK = frozenset(["h", "hash", "id", "i", "s", "r", "v", "x"])
"""Elsewhere the name of a file, a row or an option."""
_CODE = re.compile(r"(?:.*[-_])?(?:code|key|otc)")
_LOGIN = re.compile(
    r"^(?:callback|cb|oauth2?|oidc|openid|auth|sso|authorize|complete)$", re.IGNORECASE
)
"""In the path to which a login comes back: with a code."""
_PAGE = re.compile(r"\.(?:php|aspx?|jsp|html?|do|cgi)$")


def hide_links(text: str) -> str:
    """`/reset-password/9f8e…`, `/reset/MQ/9f8e…`, `?t=9f8e…`, `?pass=letmein`."""
    text = _PATH.sub(_hide_path, text)
    if "%2F" in text or "%2f" in text:
        text = _CODED_PATH.sub(_hide_path, text)
    if "dropbox." in text or "1drv." in text or "calendar" in text or "figma." in text:
        text = _SHARE.sub(rf"\1{HIDDEN}", text)
    if "%3F" in text or "%3f" in text or "\\u0026" in text:
        text = _CODED_QUERY.sub(_hide_query, text)
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
    name, value = found["name"].lower(), found["value"]
    if name.endswith(_PASSWORDS):
        secret = not value.isdigit()
    elif _CODE.fullmatch(name):
        secret = _is_code_of_link(found)
    elif re.split("[-_]", name)[-1] in _OF_LINK:
        secret = name in _OF_LINK and _is_long(value) and _follows(found, _OF_ONCE)
    else:
        secret = _is_long(value)
    return found["sign"] + found["name"] + found["is"] + HIDDEN if secret else found[0]


def _is_long(value: str) -> bool:
    return is_token(value, mixed=False) or UUID.fullmatch(value) is not None


def _is_code_of_link(found: re.Match[str]) -> bool:
    """`/reset-password?code=`, `/invite?key=`, `/oauth/callback?state=…&code=`."""
    name, value = found["name"].lower(), found["value"]
    if get_strength(split(name)) is Strength.NONE and not name.endswith("otc"):
        return False  # country_code, sort_key
    number = value.isdigit() and 6 <= len(value) <= 12 and not name.endswith("key")
    if not (number or is_code(value)):
        return False
    return _follows(found, _OF_ONCE) or (name == "code" and not number and _follows(found, _LOGIN))


def _follows(found: re.Match[str], pattern: re.Pattern[str]) -> bool:
    """Whether one of the last parts of the path before the query says what the link is for."""
    before = found.string[max(0, found.start() - 300) : found.start("name")]
    address = re.split(r"[\s'\"<>]", before)[-1]
    signs = "%3F" if found["sign"][0] == "%" else "[?]" if "?" in address else "#"
    path = (re.split(signs, address, flags=re.IGNORECASE)[-2:] or [""])[0]
    parts = re.split(r"\\{0,4}/|%2F", re.sub(r"^.*https?://[^/]*", "", path), flags=re.IGNORECASE)
    return any(pattern.search(_PAGE.sub("", part)) for part in parts[-3:])
