"""Arguments of jobs without their secrets: by key, by pair, by option, by text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

from jobs_maint.redaction.clients import hide_given_in_words
from jobs_maint.redaction.commands import hide_in_words
from jobs_maint.redaction.manifests import hide_data
from jobs_maint.redaction.names import Strength
from jobs_maint.redaction.pairs import find_strength
from jobs_maint.redaction.rules import DEFAULT, HIDDEN, Rules
from jobs_maint.redaction.texts import redact_text
from jobs_maint.redaction.tokens import LOGIN_KEYS, is_code
from jobs_maint.redaction.values import is_value

__all__ = ["DEEPEST", "redact_args"]

DEEPEST = 50
"""Levels of lists and objects that are shown; readers of JSON give up on a few hundred."""
_TOO_DEEP = "[nested deeper than is shown]"
_NAME = re.compile(r"-{0,2}[A-Za-z_][\w.-]{1,99}:?")
_FIELDS = frozenset(
    [
        "email",
        "name",
        "user",
        "username",
        "login",
        "id",
        "password",
        "token",
        "key",
        "role",
        "roles",
    ]
)
_LOGINS = frozenset(["user", "username", "login", "account", "email", "host", "hostname"])
"""Beside one of these `pass` is a password, whatever it looks like."""
_A_FIELD = re.compile(r"[a-z_]+")


def redact_args(value: Any, rules: Rules = DEFAULT) -> Any:
    """A copy of JSON arguments without secret values.

    A key is secret when one of the known names is in it as whole words: `token` hides
    `accessToken` and `slack_token`, but nothing hides `idempotency_key` or `token_count`.
    """
    return _redact(value, rules, 0)


def _redact(value: Any, rules: Rules, depth: int) -> Any:
    if isinstance(value, str):
        return redact_text(value, rules)
    if isinstance(value, Mapping | list | tuple):
        if depth >= DEEPEST:
            return _TOO_DEEP
        if isinstance(value, Mapping):
            return _redact_mapping(value, rules, depth + 1)
        return _redact_list(list(value), rules, depth + 1)
    return value


def _redact_mapping(value: Mapping[Any, Any], rules: Rules, depth: int) -> dict[Any, Any]:
    of_login = any(re.sub("[_-]", "", str(key).lower()) in LOGIN_KEYS for key in value)
    found = {}
    for key, inner in value.items():
        strength = rules.strength(str(key))
        if strength is Strength.NONE:
            strength = find_strength(value, str(key), rules)
        if of_login and strength is Strength.WEAK and isinstance(inner, str) and is_code(inner):
            strength = Strength.STRONG if str(key).lower().endswith("code") else strength
        if str(key).lower() == "pass" and any(str(one).lower() in _LOGINS for one in value):
            strength = Strength.STRONG
        # A key may be a secret itself: {"ghp_…": "ada"}.
        shown = redact_text(key, rules) if isinstance(key, str) and len(key) > 15 else key
        found[shown] = _by_name(inner, strength, str(key), rules, depth)
    return hide_data(found)


def _by_name(inner: Any, strength: Strength, name: str, rules: Rules, depth: int) -> Any:
    if strength is Strength.NONE or inner is None or isinstance(inner, bool):
        return HIDDEN if strength is Strength.ALWAYS else _redact(inner, rules, depth)
    if isinstance(inner, Mapping | list | tuple):
        user_and_password = name.lower() == "auth" and isinstance(inner, list | tuple)
        if (strength is Strength.WEAK and not user_and_password) or not inner:
            return _redact(inner, rules, depth)
        counts = strength is Strength.COUNTABLE and not isinstance(inner, Mapping)
        if counts and all(isinstance(item, int | float) for item in inner):
            return _redact(inner, rules, depth)
        return HIDDEN
    return HIDDEN if is_value(str(inner), strength, name) else _redact(inner, rules, depth)


def _redact_list(items: list[Any], rules: Rules, depth: int) -> list[Any]:
    """A pair (`["password", "…"]`) and what follows an option are hidden like a key's value."""
    items = hide_in_words(items) if any(_is_of_command(item) for item in items) else items
    items = hide_given_in_words(items, rules) if 2 < len(items) < 200 else items
    found = [_redact(item, rules, depth) for item in items]
    for at, (name, value) in enumerate(itertools.pairwise(items)):
        if not (isinstance(name, str) and _NAME.fullmatch(name)) or found[at] != name:
            continue
        strength = rules.strength(name)
        if strength in (Strength.NONE, Strength.WEAK) or value == HIDDEN:
            continue
        pair = len(items) == 2 or name.startswith("-")
        if not pair and isinstance(value, str) and value.startswith("-"):  # htpasswd -b
            continue
        field = isinstance(value, str) and _A_FIELD.fullmatch(value) is not None
        if field and (
            not pair or (value in _FIELDS and not name.startswith("-"))
        ):  # names of fields
            continue
        found[at + 1] = _by_name(value, strength, name, rules, depth)
    return found


def _is_of_command(item: object) -> bool:
    return isinstance(item, str) and (item.startswith("-") or item.endswith("rabbitmqctl"))
