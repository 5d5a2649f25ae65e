"""Whether a sentence, not an assignment, holds the word after the name of a secret."""

from __future__ import annotations

import re

from jobs_maint.redaction.names import Strength
from jobs_maint.redaction.prose import ends_sentence, may_be_password
from jobs_maint.redaction.shapes import UUID
from jobs_maint.redaction.tokens import is_token
from jobs_maint.redaction.values import is_prose

__all__ = ["is_told"]

_ABSENT = re.compile(
    r"\b(?:no such|unknown|undeclared|undefined|missing|not find|no|unsupported|duplicate)"
    r"(?: [a-z]{2,12})? $",
    re.IGNORECASE,
)
"""Before `secret: billing/stripe`, the name of one that is not there."""
_PLACED = frozenset(["secret", "secrets", "credential", "credentials"])
_PLACE = re.compile(r"[A-Za-z][A-Za-z_-]*(?:[/.:][A-Za-z][A-Za-z_-]*)*")
_PARSED = re.compile(r"\b(?:unexpected|expected|illegal|unrecognized) $", re.IGNORECASE)
"""Before `token:` in the message of a parser."""
_COMPOUND = re.compile(r"[a-z0-9][A-Z]|[ _.-]")
_ENDS_LINE = re.compile(r"['\"]?[ \t]{0,8};?[ \t]{0,8}(?=[\r\n]|$)")
_MORE_WORDS = re.compile(r"[ \t]{1,4}[^\W\d_]+(?![\w=:])")
_MADE = re.compile(r"(?:token|jwt|key|cookie|otp|credential)s?$")
"""What no person chose: a word of letters after it is one of a sentence."""
_PLAIN = re.compile(r"[a-z][a-z'-]*|[A-Z][a-z]+")
_ELSEWHERE = re.compile(r"\s{1,40}remoteRef:")
"""An ExternalSecret of Kubernetes names where its value is."""
_PLACE_NAMED = re.compile(r"[A-Za-z][\w-]*(?:[/.:][A-Za-z][\w-]*)*")
_FATE = re.compile(
    r"[ ](?:not|no|is|are|was|were|has|have|had|does|do|did|can|cannot|could|must|should|may|will"
    r"|already|doesn't|isn't|wasn't|hasn't|can't|needs|expired|missing|deleted|scheduled"
    r"|deletion|rotation|rotated|unavailable|denied|forbidden)\b(?![=:])"
)
"""What is said of a secret that is kept somewhere."""
_IN_PROSE = re.compile(
    r"(?!(?:sha|md5|argon|bcrypt|scrypt|pbkdf|v\d|utf|rfc|job|user|id)[\w-]*$)"
    r"(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])\S{6,}"
)
_USED = re.compile(
    r"(?<![\w-])(?:with|using|(?:user|login)[ =][^\s=:]{1,30},?)(?: the)? $", re.IGNORECASE
)
"""Before `password letmein`."""
_SIGNS = re.compile(r"(?=.*[^\w\s.:/{}<>*-])\S{4,200}")
_NEXT_TEXT = re.compile(r"""['"],[ \n]{0,20}[bru]?['"]""")
_AMISS = re.compile(r"Invalid|Missing|Bad|Expired|Wrong|Unknown|Illegal")
"""`InvalidToken("…")` is an exception."""


def is_told(text: str, found: re.Match[str], span: tuple[int, int], strength: Strength) -> bool:
    """Of what `find_value` found there."""
    kind, value = found.lastgroup, text[slice(*span)]
    if kind == "sql":
        return text[span[0] - 1] == '"' and is_prose(value)
    if kind == "prose":
        if _IN_PROSE.fullmatch(value):
            return False
        said = found[kind].rstrip(":").endswith((" is", " was"))
        said = said and not found[kind].lower().startswith("pass ")  # the third pass is complete
        said = said or _USED.search(text, max(0, found.start() - 60), found.start()) is not None
        word = value.rstrip(".,;!")
        return not (said and may_be_password(word) and ends_sentence(text, span[0] + len(word)))
    if kind == "arrow":
        return strength is Strength.WEAK or not _IN_PROSE.fullmatch(value)
    if kind == "bare":
        named = _COMPOUND.search(found[kind]) is not None and strength is not Strength.WEAK
        return not (named and _IN_PROSE.fullmatch(value) and _is_random(value))
    if kind == "wrapper":  # Token('NUMBER', '12')
        more = _NEXT_TEXT.match(text, span[1]) is not None or _AMISS.match(found[kind]) is not None
        return strength is Strength.WEAK or more
    if kind == "pair":  # __all__ = ["Cookie", "CookieJar", "CookiePolicy"]
        more = _NEXT_TEXT.match(text, span[1]) is not None
        return more and not _IN_PROSE.fullmatch(value)
    if kind == "built":  # lexer.token("NAME")
        chosen = found[kind].lower().startswith("pass") and may_be_password(value)
        chosen = chosen and value.lower() not in found[kind].lower()
        one = chosen or _SIGNS.fullmatch(value) or _IN_PROSE.fullmatch(value)
        return strength is Strength.WEAK or not one
    if kind == "quoted":
        return _is_mentioned(text, found, span, strength)
    explained = kind in ("key", "spaced") and _is_explained(text, found, span, strength)
    return explained or (kind == "key" and _is_spoken_of(text, found, span, strength))


def _is_mentioned(
    text: str, found: re.Match[str], span: tuple[int, int], strength: Strength
) -> bool:
    """`token "…" is not valid`"""
    value = text[slice(*span)]
    if strength in (Strength.WEAK, Strength.COUNTABLE) or is_prose(value):
        return True
    own_line = not text[text.rfind("\n", 0, found.start()) + 1 : found.start()].strip()
    alone = own_line and " " not in value and _ENDS_LINE.match(text, span[1])
    said = found["quoted"].lower().startswith("pass") and _IN_PROSE.fullmatch(
        value.replace(" ", "")
    )
    return not (_COMPOUND.search(found["quoted"]) or alone or said)


def _is_spoken_of(
    text: str, found: re.Match[str], span: tuple[int, int], strength: Strength
) -> bool:
    """`unexpected token: name`, `no such secret: billing/stripe`, `auth: only for users`"""
    value, before = text[slice(*span)], text[max(0, found.start() - 40) : found.start()]
    if found["key"].lower() in _PLACED and _ABSENT.search(before) and _PLACE.fullmatch(value):
        return True
    if _PARSED.search(before) and value.isalpha():
        return True
    weak_word = strength is Strength.WEAK and value.isalpha()
    said = weak_word and ":" in text[found.end("key") : found.end()] and span[0] == found.end()
    return bool(said and _MORE_WORDS.match(text, span[1]))


def _is_explained(
    text: str, found: re.Match[str], span: tuple[int, int], strength: Strength
) -> bool:
    """`JWT: alg none not allowed`, `API key: check the dashboard`, `secret: a/b not found`"""
    value, name = text[slice(*span)], found[found.lastgroup or ""].lower()
    if strength is Strength.ALWAYS or text[span[0] - 2 : span[0]] != ": ":
        return False
    if name == "secretkey" and _ELSEWHERE.match(text, span[1]):
        return True
    if _MADE.search(name):
        return _PLAIN.fullmatch(value) is not None and bool(_MORE_WORDS.match(text, span[1]))
    of_place = name.endswith(("secret", "secrets")) and _PLACE_NAMED.fullmatch(value)
    return bool(of_place and _FATE.match(text, span[1]))


def _is_random(value: str) -> bool:
    """A token, and no date, path or name with a number in it."""
    return UUID.fullmatch(value) is not None or is_token(value, mixed=False)
