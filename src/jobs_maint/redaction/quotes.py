"""Where a value in quotes ends, of any kind of quotes."""

from __future__ import annotations

import re

__all__ = ["OPENING", "find_closing"]

OPENING = re.compile(
    r"""[brfu]{0,2}(?:\"{3}|'{3}|''(?=[^\s',;:)}\]])(?!\.[a-z]{1,20}\()|(?P<slashes>\\{1,8})['"]|['"`“„«‘‚‹「『＂❝″])""",
    re.IGNORECASE,
)
_QUOTED = {
    '"': re.compile(r'(?:\\.|""|[^"\\\n])*'),
    "'": re.compile(r"(?:\\.|''|[^'\\\n])*"),
    "`": re.compile(r"[^`\n]*"),
    "“": re.compile(r"[^”\n]*"),
    "„": re.compile(r"[^“”\n]*"),
    "«": re.compile(r"[^»\n]*"),
    "‘": re.compile(r"(?:[^’\n]|’(?=\w))*"),
    "‚": re.compile(r"(?:[^‘’\n]|’(?=\w))*"),
    "‹": re.compile(r"[^›\n]*"),
    "「": re.compile(r"[^」\n]*"),
    "『": re.compile(r"[^』\n]*"),
    "＂": re.compile(r"[^＂\n]*"),
    "❝": re.compile(r"[^❞\n]*"),
    "″": re.compile(r"[^″\n]*"),
}
_OVER_LINES = {
    quote: re.compile(
        rf"""(?:(?!\n…\ \d)(?:{pair}|\\[\s\S]|[^{quote}\\])){{1,4000}}+
             (?<![=:(\[{{,][ ])(?<![=:(\[{{,])
             (?=\n…\ \d|{quote}(?:[ \t]*(?:[,;)}}\]#]|\\n|\r?\n|\Z)|['"]))""",
        re.VERBOSE,
    )
    for quote, pair in (("'", "''"), ('"', '""'), ("`", "``"))
}
_CLOSED_BY = dict(zip("“„«‘‚‹「『＂❝″", "”“»’‘›」』＂❞″", strict=True))
for _opening, _closing in _CLOSED_BY.items():
    _OVER_LINES[_opening] = re.compile(
        rf"(?:(?!\n… \d)[^{_closing}]){{1,4000}}+(?={_closing}(?!\w)|\n… \d)"
    )
"""The further lines of a text in quotes, where the quote that closes it follows."""
_MOST_LINES = 20


def find_closing(text: str, opening: re.Match[str]) -> int:
    """Of a text that lacks the closing quote, the end of its line."""
    begin = opening.end()
    quote = opening[0].lstrip("brfuBRFU")
    if opening["slashes"]:  # quoted within a quoted text: the same quote with as many slashes
        end = text.find(quote, begin)
        while end > begin and text[end - 1] == "\\":
            end = text.find(quote, end + len(quote))
        if end < 0:
            end = text.find("\n", begin)
        return end if end >= 0 else len(text)
    if len(quote) > 1:
        end = text.find(quote, begin)
        return end if end >= 0 else len(text)
    found = _QUOTED[quote].match(text, begin)
    end = found.end() if found else begin
    over = _OVER_LINES[quote].match(text, end) if text[end : end + 1] == "\n" else None
    return over.end() if over and over[0].count("\n") <= _MOST_LINES else end
