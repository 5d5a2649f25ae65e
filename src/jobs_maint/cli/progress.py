"""Progress of a long act on stderr, for terminals only."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from jobs_maint.cli.output import is_styled, is_terminal
from jobs_maint.durations import format_age
from jobs_maint.render import count_noun, format_rate

__all__ = ["ProgressLine"]


class _Counts(ProgressColumn):
    """`21 of 35 jobs`."""

    def render(self, task: Task) -> Text:
        done = int(task.completed)
        if task.total is None:
            return Text(count_noun(done, "job"))
        return Text(f"{done:,} of {count_noun(int(task.total), 'job')}")


class _Speed(ProgressColumn):
    """`120 jobs/s, about 2 s left`, once that is known."""

    def render(self, task: Task) -> Text:
        if not task.speed:
            return Text("")
        left = task.time_remaining
        rest = "" if left is None or task.finished else f", about {format_age(left)} left"
        return Text(f"{format_rate(task.speed)}{rest}")


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
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                _Counts(),
                _Speed(),
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
            self._progress.stop()

    def update(self, done: int, total: int | None) -> None:
        if self._progress is not None:
            total = self._total if total is None else total
            self._progress.update(self._task, completed=done, total=total)

    def say(self, text: str) -> None:
        """A line above the progress; on stderr also without a terminal."""
        if self._progress is not None:
            self._progress.console.print(Text(text))
        elif sys.stderr is not None:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
