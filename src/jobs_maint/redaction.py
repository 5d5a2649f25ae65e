"""Take secrets out of what leaves the core: arguments by key, texts by shape."""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["HIDDEN", "redact_args", "redact_text"]

HIDDEN = "[redacted]"

_KEYS = (
    "password", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "tokens",
    "pgpassword", "authorization", "api_key", "apikey", "access_key", "private_key", "signing_key",
    "secret_key", "credential", "credentials", "cookie", "cookies", "jwt", "otp", "cvv",
    "card_number", "iban", "ssn",
)  # fmt: skip
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_URL_USER = re.compile(
    r"""(?<=://)(?:[^\s/"'<>]*|[^\s/@:"'<>]+:(?!\d+(?:[/?\#]|$))[^\s@"'<>]{0,120})(?=@)"""
)
"""Up to the last @ before the host; a password may contain an @, or a / that is not encoded."""
_BEARER = re.compile(r"\b(bearer|basic|token)(\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_COOKIE = re.compile(r"\b((?:set-)?cookie)(\s*:\s*)[^\r\n'\"]+", re.IGNORECASE)
_PRIVATE_KEY = re.compile(
    r"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[A-Za-z0-9+/=\s\\]*"
    r"(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
)
_ASSIGNED = re.compile(
    r"""(?<![\w-])(?P<key>[A-Za-z_][\w-]{1,63})\\{0,4}['"]?\s{0,3}[=:]\s{0,3}|"""
    r"""(?<!\S)--(?P<option>[A-Za-z][\w-]{1,63})\s{1,3}(?=[^\s-])"""
)
"""`key=value`, `"key": "value"`, `--key value`; the value is what `_VALUE` finds after it."""
_VALUE = re.compile(
    r"""(?!bearer\b|basic\b|\[redacted\])
    (?: \\{1,4}['"][^'"\\\n]{0,500}          # in JSON within a quoted text
      | b?"(?:\\.|[^"\\\n]){0,500} | b?'(?:\\.|[^'\\\n]){0,500}
      | [^\s'",;&)}\\]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_OPENING = re.compile(r"""(?:b?\\{0,4}['"])?""")
_PREFIXED = re.compile(r"\b(?:xox[a-z]-|xapp-|sk_live_|sk-|gh[opusr]_|AKIA|eyJ)[A-Za-z0-9._-]{8,}")
_LONG = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{24,}(?![A-Za-z0-9_-])")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def _words(key: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(key)]


def _is_secret(key: str, patterns: Sequence[list[str]]) -> bool:
    words = _words(key)
    return any(
        words[i : i + len(pattern)] == pattern
        for pattern in patterns
        for i in range(len(words) - len(pattern) + 1)
    )


_PATTERNS = [_words(key) for key in _KEYS]


def redact_args(value: Any, more_keys: Sequence[str] = ()) -> Any:
    """A copy of JSON arguments without secret values.

    A key is secret when it contains one of the patterns as whole words: `token` hides `accessToken`
    and `slack_token`, but nothing hides `idempotency_key` or `tokenizer`.
    """
    patterns = [words for key in (*_KEYS, *more_keys) if (words := _words(key))]
    return _redact(value, patterns)


def _redact(value: Any, patterns: Sequence[list[str]]) -> Any:
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if _is_secret(str(key), patterns) else _redact(inner, patterns)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redact(inner, patterns) for inner in value]
    if isinstance(value, str):
        return redact_text(value)
    return value


def redact_text(text: str) -> str:
    """Messages and tracebacks without URL credentials, named secrets and random tokens."""
    text = _URL_USER.sub(HIDDEN, text)
    text = _PRIVATE_KEY.sub(rf"\1{HIDDEN}", text)
    text = _BEARER.sub(rf"\1\2{HIDDEN}", text)
    text = _COOKIE.sub(rf"\1\2{HIDDEN}", text)
    text = _hide_assigned(text)
    text = _PREFIXED.sub(HIDDEN, text)
    return _LONG.sub(lambda match: HIDDEN if _random(match[0]) else match[0], text)


def _hide_assigned(text: str) -> str:
    """Only the value of a secret is skipped: a harmless value may itself contain a secret."""
    parts, at = [], 0
    for name in _ASSIGNED.finditer(text):
        if name.start() < at or not _is_secret_name(name["key"] or name["option"]):
            continue
        value = _VALUE.match(text, name.end())
        if value is not None:
            opening = _OPENING.match(value[0])
            parts += [text[at : value.start()], opening[0] if opening else "", HIDDEN]
            at = value.end()
    return "".join([*parts, text[at:]])


@functools.lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    return _is_secret(name, _PATTERNS)


def _random(word: str) -> bool:
    """A token no person would write: letters of both cases with digits, evenly spread."""
    if _UUID.fullmatch(word) or sum(char.isdigit() for char in word) < 3:
        return False
    if not (re.search(r"[a-z]", word) and re.search(r"[A-Z]", word)):
        return False
    counts = Counter(word).values()
    entropy = -sum(n / len(word) * math.log2(n / len(word)) for n in counts)
    return entropy > 3.7
