"""Users and passwords in addresses: `postgresql://bo:…@db/app`, `bo:…@host:5432`."""

from __future__ import annotations

import re

from jobs_maint.redaction.rules import HIDDEN

__all__ = ["hide_users"]

_WORD = re.compile(r"""(?<=://)(?:[^\s"'<>:]|:(?!//))++""")
"""What follows the scheme, up to a blank, a quote or the next address."""
_MOST = 1_000
"""Characters of it in which a password is looked for."""
_PLACE = re.compile(r"(?:\[[\da-f:.%]*\]|[^\s:@/?#]*)(?::(?:\d{2,5})?)?[/?#]", re.IGNORECASE)
"""A host and a path, in which an @ says nothing of a user."""
_HOST = re.compile(
    r"@(?P<host>\[[\da-f:.%]+\]|[\w.-]++)(?P<port>:\d{1,5})?(?=[/?#,;|&()\]}\\`\0]|$)",
    re.IGNORECASE,
)
_IS_HOST = re.compile(r"localhost|\[.*|.*\w\.[a-z][a-z-]+|(?:\d{1,3}\.){3}\d{1,3}", re.IGNORECASE)
_QUERY = re.compile(r"(?:/[\w.,%-]*)?\?\w+=")
_OF_WEB = re.compile(r"(?:https?|wss?|git|ssh|svn)://$", re.IGNORECASE)
_USER_ONLY = re.compile(r"[a-z][a-z_-]{0,15}")
_WITH_BLANK = re.compile(
    r"""(?<=://)(?P<user>[^\s:/?\#@"'<>]{0,64}:)(?!\d{1,5}(?!\w))[^\s/@"'<>]{1,60}[ '"]
        [^\s@"'<>:]{1,60}(?=@[\w.-]{1,200}(?::\d{2,5}\b|/\w))""",
    re.VERBOSE,
)
"""A password with a blank or a quote, before a host with a port or a path."""
_NO_SCHEME = re.compile(
    r"""(?<![\w.%+/@-])(?!(?:mailto|to|from|cc|bcc|sip|sips|acct|email|xmpp|ssh|git|by)[:=])
        (?P<user>[\w.%+-]{1,64}[:/])(?P<password>[^\s:'"@/][^\s'"@/]{2,100})
        (?=@(?!sha\d)(?://)?[\w.-]{1,200}(?::\d{2,5}|/[\w-]|\(|:\w))""",
    re.VERBOSE,
)
"""`user:password@host:5432`, `user:password@tcp(host)`, Oracle's `user/password@//host`."""


def hide_users(text: str) -> str:
    if "://" in text:
        text = _WITH_BLANK.sub(HIDDEN, _WORD.sub(_hide_user, text))
    return _NO_SCHEME.sub(rf"\g<user>{HIDDEN}", text)


def _hide_user(found: re.Match[str]) -> str:
    word = found[0]
    end = _find_end(found) if "@" in word else 0
    return word if not end or _USER_ONLY.fullmatch(word, 0, end) else HIDDEN + word[end:]


def _find_end(found: re.Match[str]) -> int:
    """Where the user and password end: a password may hold an @, a / or a # that nobody encoded."""
    word = found[0][:_MOST]
    first = word.find("@")
    if first < 0 or _PLACE.match(word, 0, first):
        return 0
    web = _OF_WEB.search(found.string, max(0, found.start() - 8), found.start())
    hosts = list(_HOST.finditer(word))
    if not hosts:
        return word.rfind("@", 0, word.find("/", first) if web and "/" in word[first:] else None)
    if hosts[0].start() == first and ":" not in word[:first]:  # postgresql://bo@db/app
        return first
    for host in hosts:
        sure = host["port"] or _IS_HOST.fullmatch(host["host"])
        if (web and sure) or _QUERY.match(word, host.end()):  # https://bo:pw@db.io/@types
            return host.start()
    return hosts[-1].start()
