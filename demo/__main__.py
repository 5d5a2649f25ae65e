"""`python -m demo`: the whole product on this machine; `--script` plays and checks a scenario."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time

from chatbot.local_slack import LocalSlackControl
from demo.script import CheckFailedError, play
from demo.stage import ADA, ANA, VIC, Program, Stage, StageError
from demo.talk import Talk

PEOPLE = {"ana": ANA, "vic": VIC, "ada": ADA}
HELP = """\
Type what a person in #ops would type, for example:
    /jobs stats          /jobs failed          /jobs retry 12          /jobs help
    as vic               you are vic (viewer); ana is operator, ada is admin
    click LABEL          press a button you see, e.g. click Refresh
Ctrl-C (or Ctrl-D) ends everything and leaves nothing behind."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--script", action="store_true", help="play the scenario, check, and end")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begun = time.monotonic()
    stage = Stage()
    try:
        with stage:
            if not options.script:
                asyncio.run(converse(stage))
                return 0
            checks = asyncio.run(play(stage))
            print(f"\n{checks} checks held in {time.monotonic() - begun:.0f} s.")
            return 0
    except CheckFailedError as exc:
        print(f"  ✗ {exc}", file=sys.stderr)
        return 1
    except StageError as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nEnded; nothing is left running.")
        return 130


async def converse(stage: Stage) -> None:
    stage.run("-m", "demo.team_app", "seed", "--history", "200")
    stage.start_worker("worker")
    stage.start_bot()
    names: list[str] = [program.name for program in stage.programs if _lives(program)]
    print(f"Running: PostgreSQL, {', '.join(names)}. Local Slack: {stage.slack_url}")
    print(f"A shell on it: JOB_QUEUE_DATABASE_URL='{stage.database_url}' jobs-maint stats\n{HELP}")
    async with LocalSlackControl(stage.slack_url) as slack:
        talk = Talk(slack)
        watching = asyncio.create_task(_watch(talk))
        try:
            await _read_lines(talk)
        finally:
            watching.cancel()


def _lives(program: Program) -> bool:
    return program.popen.poll() is None


async def _watch(talk: Talk) -> None:
    while True:
        await talk.show_new()
        await asyncio.sleep(0.5)


async def _read_lines(talk: Talk) -> None:
    user = ANA
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode(errors="replace").strip() or "":
        if line.startswith("as ") and line[3:].strip() in PEOPLE:
            user = PEOPLE[line[3:].strip()]
            print(f"You are {line[3:].strip()}.")
        elif line.startswith("click "):
            await talk.click(user, line[6:].strip())
        elif line.startswith("/"):
            await talk.say(user, line)
        else:
            print(HELP)


if __name__ == "__main__":
    sys.exit(main())
