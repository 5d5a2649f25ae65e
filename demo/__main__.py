"""`python -m demo`: the whole product on this machine, in a browser until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""A closed terminal leaves nothing behind either."""
NOTHING_LEFT = "nothing is left running."


class EndedError(Exception):
    """A signal ended it; all parts are gone."""

    def __init__(self, number: int) -> None:
        self.number = number


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--port", type=int, help="of the page on 127.0.0.1 (default: 8321)")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--terminal", action="store_true", help="talk to the bot in this terminal")
    modes.add_argument("--script", action="store_true", help="play a scenario, check, and end")
    options = parser.parse_args()
    if options.port is not None and not 0 <= options.port <= 65535:
        parser.error(f"port {options.port} is not between 0 and 65535")
    try:
        return asyncio.run(_until_ended(_run(options)))
    except EndedError as exc:
        if exc.number != signal.SIGINT:
            return 128 + exc.number
        print(f"{'Interrupted' if options.script else 'Ended'}; {NOTHING_LEFT}")
        return 130 if options.script else 0


async def _until_ended(work: Coroutine[Any, Any, T]) -> T:
    """The first signal cancels it, wherever it is; later ones find it ending."""
    received: list[int] = []
    task = asyncio.ensure_future(work)

    def end(number: int) -> None:
        received.append(number)
        task.cancel()
        if received == [signal.SIGINT]:
            print("\nEnding …", flush=True)

    loop = asyncio.get_running_loop()
    for number in ENDS:
        loop.add_signal_handler(number, end, number)
    try:
        return await task
    except asyncio.CancelledError:
        if received:
            raise EndedError(received[0]) from None
        raise
    finally:
        for number in ENDS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


async def _run(options: argparse.Namespace) -> int:
    print("Starting PostgreSQL, a local Slack, workers and the bot …", flush=True)
    # Imported here, where a signal already ends it without a traceback.
    from demo.stage import StageError  # noqa: PLC0415

    try:
        if options.script:
            return await _play()
        await (_converse() if options.terminal else _show(options.port))
    except StageError as exc:
        print(exc, file=sys.stderr)
        return 1
    print(f"\nEnded; {NOTHING_LEFT}")
    return 0


async def _show(port: int | None) -> None:
    from demo.day import CLOCK, PORT, Day  # noqa: PLC0415
    from demo.stage import Stage  # noqa: PLC0415

    day = Day()
    async with Stage(day.page, port=PORT if port is None else port, settings=CLOCK) as stage:
        await day.begin(stage)
        print(f"All run. Open this in a browser:\n\n    {stage.page_url}\n")
        print("The shell, in a second terminal and this folder:")
        print(f"    . {stage.write_environment()} && .venv/bin/jobs-maint stats")
        print("Ctrl-C ends everything and leaves nothing behind.", flush=True)
        await day.go_on()


async def _converse() -> None:
    from demo.stage import Stage  # noqa: PLC0415
    from demo.terminal import converse  # noqa: PLC0415

    async with Stage() as stage:
        await converse(stage)


async def _play() -> int:
    from demo.script import CheckFailedError, play  # noqa: PLC0415
    from demo.stage import Stage  # noqa: PLC0415

    begun = time.monotonic()
    try:
        async with Stage() as stage:
            checks = await play(stage)
    except CheckFailedError as exc:
        print(f"  ✗ {exc}", file=sys.stderr)
        return 1
    print(f"\n{checks} checks held in {time.monotonic() - begun:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
