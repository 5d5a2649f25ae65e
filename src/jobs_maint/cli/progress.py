"""Progress of a long act on stderr, for terminals only."""

from __future__ import annotations

import contextlib
import os
import sys
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from jobs_maint.cli.output import is_styled, is_terminal, write_error
from jobs_maint.durations import format_age
from jobs_maint.render import count_noun, format_rate

__all__ = ["ProgressLine"]

WITH_BAR = 120
WITH_TITLE = 78
"""Columns of the terminal from which on there is room for it."""


class _Counts(ProgressColumn):
    """`21 of 35 jobs`."""

    def render(self, task: Task) -> Text:
        done = int(task.completed)
        if task.total is None:
            return Text(count_noun(done, "job"))
        return Text(f"{done:,} of {count_noun(int(task.total), 'job')}")


class _Left(ProgressColumn):
    """`about 2 s left`, once that is known."""

    def render(self, task: Task) -> Text:
        left = task.time_remaining if task.speed else None
        known = left is not None and not task.finished
        return Text(f"about {format_age(left or 0)} left" if known else "")


class _Speed(_Left):
    """`120 jobs/s, about 2 s left`."""

    def render(self, task: Task) -> Text:
        rest = super().render(task)
        said = [format_rate(task.speed)] if task.speed else []
        return Text(", ".join([*said, *([rest.plain] if rest.plain else [])]))


def _choose_columns(width: int) -> list[ProgressColumn]:
    """What fits into one line: the numbers stay, then the title, and the bar goes first."""
    title = TextColumn("{task.description}", markup=False)
    if width >= WITH_BAR:
        return [title, BarColumn(), _Counts(), _Speed()]
    if width >= WITH_TITLE:
        return [title, _Counts(), _Speed()]
    return [_Counts(), _Left()]


class ProgressLine:
    """A context that shows one line while it is open; on a stream without a terminal nothing."""

    def __init__(self, title: str, total: int | None, stream: TextIO | None = None) -> None:
        self._title = title
        self._total = total
        self._progress: Progress | None = None
        stream = stream or sys.stderr
        if is_terminal(stream) and os.environ.get("TERM") not in {"dumb", "unknown"}:
            console = Console(
                file=stream, force_terminal=True, no_color=not is_styled(stream), highlight=False
            )
            self._progress = Progress(
                *_choose_columns(console.width),
                console=console,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
            self._task = self._progress.add_task(self._title, total=self._total)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            with contextlib.suppress(OSError):  # the terminal may be gone
                self._progress.stop()

    def update(self, done: int, total: int | None) -> None:
        if self._progress is not None:
            total = self._total if total is None else total
            self._progress.update(self._task, completed=done, total=total)

    def say(self, text: str) -> None:
        """A line above the progress; on stderr also without a terminal."""
        if self._progress is not None:
            with contextlib.suppress(OSError):
                self._progress.console.print(Text(text))
        else:
            write_error(text)
