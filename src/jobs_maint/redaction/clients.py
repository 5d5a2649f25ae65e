"""Secrets that a tool takes where only it knows: `vault login …`, `sqlplus scott/…@db`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jobs_maint.redaction.names import Strength
from jobs_maint.redaction.rules import HIDDEN, Rules
from jobs_maint.redaction.values import is_value

__all__ = ["hide_given", "hide_given_in_words"]

_VALUE = r"""(?P<value>"[^"\n]+"|'[^'\n]+'|(?!["'\[$-])[^\s"';|&]+)"""
_MIXED = rf"(?=[^\s\d]{{0,60}}\d){_VALUE}(?!\s*=)"
"""Not a word of a sentence about the tool."""
_GAP = r"[^\n;|&]{0,300}?\s"
_OPTIONS = r"(?:\s+-[\w-]+(?:=\S+|\s+https?://\S+)?){0,6}\s+"
_NAMED = r"(?:\s+--?[\w-]+(?:=|\s+)[^\s'\"-]\S*(?=\s+\S)){0,6}\s+"
"""Each with its value, as `--name conf`."""
_ACCOUNT = r"""["']?[A-Za-z][\w$#.-]{0,60}/(?!/)"""
_TIGER = r"""(?P<value>"[^"\n]+"|[^\s"'/;|&]+(?=@)|(?!\S{0,100}\.sql\b)[^\s"'@/;|&]+)"""
_TOOLS = tuple(
    (needle, re.compile(pattern, re.MULTILINE))
    for needle, pattern in (
        (
            "vault ",
            (
                rf"\bvault\s+(?:login|unwrap|operator\s+unseal|token\s+(?:lookup|revoke|renew))"
                rf"{_OPTIONS}(?![\w-]+=){_MIXED}"
            ),
        ),
        ("sqlplus", rf"\bsqlplus(?:\s+-\w+(?:\s\d[\d.]*)?){{0,5}}\s+{_ACCOUNT}{_TIGER}"),
        ("sqlldr", rf"\bsqlldr\s+{_ACCOUNT}{_TIGER}"),
        ("pdp ", rf"\b(?:ex|im)pdp\s+{_ACCOUNT}{_TIGER}"),
        ("userid=", rf"\buserid={_ACCOUNT}{_TIGER}"),
        ("rman ", rf"\brman\s{_GAP}?(?:target|catalog|auxiliary)[\s=]{_ACCOUNT}{_TIGER}"),
        ("exp ", rf"(?<![\w-])exp\s+{_ACCOUNT}{_TIGER}(?=[\"']?(?:@\w|\s+\w+=))"),
        ("imp ", rf"(?<![\w-])imp\s+{_ACCOUNT}{_TIGER}(?=[\"']?(?:@\w|\s+\w+=))"),
        ("SQL>", rf"SQL>\s{{0,3}}(?i:conn(?:ect)?)\s+{_ACCOUNT}{_TIGER}"),
        ("connect ", rf"^\s{{0,8}}connect\s+{_ACCOUNT}{_TIGER}(?=[\"']?@)"),
        ("lftp", rf"\blftp\s(?:[^\n]{{0,300}}?\s)?-u\s?[^\s,]{{1,60}},{_VALUE}"),
        (
            ".py ",
            (
                rf"\b(?:\w*exec|secretsdump|mssqlclient|Get\w+)\.py{_OPTIONS}[\w./-]{{1,80}}:"
                r"(?P<value>[^\s@]+)(?=@)"
            ),
        ),
        ("impacket-", r"\bimpacket-\w+\s+[\w./-]{1,80}:(?P<value>[^\s@]+)(?=@)"),
        (
            "net user",
            rf"\bnet\s+user\s+[\w.$-]{{1,60}}\s+(?!/)(?:(?=\S+\s+/)|(?=[^\s\d]{{0,60}}\d)){_VALUE}",
        ),
        ("wpa_passphrase", rf"\bwpa_passphrase\s+(?:\"[^\"\n]+\"|'[^'\n]+'|\S+)\s+{_VALUE}"),
        ("bw ", rf"\bbw\s+(?:login\s+\S{{1,80}}@\S+|unlock)\s+{_VALUE}"),
        ("snyk ", rf"\bsnyk\s+auth\s+{_MIXED}"),
        ("authtoken", rf"\bngrok\s+(?:config\s+add-)?authtoken\s+{_MIXED}"),
        ("login ", rf"\b(?:cargo|wandb|huggingface-cli)\s+login{_OPTIONS}{_MIXED}"),
        ("user-secrets", rf"\buser-secrets\s+set\s+(?:\"[^\"\n]+\"|\S+)\s+{_VALUE}"),
        (
            "secret",
            (
                r"\bsecrets?[\s:](?:set|create|put|add|update|new)\b"
                rf"{_GAP}(?:--(?:value|body|data|text)[=\s]|-b[=\s]?){_VALUE}"
            ),
        ),
        ("secrets set ", rf"\bdoppler\s+secrets\s+set\s+[A-Z][A-Z\d_]*\s+{_VALUE}"),
        (
            "put-parameter",
            rf"\bput-parameter\b(?=[^\n]{{0,300}}SecureString){_GAP}--value[=\s]{_VALUE}",
        ),
        ("encrypt_string", rf"\bencrypt_string{_NAMED}{_VALUE}"),
        ("chamber ", rf"\bchamber\s+write\s+\S+\s+\S+\s+{_VALUE}"),
        ("http-basic", rf"\bconfig\s(?:--\w+\s){{0,3}}http-basic\.\S+\s\S+\s{_VALUE}"),
        (
            "pulumi",
            (
                r"\bpulumi\s+config\s+set\s(?=[^\n]{0,300}--secret)(?:--secret\s)?[\w:.[\]-]+\s"
                rf"{_VALUE}"
            ),
        ),
        ("rclone ", rf"\brclone\s+obscure\s+{_VALUE}"),
        ("rclone ", rf"\brclone\s+config\s{_GAP}(?:pass\w*|token|key|\w*secret\w*)[=\s]{_VALUE}"),
        ("freerdp", rf"\bx?freerdp3?\s{_GAP}?/p:{_VALUE}"),
        ("r_pw ", rf"\b(?:user|owner)_pw\s+{_VALUE}"),
        ("mc ", rf"\bmc\s+(?:alias\s+set|config\s+host\s+add)\s+\S+\s+\S+\s+\S+\s+{_VALUE}"),
        ("samba-tool", rf"\bsamba-tool\s+user\s+(?:create|add)\s+\S+\s+{_VALUE}"),
        ("glab ", rf"\bglab\s{_GAP}?-t[=\s]{_VALUE}"),
        ("doctl ", rf"\bdoctl\s{_GAP}?-t[=\s]{_VALUE}"),
    )
)
_SETS = ("secret", "vault ", "travis ")
_SET = re.compile(
    r"""\b(?:fly(?:ctl)?\s+secrets\s+(?:set|import)|(?:doppler|supabase|nhost)\s+secrets\s+set
        |vault\s+kv\s+(?:put|patch)|vault\s+write\s+secret/|travis\s+encrypt
        |(?:kubectl|oc)\s[^\n;|&]{0,60}?create\s+secret)\s
        (?P<words>(?:[^\n;|&]|[;|&](?=\S)){1,2000})""",
    re.VERBOSE,
)
_PAIR = re.compile(
    rf"(?<![^\s'\"])(?P<keep>(?:--from-literal=)?['\"]?[A-Za-z_][\w./-]{{0,99}}=)(?!@){_VALUE}"
)
_CONFIGS = ("config", " set ")
_CONFIG = re.compile(
    r"""(?<![\w-])(?:config(?:ure)?\s+set|(?:npm|pnpm|yarn)\s+set
         |(?:git|poetry|composer|bundle|conda|pip)\s+config)\s
        (?:-[\w-]+(?:=\S+)?\s){0,3}(?P<name>[\w./:-]{2,120})\s+"""
    + _VALUE,
    re.VERBOSE,
)
"""`aws configure set aws_secret_access_key …`: a secret by its name."""
_TEXT = re.compile(r"""'[^'\\\n]{0,300}'|"[^"\\\n]{0,300}\"""")
_LIST = re.compile(rf"\[(?:(?:{_TEXT.pattern}),\s?){{2,60}}(?:{_TEXT.pattern})\]")
"""A command as Python and Docker write it."""
_BLANK = "\ue000"
"""For those in the words of a list."""


def hide_given(text: str, rules: Rules) -> str:
    """Also where it is a list of words."""
    if "', '" in text or '", "' in text or '","' in text:
        text = _LIST.sub(lambda found: _hide_list(found[0], rules), text)
    return _hide_given(text, rules)


def _hide_given(text: str, rules: Rules) -> str:
    for needle, pattern in _TOOLS:
        if needle in text:
            text = pattern.sub(_hide, text)
    if any(needle in text for needle in _SETS):
        text = _SET.sub(_hide_pairs, text)
    if not any(needle in text for needle in _CONFIGS):
        return text
    return _CONFIG.sub(lambda found: _hide_named(found, rules), text)


def _hide_list(text: str, rules: Rules) -> str:
    words = [found[0][1:-1] for found in _TEXT.finditer(text)]
    shown = iter(hide_given_in_words(words, rules))
    return _TEXT.sub(lambda found: f"{found[0][0]}{next(shown)}{found[0][0]}", text)


def hide_given_in_words(words: Sequence[object], rules: Rules) -> list[object]:
    """The same for a command that is a list of words."""
    texts = [word.replace(" ", _BLANK) if isinstance(word, str) else "-" for word in words]
    shown = _hide_given(" ".join(texts), rules).split(" ")
    if len(shown) != len(words):
        return list(words)
    return [
        word if one == text else one.replace(_BLANK, " ")
        for word, text, one in zip(words, texts, shown, strict=True)
    ]


def _hide(found: re.Match[str]) -> str:
    value = found["value"]
    if value.strip("'\"").startswith(("$", HIDDEN, "file:", "@")):
        return found[0]
    begin, end = (at - found.start() for at in found.span("value"))
    return found[0][:begin] + HIDDEN + found[0][end:]


def _hide_pairs(found: re.Match[str]) -> str:
    begin = found.start("words") - found.start()
    return found[0][:begin] + _PAIR.sub(_hide, found["words"])


def _hide_named(found: re.Match[str], rules: Rules) -> str:
    """By one part of a name such as `profile.x.aws_secret_access_key` or `pypi-token.pypi`."""
    for part in re.split("[./:]+", found["name"]):
        strength = rules.strength(part) if part else Strength.NONE
        if strength not in (Strength.NONE, Strength.WEAK):
            return _hide(found) if is_value(found["value"], strength, part) else found[0]
    return found[0]
