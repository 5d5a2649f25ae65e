"""Lines and tables of one width, collected and turned into one text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import StringIO
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from jobs_maint.durations import FarTime, format_age, is_near
from jobs_maint.models import Report
from jobs_maint.plain import make_plain
from jobs_maint.render.safe import cut, cut_names

__all__ = ["Column", "Page", "Pages", "clock", "number", "table_with_text", "when"]

TEXT_WIDTH = 40
"""With fewer cells left for it, a text goes on a line of its own."""

_GAP = 2
_NARROWEST = 12
"""Cells of a text that is cut, while less important columns could be left out instead."""
_SHORTEST = 4


@dataclass(frozen=True, slots=True)
class Column:
    """One column, cells already safe. `keep`: 0 always stays, the highest number goes first.

    Where it shrinks, names stay distinct; `is_text`: a message, which is cut at its end.
    """

    header: str
    cells: Sequence[str]
    keep: int = 0
    right: bool = False
    may_shrink: bool = False
    is_text: bool = False

    @property
    def width(self) -> int:
        lines = [*self.header.split("\n"), *self.cells]
        return max(cell_len(make_plain(line)) for line in lines)


def number(count: int) -> str:
    """Zero as –, so that the others stand out."""
    return f"{count:,}" if count else "–"


def clock(at: datetime, as_of: datetime) -> str:
    """UTC; with the date only where it is another day and half a day or more away."""
    at, as_of = at.astimezone(UTC), as_of.astimezone(UTC)
    return f"{at:%H:%M:%S}" if is_near(at, as_of) else f"{at:%Y-%m-%d %H:%M}"


def when(at: datetime, as_of: datetime) -> str:
    """`4 min ago, 03:12:45`; `in 5 min, 03:21:45`; `infinity`."""
    if isinstance(at, FarTime):
        return at.label
    seconds = (as_of - at).total_seconds()
    age = f"{format_age(seconds)} ago" if seconds >= 0 else f"in {format_age(-seconds)}"
    return f"{age}, {clock(at, as_of)}"


class Page:
    """Collects lines; every text given to it must be safe already."""

    def __init__(self, width: int, *, styled: bool) -> None:
        self.width = max(width, 20)
        self._mark = make_plain("…")
        """Stands where a text was cut."""
        self._is_apart = True
        self._out = StringIO()
        self._console = Console(
            file=self._out,
            width=self.width,
            force_terminal=styled,
            force_jupyter=False,
            color_system="standard" if styled else None,
            legacy_windows=False,
            highlight=False,
            markup=False,
            emoji=False,
            _environ={},
        )

    def line(self, text: str = "", style: str = "", *, indent: int = 0) -> None:
        """One paragraph, wrapped between words; without text, a blank line where there is none."""
        if not text and self._is_apart:
            return
        self._is_apart = not text
        text = make_plain(text)
        self._console.print(
            Padding(Text(text, style=style), (0, 0, 0, indent))
            if indent
            else Text(text, style=style)
        )

    def verbatim(self, text: str, *, indent: int = 0) -> None:
        """Lines as they are; a terminal wraps what is too long, so that copying gives all of it."""
        self._is_apart = False
        for line in make_plain(text).split("\n"):
            self._console.print(Text(" " * indent + line), soft_wrap=True)

    def table(
        self,
        columns: Sequence[Column],
        *,
        below: Sequence[str] | None = None,
        below_indent: int = 0,
        strong_rows: int = 0,
    ) -> None:
        """Print the columns that fit, and name those left out.

        `below`: a text of two lines at most to follow each row. `strong_rows`: so many are bold.
        """
        marked = [replace(one, cells=[*map(make_plain, one.cells)]) for one in columns]
        shown, dropped = self._fit(marked)
        table = Table(
            box=None,
            padding=(0, _GAP, 0, 0),
            pad_edge=False,
            header_style="bold",
            show_header=any(column.header for column in shown),
        )
        tallest = max(column.header.count("\n") for column in shown)
        for column in shown:
            table.add_column(
                "\n" * (tallest - column.header.count("\n")) + column.header,
                justify="right" if column.right else "left",
                no_wrap=True,
                overflow="ellipsis",
            )
        for i in range(len(columns[0].cells)):
            style = "bold" if i < strong_rows else ""
            table.add_row(*(Text(column.cells[i], style=style) for column in shown))
        if below is None:
            self._print_lines(self._render(table))
        else:
            lines = self._render(table)
            rows = zip(*(column.cells for column in shown), strict=True)
            heights = [1 + max(cell.count("\n") for cell in row) for row in rows]
            at = len(lines) - sum(heights)
            self._print_lines(lines[:at])
            for height, extra in zip(heights, below, strict=True):
                self._print_lines(lines[at : at + height])
                at += height
                for part in self._two_lines(extra, self.width - below_indent):
                    self.line(" " * below_indent + part)
        if dropped:
            headers = (column.header.replace("\n", " ") for column in reversed(dropped))
            self.line(f"Too narrow for: {', '.join(headers)}. --json has them.")

    def fits(self, columns: Sequence[Column]) -> bool:
        """Whether a table of all these columns is no wider than the page."""
        return _total(columns) <= self.width

    def _fit(self, columns: list[Column]) -> tuple[list[Column], list[Column]]:
        """What is printed and what is left out. The widest text gives way first.

        Texts are cut to `_NARROWEST` before a column is left out, by its `keep`; then they are cut
        further. Last, columns are left out from the right: the first one always stays.
        """
        shown, dropped = list(columns), []
        while (narrowed := self._narrow(shown, _NARROWEST)) is None:
            worst = max(shown, key=lambda column: column.keep)
            if worst.keep == 0:
                break
            shown.remove(worst)
            dropped.append(worst)
        while narrowed is None and len(shown) > 1:
            narrowed = self._narrow(shown, _SHORTEST)
            if narrowed is None:
                dropped.append(shown.pop())
        return narrowed or shown, dropped

    def _narrow(self, columns: Sequence[Column], narrowest: int) -> list[Column] | None:
        """The columns with their texts cut to one width where that fits; None where it cannot."""
        soft = [column for column in columns if column.may_shrink]
        if _total(columns) <= self.width:
            return list(columns)
        room = self.width - _GAP * (len(columns) - 1)
        room -= sum(column.width for column in columns if not column.may_shrink)
        widths = sorted(column.width for column in soft)
        while widths and widths[0] * len(widths) <= room:  # narrower than its share: stays whole
            room -= widths.pop(0)
        if not widths or room // len(widths) < min(narrowest, widths[0]):
            return None
        most = room // len(widths)
        return [
            column
            if not column.may_shrink or column.width <= most
            else replace(
                column,
                header="\n".join(cut(line, most, self._mark) for line in column.header.split("\n")),
                cells=[cut(cell, most, self._mark) for cell in column.cells]
                if column.is_text
                else cut_names(column.cells, most, self._mark),
            )
            for column in columns
        ]

    def _two_lines(self, text: str, width: int) -> list[str]:
        """Broken between words where that is possible; the mark at the end of what is longer."""
        text = make_plain(text)
        if cell_len(text) <= width:
            return [text] if text else []
        fits = cut(text, width, "")
        first = fits.rpartition(" ")[0]
        if 2 * cell_len(first) < width:
            first = fits
        return [first, cut(text[len(first) :].lstrip(), width, self._mark)]

    def _render(self, table: Table) -> list[str]:
        with self._console.capture() as captured:
            self._console.print(table)
        return captured.get().rstrip("\n").split("\n")

    def _print_lines(self, lines: Sequence[str]) -> None:
        self._is_apart = False
        self._out.write("".join(f"{line.rstrip()}\n" for line in lines))

    def text(self) -> str:
        """Everything so far, without white space at the ends of lines and of the page."""
        lines = [line.rstrip() for line in self._out.getvalue().split("\n")]
        return "\n".join(lines).rstrip("\n")


Pages = Mapping[type[Report], Callable[[Any, Page], None]]
"""How one module shows each of its results."""


def _total(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + _GAP * (len(columns) - 1)


def table_with_text(
    page: Page, columns: Sequence[Column], text: Column, *, least: int = TEXT_WIDTH
) -> None:
    """The text as the last column where there is room for it, else below each row.

    `least`: so many cells of it must be seen.
    """
    taken = sum(column.width + 2 for column in columns)
    if page.width - taken >= max(least, TEXT_WIDTH):
        last = Column(text.header, text.cells, may_shrink=True, is_text=True)
        page.table([*columns, last])
    else:
        page.table(columns, below=text.cells, below_indent=columns[0].width + 2)
