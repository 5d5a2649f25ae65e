"""Aligned columns in a given width."""

import unicodedata

GAP = 2
MIN_COLUMN = 4


def render_rows(rows: list[list[str]], right: set[int], width: int) -> str:
    """Render rows, the first being the header; long cells are cut with `…`."""
    if not rows:
        return ""
    count = max(map(len, rows))
    padded = [row + [""] * (count - len(row)) for row in rows]
    widths = [max(_width(row[i]) for row in padded) for i in range(count)]
    while sum(widths) + GAP * (count - 1) > width and max(widths) > MIN_COLUMN:
        widths[widths.index(max(widths))] -= 1
    lines = [
        (" " * GAP)
        .join(
            _fit(cell, size, right=i in right)
            for i, (cell, size) in enumerate(zip(row, widths, strict=True))
        )
        .rstrip()
        for row in padded
    ]
    rule = (" " * GAP).join("-" * size for size in widths)
    return "\n".join([lines[0], rule, *lines[1:]])


def _fit(text: str, size: int, *, right: bool) -> str:
    if _width(text) > size:
        while text and _width(text) > size - 1:
            text = text[:-1]
        text += "…"
    space = " " * (size - _width(text))
    return space + text if right else text + space


def _width(text: str) -> int:
    """Count terminal cells: wide characters take two, combining ones none."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))
