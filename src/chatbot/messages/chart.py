"""When the jobs of a digest failed, as bars, and the same in sentences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from chatbot.messages.message import Block
from chatbot.messages.parts import Line, Part, bold, paragraph
from chatbot.messages.words import cut, defuse, short_task
from jobs_maint.models import DigestReport, end_slots, find_slots, name_window

__all__ = ["draw_failures"]

FEWEST = 10
"""With fewer failures, the groups say all there is."""
FEWEST_BARS = 4
SHORT, LONGEST = timedelta(hours=12), timedelta(hours=26)
"""In a longer window than the last, two slots might begin at the same time of the day."""
MOST_SERIES = 3
MOST_NAME = 20
OTHERS = "other tasks"
ONE = {"1 min": "minute", "1 h": "hour"}


def draw_failures(report: DigestReport) -> Part | None:
    """Bars by task; None if there are few failures, or few bars."""
    window, bars = report.until - report.since, len(report.slots)
    if report.failed < FEWEST or bars < FEWEST_BARS or window > LONGEST:
        return None
    if window < SHORT and sum(1 for failed in report.slots if failed) < 2:
        return None
    _, step = find_slots(window)
    begin, until = (at.astimezone(UTC) for at in name_window(report.since, report.until))
    ends = [begin, *(_to_the_minute(until - step * i) for i in range(bars - 1, -1, -1))]
    # Short, for a phone, where slots begin with an hour and none comes twice, as after 26 h.
    hours = [f"{at:%H}" for at in ends[:-1]]
    short = len(set(hours)) == len(hours) and not any(at.minute for at in ends)
    labels = hours if short else [f"{at:%H:%M}" for at in ends[:-1]]
    begins = "hour when" if short else "time when"
    if window < SHORT and report.until.second and end_slots(report.until) == report.until:
        begins = "minute in which"  # as the window, it does not begin with one
    series = _series(report)
    title = f"Failures per {_say(step)}"
    if window >= SHORT:  # a shorter one has seconds that its slots have not
        title += f", {ends[0]:%a %H:%M}–{ends[-1]:%a %H:%M} UTC"
    block: Block = {
        "type": "data_visualization",
        "title": title,
        "chart": {
            "type": "bar",
            "series": [
                {
                    "name": name,
                    "data": [
                        {"label": label, "value": value}
                        for label, value in zip(labels, values, strict=True)
                    ],
                }
                for name, values in series.items()
            ],
            "axis_config": {
                "categories": labels,
                "x_label": f"{begins} a slot begins, UTC",
            },
        },
    }
    told = paragraph([f"{title}:"], *_sentences(ends, series))
    return Part((block,), told.text, told.blocks)


def _sentences(ends: Sequence[datetime], series: dict[str, list[int]]) -> list[Line]:
    """`08:00 to 10:00: 37 deliver_webhook`; slots without failures are left out."""
    lines: list[Line] = []
    for i, (start, end) in enumerate(pairwise(ends)):
        there = [f"{values[i]:,} {name}" for name, values in series.items() if values[i]]
        if there:
            lines.append([bold(f"{start:%H:%M} to {end:%H:%M}"), f": {', '.join(there)}"])
    return lines


def _to_the_minute(at: datetime) -> datetime:
    """Of slots that are no whole number of minutes."""
    return (at + timedelta(seconds=30)).replace(second=0, microsecond=0)


def _say(step: timedelta) -> str:
    """`minute`, `5 min`, `2 h 5 min`; `≈` where it is rounded by more than a window's seconds."""
    whole = round(step.total_seconds() / 60)
    hours, minutes = divmod(whole, 60)
    about = "≈" if abs(step.total_seconds() - 60 * whole) > 5 else ""
    said = [f"{hours} h"] * (hours > 0) + [f"{minutes} min"] * (minutes > 0)
    told = " ".join(said)
    return f"{about}{ONE.get(told, told)}"


def _series(report: DigestReport) -> dict[str, list[int]]:
    """The most frequent tasks, then all others, so that the bars add up."""
    tasks: dict[str, list[int]] = defaultdict(lambda: [0] * len(report.slots))
    for group in report.groups:
        name = cut(defuse(short_task(group.task)), MOST_NAME).strip() or OTHERS
        tasks[name] = [a + b for a, b in zip(tasks[name], group.slots, strict=True)]
    ordered = sorted(tasks, key=lambda name: -sum(tasks[name]))
    most = MOST_SERIES
    rest = [
        total - sum(column) for total, *column in zip(report.slots, *tasks.values(), strict=True)
    ]
    if len(ordered) > most or any(rest):
        most -= 1
    series = {name: tasks[name] for name in ordered[:most] if sum(tasks[name])}
    shown = [sum(column) for column in zip(*series.values(), strict=True)] or [0] * len(rest)
    left = [total - there for total, there in zip(report.slots, shown, strict=True)]
    if any(left):
        before = series.get(OTHERS, [0] * len(left))
        series[OTHERS] = [a + b for a, b in zip(before, left, strict=True)]
    return series
