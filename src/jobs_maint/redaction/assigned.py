"""Secrets by the name before them: `key=value`, JSON, YAML, XML, options, pairs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from jobs_maint.redaction import languages
from jobs_maint.redaction.names import Strength
from jobs_maint.redaction.prose import ends_sentence, may_be_password
from jobs_maint.redaction.rules import HIDDEN, Rules
from jobs_maint.redaction.values import find_value, is_prose, is_value

__all__ = ["hide_assigned", "hide_headers", "hide_xml"]

_N = r"[^\W\d][\w.-]{0,99}+"
_B = r"[ \t\xa0\u2009\u202f\u3000]{0,8}"
"""Blanks, those of French before a colon too."""
_MARKS = r"(?:\[\]|\]|\*|(?:%5B)?%5D|\([a-z ,]{2,40}\)(?!=\())"
"""After a name in a form: `user[password]`, `Password *`, `Password (required)`."""
_Q = r"\\{0,8}['\"]"
_KEYS = "(?:api|access|secret|auth|private|signing|encryption|license)"
_PHRASE = "(?:seed|recovery|backup|mnemonic|pass)[ ]phrase"
"""Written with a blank; what follows goes to the end of the line."""
_INTRODUCED = re.compile(
    rf"""(?<![\w-])(?:name|key|field|header|param|id|k){_Q}?\s{{0,3}}(?:=>|[=:])\s{{0,3}}{_Q}?
         (?P<named>{_N}){_Q}?[\s,;]{{1,40}}
         {_Q}?(?:value|val|content|data|v){_Q}?\s{{0,3}}(?:=>|[=:])[ \t]{{0,8}}
    | (?:(?<![\w.-])|(?<=(?<![\w-])-)|(?<=(?<![\w-])--)|(?<=(?<![\w.])\.)|(?<=%[2-7][0-9A-F]))
         (?P<key>{_N})(?:{_Q})?(?:[ ]?{_MARKS}){{0,2}}{_B}(?:=>|:=|={{1,2}}|[:：](?!:)|%3[AD]){_B}
    | (?<!\w)(?P<spaced>{languages.SPACED}|{_KEYS}[ ]key|{_PHRASE})(?:{_Q})?
         (?:[ ]?{_MARKS})?{_B}(?:=>|[=:：]){_B}
    | (?<![^\s\0])--?(?P<option>{_N})[ \t]{{1,3}}(?=[^\s-])
    | ['"]--?(?P<listed>{_N})['"],\s{{0,20}}(?=[bru]?['"])
    | [(\[]\s{{0,20}}(?:[bru]?{_Q})(?P<pair>{_N}){_Q}\s{{0,3}},\s{{0,20}}(?=[bru]?{_Q})
    | \b(?P<sql>(?:password|identified[ ]by)(?=[ ]{{1,3}}')|pass(?:word|phrase)[ ](?:is|was):?)
         [ ]{{1,3}}(?=['"])
    | (?:(?:\w{{0,24}}(?:Auth|Credentials?)|\.login|basic_auth|\.authenticate)\(\s{{0,9}}
           [bu]?{_Q}[^'"\n]{{0,100}}{_Q}
         |pgp_sym_(?:en|de)crypt(?:_bytea)?\([^,\n]{{1,200}}),\s{{0,9}}(?P<call>)(?=[bu]?{_Q})
    | \b(?P<prose>pass(?:word|wd|code|phrase)
           (?:(?:[ ](?:for|of)[ ][^\s:=]{{1,60}})?[ ](?:is|was):?)?
         |(?:pass|pwd|secret|token|api[ _-]?key)[ ](?:is|was):?)[ ]{{1,3}}<?(?=['"]?[^\s:=]{{6}})
    | (?<=\n)(?P<field>{_N})\n[ ]{{1,4}}[A-Z][^\n]{{1,200}}\binput_value=
    | \b(?P<whose>password|passwd|passcode|secret|token|api[ ]key)[ ]for[ ](?:user[ ])?
         ['"]?[\w.@+-]{{1,80}}['"]?[ ]?:[ ](?=\S)
    | (?<![\w.-])(?P<quoted>{_N})[ \t]{{1,8}}(?=['"])
    | (?<![\w.-])(?P<arrow>{_N}){_B}(?:->|→){_B}(?=\S{{6}})
    | (?<![\w.-])(?P<bare>{_N})[ ]{{1,3}}(?=[\w+/.=-]{{16}})
    | (?<!\w)(?P<wrapper>(?-i:[A-Z])[A-Za-z]{{3,40}})(?:\[\w{{1,20}}\])?\(
         (?:_{{0,2}}(?:secret_)?(?:value|data|raw)=)?(?=[bru]?{_Q})
    | <(?P<object>\w{{0,20}}(?:Secret|Sensitive|Password)\w{{0,20}}):?[ ](?=[bru]?{_Q})""",
    re.VERBOSE | re.IGNORECASE,
)
_BEFORE, _REACH = 120, 300
"""Characters from where a name begins to where its stem does, and to where its value begins."""
_HEADER = re.compile(
    r"""\b(?P<name>(?:proxy-|x-)?authorization|(?:set-)?cookie2?)(?P<sep>['"]?\s{0,3}[:=]\s{0,3})(?=[^\s'"\\{\[(])
        (?P<value>(?:[^\r\n'"\\=]|=\\{0,4}"[^"\r\n]*"|='[^'\r\n]*'|=|['"](?=\w)|\\(?![nr"']))+)""",
    re.VERBOSE | re.IGNORECASE,
)
"""Of any scheme: everything to the end of the line, or of the quoted text it stands in."""
_DIGEST = re.compile(
    r"""(\bDigest\s[^\n]{0,400}?\bresponse=\\?["']?)[0-9a-f]{16,}""", re.IGNORECASE
)
_HEADER_SCHEME = re.compile(r"[A-Za-z][\w-]{2,24}(?=[ \t]+\S)")
_SCHEME_ONLY = re.compile(r"[A-Za-z][\w-]{2,24}[ \t]+\[redacted\]")
_XML = re.compile(
    rf"""<(?:[\w.-]{{1,40}}:)?(?P<element>{_N})(?P<attributes>(?:\s[^<>]{{0,300}})?)(?<!/)>
         (?P<value>\s*(?:<!\[CDATA\[[^\]]*\]\]>|[^<]+))""",
    re.VERBOSE,
)
_SAYS_SO = frozenset(["sql", "call", "prose", "whose", "spaced", "object"])
_WRAPPERS = ("Sensitive", "Confidential", "Masked")
_WRITTEN_STEMS = ("login", "identified by", "pgp_sym", *map(str.lower, _WRAPPERS))
_PARSED = re.compile(r"\b(?:unexpected|expected|illegal|unrecognized) $", re.IGNORECASE)
"""Before `token:` in the message of a parser."""
_COMPOUND = re.compile(r"[a-z0-9][A-Z]|[_.-]")
_ENDS_LINE = re.compile(r"['\"]?[ \t]{0,8};?[ \t]{0,8}(?=[\r\n]|$)")
_MORE_WORDS = re.compile(r"[ \t]{1,4}[^\W\d_]+(?![\w=:])")
_IN_PROSE = re.compile(
    r"(?!(?:sha|md5|argon|bcrypt|scrypt|pbkdf|v\d|utf|rfc|job|user|id)[\w-]*$)"
    r"(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])\S{6,}"
)
_USED = re.compile(
    r"(?<![\w-])(?:with|using|(?:user|login)[ =][^\s=:]{1,30},?)(?: the)? $", re.IGNORECASE
)
"""Before `password letmein`."""
_PLIST = re.compile(rf"(<key>(?P<element>{_N})</key>\s*<string>)(?P<value>[^<]+)")
_XML_ESCAPED = re.compile(rf"(&lt;(?:[\w.-]{{1,40}}:)?(?P<element>{_N})&gt;)(?P<value>[^&<]+)")
_ARN = re.compile(r"\barn:(?:[\w-]*:){2,6}$")
_XML_NAME = re.compile(rf"""\b(?:name|key|id)\s?=\s?\\?["'](?P<name>{_N})\\?["']""", re.IGNORECASE)
_CONFLICT = re.compile(r"(Key \((?P<columns>[^()\n]{1,300})\)=\()([^\n]+)(?=\))")
_NOT_SET = re.compile(
    r"(?:true|false|none|null|required|missing|invalid|expired|denied|failed)\b", re.IGNORECASE
)


def hide_headers(text: str) -> str:
    """`Authorization` and cookies."""

    def hide(found: re.Match[str]) -> str:
        value = found["value"]
        if _NOT_SET.match(value) or value.startswith(HIDDEN):
            return found[0]
        scheme = _HEADER_SCHEME.match(value) if found["name"].lower().endswith("tion") else None
        return f"{found['name']}{found['sep']}{scheme[0] + ' ' if scheme else ''}{HIDDEN}"

    text = _HEADER.sub(hide, text)
    return _DIGEST.sub(rf"\1{HIDDEN}", text) if "response=" in text else text


def hide_xml(text: str, rules: Rules) -> str:
    """The text of an element whose own name, or whose `name` or `key`, is that of a secret."""

    def hide(found: re.Match[str]) -> str:
        named = _XML_NAME.search(found["attributes"])
        for name in (found["element"], named["name"] if named else ""):
            strength = rules.strength(name)
            if strength is not Strength.NONE and is_value(found["value"], strength, name):
                return found[0][: found.start("value") - found.start()] + HIDDEN
        return found[0]

    def hide_escaped(found: re.Match[str]) -> str:
        strength = rules.strength(found["element"])
        secret = strength is not Strength.NONE and is_value(found["value"], strength)
        return found[1] + HIDDEN if secret else found[0]

    text = _XML.sub(hide, text)
    if "</key>" in text:
        text = _PLIST.sub(hide_escaped, text)
    return _XML_ESCAPED.sub(hide_escaped, text) if "&lt;" in text else text


def hide_assigned(text: str, rules: Rules) -> str:
    """Only the value of a secret is stepped over: a harmless one may hold a secret in itself."""
    parts, at = [], 0
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
        span = find_value(text, found.end(), strength)
        if span is None or not is_value(text[slice(*span)], strength, name):
            continue
        if _is_told(text, found, span, strength):
            continue
        parts += [text[at : span[0]], HIDDEN]
        at = span[1]
    text = "".join([*parts, text[at:]])
    return (
        _CONFLICT.sub(lambda found: _hide_conflict(found, rules), text) if "Key (" in text else text
    )


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


def _is_told(text: str, found: re.Match[str], span: tuple[int, int], strength: Strength) -> bool:
    """Whether a sentence, not an assignment, holds the word."""
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
    if kind in ("arrow", "bare"):
        named = kind == "arrow" or _COMPOUND.search(found[kind]) is not None
        return strength is Strength.WEAK or not (named and _IN_PROSE.fullmatch(value))
    if kind == "wrapper":  # Token('NUMBER', '12')
        following = text[span[1] + 1 : span[1] + 4].strip(", ")
        return strength is Strength.WEAK or following.startswith(("'", '"'))
    if kind == "quoted":
        if strength in (Strength.WEAK, Strength.COUNTABLE) or is_prose(value):
            return True
        own_line = not text[text.rfind("\n", 0, found.start()) + 1 : found.start()].strip()
        alone = own_line and " " not in value and _ENDS_LINE.match(text, span[1])
        said = found["quoted"].lower().startswith("pass") and _IN_PROSE.fullmatch(
            value.replace(" ", "")
        )
        return not (_COMPOUND.search(found["quoted"]) or alone or said)
    parsed = kind == "key" and _PARSED.search(text, max(0, found.start() - 15), found.start())
    if parsed and value.isalpha():
        return True
    weak_word = strength is Strength.WEAK and kind == "key" and value.isalpha()
    said = weak_word and ":" in text[found.end("key") : found.end()] and span[0] == found.end()
    return bool(said and _MORE_WORDS.match(text, span[1]))


def _hide_conflict(found: re.Match[str], rules: Rules) -> str:
    """PostgreSQL's `Key (api_key)=(...) already exists.`"""
    names = [name.strip() for name in found["columns"].split(",")]
    secret = any(rules.strength(name) not in (Strength.NONE, Strength.WEAK) for name in names)
    return found[1] + HIDDEN if secret else found[0]
