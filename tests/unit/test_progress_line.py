"""The progress of a long command: one line at any width, its numbers whole."""

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from jobs_maint.cli.progress import _choose_columns


@pytest.mark.parametrize("width", [40, 60, 78, 80, 100, 120, 200])
def test_progress_is_one_line_at_any_width(width):
    now = 0.0
    console = Console(file=io.StringIO(), force_terminal=True, width=width)
    progress = Progress(*_choose_columns(width), console=console, get_time=lambda: now)
    task = progress.add_task("Cancelling 50,000 jobs", total=50_000)
    for done in range(1_500, 30_000, 1_500):
        now += 1.0
        progress.update(task, completed=done)
    with console.capture() as captured:
        console.print(progress.get_renderable())
    [line] = captured.get().splitlines()
    assert "28,500 of 50,000 jobs" in line
    assert "about 15 s left" in line
