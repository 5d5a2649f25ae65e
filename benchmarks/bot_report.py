"""What the fifty people met: as rows, as a file, as a picture, as a part of the page."""

from __future__ import annotations

import datetime as dt
import json
import os
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.bot_load import PEOPLE, Timed
from benchmarks.measure import Result, at_most, percentile
from benchmarks.report import HERE, RESULTS, table

TITLES = {"crowd": "Acknowledgements and answers", "memory": "Memory of the bot"}
MODES = {"http": "HTTP", "socket": "Socket Mode"}
LEAST_ROWS = 1_000_000
"""Figures of a smaller table are shown, not kept."""
MOST_ACK, MOST_ANSWER, MOST_GROWTH = 100.0, 300.0, 5.0
WARM = 1_000
"""Requests after which caches are filled."""


def summarize(times: Sequence[Timed]) -> dict[str, Any]:
    """Milliseconds: of the acknowledgements all together, of the answers by word."""
    acks = [1e3 * one.acked for one in times]
    words: defaultdict[str, list[float]] = defaultdict(list)
    for one in times:
        words[one.word].append(1e3 * one.answered)
        words["all"].append(1e3 * one.answered)
    return {
        "ack": {"n": len(acks), "p50": statistics.median(acks), "p99": percentile(acks, 0.99)},
        "answer": {
            word: {"n": len(ms), "p50": statistics.median(ms), "p95": percentile(ms, 0.95)}
            for word, ms in sorted(words.items())
        },
    }


def tell_crowd(figures: Mapping[str, Any]) -> list[Result]:
    results: list[Result] = []
    plain = figures["plain"]
    for mode, name in MODES.items():
        once, alone, pace = (figures[mode][part] for part in ("at once", "alone", "at pace"))
        results += [
            at_most(
                "crowd", f"{PEOPLE} people in one moment, {name}: acknowledged, p99",
                once["ack"]["p99"], MOST_ACK, " ms",
                f"p50 {once['ack']['p50']:.0f} ms of {once['ack']['n']}; Bolt alone, that only "
                f"acknowledges: p50 {plain['ack']['p50']:.0f}, p99 {plain['ack']['p99']:.0f} ms",
            ),
            Result(
                "crowd", f"the same: answered, p95, when all {PEOPLE} want it in one moment",
                f"{once['answer']['all']['p95']:,.0f} ms", detail=_by_word(once),
            ),
            at_most(
                "crowd", f"one person after another, {name}: from the command to the answer, p95",
                alone["answer"]["all"]["p95"], MOST_ANSWER, " ms", _by_word(alone),
            ),
            at_most(
                "crowd",
                f"{PEOPLE} people at work, five requests a second, {name}: acknowledged, p99",
                pace["ack"]["p99"], MOST_ACK, " ms",
                f"p50 {pace['ack']['p50']:.0f} ms of {pace['ack']['n']}",
            ),
            at_most(
                "crowd", "the same: from the command to the answer, p95",
                pace["answer"]["all"]["p95"], MOST_ANSWER, " ms", _by_word(pace),
            ),
            Result(
                "crowd", "the same: CPU of the bot for each request",
                f"{figures[mode]['cpu_ms']:.1f} ms",
            ),
        ]  # fmt: skip
    return results


def _by_word(figures: Mapping[str, Any]) -> str:
    found = [
        f"{word} {ms['p50']:,.0f} / {ms['p95']:,.0f}"
        for word, ms in figures["answer"].items()
        if word != "all"
    ]
    return f"p50 / p95 in ms: {', '.join(found)}"


def tell_memory(figures: Mapping[str, Any]) -> list[Result]:
    held = dict(figures["held_mb"])
    last = max(held)
    growth = 100 * (held[last] / held[WARM] - 1)
    at = ", ".join(f"{held[mark]:.1f} after {mark:,}" for mark in (0, WARM, 5_000, last))
    slope = 1e3 * fit_slope([pair for pair in figures["held_mb"] if pair[0] >= WARM])
    return [
        at_most(
            "memory", f"memory of the bot: growth from request {WARM:,} to {last:,}",
            growth, MOST_GROWTH, " %",
            f"MB: {at}; the line through all of them rises {slope:.3f} MB in 1,000 requests",
        ),
        Result(
            "memory", "the same: CPU of the bot for each request", f"{figures['cpu_ms']:.1f} ms"
        ),
    ]  # fmt: skip


def fit_slope(pairs: Sequence[tuple[float, float]]) -> float:
    """Of the line with the least squares."""
    return statistics.linear_regression(*zip(*pairs, strict=True)).slope


def keep(rows: int, part: str, figures: Mapping[str, Any]) -> None:
    """Put the part beside the others in the file of this size, and draw them."""
    if rows < LEAST_ROWS:
        return
    path = RESULTS / f"bot-{rows}.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {"rows": rows}
    found[part] = {
        "measured_on": dt.datetime.now(dt.UTC).date().isoformat(),
        "load_of_the_machine": round(os.getloadavg()[1], 1),
        **figures,
    }
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def draw_answers(figures: Mapping[str, Any]) -> str:
    """Bars: the p95 of each word, asked alone and at work, over HTTP; the line is the target."""
    alone, pace = (figures["http"][part]["answer"] for part in ("alone", "at pace"))
    words = [word for word in pace if word != "all"]
    most = max(MOST_ANSWER, *(one[word]["p95"] for one in (alone, pace) for word in words))
    left, wide, step = 170, 560, 46
    bars = []
    for number, word in enumerate(words):
        y = 44 + number * step
        bars.append(f'<text x="{left - 8}" y="{y + 19}" text-anchor="end">{word}</text>')
        for row, (one, colour) in enumerate(((alone, "#4a7ab5"), (pace, "#c58a3a"))):
            width = wide * one[word]["p95"] / most
            bars.append(
                f'<rect x="{left}" y="{y + 17 * row}" width="{width:.0f}" height="15" '
                f'fill="{colour}"/><text x="{left + width + 6:.0f}" y="{y + 12 + 17 * row}">'
                f"{one[word]['p95']:.0f} ms</text>"
            )
    height, at = 60 + step * len(words), left + wide * MOST_ANSWER / most
    bars.append(f'<rect x="{at:.0f}" y="36" width="2" height="{height - 56}" fill="#222"/>')
    title = "p95 of the answer over HTTP: one person after another (blue), fifty at work (brown)"
    return _picture(height, title, bars)


def draw_memory(figures: Mapping[str, Any]) -> str:
    """The megabytes held after each 250 requests, from zero."""
    held = figures["held_mb"]
    most, last = 1.25 * max(mb for _, mb in held), held[-1][0]
    points = " ".join(f"{70 + 650 * n / last:.0f},{260 - 220 * mb / most:.0f}" for n, mb in held)
    shapes = [
        f'<polyline points="{points}" fill="none" stroke="#4a7ab5" stroke-width="2"/>',
        '<path d="M70 40V260H720" fill="none" stroke="#222"/>',
    ]
    for mb in range(0, int(most), 25):
        y = 260 - 220 * mb / most
        shapes.append(f'<text x="62" y="{y + 4:.0f}" text-anchor="end">{mb} MB</text>')
    for mark in range(0, last + 1, 2_500):
        x = 70 + 650 * mark / last
        shapes.append(f'<text x="{x:.0f}" y="280" text-anchor="middle">{mark:,}</text>')
    return _picture(292, "Memory of the bot after so many requests", shapes)


def _picture(height: int, title: str, shapes: Sequence[str]) -> str:
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="800" height="{height}">',
        "<style>text { font: 12px sans-serif }</style>",
        f'<rect width="800" height="{height}" fill="white"/>',
        f'<text x="10" y="22">{title}</text>',
        *shapes,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


DRAWN = {"crowd": draw_answers, "memory": draw_memory}


def build_page() -> str:
    """The part of the page, from what is kept of the largest table; empty when nothing is."""
    kept = sorted(RESULTS.glob("bot-*.json"), key=lambda path: int(path.stem.partition("-")[2]))
    if not kept:
        return ""
    found = json.loads(kept[-1].read_text(encoding="utf-8"))
    parts = [(HERE / "bot_page.md").read_text(encoding="utf-8").rstrip()]
    for part, tell in (("crowd", tell_crowd), ("memory", tell_memory)):
        if part in found:
            parts.append(_describe(part, found) + "\n\n" + table(tell(found[part])))
            picture = kept[-1].with_name(f"{kept[-1].stem}-{part}.svg")
            picture.write_text(DRAWN[part](found[part]), encoding="utf-8")
            parts.append(f"![{TITLES[part]}](../../benchmarks/results/{picture.name})")
    return "\n\n".join(parts)


def _describe(part: str, found: Mapping[str, Any]) -> str:
    jobs = f" of {found['rows']:,} jobs" if part == "crowd" else ""
    return (
        f"{TITLES[part]}{jobs}, measured on {found[part]['measured_on']}: 2 cores with a load of "
        f"{found[part]['load_of_the_machine']} in the mean of five minutes."
    )
