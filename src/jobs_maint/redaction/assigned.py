"""Secrets by the name before them: `key=value`, JSON, YAML, XML, options, pairs."""

from __future__ import annotations

import re

from jobs_maint.redaction.names import Strength
from jobs_maint.redaction.rules import HIDDEN, Rules
from jobs_maint.redaction.values import find_value, is_value

__all__ = ["hide_assigned", "hide_headers", "hide_xml"]

_N = r"[A-Za-z_][\w.-]{0,99}+"
_Q = r"\\{0,8}['\"]"
_INTRODUCED = re.compile(
    rf"""(?<![\w-])(?:name|key|field|header|param|id|k){_Q}?\s{{0,3}}(?:=>|[=:])\s{{0,3}}{_Q}?
         (?P<named>{_N}){_Q}?[\s,;]{{1,40}}
         {_Q}?(?:value|val|content|data|v){_Q}?\s{{0,3}}(?:=>|[=:])[ \t]{{0,8}}
    | (?:(?<![\w.-])|(?<=(?<![\w-])-)|(?<=(?<![\w-])--)|(?<=(?<![\w.])\.))
         (?P<key>{_N})(?:{_Q})?\]?[ \t]{{0,8}}(?:=>|:=|={{1,2}}|:(?!:)|%3[ADad])[ \t]{{0,8}}
    | (?<!\S)--?(?P<option>{_N})[ \t]{{1,3}}(?=[^\s-])
    | ['"]--?(?P<listed>{_N})['"],\s{{0,20}}(?=[bru]?['"])
    | [(\[]\s{{0,20}}(?:[bru]?{_Q})(?P<pair>{_N}){_Q}\s{{0,3}},\s{{0,20}}(?=[bru]?{_Q})
    | \b(?P<sql>password|identified[ ]by|password[ ]is)[ ]{{1,3}}(?=')
    | (?:(?:Basic|Digest|NTLM)Auth|\.login|basic_auth|\.authenticate)\(\s{{0,9}}
         [bu]?{_Q}[^'"\n]{{0,100}}{_Q},\s{{0,9}}(?P<call>)(?=[bu]?{_Q})
    | \b(?P<prose>pass(?:word|wd|code|phrase))(?:[ ](?:is|was))?[ ]{{1,3}}(?=[^\s:=]{{6}})
    | \b(?P<whose>password|passwd|passcode|secret|token|api[ ]key)[ ]for[ ](?:user[ ])?
         ['"]?[\w.@+-]{{1,80}}['"]?[ ]?:[ ](?=\S)""",
    re.VERBOSE | re.IGNORECASE,
)
_HEADER = re.compile(
    r"""\b(?P<name>(?:proxy-|x-)?authorization|(?:set-)?cookie2?)(?P<sep>['"]?\s{0,3}[:=]\s{0,3})(?=[^\s'"\\{\[(])
        (?P<value>(?:[^\r\n'"\\=]|=\\{0,4}"[^"\r\n]*"|=|['"](?=\w)|\\(?![nr"']))+)""",
    re.VERBOSE | re.IGNORECASE,
)
"""Of any scheme: everything to the end of the line, or of the quoted text it stands in."""
_HEADER_SCHEME = re.compile(r"[A-Za-z][\w-]{2,24}(?=[ \t]+\S)")
_XML = re.compile(
    rf"""<(?:[\w.-]{{1,40}}:)?(?P<element>{_N})(?P<attributes>(?:\s[^<>]{{0,300}})?)(?<!/)>
         (?P<value>\s*(?:<!\[CDATA\[[^\]]*\]\]>|[^<]+))""",
    re.VERBOSE,
)
_SAYS_SO = frozenset(["sql", "call", "prose", "whose"])
_IN_PROSE = re.compile(
    r"(?!(?:sha|md5|argon|bcrypt|scrypt|pbkdf|v\d|utf|rfc|job|user|id)[\w-]*$)"
    r"(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])\S{6,}"
)
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

    return _HEADER.sub(hide, text)


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
    for found in _INTRODUCED.finditer(text):
        if found.start() < at:
            continue
        kind = found.lastgroup or ""
        name = found[kind]
        strength = Strength.STRONG if kind in _SAYS_SO else rules.strength(name)
        if strength is Strength.NONE or (kind in ("option", "listed") and len(name) == 1):
            continue
        if _ARN.search(text, max(0, found.start() - 120), found.start()):
            continue
        span = find_value(text, found.end(), strength)
        if span is None or not is_value(text[slice(*span)], strength, name):
            continue
        if kind == "prose" and not _IN_PROSE.fullmatch(text[slice(*span)]):
            continue
        parts += [text[at : span[0]], HIDDEN]
        at = span[1]
    text = "".join([*parts, text[at:]])
    return (
        _CONFLICT.sub(lambda found: _hide_conflict(found, rules), text) if "Key (" in text else text
    )


def _hide_conflict(found: re.Match[str], rules: Rules) -> str:
    """PostgreSQL's `Key (api_key)=(...) already exists.`"""
    names = [name.strip() for name in found["columns"].split(",")]
    secret = any(rules.strength(name) not in (Strength.NONE, Strength.WEAK) for name in names)
    return found[1] + HIDDEN if secret else found[0]
