"""When the jobs of a digest failed, as bars; the text of the message says the same in words."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, timedelta

from chatbot.messages.message import Block
from chatbot.messages.parts import Part
from chatbot.messages.words import count, cut, defuse, escape, short_task
from jobs_maint.models import DigestReport

__all__ = ["draw_failures"]

FEWEST = 10
"""With fewer failures, the groups say all there is."""
SHORTEST, LONGEST = timedelta(hours=12), timedelta(hours=26)
"""Windows whose twelve parts each have a name: the hour they begin in."""
MOST_SERIES = 3
MOST_NAME = 20
OTHERS = "other tasks"


def draw_failures(report: DigestReport) -> Part | None:
    """Bars by task; None if there are few failures or the window has no such hours."""
    window = report.until - report.since
    if report.failed < FEWEST or not report.slots or not SHORTEST <= window <= LONGEST:
        return None
    part = window / len(report.slots)
    half = timedelta(minutes=30)
    starts = [report.since + part * i + half for i in range(len(report.slots))]
    hours = [f"{at.astimezone(UTC):%H}" for at in starts]
    series = _series(report)
    title = f"Failed jobs, every {_say(part)}"
    block: Block = {
        "type": "data_visualization",
        "title": title,
        "chart": {
            "type": "bar",
            "series": [
                {
                    "name": name,
                    "data": [
                        {"label": hour, "value": value}
                        for hour, value in zip(hours, values, strict=True)
                    ],
                }
                for name, values in series.items()
            ],
            "axis_config": {"categories": hours, "x_label": "hour, UTC"},
        },
    }
    said = []
    for i, hour in enumerate(hours):
        there = [f"{values[i]:,} {escape(name)}" for name, values in series.items() if values[i]]
        said += [f"{hour}: {', '.join(there)}"] if there else []
    return Part((block,), f"{title} (hour, UTC): {'; '.join(said)}.")


def _say(part: timedelta) -> str:
    hours = round(part.total_seconds() / 3_600)
    return "hour" if hours == 1 else count(hours, "hour")


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
