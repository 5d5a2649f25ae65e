"""`python -m benchmarks --rows 2000000`: build the table, measure, write the results.

Ratios of paired runs, buffers and bytes: what the noise of a machine cannot move.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

from benchmarks import (
    acting,
    bot,
    bot_report,
    purging,
    reading,
    remembering,
    report,
    watching,
    working,
)
from benchmarks.measure import Bench, Result
from benchmarks.server import Shape, build, start_server

CASES: dict[str, Callable[[Bench], Awaitable[list[Result]]]] = {
    # in this order: the later ones change the table
    "stats": reading.measure_stats,
    "failed": reading.measure_failed,
    "errors": reading.measure_errors,
    "watch": watching.measure_watch,
    "digest": watching.measure_digest,
    "crowd": bot.measure_crowd,
    "memory": bot.measure_memory,
    "nothing": purging.measure_nothing,
    "night": purging.measure_night,
    "put-back": acting.measure_put_back,
    "pick-up": working.measure_pick_up,
    "recorder": working.measure_recorder,
    "process": working.measure_process,
    "wal": acting.measure_wal,
    "groups": remembering.measure_memory_of_groups,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="jobs in the table")
    parser.add_argument("--only", choices=CASES, action="append", help="only this case")
    parser.add_argument("--without", choices=CASES, action="append", help="all but this case")
    args = parser.parse_args()
    if args.rows < 20_000:
        parser.error("--rows: at least 20000, else nothing is measured but noise")
    chosen = [name for name in args.only or CASES if name not in (args.without or ())]
    results: list[Result] = []
    with start_server() as server:
        _say(f"building {args.rows:,} jobs …")
        bench = Bench(server, "jobs", Shape(args.rows))
        begun = time.monotonic()
        build(server, bench.database, bench.shape)
        _say(f"built in {time.monotonic() - begun:.0f} s")
        machine = report.describe_machine(bench)
        for name in chosen:
            begun = time.monotonic()
            found = asyncio.run(CASES[name](bench))
            results += found
            for result in found:
                _say(report.line(result))
            _say(f"  ({name}: {time.monotonic() - begun:.0f} s)")
    sys.stdout.write(report.table(results) + "\n")
    if args.only is None:
        others = [one for one in results if one.case not in bot_report.DRAWN]
        report.save(args.rows, machine, others)
        report.write_page(bot_report.build_page())
    return 0


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
