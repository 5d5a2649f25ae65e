"""Whether a word in a sentence is a password: `the password is letmein`, and not `is required`."""

from __future__ import annotations

import re

from jobs_maint.redaction import languages

__all__ = ["ends_sentence", "may_be_password"]

_SAID = frozenset(
    """absent accurate allowed already always another anything available before because broken
    cached changed checks chosen command correct database default denied different during either
    email empty enough error everything exactly expected expired fallback flow forbidden
    forgotten former fresh generic global grant hidden ignored inactive insecure instead intact
    internal invalid latest length library locked login logins longer mandatory manager matched
    matches method minimum missing mistyped module nobody nothing numeric obsolete online option
    options optional otherwise outdated overall passed password passwords plain plaintext policy
    present private prompt public random ready refused rejected removed required reserved reset
    resets revoked rotated safe secret secure sensitive session settings shared short simple
    somebody something somewhat somewhere sound stale static status strong support system
    temporary tests theirs there these through today together tomorrow twice undefined unique
    unknown unset unusual unused update updates useless usual vendor visible weaker without
    wrong yesterday yours""".split()  # noqa: SIM905  a list of words to read
)
_KIND = re.compile(
    r"\w*(?:ed|ing|able|ible|ly|ory|ical|ous|ive|less|ful|ent|ant|ance|ence|ness|ship|ity|tion|sion"
    r"|ment|cy|ism|ized|ised|ured|wn|ten|ken)",
    re.IGNORECASE,
)
"""Endings of states and of nouns: `stored`, `incorrect…ly`, `authentication`."""
_END = re.compile(r"""['"`]?[.,;!)\]]{0,2}['"`]?[ \t]{0,3}(?=[\r\n]|\\n|$)|['"`]?[.,;)][ ]""")


def may_be_password(word: str) -> bool:
    """Letters of one word that says nothing about a password."""
    plain = word.lower()
    return (
        6 <= len(word) <= 40
        and word.isalpha()
        and (word.islower() or not word.istitle())
        and plain not in _SAID
        and languages.fold(plain) not in languages.STATES
        and _KIND.fullmatch(plain) is None
    )


def ends_sentence(text: str, at: int) -> bool:
    return _END.match(text, at) is not None
