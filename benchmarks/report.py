"""The table of a run, the file of its results, a picture of the ratios, the page in the docs."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measure import Bench, Result

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "reference" / "performance.md"
HEAD = "| work | measured | target | holds | |\n|---|---|---|---|---|"


def describe_machine(bench: Bench) -> dict[str, Any]:
    """Cores, memory, versions: nothing that names the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 2**30),
        "postgresql": str(bench.ask("SHOW server_version")).split()[0],
        "shared_buffers": bench.ask("SHOW shared_buffers"),
        "load": f"{os.getloadavg()[1]:.1f} in the mean of five minutes",
    }


def line(result: Result) -> str:
    holds = {True: "yes", False: "NO", None: ""}[result.holds]
    cells = (result.work, result.found, result.target, holds, result.detail)
    return f"| {' | '.join(cells)} |"


def table(results: Sequence[Result]) -> str:
    return "\n".join([HEAD, *map(line, results)])


def save(rows: int, machine: dict[str, Any], results: Sequence[Result]) -> None:
    RESULTS.mkdir(exist_ok=True)
    found = {
        "rows": rows,
        "measured_on": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": machine,
        "results": [asdict(result) for result in results],
    }
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    (RESULTS / f"{rows}.json").write_text(text, encoding="utf-8")
    (RESULTS / f"{rows}.svg").write_text(draw(rows, results), encoding="utf-8")


def write_page(*more: str) -> None:
    """The page of the docs, from all results that are kept, with `more` parts at its end."""
    files = RESULTS.glob("[0-9]*.json")
    kept = sorted((json.loads(path.read_text("utf-8")) for path in files), key=_rows)
    parts = [(HERE / "page.md").read_text(encoding="utf-8").rstrip()]
    for found in reversed(kept):
        machine = found["machine"]
        parts.append(
            f"## {found['rows']:,} jobs\n\n"
            f"Measured on {found['measured_on']}: {machine['cores']} cores, "
            f"{machine['memory_gb']} GB of memory, PostgreSQL {machine['postgresql']}, "
            f"shared_buffers {machine['shared_buffers']}, load {machine['load']}.\n\n"
            + table([Result(**result) for result in found["results"]])
            + f"\n\n![Times faster than the built-in](../../benchmarks/results/{found['rows']}.svg)"
        )
    parts += filter(None, more)
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _rows(found: dict[str, Any]) -> int:
    return int(found["rows"])


def draw(rows: int, results: Sequence[Result]) -> str:
    """Bars on a logarithmic scale: how many times faster than the built-in, and the target."""
    bars = [r for r in results if r.target.startswith("≥")]
    width, left, step = 900, 430, 34
    height = 60 + step * len(bars)
    scale = (width - left - 70) / math.log10(100_000)

    def at(ratio: float) -> float:
        return left + max(math.log10(max(ratio, 1)), 0.01) * scale

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">',
        "<style>text { font: 12px sans-serif }</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="10" y="22">{rows:,} jobs: times faster than the built-in (line: target)</text>',
    ]
    for number, bar in enumerate(bars):
        y = 40 + number * step
        ratio, target = float(bar.found.rstrip("×")), float(bar.target.strip("≥ ×"))
        label = bar.work.replace("`", "").partition(", against")[0]
        lines += [
            f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{label}</text>',
            f'<rect x="{left}" y="{y}" width="{at(ratio) - left:.0f}" height="20" fill="#4a7ab5"/>',
            f'<rect x="{at(target):.0f}" y="{y - 3}" width="2" height="26" fill="#222"/>',
            f'<text x="{max(at(ratio), at(target)) + 6:.0f}" y="{y + 15}">{bar.found}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"
