"""Secrets in forms: parts of a multipart body, tags of HTML and XML, JSON in a URL."""

from __future__ import annotations

import re

from jobs_maint.redaction.names import Strength
from jobs_maint.redaction.rules import HIDDEN, Rules
from jobs_maint.redaction.values import is_value

__all__ = ["hide_forms", "hide_xml"]

_N = r"[^\W\d][\w.-]{0,99}+"
_Q = r"\\{0,8}['\"]"
_EOL = r"(?:\r|\\{1,8}r)?(?:\n|\\{1,8}n)\0?"
"""Also written out, as in the `repr` of bytes."""
_PART = re.compile(
    rf"""\bform-data;[ ]?name={_Q}?(?P<name>{_N}(?:\[{_N}\]){{0,3}})(?![\w\[])
         (?:(?!{_EOL})[^\n]){{0,200}}(?:{_EOL}[A-Za-z-]{{1,40}}:(?:(?!{_EOL})[^\n]){{0,200}}){{0,5}}
         {_EOL}{_EOL}""",
    re.VERBOSE,
)
_PART_END = re.compile(rf"{_EOL}--")
_LINE_END = re.compile(rf"{_EOL}|{_Q}$|$")
_LONGEST = 2_000
"""Characters of a part in which its end is looked for; of a longer one, a line is hidden."""
_TAG = re.compile(r"<[A-Za-z][\w:.-]{0,40}\s[^<>]{1,1000}>")
_TAG_NAME = re.compile(
    rf"""(?<![\w-])(?:name|key|id|property)\s?=\s?(?:{_Q})?(?P<name>{_N}(?:\[{_N}\]){{0,3}})""",
    re.IGNORECASE,
)
_TAG_VALUE = re.compile(
    rf"""(?<![\w-])(?:value|content)=\s?(?P<quote>{_Q})?
         (?P<value>(?(quote)(?:(?!(?P=quote))[^<>])+|[^\s'"<>]+?(?=/?>|\s)))""",
    re.VERBOSE | re.IGNORECASE,
)
_CODED_Q, _BLANKS = "%(?:25){0,3}2[27]", r"(?:\+|%(?:25){0,3}20){0,4}"
_CODED = re.compile(
    rf"""({_CODED_Q}(?P<name>{_N}){_CODED_Q}{_BLANKS}%(?:25){{0,3}}3A{_BLANKS}{_CODED_Q})
         (?P<value>(?:(?!{_CODED_Q})[^\s&"'<>]){{1,500}})""",
    re.VERBOSE | re.IGNORECASE,
)

_XML = re.compile(
    rf"""<(?:[\w.-]{{1,40}}:)?(?P<element>{_N})(?P<attributes>(?:\s[^<>]{{0,300}})?)(?<!/)>
         (?P<value>\s*(?:<!\[CDATA\[[^\]]*\]\]>|[^<]+))""",
    re.VERBOSE,
)
_ENTRY = re.compile(
    rf"""((?:<(?:key|name)>|<entry>\s{{0,20}}<string>|<(?:setting|property)\s(?:name|key)=["'])
         (?P<name>{_N})(?:</(?:key|name|string)>|["'][^<>]{{0,200}}>)
         \s{{0,40}}<(?:value|string)>)(?P<value>[^<]+)""",
    re.VERBOSE | re.IGNORECASE,
)
"""Of a property list, of Java's maps, of settings of Hadoop, Spring and .NET, of AWS's tags."""
_XML_ESCAPED = re.compile(rf"(&lt;(?:[\w.-]{{1,40}}:)?(?P<name>{_N})&gt;)(?P<value>[^&<]+)")
_XML_NAME = re.compile(rf"""\b(?:name|key|id)\s?=\s?\\?["'](?P<name>{_N})\\?["']""", re.IGNORECASE)


def hide_forms(text: str, rules: Rules) -> str:
    """`name="password"` and its part of a body, `<input value="…" name="password">`, `%22…%22`."""
    if "form-data" in text:
        text = _hide_parts(text, rules)
    if ("value=" in text or "content=" in text) and ">" in text:
        text = _TAG.sub(lambda found: _hide_tag(found[0], rules), text)
    if "%22" in text or "%27" in text or "%25" in text:
        text = _CODED.sub(lambda found: _hide_named(found, rules), text)
    return text


def hide_xml(text: str, rules: Rules) -> str:
    """The text of an element whose own name, or whose `name` or `key`, is that of a secret."""

    def hide(found: re.Match[str]) -> str:
        empty = found["element"].lower() in ("input", "meta")  # nothing of theirs follows
        named = None if empty else _XML_NAME.search(found["attributes"])
        for name in (found["element"], named["name"] if named else ""):
            strength = rules.strength(name)
            if strength is not Strength.NONE and is_value(found["value"], strength, name):
                return found[0][: found.start("value") - found.start()] + HIDDEN
        return found[0]

    def hide_named(found: re.Match[str]) -> str:
        return _hide_named(found, rules)

    text = _XML.sub(hide, text)
    if "<value>" in text or "<string>" in text or "<Value>" in text:
        text = _ENTRY.sub(hide_named, text)
    return _XML_ESCAPED.sub(hide_named, text) if "&lt;" in text else text


def _hide_parts(text: str, rules: Rules) -> str:
    parts, at = [], 0
    for found in _PART.finditer(text):
        begin = found.end()
        end = _PART_END.search(text, begin, begin + _LONGEST) or _LINE_END.search(text, begin)
        if begin < at or end is None:
            continue
        if not _is_secret(found["name"], text[begin : end.start()], rules):
            continue
        parts += [text[at:begin], HIDDEN]
        at = end.start()
    return "".join([*parts, text[at:]])


def _hide_tag(tag: str, rules: Rules) -> str:
    name, value = _TAG_NAME.search(tag), _TAG_VALUE.search(tag)
    if name is None or value is None or not _is_secret(name["name"], value["value"], rules):
        return tag
    return tag[: value.start("value")] + HIDDEN + tag[value.end("value") :]


def _hide_named(found: re.Match[str], rules: Rules) -> str:
    secret = _is_secret(found["name"], found["value"], rules)
    return found[1] + HIDDEN if secret else found[0]


def _is_secret(name: str, value: str, rules: Rules) -> bool:
    strength = rules.strength(name)
    return strength is not Strength.NONE and is_value(value, strength, name)
