"""`jobs-chatbot`: the bot as a process."""

from __future__ import annotations

import asyncio
import sys

import click

from chatbot.logs import set_up_logging
from chatbot.serve import serve
from chatbot.settings import ChatbotSettings
from jobs_maint import __version__
from jobs_maint.errors import JobsMaintError
from jobs_maint.settings import MaintSettings

__all__ = ["main"]


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="jobs-chatbot %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Run the Slack bot of procrastinate-ops. It is set up by environment variables.

    SLACK_BOT_TOKEN, JOB_QUEUE_DATABASE_URL and either SLACK_APP_TOKEN (Socket Mode) or
    SLACK_SIGNING_SECRET (HTTP) are required; CHATBOT_ROLES says who may do what.
    """
    if context.invoked_subcommand is None:
        context.invoke(run)


@main.command()
def run() -> None:
    """Answer Slack until SIGTERM or Ctrl-C; what is in flight is finished first."""
    set_up_logging()
    try:
        settings = ChatbotSettings.load()
        maint = MaintSettings.load()
        settings.require_bot_token()
        settings.require_mode()
        url = maint.require_database_url()
        asyncio.run(serve(settings, maint, url))
    except JobsMaintError as exc:
        click.echo(f"jobs-chatbot: {exc}", err=True)
        sys.exit(exc.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
