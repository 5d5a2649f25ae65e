"""`python -m demo`: the whole product on this machine; `--script` plays and checks a scenario."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from demo.script import CheckFailedError, play
from demo.stage import ADA, ANA, VIC, Stage, StageError
from demo.talk import NAMES, Talk
from local_slack import LocalSlackControl

T = TypeVar("T")
PEOPLE = {"ana": (ANA, "operator"), "vic": (VIC, "viewer"), "ada": (ADA, "admin")}
HELP = """\
Type what a person in #ops would type, for example:
    /jobs stats      how the queues are
    /jobs failed     what failed; then /jobs status ID, /jobs retry ID
    /jobs help       all words
    /jobs errors     why jobs fail, by reason
    /jobs retry --all webhook    a set is shown first, and waits for its button
    /jobs cancel --all newsletter    as ada: long enough to click Stop
    click LABEL      press a button you see: click Refresh; click Details 2
                     presses the second of several
    close, submit    the buttons at the bottom of a modal
    as vic           be vic, a viewer (ana is operator, ada is admin)
Ctrl-C or Ctrl-D ends everything and leaves nothing behind."""
ENDS = (signal.SIGTERM, signal.SIGHUP)
"""A closed terminal leaves nothing behind either."""
LAST_ANSWERS = 3.0
"""Seconds that answers have after the last line of a file or pipe."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--script", action="store_true", help="play the scenario, check, and end")
    options = parser.parse_args()
    for number in ENDS:
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    begun = time.monotonic()
    try:
        print("Starting PostgreSQL, a local Slack, a worker and the bot …", flush=True)
        with Stage() as stage:
            if options.script:
                checks = asyncio.run(_until_ended(play(stage)))
                print(f"\n{checks} checks held in {time.monotonic() - begun:.0f} s.")
                return 0
            asyncio.run(_until_ended(converse(stage)))
    except CheckFailedError as exc:
        print(f"  ✗ {exc}", file=sys.stderr)
        return 1
    except StageError as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if options.script:
            print("\nInterrupted; nothing is left running.")
            return 130
    print("\nEnded; nothing is left running.")
    return 0


async def _until_ended(work: Coroutine[Any, Any, T]) -> T:
    """SIGTERM and SIGHUP end it as Ctrl-C does, wherever it is.

    What a signal handler raises is lost when it happens to run inside of a destructor.
    """
    received: list[int] = []
    task = asyncio.ensure_future(work)

    def end(number: int) -> None:
        received.append(number)
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in ENDS:
        loop.add_signal_handler(number, end, number)
    try:
        return await task
    except asyncio.CancelledError:
        if received:
            sys.exit(128 + received[0])
        raise
    finally:
        # The parts are ended next, and nothing may come between.
        for number in ENDS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


async def converse(stage: Stage) -> None:
    stage.run("-m", "demo.team_app", "seed", "--history", "200", "--newsletter", "50000")
    stage.start_worker("worker")
    stage.start_bot()
    print(f"All run. See it in a browser: {stage.page_url}")
    print("The shell, in a second terminal and this folder:")
    print(f"    . {stage.write_environment()} && .venv/bin/jobs-maint stats\n")
    print(HELP)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    async with LocalSlackControl(stage.page_url) as slack:
        talk = Talk(slack, terminal=terminal)
        watching = asyncio.create_task(_watch(stage, talk))
        try:
            await _read_lines(talk)
            if not terminal:
                await asyncio.sleep(LAST_ANSWERS)
        finally:
            watching.cancel()


async def _watch(stage: Stage, talk: Talk) -> None:
    told: set[str] = set()
    while True:
        await talk.show_new()
        for program in stage.programs:
            if program.popen.poll() is not None and program.name not in told:
                told.add(program.name)
                print(f"\n{program.name} ended with {program.popen.returncode}:\n{program.tail()}")
        await asyncio.sleep(0.5)


async def _read_lines(talk: Talk) -> None:
    lines = _start_reading()
    user = ANA
    talk.prompt(f"#ops {NAMES[user]}> ")
    while (line := await lines.get()) is not None:
        word, _, rest = line.partition(" ")
        answered = False
        if word == "as" and rest.strip() in PEOPLE:
            user, role = PEOPLE[rest.strip()]
            print(f"You are {NAMES[user]}, {role}.")
        elif word == "as":
            print(f"There is nobody of that name; there are {', '.join(PEOPLE)}.")
        elif word == "click" and rest.strip():
            answered = await talk.click(user, rest.strip().strip("[]"))
        elif line == "close":
            await talk.close(user)
        elif line == "submit":
            answered = await talk.submit(user)
        elif line.startswith("/"):
            answered = await talk.say(user, line)
        elif line:
            print(HELP)
        talk.prompt(f"#ops {NAMES[user]}> ", later=answered)


def _start_reading() -> asyncio.Queue[str | None]:
    """Lines of stdin, None at its end.

    A thread with `os.read`: asyncio's own way makes the terminal non-blocking for everybody, and a
    thread that waits in `sys.stdin` holds its lock at the end of the process.
    """
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def put(line: str | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(lines.put_nowait, line)

    def read() -> None:
        rest = b""
        while True:
            try:
                data = os.read(0, 4096)
            except OSError:  # the terminal is gone
                data = b""
            *whole, rest = (rest + data).split(b"\n")
            for line in whole if data else [*whole, rest]:
                put(line.decode(errors="replace").strip())
            if not data:
                put(None)
                return

    threading.Thread(target=read, daemon=True).start()
    return lines


if __name__ == "__main__":
    sys.exit(main())
