r"""Words that are printed so that they can be typed, in a shell and in Slack.

A character that cannot be shown is written `\u{1b}` (ESC), and so is one that the output lacks.
Nothing else in shells, globs and error texts looks like that, quotes do not change it, and every
word that is typed is read back.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Sequence

from jobs_maint.plain import escape, has

__all__ = [
    "DASHES",
    "cut_ids",
    "escape_hidden",
    "few",
    "few_jobs",
    "in_quotes",
    "plain_name",
    "quote_word",
    "reads_as_option",
    "requote",
    "show_name",
    "spell_word",
    "split_glob",
    "unescape",
]

DASHES = "–—―−"
"""What phones and chats make of `--`, and what is read as that before an option."""
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_JOINERS = {"\u200c", "\u200d"}
"""Needed inside Persian and Indic words and inside emoji; they cannot reorder text."""
_ESCAPE = re.compile(r"\\u\{([0-9a-fA-F]{1,6})\}")
_BLANK = re.compile(r"(?<= ) |[^\S ]")
"""The second space of two, which a line that is folded loses, and spaces of other kinds."""
_OTHER_BLANK = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
"""The characters of the category Zs but the space itself."""
_GLOB = re.compile(r"\\[*?]|.", re.DOTALL)
_IDS = re.compile(r"(?<![^ ])\d{1,19}(?:[ ,]+\d{1,19}){10,}(?![^ ])")
MOST_IDS = 10


def split_glob(glob: str) -> list[str]:
    """Its wildcards and characters; the last one of a part is what it stands for."""
    return _GLOB.findall(glob)


def plain_name(glob: str) -> str | None:
    """The one name that the glob means; None when it has a wildcard."""
    parts = split_glob(glob)
    return None if "*" in parts or "?" in parts else "".join(part[-1] for part in parts)


def cut_ids(words: str) -> str:
    """A command for a list of many: of more than ten ids the first ten, and how many more."""

    def cut(found: re.Match[str]) -> str:
        ids = re.split(r"[ ,]+", found[0])
        return f"{' '.join(ids[:MOST_IDS])} … and {len(ids) - MOST_IDS:,} more"

    return _IDS.sub(cut, words)


def few_jobs(ids: Sequence[int], most: int = 5, *, total: int = 0) -> str:
    """`job 3`, `jobs 3, 4 and 2 more`; `total`: how many there are, where `ids` are only some."""
    return f"{'job' if max(len(ids), total) == 1 else 'jobs'} {few(ids, most, total=total)}"


def few(names: Sequence[object], most: int = 5, *, total: int = 0) -> str:
    """`a, b and 3 more`."""
    shown = ", ".join(str(name) for name in names[:most])
    more = max(len(names), total) - len(names[:most])
    return f"{shown} and {more:,} more" if more > 0 else shown


def escape_hidden(text: str) -> str:
    """Control, format and direction characters and line breaks made visible."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        escape(char) if unicodedata.category(char) in _HIDDEN and char not in _JOINERS else char
        for char in text
    )


def _escape_word(text: str) -> str:
    """The text so that `unescape` finds it again, although it was shown, copied and typed."""
    text = _ESCAPE.sub(lambda found: escape("\\") + found[0][1:], text)
    return escape_hidden(_BLANK.sub(lambda found: escape(found[0]), text))


def unescape(text: str) -> str:
    return _ESCAPE.sub(_read, text) if "\\u{" in text else text


def _read(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    is_character = code <= 0x10FFFF and not 0xD800 <= code < 0xE000
    return chr(code) if is_character else found[0]


def show_name(name: str) -> str:
    """The name so that all of it is seen and can be typed: an odd one is in quotes."""
    odd = name != name.strip(" ") or "  " in name or name != escape_hidden(name)
    odd = odd or not (name.isascii() or _OTHER_BLANK.search(name) is None)
    return in_quotes(name, len(name)) if odd else name or '""'


_READS_OTHERWISE = re.compile(
    # Spaces, and what a shell reads as more than text; dashes, marks and invisible characters that
    # typed text loses.
    rf"[\s\"'`$&|;<>()\[\]{{}}*?!\\#^]|(?:^|=)[“”„‟‘’‚«]|^[{DASHES}_~=]|"
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff]"
)
_IN_DOUBLE = re.compile(r"[\"$`\\!]")
"""What a shell does not take as text between double quotes."""


def reads_as_option(word: str) -> bool:
    """Whether it must stand after `--` or as `--option=…`: a shell takes quotes away."""
    return word.startswith(("-", *DASHES))


def quote_word(text: str) -> str:
    """The text as one word of a command line, quoted where it has to be.

    A shell and `split_text` read it alike, so that it can be pasted into either.
    """
    text = _escape_word(text)
    return _quote(text if has(text) else "".join(c if has(c) else escape(c) for c in text))


def in_quotes(text: str, most: int = 60) -> str:
    """The text within a sentence, as somebody may type it again; what is longer is cut."""
    text = text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
    text = _escape_word(text)
    return _quote(text) if "'" in text else f"'{text}'"


def spell_word(text: str) -> str:
    """As `quote_word`, for words that are stored: no output is there that lacks a character."""
    return _quote(_escape_word(text))


def requote(words: str) -> str:
    """Stored words for the output: those with characters that it lacks are quoted again."""
    if has(words):
        return words
    try:
        parts = shlex.split(words)
    except ValueError:  # no words of ours
        return words
    return " ".join(quote_word(unescape(part)) for part in parts)


def _quote(text: str) -> str:
    if text and not _READS_OTHERWISE.search(text):
        return text
    if not _IN_DOUBLE.search(text):
        return f'"{text}"'
    escaped = text.replace("'", "'\\''")
    return f"'{escaped}'"
