"""`python -m demo.team_app worker|api|seed|shop|newsletter`: the sample team's processes."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from datetime import timedelta

from demo.team_app.app import DATABASE_URL_NAME, app


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo.team_app", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    worker = commands.add_parser("worker", help="run jobs until SIGINT or SIGTERM")
    worker.add_argument("--queues", help="comma-separated; default: all, maintenance included")
    worker.add_argument("--concurrency", type=int, default=4)
    worker.add_argument("--name", help="shown in the logs")

    api = commands.add_parser("api", help="serve the web app, with the worker in its lifespan")
    api.add_argument("--host", default="127.0.0.1")
    api.add_argument("--port", type=int, default=8000)

    seed = commands.add_parser("seed", help="defer a mix of jobs")
    seed.add_argument("--scale", type=int, default=1, help="20 jobs each")
    seed.add_argument("--history", type=int, default=0, help="succeeded jobs of the past to insert")
    seed.add_argument("--history-days", type=float, default=40.0, help="how old they are")
    seed.add_argument("--newsletter", type=int, default=0, help="mails scheduled for tomorrow")

    commands.add_parser("shop", help="defer jobs all day, until SIGTERM")

    newsletter = commands.add_parser("newsletter", help="many mails at once, to be sent now")
    newsletter.add_argument("--count", type=int, default=50_000)
    return parser


async def run_worker(*, queues: list[str] | None, concurrency: int, name: str | None) -> None:
    async with app.open_async():
        await app.run_worker_async(queues=queues, concurrency=concurrency, name=name)


def main(argv: list[str] | None = None) -> int:
    options = build_parser().parse_args(argv)
    logging.basicConfig(
        level=logging.WARNING if options.command == "seed" else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    if options.command == "api":
        import uvicorn  # noqa: PLC0415  # only the web app needs it

        uvicorn.run("demo.team_app.api:api", host=options.host, port=options.port)
        return 0
    database_url = os.environ.get(DATABASE_URL_NAME)
    if not database_url:
        print(f"{DATABASE_URL_NAME} is not set: name the jobs database", file=sys.stderr)
        return 78
    if options.command == "worker":
        queues = [name.strip() for name in (options.queues or "").split(",") if name.strip()]
        asyncio.run(
            run_worker(queues=queues or None, concurrency=options.concurrency, name=options.name)
        )
        return 0
    if options.command == "shop":
        from demo.team_app.shop import sell  # noqa: PLC0415

        asyncio.run(sell())
        return 0
    from demo.team_app.seed import make_newsletter, seed  # noqa: PLC0415  # no worker needs them

    if options.command == "newsletter":
        asyncio.run(make_newsletter(database_url, options.count, after=timedelta()))
        return 0
    jobs = asyncio.run(
        seed(
            database_url,
            scale=options.scale,
            history=options.history,
            age=timedelta(days=options.history_days),
            newsletter=options.newsletter,
        )
    )
    print(jobs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
