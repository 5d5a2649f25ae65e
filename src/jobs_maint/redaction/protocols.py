"""Secrets by their place in a line: logins of SMTP, IMAP, FTP and Redis, and `.pgpass`."""

from __future__ import annotations

import re

from jobs_maint.redaction.names import Strength
from jobs_maint.redaction.prose import may_be_password
from jobs_maint.redaction.rules import HIDDEN
from jobs_maint.redaction.values import is_value

__all__ = ["hide_logins", "hide_pgpass"]

_MECHANISM = (
    r"PLAIN|LOGIN|CRAM-MD5|DIGEST-MD5|NTLM|GSSAPI|EXTERNAL|OAUTHBEARER|XOAUTH2?|SCRAM-[\w-]{4,20}"
)
_EOL = r"(?:\\r|\r)?(?:\\n|\n)\0?"
_LINE = rf"[^\n\\]{{0,400}}{_EOL}"
_SAYS = r"(?:send:\s|C:\s|>\s|---?>\s)?b?['\"]?"
"""Before what a client sends, in the logs of smtplib and others."""
_BASE64 = r"[A-Za-z0-9+/]{2,}={0,2}"
_SASL = re.compile(
    rf"(\b(?:AUTH|AUTHENTICATE)[ =](?:{_MECHANISM})[ ]{{1,4}})(?P<value>{_BASE64})(?![\w-])"
)
_SASL_LOGIN = re.compile(
    rf"(\bAUTH[ =]LOGIN[ ]{{1,4}}{_BASE64}['\"]?{_EOL}{_SAYS})(?P<value>{_BASE64})"
    r"(?=[ ]{0,3}(?:\\[rn]|[\r\n'\"]|$))"
)
"""The user, and the password on a line of its own."""
_CHALLENGE = re.compile(
    rf"((?:334|\+)[ ](?:{_BASE64})?[ ]?{_EOL}['\"]?\s{{0,4}}"
    rf"(?:reply:[^\n]{{0,400}}\n['\"]?\s{{0,4}}){{0,3}}{_SAYS})"
    rf"(?P<value>{_BASE64})(?=\\r|['\"\s]|$)"
)
"""What answers the challenge of a server."""
_CODED = re.compile(r"=$|\d|[a-z][A-Z]|[A-Z][a-z].*[A-Z]")
_IMAP = re.compile(
    r"""(\b[A-Za-z]{0,4}\d{1,6}[ ]LOGIN[ ](?:"[^"\n]{1,100}"|[^\s"]{1,100})[ ])
        ("[^"\n]{1,200}"|[^\s"]+)""",
    re.VERBOSE,
)
_IMAP_SAID = re.compile(
    r"""(\bIMAP4?[ ]LOGIN[ ](?:"[^"\n]{1,100}"|[^\s"]{1,100})[ ])
        (?P<value>"[^"\n]{1,200}"|[^\s"]+)""",
    re.VERBOSE | re.IGNORECASE,
)
"""Without the tag of a command."""
_PASS = re.compile(
    rf"((?:\bUSER[ ]{_LINE}(?:{_LINE}){{0,2}}|(?:^|(?<=\n))(?=[^\n]{{1,200}}\n(?:230|\+OK)))"
    rf"(?:\*cmd\*[ ])?{_SAYS}PASS[ ])([^\s'\"\\]+)"
)
_PASS_SENT = re.compile(r"((?:send:\s|C:\s|---?>\s|\*cmd\*\s)b?['\"]?PASS )([^\s'\"\\]+)")
_PASS_SAID = re.compile(r"(?<![\w-])(PASS )(?P<value>[^\s'\"\\]{3,80})(?P<end>['\"]?\s{0,3}$)?")
_AFTER_USER = re.compile(r"\bUSER\s{1,3}[^\s'\"]{1,100}\s{1,3}$")
_OF_MAIL = re.compile(
    r"\b(?:s?ftps?|ftplib|pop3?s?|poplib|sasl|sent|sending|command)\b", re.IGNORECASE
)
_MIXED = re.compile(
    r"(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])(?!tests?[\d_])[^\s./:_]{6,}", re.IGNORECASE
)
"""`PASS` says of a test as well that it has passed."""
_REDIS = re.compile(
    r"""((?<![\w-])AUTH[ ](?:[\w.-]{1,40}[ ](?!WRONGPASS|NOAUTH)(?=\S{6,80}\s*$))?["']?)
        (?P<value>[^\s"']{6,})(?P<more>["']?[ ]+[A-Za-z])?
      | ((?<![\w-])(?:requirepass|masterauth)[ ]["']?)(?P<set>[^\s"']{2,})""",
    re.VERBOSE | re.MULTILINE,
)
_SMS = re.compile(r"(?<![\w.-])(?:[A-Z]-)?\d{4,8}(?= is your [^\n]{0,40}\b(?:code|PIN|OTP)\b)")
_CODE = re.compile(
    r"""(\b(?:(?:access|authentication|confirmation|login|one[ -]time|reset|security|sms|unlock
          |verification|your)[ -](?:pass)?code|pin)(?:[ ](?:is|was):?|:)[ ]{1,3}
         |(?-i:PIN)[ ](?=\d{4}))
        (?:[A-Z]{1,2}-)?\d[\d -]{2,9}(?<=\d)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_PORT = re.compile(r":(?:\d{4,5}|\*):")
_PGPASS = re.compile(
    r"""(?<![\w:.*-])((?:(?!\d+:)[\w.-]{1,200}(?<!\.py)(?<!\.[jt]s)(?<!\.rb)(?<!\.go)|\*
          |\[[0-9a-f:]{2,45}\])
        :(?:\d{4,5}|\*):(?:[A-Za-z_][^\s:]{0,62}|\*):(?:[A-Za-z_][^\s:]{0,62}|\*):)
        (?!\d{1,3}(?!\S))((?:\\.|[^\s:\\'"])+)(?![:\w])""",
    re.VERBOSE,
)
"""`host:port:database:user:password`"""


def hide_logins(text: str) -> str:
    """`AUTH PLAIN …`, answers to challenges, `PASS …`, `a1 LOGIN bo …`, `123456 is your code`."""
    if "AUTH" in text:
        text = _SASL_LOGIN.sub(_hide_coded, text)
        text = _SASL.sub(_hide_coded, text)
    if "AUTH " in text or "requirepass " in text or "masterauth " in text:
        text = _REDIS.sub(_hide_redis, text)
    if "334 " in text:
        text = _CHALLENGE.sub(rf"\1{HIDDEN}", text)
    if "LOGIN " in text:
        text = _IMAP.sub(rf"\1{HIDDEN}", text)
    if "IMAP" in text or "imap" in text:
        text = _IMAP_SAID.sub(_hide_said, text)
    if "PASS " in text:
        text = _PASS_SENT.sub(rf"\1{HIDDEN}", _PASS.sub(rf"\1{HIDDEN}", text))
        text = _PASS_SAID.sub(_hide_pass, text)
    if " is your " in text:
        text = _SMS.sub(HIDDEN, text)
    if any(word in text for word in ("code", "Code", "PIN", "Pin", "pin")):
        text = _CODE.sub(rf"\1{HIDDEN}", text)
    return text


def _hide_said(found: re.Match[str]) -> str:
    """What is quoted, or no word that a sentence would have there: `IMAP login failed for bo`."""
    value = found["value"]
    hides = value.startswith('"') or _MIXED.fullmatch(value.rstrip(",;.:)"))
    return f"{found[1]}{HIDDEN}" if hides else found[0]


def _hide_pass(found: re.Match[str]) -> str:
    """After `USER bo`, or a word that nobody would call a test, of FTP or POP3 or alone."""
    text, value = found.string, found["value"]
    line = text[max(0, found.start() - 200) : found.start()].rpartition("\n")[2]
    alone = not line.strip(" '\"<>") and found["end"] is not None
    ends = found["end"] is not None or text.startswith(" to ", found.end())
    is_one = _MIXED.fullmatch(value) or (ends and may_be_password(value))
    sent = (alone or _OF_MAIL.search(line)) and is_one
    if value != HIDDEN and (sent or _AFTER_USER.search(line)):
        return f"{found[1]}{HIDDEN}{found['end'] or ''}"
    return found[0]


def _hide_coded(found: re.Match[str]) -> str:
    return found[1] + HIDDEN if _CODED.search(found["value"]) else found[0]


def _hide_redis(found: re.Match[str]) -> str:
    if found["set"]:
        return found[4] + HIDDEN if found["set"] != '""' else found[0]
    value = found["value"]
    if re.fullmatch(_MECHANISM, value) or value == HIDDEN:
        return found[0]
    if not any(char.isdigit() for char in value) and found["more"]:  # AUTH command used when
        return found[0]
    secret = is_value(value, Strength.WEAK, "auth")
    return found[1] + HIDDEN + (found["more"] or "") if secret else found[0]


def hide_pgpass(text: str) -> str:
    """The last field of a line of `.pgpass`."""
    return _PGPASS.sub(rf"\1{HIDDEN}", text) if _PORT.search(text) else text
