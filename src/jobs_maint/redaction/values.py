"""Where the value after `password=` ends, and whether it is one."""

from __future__ import annotations

import re

from jobs_maint.redaction import languages
from jobs_maint.redaction.names import Strength, split
from jobs_maint.redaction.quotes import OPENING, find_closing
from jobs_maint.redaction.rules import HIDDEN
from jobs_maint.redaction.shapes import looks_secret
from jobs_maint.redaction.tokens import BARE_USER_CODE, USER_CODE, is_token

__all__ = ["find_rest", "find_value", "is_prose", "is_value"]

_PLAIN = re.compile(
    r"""(?: [^\s'"\\,;&)}\]<>|]
      | [,;&](?=[^\s,;&'"\\])(?![\w.\[\]%-]{1,64}["']?\s{0,2}[=:])
      | [)}\]|](?=[^\s,;&)}\]'"<>\\.|:])
      | ['"](?=\w)
      | <(?![/!a-zA-Z]) | >(?=\w)
      | \\(?![nrt"'\\]) | \\\\(?![nrt"'\\])
    )+""",
    re.VERBOSE,
)
"""To the next blank; a comma, `&` or bracket belongs to it unless another pair or the end follows
it."""
_LINE = re.compile(r"""(?:[^\r\n'"\\]|=\\{0,4}"[^"\r\n]*"|['"](?=\w)|\\(?![nr"']))+""")
_BLOCK = re.compile(r"(?P<block>[|>][-+]?[ \t]*\n(?:[ \t]+[^\n]*(?:\n|$))+)")
_NEXT_LINE = re.compile(r"[ \t]*\n[ \t]*(?=[^\s:=\d]*\d[^\s:=]*[ \t]*(?:\n|$))")
_SCHEME = re.compile(
    r"(?:bearer|basic|token|digest|apikey|negotiate|ntlm|key)\s+(?=\S)", re.IGNORECASE
)
_TAG = re.compile(
    r"(?:(?:![\w.:<>,/!-]{0,80}|&[\w-]{1,40})[ \t]{1,8}(?=\S)"
    r"|(?:string\(\d{1,5}\)|<%=)[ ](?=['\"]))"
)
_WRAPPER = re.compile(r"(?:[\w.]{0,60}\.)?[A-Z]\w{1,40}\((?:\w{1,20}=)?(?=[bru]?\\{0,8}['\"])")
"""`SecretStr('…')`"""
_REFERENCE = re.compile(
    r"!(?:ENV|env|env_var|Ref|GetAtt|Sub|ImportValue|FindInMap|Join|reference|include|lookup)\b"
)
"""YAML: a tag or an anchor before a value; tags of a value that is elsewhere. PHP, ERB: a type."""
_NO_SECRET = re.compile(
    r"""(?:true|false|yes|no|on|off|null|nil|none|undefined|nan|unset|empty|missing|required|optional
      |redacted|filtered|hidden|masked|removed|n/a|str|string|bytes|int|bool|optional\[?\w*\]?
      |float|read|write|number|boolean|integer|dict|tuple|any|enabled|disabled|secretstr(?:\((?:'?\*+'?|'{2}|none)?\)?)?|object|invalid|expired|valid|incorrect|wrong)\.?
    | [*\u2022.x\u2026-]+ | \[?\(?<?(?:redacted|filtered|hidden|masked)>?\)?\]? | \[redacted\]
    | %[+]?[srdwvqx] | %\(\w+\)s | \$\d+(?:::[\w\[\] ]{1,40})?
    | \$\{?[A-Z_][A-Z0-9_]*(?::?[-+?])?\}?
    | \{[a-z_][a-z_.]*(?:![rsa])?(?::[^{}\s]{0,20})?\} | \{\} | \$?\{\{
    | [a-z_][\w.]*\(\)? | \{\{[^{}]*\}\} | \$\{[^{}]*\} | \$\{\{[^{}]*\}\} | <[\w .:-]+>? | :\w+
    | os\.(?:environ|getenv).* | (?:settings|self|config|env|request|args)\.[\w.]+
    | !{1,2}[\w./-]* | \*[a-z_]+ | process\.env\.\w+
    | projects/[\w-]+/secrets/.* | arn:aws.* | [^\w\s]{1,2}""",
    re.IGNORECASE | re.VERBOSE,
)
"""A switch, a placeholder, a mask, or the name of a place where the secret is kept."""
_PROSE = re.compile(
    r"(?:is|was|are|were|must|too|not|has|have|had|should|cannot|can|may|does|did|do|the|this|"
    r"that|for|from|in|at|to|of|and|or|with|expected|expired|invalid|missing|required|incorrect|"
    r"unexpected|wrong|unable|illegal|setting|enable|mfa|csrf|could|no|failed|please|muss|darf|ist|wird|wurde|fehlt|est|doit|"
    r"debe|es|ha|deve|moet|musi|jest|должен|не)(?=[\s.,;]|$)(?!\s*$)"
    r"|(?:ensure|field|string|input|length|value) (?=[a-z])"
    r"|(?:an?|path|line|secret|key|token) (?=['\"`]?[A-Za-z\d])|can['’]t ",
    re.IGNORECASE,
)
_ABOUT_PHRASE = re.compile(
    r"(?:must (?:be|have|contain|match|not)|(?:is|was) (?:too|not|required|invalid|missing|wrong)"
    r"|wrong for|expected|(?:does|should|could|can)(?: not|not) |please (?:try|enter))\b",
    re.IGNORECASE,
)
"""What is said of a passphrase, of which each word by itself may be one of its own."""
_ITEM = r"- (?![\w.-]{1,60}:(?:\s|$))[^\r\n]*"
_ITEMS = re.compile(rf"[ \t]*\r?\n[ \t]*(?P<block>{_ITEM}(?:\r?\n[ \t]*{_ITEM}){{0,50}})")
"""A list in YAML, of texts."""
_LISTED = re.compile(
    r"(?![A-Za-z]+(?:[_-](?:[A-Za-z]+\d{0,3}|\d{1,4}))+$)(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])[^/]{6,}"
)
"""In such a list no name of a secret, as Compose and GitHub list them."""
_COMMAND = re.compile(r"\$\([\w./-]{2,60}[ ][^()\n]{1,200}\)")
"""`$(cat /run/secrets/password)`: where a shell takes it from."""
_NUMBERS = re.compile(r"[-+]?[\d.,_]{1,30}[kKmM]?|[\[(][\d\s,.]*[\])]")
_ENOUGH = 2_000
"""Characters by which a value is judged: `?key=a?key=a…` is as many values, each to the end."""
_DEEPEST = 20
"""Brackets within brackets; what is deeper is hidden with the rest of its line."""
_PATH = re.compile(r"(?:/[\w.@+-]+){1,12}/?")


def find_value(text: str, at: int, strength: Strength) -> tuple[int, int] | None:
    """Start and end of the value at this place, without its quotes; None when there is none."""
    tag = _TAG.match(text, at)
    if tag is not None:
        if _REFERENCE.match(text, at):
            return None
        at = tag.end()
    wrapper = _WRAPPER.match(text, at)
    at = wrapper.end() if wrapper else at
    opening = OPENING.match(text, at)
    if opening is not None:
        return opening.end(), find_closing(text, opening)
    block = _BLOCK.match(text, at) or _match_items(text, at)
    if block is not None:
        return block.span("block")
    if text[at : at + 1] in ("{", "[", "(") and not text.startswith("[redacted]", at):
        return _find_bracket(text, at)
    after = _NEXT_LINE.match(text, at)
    if after is not None:
        at = after.end()
    if strength is Strength.LINE:
        line = None if _ABOUT_PHRASE.match(text, at) else _LINE.match(text, at)
        return (at, line.end()) if line else None
    if _PROSE.match(text, at) or _COMMAND.match(text, at):
        return None
    scheme = _SCHEME.match(text, at)
    begin = scheme.end() if scheme else at
    if text.startswith(HIDDEN, begin):
        return None
    end = begin + _ENOUGH if strength is Strength.WEAK else len(text)
    found = _PLAIN.match(text, begin, end)
    return (at, found.end()) if found else None


def find_rest(text: str, span: tuple[int, int]) -> int:
    """Where a value ends of which `find_value` found as much as is looked at."""
    more = _PLAIN.match(text, span[1]) if span[1] - span[0] >= _ENOUGH else None
    return more.end() if more else span[1]


def _match_items(text: str, at: int) -> re.Match[str] | None:
    found = _ITEMS.match(text, at)
    texts = found["block"].split("\n") if found else []
    return found if any(_LISTED.fullmatch(item.strip("- \t\r'\"")) for item in texts) else None


def is_prose(value: str) -> bool:
    """`must be set`"""
    return " " in value and _PROSE.match(value) is not None


def _find_bracket(text: str, at: int) -> tuple[int, int] | None:
    """All of a list or mapping; of one that was cut, the rest of the line."""
    depth, i = 0, at
    marks = re.compile(r"""[\[\](){}]|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""")
    for mark in marks.finditer(text, at):
        if mark[0] in ("[", "(", "{"):
            depth += 1
        elif mark[0] in ("]", ")", "}"):
            depth -= 1
        i = mark.end()
        if depth > _DEEPEST:
            break
        if depth == 0:
            more = _PLAIN.match(text, i)  # {hun}ter2}
            return (at, more.end() if more else i) if i - at > 2 else None
    end = text.find("\n", i)
    end = len(text) if end < 0 else end
    return (at, end) if end - at > 2 else None


def is_value(value: str, strength: Strength, name: str = "") -> bool:
    """Whether this is a secret and no switch, number of tokens, placeholder or path."""
    value = value.strip()
    if not value:
        return False
    if strength is Strength.ALWAYS:
        return True
    if len(value) < 200 and _NO_SECRET.fullmatch(value):
        return False
    if value.lower() == name.lower() != "password" or value == name:  # token=token: a variable
        return False
    if languages.fold(value.lower()) in languages.STATES:
        return False
    if strength is Strength.COUNTABLE:
        return _NUMBERS.fullmatch(value) is None
    if strength is Strength.WEAK:
        return _is_weak_value(name, value)
    return not (name.lower().endswith("pwd") and _PATH.fullmatch(value[:300]))


_ORDINARY = frozenset(
    """anonymous anon authorization basic bearer digest plain login oauth openid token password
    saml ldap kerberos gssapi ntlm negotiate jwt hmac iam mtls tls cert certificate apikey
    session cookie trust peer scram ident radius pam sspi google github gitlab microsoft azure
    okta keycloak cognito firebase supabase default internal external local remote custom native
    legacy optional failure error success successful active inactive forbidden unknown current
    guest user admin owner service system afternoon summer autumn winter public private readonly
    mobile browser desktop server client worker console terminal interactive global request
    persistent permanent temporary transient memory database redis middleware module header
    filesystem""".split()  # noqa: SIM905  a list of words to read
)
"""What stands after `auth:` and `session=` besides secrets: methods, states, places."""
_CALL = re.compile(r"[A-Za-z_][\w.]{1,60}\([\w.,= ]*\)?")
_LETTERS_ONLY = frozenset(["auth", "session", "sess", "sid", "bearer"])
_ADDRESS = re.compile(
    r"(?!(?:sqlite|file|unix|memory|odbc|oci|jdbc|mysql|pgsql|localhost)[:.])"
    r"[^\s:/@=]+(?::(?!\d{2,5}(?:/|$)|/)[^\s/]{3,}|/[^\s/@]{3,}@\S+)"
)
"""A user and password without a scheme."""


def _is_weak_value(name: str, value: str) -> bool:
    last = next((word for word in reversed(split(name)) if not word.isdigit()), "")
    if last in ("dsn", "url", "uri"):
        bare = re.fullmatch(r"\w+", value) is not None and looks_secret(value)
        return bare or (HIDDEN not in value and _ADDRESS.fullmatch(value) is not None)
    if last == "header":  # "X-Api-Key" is the name of one
        return value.lower() not in _ORDINARY and not re.fullmatch(r"[A-Za-z]+(-[A-Za-z]+)+", value)
    if last == "hmac":
        return looks_secret(value) and not re.match(
            r"(?:hmac-?)?(?:sha|md)-?\d", value, re.IGNORECASE
        )
    if last == "pin":
        return value.isdigit() and 3 <= len(value) <= 12
    if last in ("key", "code", "state", "nonce", "signature", "salt", "credentialid", "assertion"):
        return _is_key(name, last, value)
    if _CALL.fullmatch(value[:200]):
        return False
    if last in _LETTERS_ONLY and re.fullmatch(r"[A-Za-z]+", value):
        word = value.lower()
        plain = word in _ORDINARY or word.endswith(("ed", "ing")) or last in word
        return len(word) >= 6 and not plain
    if last in ("auth", "pass"):
        return not re.fullmatch(
            r"[A-Za-z]+|[\d.]+|(?i:x?oauth|saml|ntlm|sha|s?cram|digest|md)[\w-]*|\d{4}_[a-z]\w*"
            r"|Test[A-Z]\w*|test_\w*",
            value,
        )
    return looks_secret(value) and not re.match(r"AC[0-9a-f]{32}$", value)


def _is_key(name: str, last: str, value: str) -> bool:
    if not re.fullmatch(r"[\w+/=.%~-]+", value):
        return False
    if last in ("code", "assertion") and is_token(value, mixed=True):
        return True
    if (
        last == "code"
        and "user" in name.lower()
        and any(code.fullmatch(value) for code in (USER_CODE, BARE_USER_CODE))
    ):
        return True
    if len(value) < (12 if last == "code" else 16) or re.match(r"[a-z]+[-_:/.]", value):
        return False
    return sum(c.isdigit() for c in value) >= 2 and any(c.isalpha() for c in value)
