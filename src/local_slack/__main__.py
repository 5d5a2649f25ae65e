"""`python -m local_slack --config FILE.toml [--page FILE.json] [--port N]`."""

import argparse
import asyncio
import importlib
import signal
import sys
from pathlib import Path

from local_slack.config import Config, load_config
from local_slack.errors import ConfigError
from local_slack.page.settings import Page, load_page

EXIT_BAD_CONFIG = 78
NEEDED = {"aiohttp", "slack_sdk"}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m local_slack", description="A strict local Slack, with a page to use it."
    )
    parser.add_argument("--config", type=Path, required=True, help="the workspace, a TOML file")
    parser.add_argument("--page", type=Path, help="roles and words that the page shows, JSON")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; default: a free one")
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= 65535:
        parser.error(f"port {options.port} is not between 0 and 65535")
    try:
        config = load_config(options.config)
        page = load_page(options.page) if options.page else Page()
    except ConfigError as exc:
        _say_wrong(str(exc))
        return EXIT_BAD_CONFIG
    try:
        importlib.import_module("local_slack.server")
    except ModuleNotFoundError as exc:
        if exc.name not in NEEDED:
            raise
        extra = "pip install 'procrastinate-ops[slack]'"
        _say_wrong(f"{exc.name} is not installed; the local Slack needs the extra: {extra}")
        return EXIT_BAD_CONFIG
    asyncio.run(_serve(config, page, options.port))
    return 0


async def _serve(config: Config, page: Page, port: int) -> None:
    from local_slack.serving import serve  # noqa: PLC0415  see main

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(config, page, port=port, say=_say_wrong) as slack:
        _say(f"local Slack listens on {slack.url}")
        _say(f"open it in a browser: {slack.page_url}")
        await stop.wait()


def _say_wrong(line: str) -> None:
    _say(line, error=True)


def _say(line: str, *, error: bool = False) -> None:
    print(line, file=sys.stderr if error else sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main())
