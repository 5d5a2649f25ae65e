"""`jobs-chatbot`: the bot as a process."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import NoReturn

import click

from chatbot.runtime.logs import set_up_logging
from chatbot.serve import serve
from chatbot.settings.bot import ChatbotSettings
from chatbot.setup.doctor_page import examine, render_page
from chatbot.setup.manifest import WHERE_TO_PASTE, render_manifest
from jobs_maint import __version__
from jobs_maint.cli.login import find_actor
from jobs_maint.cli.output import find_width, is_styled, print_answer
from jobs_maint.errors import JobsMaintError
from jobs_maint.interrupts import INTERRUPTED, raise_on_interrupt
from jobs_maint.plain import prepare_streams, show_on
from jobs_maint.settings import MaintSettings

__all__ = ["main"]


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="jobs-chatbot %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Run the Slack bot of procrastinate-ops. Environment variables set it up.

    SLACK_BOT_TOKEN, JOB_QUEUE_DATABASE_URL and either SLACK_APP_TOKEN (Socket Mode) or
    SLACK_SIGNING_SECRET (HTTP) are required; CHATBOT_ROLES says who may do what.
    """
    prepare_streams()
    if context.invoked_subcommand is None:
        context.invoke(run)


@main.command()
def run() -> None:
    """Answer Slack until SIGTERM, SIGHUP or Ctrl-C; requests in flight are finished first."""
    set_up_logging()
    try:
        settings = ChatbotSettings.load()
        maint = MaintSettings.load()
        settings.require_bot_token()
        settings.require_mode()
        url = maint.require_database_url()
        raise_on_interrupt()
        asyncio.run(serve(settings, maint, url))
    except JobsMaintError as exc:
        _complain(exc)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="default: a free one")
def local(port: int) -> None:
    """Use the bot in a browser, on your own jobs database: no Slack, no token.

    Serves a page on 127.0.0.1 until Ctrl-C and prints its address. JOB_QUEUE_DATABASE_URL says
    whose jobs they are. You have every role, and the audit names you as `jobs-maint` does.
    """
    # The page shows what the bot says; a terminal beside it needs only what went wrong.
    set_up_logging(logging.WARNING)
    try:
        maint = MaintSettings.load()
        url = maint.require_database_url()
        from chatbot.local import serve_locally  # noqa: PLC0415  only this command needs it

        raise_on_interrupt()
        asyncio.run(serve_locally(maint, url, find_actor(), port=port, say=_say))
    except JobsMaintError as exc:
        _complain(exc)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


@main.command()
@click.option("--url", help="Slack sends requests to this address (https://…): HTTP")
@click.option("--socket", is_flag=True, help="the bot fetches requests: Socket Mode")
def manifest(url: str | None, socket: bool) -> None:
    """Print the Slack app for these settings as JSON, to be pasted at api.slack.com/apps.

    Needs no token and no database. With SLACK_APP_TOKEN set it is for Socket Mode.
    """
    try:
        text = render_manifest(ChatbotSettings.load(), url=url, socket=socket)
    except JobsMaintError as exc:
        _complain(exc)
    code = print_answer(text, 0)
    if code == 0:
        click.echo(f"Paste it here: {WHERE_TO_PASTE}", err=True)
    sys.exit(code)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="one JSON object instead of text")
@click.option("--post", metavar="CHANNEL", help="also post a test message to this channel (ID)")
@click.option("--validate", is_flag=True, help="also let Slack check a sample of each message")
def doctor(as_json: bool, post: str | None, validate: bool) -> None:
    """Check the set-up: what `jobs-maint doctor` checks, and the Slack side.

    Exits with 1 if a finding is an error.
    """
    # The pool logs what is also reported as a finding.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        raise_on_interrupt()
        report, grants = asyncio.run(
            examine(ChatbotSettings.load(), MaintSettings.load(), post=post, validate=validate)
        )
    except JobsMaintError as exc:
        _complain(exc)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    show_on(None if as_json else sys.stdout)
    text = render_page(
        report,
        grants,
        as_json=as_json,
        width=find_width(),
        styled=is_styled(sys.stdout),
    )
    sys.exit(print_answer(text, report.exit_code))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _complain(exc: JobsMaintError) -> NoReturn:
    click.echo(f"jobs-chatbot: {exc}", err=True)
    sys.exit(exc.exit_code)
