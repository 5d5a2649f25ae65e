"""Passwords in the short options of well-known commands: `mysql -pSECRET`, `curl -u me:SECRET`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jobs_maint.redaction.rules import HIDDEN

__all__ = ["hide_in_words", "hide_options"]

_JOINED = r"(?:mysql\w*|mariadb[\w-]*|7z[ar]?|7zz|rar|unrar)"
_APART = (
    r"(?:sshpass|mongo\w*|(?:docker|podman|buildah|skopeo|helm|nerdctl|oras|crane|az|oc|cf)(?=\b.*\blogin\b)|login"
    r"|useradd|usermod|smbclient|mount|xfreerdp|influx|cqlsh|couchbase-cli|ansible-vault|expect|cbq"
    r"|twine|crackmapexec|nxc|netexec|evil-winrm|ncftp\w*|rdesktop|hydra|medusa|steghide"
    r"|az(?=\s+(?:sql|mysql|postgres|synapse)\b))"
)
_TOOLS = re.compile(
    rf"(?<![\w-])(?:(?P<joined>{_JOINED})|(?P<apart>{_APART})|(?P<upper>sqlcmd|bcp|isql|unzip|zip|gpg|mosquitto_\w+|ipmitool)"
    r"|(?P<snmp>snmp[a-z]+)"
    r"|(?P<ldap>ldap(?:search|modify|add|delete|passwd|whoami)|psexec)|(?P<redis>redis-(?:cli|benchmark)|valkey-cli)|(?P<openssl>openssl|nuget|choco)"
    r"|(?P<user>curl|wget|http|https|xh|lftp|hey|ab|etcdctl))(?![\w-])"
)
_GAP = r"(?:['\"]?,?\s{0,3}['\"]?)"
_VALUE = r"""(?:"[^"\n]+"|'[^'\n]+'|[^\s'",;|]+)"""
_OPTIONS = {
    "joined": re.compile(rf"(?P<keep>(?<=[\s'\"])-p(?=['\"]?[^\s'\",]))(?P<value>{_VALUE})"),
    "apart": re.compile(rf"(?P<keep>(?<=[\s'\"])-p(?:=|{_GAP}))(?P<value>{_VALUE})"),
    "upper": re.compile(rf"(?P<keep>(?<=[\s'\"])-P{_GAP})(?P<value>{_VALUE})"),
    "ldap": re.compile(rf"(?P<keep>(?<=[\s'\"])-[wp]{_GAP})(?P<value>{_VALUE})"),
    "redis": re.compile(rf"(?P<keep>(?<=[\s'\"])-a{_GAP})(?P<value>{_VALUE})"),
    "openssl": re.compile(rf"(?P<keep>(?<=[\s'\"])-[kK](?=[\s'\",]){_GAP})(?P<value>{_VALUE})"),
    "snmp": re.compile(rf"(?P<keep>(?<=[\s'\"])-[cAX]{_GAP})(?P<value>(?!public\b){_VALUE})"),
    "user": re.compile(
        rf"(?P<keep>(?<=[\s'\"])(?:-[uUa]|--(?:proxy-)?user|--auth){_GAP}['\"]?[^\s:'\",]+:(?!//))(?P<value>[^\s'\"]+)"
    ),
}
_PARTS = re.compile(r"[^\n;|&]+|[\n;|&]+")
_PASSIN = re.compile(
    r"(-pass(?:in|out|word)?[\s=]{1,3}(?P<quote>['\"])?pass:)(?:(?(quote)[^'\"\n]+|[^\s'\"]+))"
)
_READS = (
    r"(?:--password-stdin|--with-token|\bpasswd[ ][^\n|<]{0,40}--stdin|\bchpasswd|\bsudo[ ]-S"
    r"|\bkinit|\bwrangler[ ]secret[ ]put|\b(?:docker|podman)[ ]secret[ ]create|\bgh[ ]secret[ ]set"
    r"|\bgcloud[ ]secrets|\bvault[ ]login|\bpass[ ]insert|--passphrase-fd|-pass(?:in|out)?[ ]stdin)"
    r"(?![\w-])"
)
"""A command that reads a password from its input."""
_FED = re.compile(
    rf"(?P<keep>{_READS}[^\n|<]{{0,200}}<<<[ \t]{{0,3}})(?P<value>{_VALUE})"
    rf"|(?P<said>\b(?:echo|printf)[ ](?:-n[ ]|['\"]?%s(?:\\n)?['\"]?[ ])?)(?P<word>{_VALUE})"
    rf"(?=[ ]{{0,3}}\|[^\n|]{{0,200}}{_READS})"
)
_GIVEN = re.compile(
    r"\b(?P<tool>htpasswd|rabbitmqctl\b[^\n;|&]{1,80}?\b(?:add_user|change_password|authenticate_user))"
    r"(?=['\" ])['\"]?(?P<words>[^\n;|&]{1,300})"
)
"""Tools to which a password is given without an option."""
_GIVEN_TO = re.compile(r"(?:\S{1,200}/)?htpasswd|add_user|change_password|authenticate_user")
_WORD = re.compile(r"""(?<=[\s,'"])(?:"[^"\n]*"|'[^'\n]*'|[^\s'",<>\])]+)""")
_NET_USE = re.compile(
    r"(\bnet[ ]use[ ](?:[^\n]{0,20}[ ])?\\{2,8}[^\s\\]{1,100}\\[^\s]{1,100}[ ])"
    r"(?:(?![/*])\S+(?=[ ]/user:)|(?P<user>/user:\S{1,100}[ ])(?![/*])\S+)",
    re.IGNORECASE,
)
_SAMBA = re.compile(
    r"(\b(?:smbclient|smbget|smbmap|rpcclient)\b[^\n;|&]{0,200}?\s(?:-U|--user)[=\s]?['\"]?"
    r"[^\s%'\"]{1,60}%)[^\s'\"]+"
)
_ANY = re.compile(r"(?<!\w)-(?:[pPwaukKcAX]|-user|-proxy-user|-auth)")


def hide_options(text: str) -> str:
    """In each command of a text that names one of the known tools, and what is fed to one."""
    if "<<<" in text or "echo " in text or "printf " in text:
        text = _FED.sub(_hide_fed, text)
    if "htpasswd" in text or "rabbitmqctl" in text:
        text = _GIVEN.sub(_hide_given, text)
    if "net use " in text:
        text = _NET_USE.sub(lambda found: f"{found[1]}{found['user'] or ''}{HIDDEN}", text)
    if "smb" in text or "rpcclient" in text:
        text = _SAMBA.sub(rf"\1{HIDDEN}", text)
    if not _ANY.search(text):
        return text
    text = _PASSIN.sub(rf"\1{HIDDEN}", text)
    return "".join(_hide_part(part) for part in _PARTS.findall(text))


def _hide_part(part: str) -> str:
    tool = _TOOLS.search(part[:5000])
    if tool is None:
        return part
    pattern = _OPTIONS[tool.lastgroup or "apart"]
    head, tail = part[: tool.end()], part[tool.end() :]
    return head + pattern.sub(_hide, tail)


def _hide_given(found: re.Match[str]) -> str:
    words = list(_WORD.finditer(found["words"]))
    at = _find_given(found["tool"], [word[0].strip("'\"") for word in words])
    if at is None or words[at][0].strip("'\"").startswith(("$", HIDDEN)):
        return found[0]
    begin, end = (found.start("words") - found.start() + place for place in words[at].span())
    return found[0][:begin] + HIDDEN + found[0][end:]


def _find_given(tool: str, words: Sequence[str]) -> int | None:
    """Which of the words after the name of the tool is the password."""
    options = [at for at, word in enumerate(words) if word.startswith("-")]
    takes = {at + 1 for at in options if re.fullmatch(r"-\w*[Cr]", words[at])}
    begin = options[0] if options else 0  # before it: `docker run --entrypoint htpasswd httpd -nb`
    plain = [at for at in range(begin, len(words)) if at not in options and at not in takes]
    letters = "".join(words[at] for at in options)
    into_file = tool.endswith("htpasswd")
    if into_file and "b" not in letters:
        return None
    after = 2 if into_file and "n" not in letters else 1
    return plain[after] if len(plain) > after else None


def _hide_fed(found: re.Match[str]) -> str:
    value = found["value"] or found["word"]
    if value.strip("'\"").startswith("$") or value == HIDDEN:
        return found[0]
    return (found["keep"] or found["said"]) + HIDDEN


def _hide(found: re.Match[str]) -> str:
    value = found["value"].strip("'\"")
    plain = (value.isdigit() and len(value) < 6) or value.startswith("$")
    return found[0] if plain or value == HIDDEN else found["keep"] + HIDDEN


def hide_in_words(words: Sequence[object]) -> list[object]:
    """The same for a command that is a list of words."""
    found = list(words)
    texts = [word if isinstance(word, str) else "" for word in words]
    for begin, text in enumerate(texts, 1):
        given = _find_given(text, texts[begin:]) if _GIVEN_TO.fullmatch(text) else None
        if given is not None:
            found[begin + given] = HIDDEN
    tool = next((match for text in texts if (match := _TOOLS.match(text.rsplit("/", 1)[-1]))), None)
    if tool is None:
        return found
    for at, text in enumerate(texts):
        if not text.startswith("-"):
            continue
        follows = texts[at + 1] if at + 1 < len(texts) else ""
        for pattern in (_OPTIONS[kind] for kind in _kinds(tool.lastgroup or "apart", texts)):
            if (
                pattern.search(f" {text}")
                and len(text) > 2
                and pattern.sub(_hide, f" {text}") != f" {text}"
            ):
                found[at] = pattern.sub(_hide, f" {text}")[1:]
            elif (follows and len(text) == 2) or text.startswith("--"):
                line = pattern.sub(_hide, f" {text} {follows}")
                if line != f" {text} {follows}":
                    found[at + 1] = line[len(text) + 2 :]
    return found


def _kinds(kind: str, texts: Sequence[str]) -> list[str]:
    return [kind, "apart"] if "login" in texts and kind != "apart" else [kind]
