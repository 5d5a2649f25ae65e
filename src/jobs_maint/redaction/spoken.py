"""Secrets in sentences: `invalid token k1w1mango`, `OTP 493021 is wrong`."""

from __future__ import annotations

import re

from jobs_maint.redaction.names import Strength
from jobs_maint.redaction.rules import HIDDEN
from jobs_maint.redaction.values import is_value

__all__ = ["hide_spoken"]

_NAME = r"(?:(?:access|auth|bearer|refresh|api|session)[ _-])?token|api[ _-]?key|access[ ]key"
_WORD = "password|passwd|passcode|passphrase"
_AMISS = "invalid|incorrect|wrong|bad|expired|revoked|rejected"
_GONE = rf"not[ ](?:found|valid|recogni[sz]ed|accepted)|does[ ]not[ ]exist|{_AMISS}|refused|denied"
_SAID = rf"[ ](?:(?:is|was|are|were|has|have)[ ](?:been[ ])?)?(?:{_GONE})\b"
_VALUE = r"""(?=[^\s\d]{0,60}\d)[^\s'"`<>()\[\]]{3,199}[^\s'"`<>()\[\].,;:!?]"""
_MIXED = r"(?=[a-z]{0,60}\d)(?=\d{0,60}[a-z])[a-z\d]{6,200}(?![\w=(/-]|[.:]\w)"
"""Letters and digits: a word with other signs is the name of something more often."""
_SPOKEN = re.compile(
    rf"""(?<![\w.-])(?:
      (?:(?:{_WORD}|{_NAME}|secret)[ ](?:is|was):[ ]{{1,3}}
        | (?:user|login|account)[ ][^\s=:]{{1,64}},?[ ](?:and[ ])?(?:password|passwd)[ ]
        | (?:{_WORD}|pwd)[ ]{{0,3}}(?:->|→)[ ]{{0,3}})(?P<any>{_VALUE})
    | (?:(?:{_AMISS})[ ](?:{_WORD}|{_NAME})[ ]
        | (?:{_WORD}|{_NAME})[ ](?:provided|supplied|given|received|used|sent|entered):[ ]{{1,3}})
        (?P<amiss>{_MIXED})
    | (?:{_WORD}|{_NAME})[ ](?P<quote>['"]?)(?P<gone>{_MIXED})(?P=quote)(?={_SAID})
    | credentials?[ ][\w.@+-]{{1,64}}[/:](?P<pair>{_VALUE})(?={_SAID})
    | (?:(?-i:T?OTP)|one[ -]time[ ](?:code|password)|(?:[2m]fa|two-factor|otp)[ ]code)
        (?:[ ](?:is|was))?[:=]?[ ](?P<once>\d{{4,8}})(?![\w.])
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_STEMS = ("pass", "pwd", "token", "key", "secret", "credential", "code", "otp")
"""In every such sentence is one of these."""
_NO_SECRET = re.compile(
    r"(?:sha|md|utf|base|u?int|float|str|varchar|bytes|rfc|argon|bcrypt|scrypt|pbkdf|v|line|col"
    r"|column|http|step|phase|field|user|job|id|test)\d+\w{0,3}",
    re.IGNORECASE,
)


def hide_spoken(text: str) -> str:
    """Words with a digit that a sentence calls a token, a key, a password or a code."""

    def hide(found: re.Match[str]) -> str:
        kind = found.lastgroup or ""
        value = found[kind]
        if _NO_SECRET.fullmatch(value) or not is_value(value, Strength.STRONG):
            return found[0]
        begin, end = (at - found.start() for at in found.span(kind))
        return found[0][:begin] + HIDDEN + found[0][end:]

    return _SPOKEN.sub(hide, text) if any(map(text.lower().__contains__, _STEMS)) else text
