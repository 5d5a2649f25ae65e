"""Messages, tracebacks and other texts without the secrets in them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from jobs_maint.redaction.addresses import hide_users
from jobs_maint.redaction.apart import measure, run_apart
from jobs_maint.redaction.assigned import hide_assigned, hide_compared, hide_headers
from jobs_maint.redaction.clients import hide_given
from jobs_maint.redaction.commands import hide_options
from jobs_maint.redaction.cuts import hide_around_cuts
from jobs_maint.redaction.forms import hide_forms, hide_xml
from jobs_maint.redaction.inserts import hide_copied, hide_inserted
from jobs_maint.redaction.links import hide_links
from jobs_maint.redaction.manifests import hide_manifests
from jobs_maint.redaction.pairs import hide_pairs
from jobs_maint.redaction.parameters import hide_parameters
from jobs_maint.redaction.protocols import hide_logins, hide_pgpass
from jobs_maint.redaction.rules import DEFAULT, HIDDEN, Rules
from jobs_maint.redaction.shapes import CARD, EMAIL, KNOWN, WEBHOOK, is_card, is_random
from jobs_maint.redaction.spoken import hide_spoken

__all__ = ["redact_text"]

_ESCAPE = re.compile(r"(\\[nrt])(?=\w)(?!(?<=t)oken)")
"""A line break or tab that is written out, and what it would glue to the next name."""
_APART = "\0"
"""PostgreSQL has it in no text."""
_BEARER = re.compile(
    r"\b(bearer|basic|token|apikey|api-key|negotiate|ntlm|digest|ssws|geniekey|bot|splunk)(\s+)"
    r"(?P<value>(?!\w{1,20}=(?!=|\s|$))[A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE
)  # fmt: skip
_MARK = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_BODY = re.compile(
    r"(?:(?:\s|\\{1,4}[nr])*+"
    r"(?:(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset): [^\n\\]*|[A-Za-z0-9+/=]{16,}+))*+"
    r"(?:(?:\s|\\{1,4}[nr])*+[A-Za-z0-9+/=]{1,15}+(?![\w:]))?"
)
_BODY_BACKWARDS = re.compile(r"(?:(?:\s|[nr]\\{1,4}+)*+[A-Za-z0-9+/=]{4,}+)++")
_PUTTY = re.compile(r"(Private-(?:Lines: \d+|MAC:)\s{1,2})(?:[A-Za-z0-9+/=]+(?:\s{1,2}|$))+")
_LONG = re.compile(
    r"""-----BEGIN\ (?:CERTIFICATE|[A-Z ]{0,20}PUBLIC\ KEY)-----[^-]*
    | \b(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\w+)\s+[A-Za-z0-9+/=]+
    | \b(?:sha(?:1|256|384|512)|md5)[-:=][A-Za-z0-9+/=_-]+
    | \b(?:public[_-]?key|host[_-]?id|checksum|digest|fingerprint|hash)
      ['"]?\s{0,2}[:=]\s{0,2}['"]?(?:ssh-\w{1,20}\s+)?[\w+/=.:-]+
    | \b(?:x-)?(?:amz-)?(?:request|trace|correlation|span|transaction|client-request
      |cf|amz|etag|invocation|build|run|event)
      [-_]?(?:id|ray)?(?:-2)?['"]?\s{0,2}[:=]\s{0,2}['"]?[\w+/=.:-]+
    | (?P<long>(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{24,}(?![A-Za-z0-9_-]))""",
    re.VERBOSE | re.IGNORECASE,
)
_RUN = re.compile(r"[A-Za-z0-9_-]{24,}")
_KEY_MATERIAL = re.compile(r"(?<![\w+/=-])(?:[A-Za-z0-9+/]{40}|[A-Za-z0-9+/]{86}==)(?![\w+/=-])")
"""An AWS secret key, an Azure storage key: base64 of a fixed length without a name."""


def redact_text(text: str, rules: Rules = DEFAULT) -> str:
    """The text without user-info in URLs, secrets by name, and tokens by shape."""
    if not text:
        return text
    if "characters cut …\n" in text:
        text = hide_parameters(text, rules)
        return hide_around_cuts(text, rules, lambda part: _hide(part, rules))
    return _hide(text, rules)


async def redact_texts(texts: Sequence[str], rules: Rules = DEFAULT) -> list[str]:
    """Each text as `redact_text` shows it, in a thread when there is much to look through."""
    filled = measure(text for text in texts if text)
    return await run_apart(lambda: [redact_text(text, rules) for text in texts], filled)


def _hide(text: str, rules: Rules) -> str:
    if "-----" in text:
        text = _hide_private_keys(text)
    if "Private-" in text:
        text = _PUTTY.sub(rf"\1{HIDDEN}", text)
    glued = "\\" in text and _APART not in text
    if glued:
        text = _ESCAPE.sub(rf"\1{_APART}", text)
    text = _hide_words(text, rules)
    return text.replace(_APART, "") if glued else text


def _hide_words(text: str, rules: Rules) -> str:
    text = hide_manifests(text)
    text = hide_forms(hide_headers(text), rules)
    text = hide_pgpass(hide_logins(text))
    if "/" in text or "%2F" in text:
        text = hide_links(WEBHOOK.sub(rf"\1{HIDDEN}", text))
    if "@" in text:
        text = hide_users(text)
    if ">" in text or "&gt;" in text:
        text = hide_xml(text, rules)
    small = text.lower()
    if "into" in small:
        text = hide_inserted(text, rules)
    if "stdin" in small:
        text = hide_copied(text, rules)
    text = hide_given(text, rules)  # before the words that it begins with are hidden
    text = hide_parameters(text, rules)
    text = hide_assigned(hide_pairs(text, rules), rules)
    text = hide_spoken(hide_compared(text, rules))
    text = hide_options(text)
    text = _BEARER.sub(_hide_bearer, text)
    text = KNOWN.sub(HIDDEN, text)
    text = _KEY_MATERIAL.sub(lambda found: HIDDEN if is_random(found[0], 1) else found[0], text)
    if any(is_random(word[0]) for word in _RUN.finditer(text)):
        text = _LONG.sub(
            lambda found: HIDDEN if found["long"] and is_random(found["long"]) else found[0], text
        )
    if rules.pii:
        text = EMAIL.sub(HIDDEN, text)
        text = CARD.sub(lambda found: HIDDEN if is_card(found[0]) else found[0], text)
    return text


def _hide_bearer(found: re.Match[str]) -> str:
    value = found["value"]
    digits = sum(map(str.isdigit, value))
    mixed = digits > (found[1].lower() == "token" and len(value) < 12) or value.endswith("=")
    mixed = mixed or (len(value) >= 16 and not value.islower() and not value.isupper())
    return f"{found[1]}{found[2]}{HIDDEN}" if mixed else found[0]


def _hide_private_keys(text: str) -> str:
    """From BEGIN to END; of a key whose end or beginning was cut off, all that looks like one."""
    parts, at = [], 0
    marks = list(_MARK.finditer(text))
    for mark, following in itertools.zip_longest(marks, marks[1:]):
        if mark[1] == "BEGIN":
            closed = following is not None and following[1] == "END"
            body = _BODY.match(text, mark.end())
            end = following.start() if closed else body.end() if body else mark.end()
            parts += [text[at : mark.end()], HIDDEN]
            at = end
        else:
            tail = _BODY_BACKWARDS.match(text[max(at, mark.start() - 40_000) : mark.start()][::-1])
            if tail is not None:
                parts += [text[at : mark.start() - tail.end()], HIDDEN]
                at = mark.start()
    return "".join([*parts, text[at:]])
