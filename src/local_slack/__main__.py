"""`python -m local_slack --config FILE.toml [--port N]`."""

import argparse
import asyncio
import errno
import importlib
import signal
import sys
from pathlib import Path

from local_slack.config import Config, load_config
from local_slack.errors import ConfigError

EXIT_BAD_CONFIG = 78
NEEDED = {"aiohttp", "slack_sdk"}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m local_slack", description="A strict local Slack."
    )
    parser.add_argument("--config", type=Path, required=True, help="the workspace, a TOML file")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; default: a free one")
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= 65535:
        parser.error(f"port {options.port} is not between 0 and 65535")
    try:
        config = load_config(options.config)
    except ConfigError as exc:
        _say(str(exc), error=True)
        return EXIT_BAD_CONFIG
    try:
        importlib.import_module("local_slack.server")
    except ModuleNotFoundError as exc:
        if exc.name not in NEEDED:
            raise
        extra = "pip install 'procrastinate-ops[slack]'"
        _say(f"{exc.name} is not installed; the local Slack needs the extra: {extra}", error=True)
        return EXIT_BAD_CONFIG
    asyncio.run(_serve(config, options.port))
    return 0


async def _serve(config: Config, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await _listen(config, port, stop)
    except OSError as exc:
        if exc.errno not in {errno.EADDRINUSE, errno.EACCES} or not port:
            raise
        reason = "is in use" if exc.errno == errno.EADDRINUSE else "needs more privileges"
        _say(f"port {port} {reason}; taking a free one", error=True)
        await _listen(config, 0, stop)


async def _listen(config: Config, port: int, stop: asyncio.Event) -> None:
    from local_slack.server import LocalSlack  # noqa: PLC0415  see main

    async with LocalSlack.start(config, port=port) as slack:
        _say(f"local Slack listens on {slack.url}")
        await stop.wait()


def _say(line: str, *, error: bool = False) -> None:
    print(line, file=sys.stderr if error else sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main())
