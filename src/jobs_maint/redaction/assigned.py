"""Secrets by the name before them: `key=value`, JSON, YAML, options, pairs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from jobs_maint.redaction import languages
from jobs_maint.redaction.expressions import find_code, find_source, is_of_parser
from jobs_maint.redaction.names import Strength
from jobs_maint.redaction.rules import HIDDEN, Rules
from jobs_maint.redaction.tokens import is_login_code
from jobs_maint.redaction.told import is_told
from jobs_maint.redaction.values import find_rest, find_value, is_value

__all__ = ["hide_assigned", "hide_compared", "hide_headers"]

_N = r"[^\W\d][\w.-]{0,99}+"
_B = r"[ \t\xa0\u2009\u202f\u3000]{0,40}+"
"""Blanks, those of French before a colon too."""
_MARKS = r"(?:\[\]|\]|\*|(?:%5B)?%5D|\([a-z ,]{2,40}\)(?!=\())"
"""After a name in a form: `user[password]`, `Password *`, `Password (required)`."""
_Q = r"\\{0,8}['\"]"
_TEXT = r"""[bru]?\\{0,8}(?:"[^"\n]{1,200}"|'[^'\n]{1,200}')"""
_KEYS = "(?:api|access|secret|auth|private|signing|encryption|license)"
_PHRASE = "(?:seed|recovery|backup|mnemonic|pass)[ ]phrase"
"""Written with a blank; what follows goes to the end of the line."""
_INTRODUCED = re.compile(
    rf"""(?<![\w-])(?:name|(?:parameter)?key|field|header|param|id|k){_Q}?\s{{0,3}}(?:=>|[=:])\s{{0,3}}{_Q}?
         (?P<named>{_N}){_Q}?[\s,;]{{1,40}}
         {_Q}?(?:(?:parameter)?value|val|content|data|v){_Q}?\s{{0,3}}(?:=>|[=:])[ \t]{{0,8}}
    | (?:(?<![\w.-])|(?<=(?<![\w-])-)|(?<=(?<![\w-])--)|(?<=(?<![\w.])\.)|(?<=%[2-7][0-9A-F]))
         (?P<key>{_N})(?:{_Q})?(?:[ ]?{_MARKS}){{0,2}}{_B}(?:=>|:=|={{1,2}}|[:：＝](?!:)|%3[AD]){_B}
    | (?<!\w)(?P<spaced>{languages.SPACED}|{_KEYS}[ ]key|{_PHRASE})(?:{_Q})?
         (?:[ ]?{_MARKS})?{_B}(?:=>|[=:：＝]){_B}
    | (?<![^\s\0])--?(?P<option>{_N})[ \t]{{1,3}}(?=[^\s-])
    | ['"]--?(?P<listed>{_N})['"],\s{{0,20}}(?=[bru]?['"])
    | [(\[]\s{{0,20}}(?:[bru]?{_Q})(?P<pair>{_N}){_Q}\s{{0,3}},\s{{0,20}}(?=[bru]?{_Q})
    | \b(?P<sql>(?:password|identified[ ]by)(?=[ ]{{1,3}}')|identified[ ]by(?=[ ]")
         |pass(?:word|phrase)[ ](?:is|was):?)
         [ ]{{1,3}}(?=['"])
    | (?:(?:\w{{0,24}}(?:Auth|Credentials?)|\.login|basic_auth|\.authenticate)\(\s{{0,9}}
           [bu]?{_Q}[^'"\n]{{0,100}}{_Q}
         |\bjwt\.(?:sign|verify|encode|decode)\([^,\n]{{1,200}}
         |(?:\bPDO(?:->__construct)?|\bmysqli(?:_connect|->__construct)?|\.getConnection)\(
           (?:{_Q}[^'"\n]{{0,200}}{_Q},\s{{0,9}}){{1}}{_Q}[^'"\n]{{0,100}}{_Q}
         |pgp_sym_(?:en|de)crypt(?:_bytea)?\([^,\n]{{1,200}}),\s{{0,9}}(?P<call>)(?=[bu]?{_Q})
    | [cswu](?<!\w.)(?:et|ith|pdate|hange)_?(?P<setter>{_N})\(\s{{0,20}}
         (?:{_Q}[a-z.@_-]{{1,80}}{_Q},\s{{0,20}})?L?(?={_TEXT}\s{{0,20}}[,)])
    | \.(?!_?(?:get|fetch|read|find|has|is|load|lookup|access|list|ask|prompt|expect)(?-i:[A-Z_]))
         (?P<built>(?-i:[a-z_])\w{{0,59}})\((?={_TEXT}\))
    | \bvariable[ ]"(?P<variable>{_N})"[ ]\{{[^{{}}]{{0,200}}?\bdefault[ ]{{1,9}}=[ ]{{1,3}}(?=")
    | (?<!\w)(?P<hashed>crypt|hashpw|make_password|generate_password_hash)\((?=[bru]?['"])
    | \b(?P<prose>pass(?:word|wd|code|phrase)
           (?:(?:[ ](?:for|of)[ ][^\s:=]{{1,60}})?[ ](?:is|was):?)?
         |(?:pass|pwd|secret|token|api[ _-]?key)[ ](?:is|was):?)
         (?:[ ]{{1,3}}|\t{{1,3}})<?(?!--)(?=['"]?[^\s:=]{{6}})
    | (?<=\n)(?P<field>{_N})\n[ ]{{1,4}}[A-Z][^\n]{{1,200}}\binput_value=
    | \b(?P<whose>password|passwd|passcode|secret|token|api[ ]key)[ ]for[ ](?:user[ ])?
         ['"]?[\w.@+-]{{1,80}}['"]?[ ]?:[ ](?=\S)
    | (?<![\w.-])(?P<quoted>{_KEYS}[ ]key|{_N})[ \t]{{1,8}}(?=['"])
    | (?<![\w.-])(?P<arrow>{_N}){_B}(?:->|→){_B}(?=\S{{6}})
    | (?<![\w.-])(?P<bare>{_KEYS}[ ]key|{_N})[ ]{{1,3}}(?=[\w+/.=-]{{16}})
    | (?<!\w)(?P<wrapper>(?-i:[A-Z])[A-Za-z]{{3,40}})(?:\[\w{{1,20}}\])?\(
         (?:_{{0,2}}(?:secret_)?(?:value|data|raw)=)?(?=[bru]?{_Q})
    | <(?P<object>\w{{0,20}}(?:Secret|Sensitive|Password)\w{{0,20}}):?[ ](?=[bru]?{_Q})""",
    re.VERBOSE | re.IGNORECASE,
)
_BEFORE, _REACH = 120, 300
"""Characters from where a name begins to where its stem does, and to where its value begins."""
_HEADER = re.compile(
    r"""\b(?P<name>(?:proxy-|x-)?authorization|(?:set-)?cookie2?)(?P<sep>['"]?\s{0,3}(?::|=(?!>))\s{0,3})(?=[^\s'"\\{\[(])
        (?P<value>(?:[^\r\n'"\\=]|=\\{0,4}"[^"\r\n]*"|='[^'\r\n]*'|=|['"](?=\w)|\\(?![nr"']))+)""",
    re.VERBOSE | re.IGNORECASE,
)
"""Of any scheme: everything to the end of the line, or of the quoted text it stands in."""
_DIGEST = re.compile(
    r"""(\bDigest\s[^\n]{0,400}?\bresponse=\\?["']?)[0-9a-f]{16,}""", re.IGNORECASE
)
_HEADER_SCHEME = re.compile(r"[A-Za-z][\w-]{2,24}(?=[ \t]+\S)")
_SCHEME_ONLY = re.compile(r"[A-Za-z][\w-]{2,24}[ \t]+\[redacted\]")
_SAYS_SO = frozenset(["hashed", "sql", "call", "prose", "whose", "spaced", "object"])
_CODED = frozenset(["key", "spaced", "pair", "quoted", "prose"])
"""After these an expression may stand."""
_MORE_TEXTS = re.compile(rf"(?:{_Q},\s{{0,20}}[bru]?{_Q}[^'\"\n]{{1,200}})+")
_WRAPPERS = ("Sensitive", "Confidential", "Masked")
_WRITTEN_STEMS = (
    *["login", "crypt", "hash", "jwt", "pdo", "mysqli", "getconnection", "pgp_sym"],
    "identified by",
    *map(str.lower, _WRAPPERS),
)
_ARN = re.compile(r"\barn:(?:[\w-]*:){2,6}$")
_CONFLICT = re.compile(r"(Key \((?P<columns>[^()\n]{1,300})\)=\()([^\n]+)(?=\))")
_REVERSED = re.compile(
    rf"""(?<!\w)(?P<value>'[^'\n]{{1,200}}'|"[^"\n]{{1,200}}")[ ]{{1,3}}
         (?:[!=]==?[ ]{{1,3}}(?:[\w.]{{1,60}}\[{_Q})?(?P<name>{_N})
           |=[ ](?=[^\n]{{0,300}}\.(?P<attribute>\w{{1,60}})(?:\n|$)))""",
    re.VERBOSE,
)
"""`assert 'letmein' == user.password`, and below it `where 'letmein' = User(1).password`."""
_SENTENCE = re.compile(r"[a-z]+(?:[ ][a-z]+)+\.?(?=$|[\r\n,;(])")
"""`Cookie: header too large`"""
_NOT_SET = re.compile(
    r"(?:basic|bearer|digest)\s{0,3}$|%[sr](?!\w)|\{\w*\}|\.\.\.|…"
    r"|(?:true|false|none|null|required|missing|invalid|expired|denied|failed)\b",
    re.IGNORECASE,
)


def hide_headers(text: str) -> str:
    """`Authorization` and cookies."""

    def hide(found: re.Match[str]) -> str:
        value = found["value"]
        said = found["name"].lower().endswith("cookie") and _SENTENCE.match(value)
        if said or _NOT_SET.match(value) or value.startswith(HIDDEN) or _is_computed(found):
            return found[0]
        scheme = _HEADER_SCHEME.match(value) if found["name"].lower().endswith("tion") else None
        return f"{found['name']}{found['sep']}{scheme[0] + ' ' if scheme else ''}{HIDDEN}"

    small = text.lower()
    if "authorization" in small or "cookie" in small:
        text = _HEADER.sub(hide, text)
    return _DIGEST.sub(rf"\1{HIDDEN}", text) if "response=" in text else text


def _is_computed(found: re.Match[str]) -> bool:
    """`Authorization: `Bearer ${token}``, `authorization = request.headers.get(…)`"""
    span = found.start(), found.start("value")
    code = find_code(found.string, found["name"], span, found["sep"])
    return code is not None and code.literal is None


def hide_assigned(text: str, rules: Rules) -> str:
    """Only the value of a secret is stepped over: a harmless one may hold a secret in itself."""
    parts, at = [], 0
    source = find_source(text)
    for found in _find_introduced(text, rules):
        if found.start() < at:
            continue
        kind = found.lastgroup or ""
        name = found[kind]
        says_so = kind in _SAYS_SO or (kind == "wrapper" and name.startswith(_WRAPPERS))
        strength = Strength.STRONG if says_so else rules.strength(name)
        if kind == "spaced" and name.lower().endswith("phrase"):
            strength = Strength.LINE
        if strength is Strength.NONE or (kind in ("option", "listed") and len(name) == 1):
            continue
        if name.lower().endswith("authorization") and _SCHEME_ONLY.match(text, found.end()):
            continue
        if _ARN.search(text, max(0, found.start() - 120), found.start()):
            continue
        computes = kind in _CODED and strength is not Strength.ALWAYS
        between = text[found.end(kind) : found.end()] if computes else ""
        code = find_code(text, name, found.span(), between, source) if computes else None
        span = code.literal if code else find_value(text, found.end(), strength)
        if span and kind == "setter":  # change_password("old", "new")
            more = _MORE_TEXTS.match(text, span[1])
            span = (span[0], more.end()) if more else span
        if span is None or not _is_secret(text, found, span, strength):
            continue
        parts += [text[at : span[0]], HIDDEN]
        at = find_rest(text, span) if strength is Strength.WEAK else span[1]
    text = "".join([*parts, text[at:]])
    if "Key (" in text:
        text = _CONFLICT.sub(lambda found: _hide_conflict(found, rules), text)
    return text


def _is_secret(text: str, found: re.Match[str], span: tuple[int, int], strength: Strength) -> bool:
    kind = found.lastgroup or ""
    name, value = found[kind], text[slice(*span)]
    secret = is_value(value, strength, name)
    if not secret and strength is Strength.WEAK and name.lower().endswith("code"):
        secret = is_login_code(value, text, found.start(kind))
    return secret and not is_told(text, found, span, strength)


def _find_introduced(text: str, rules: Rules) -> Iterator[re.Match[str]]:
    """Only around what is in the name of a secret: a look at every word takes ten times as long."""
    for begin, end in _find_windows(text, (*rules.stems, *_WRITTEN_STEMS)):
        for found in _INTRODUCED.finditer(text, begin, min(len(text), end + _REACH)):
            if found.start() >= end:
                break
            yield found


def _find_windows(text: str, stems: Sequence[str]) -> list[tuple[int, int]]:
    """Stretches of the text, each apart from the next, in which a name may begin."""
    small = text.lower()
    if len(small) != len(text):  # İ becomes two characters
        return [(0, len(text))]
    spots, ascii_only = [], text.isascii()
    for stem in stems:
        if ascii_only and not stem.isascii():
            continue
        at = small.find(stem)
        while at >= 0:
            spots.append(at)
            at = small.find(stem, at + _BEFORE)
    windows: list[tuple[int, int]] = []
    for at in sorted(spots):
        begin, end = max(0, at - _BEFORE), at + _BEFORE
        if windows and begin <= windows[-1][1]:
            windows[-1] = (windows[-1][0], end)
        else:
            windows.append((begin, end))
    return windows


def _hide_conflict(found: re.Match[str], rules: Rules) -> str:
    """PostgreSQL's `Key (api_key)=(...) already exists.`"""
    names = [name.strip() for name in found["columns"].split(",")]
    secret = any(rules.strength(name) not in (Strength.NONE, Strength.WEAK) for name in names)
    return found[1] + HIDDEN if secret else found[0]


def hide_compared(text: str, rules: Rules) -> str:
    """The text before `== user.password`."""
    if any(sign in text for sign in ("' ==", "' !=", '" ==', '" !=', "where ")):
        return _REVERSED.sub(lambda found: _hide_reversed(found, rules), text)
    return text


def _hide_reversed(found: re.Match[str], rules: Rules) -> str:
    name, value = found["name"] or found["attribute"], found["value"][1:-1]
    strength = rules.strength(name)
    plain = strength in (Strength.NONE, Strength.WEAK, Strength.COUNTABLE)
    plain = plain or (" " in value and not any(map(str.isdigit, value)))  # a message
    if plain or not is_value(value, strength, name) or is_of_parser(name, value):
        return found[0]
    quote = found["value"][0]
    return found[0].replace(found["value"], f"{quote}{HIDDEN}{quote}", 1)
