"""Foreign text made harmless for a terminal: nothing in it can move, colour, hide or reorder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from jobs_maint.quoting import escape_hidden, quote_word, reads_as_option, show_name

__all__ = [
    "cut",
    "cut_names",
    "name_tasks",
    "safe_block",
    "safe_line",
    "safe_word",
    "short_task",
    "type_queue",
]


def safe_word(text: str) -> str:
    """A name: what cannot be shown becomes an escape that can be typed; an empty one is `""`."""
    return escape_hidden(show_name(text))


def safe_line(text: str) -> str:
    """A message on one line: runs of white space become one space, the rest as `safe_word`."""
    return escape_hidden(" ".join(text.split()))


def safe_block(text: str) -> str:
    """Text of many lines, such as a traceback: line breaks and indentation stay."""
    lines = text.expandtabs(4).replace("\r\n", "\n").split("\n")
    return "\n".join(map(escape_hidden, lines))


def cut(text: str, cells: int, mark: str = "…") -> str:
    """The text cut to this many terminal cells, with the mark where something is missing."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415  rich only for tables

    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, max(cells - len(mark), 0)).rstrip() + mark


def cut_names(names: Sequence[str], cells: int, mark: str = "…") -> list[str]:
    """Each name cut in its middle; those that would then look alike are folded into lines."""
    from rich.cells import cell_len, chop_cells, set_cell_size  # noqa: PLC0415

    room = max(cells - len(mark), 0)

    def cut_middle(name: str) -> str:
        if cell_len(name) <= cells:
            return name
        start = set_cell_size(name, room - room // 2).rstrip()
        end = set_cell_size(name[::-1], room // 2).rstrip()[::-1]
        return f"{start}{mark}{end}"

    short = {name: cut_middle(name) for name in names}
    alike = Counter(short.values())
    return [
        short[name] if alike[short[name]] == 1 else "\n".join(chop_cells(name, cells))
        for name in names
    ]


def short_task(task: str) -> str:
    """`shop.tasks.send_mail` → `send_mail`; `jobs_maint:purge_finished_jobs` keeps its space."""
    return task.rsplit(".", 1)[-1] or task


def name_tasks(tasks: Sequence[str]) -> list[str]:
    """Safe and short, in full where two different ones would be short alike."""
    short = Counter(map(short_task, set(tasks)))
    return [safe_word(task if short[short_task(task)] > 1 else short_task(task)) for task in tasks]


def type_queue(queue: str | None) -> str:
    """The queue as the last word of a command to be typed, with the space before it."""
    if queue is None:
        return ""
    return f" {'-- ' if reads_as_option(queue) else ''}{quote_word(queue)}"
