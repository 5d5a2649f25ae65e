"""The conversation in a terminal: a person types commands and presses buttons by name."""

from __future__ import annotations

import asyncio
import os
import sys
import threading

from demo.stage import ADA, ANA, SLOW_DISK, VIC, Stage
from demo.talk import NAMES, Talk
from local_slack import LocalSlackControl

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
LAST_ANSWERS = 3.0
"""Seconds that answers have after the last line of a file or pipe."""


async def converse(stage: Stage) -> None:
    seeding = stage.run("-m", "demo.team_app", "seed", "--history", "200", "--newsletter", "50000")
    await asyncio.gather(seeding, stage.start_worker("worker"), stage.start_bot(SLOW_DISK))
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
