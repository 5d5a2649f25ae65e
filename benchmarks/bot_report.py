"""What the fifty people met: as rows, as a file, as a picture, as a part of the page."""

from __future__ import annotations

import datetime as dt
import json
import os
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bot_load import PEOPLE, Timed
from benchmarks.measure import Result, at_most, percentile

HERE = Path(__file__).parent
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
    path = HERE / "results" / f"bot-{rows}.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {"rows": rows}
    found[part] = {
        "measured_on": dt.datetime.now(dt.UTC).date().isoformat(),
        "load_of_the_machine": round(os.getloadavg()[1], 1),
        **figures,
    }
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
