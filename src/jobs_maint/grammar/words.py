"""The words themselves: names, options, help, and the action each builds."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import click

from jobs_maint import actions
from jobs_maint.actions import Action, Role
from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar.bulk import add_bulk_words, as_preview, build_set, bulk_options
from jobs_maint.grammar.params import JobIds, Limit, Window, one_id
from jobs_maint.grammar.request import Request, Surface

__all__ = ["ROLES", "build_grammar"]

ROLES: dict[str, Role | None] = {
    "stats": actions.ShowStats.role,
    "failed": actions.ListFailed.role,
    "errors": actions.ListErrors.role,
    "status": actions.GetJob.role,
    "retry": actions.RetryJobs.role,
    "cancel": actions.CancelJobs.role,
    "discard": actions.DiscardJobs.role,
    "stuck": actions.ListStuck.role,
    "workers": actions.ListWorkers.role,
    "rescue": actions.RescueStalled.role,
    "purge": actions.PreviewPurge.role,
    "audit": actions.ShowAudit.role,
    "digest": actions.ShowDigest.role,
    "doctor": actions.RunDoctor.role,
    "help": None,
    "schema": actions.ApplySchema.role,
}
"""The lowest role that can do something with the word."""


@functools.cache
def build_grammar(surface: Surface) -> click.Group:
    """The click group of one surface, built once; the shell's knows more words and options."""
    root = click.Group(name="jobs", invoke_without_command=True, add_help_option=False)

    def add(
        name: str,
        build: Callable[..., Action[Any]],
        params: Sequence[click.Parameter],
        summary: str,
        *,
        group: click.Group = root,
    ) -> None:
        about = name if group is root else group.name
        group.add_command(_build_command(surface, name, about, build, params, summary))

    queue = click.Argument(["queue"], required=False)
    stats: list[click.Parameter] = [queue]
    if surface == "shell":
        then = "Then the failures of the last 24 hours, as `errors` shows them."
        stats.append(click.Option(["--errors"], is_flag=True, help=then))
    add(
        "stats",
        actions.ShowStats,
        stats,
        "Each queue now: ready, doing, failed, how far it is behind; workers; last maintenance.",
    )
    add(
        "failed",
        actions.ListFailed,
        [
            queue,
            click.Option(["--task"], help="Only jobs whose task name contains this."),
            click.Option(["--error"], help="Only jobs whose error contains this."),
            click.Option(
                ["--since"], type=Window(), help="Only failures of this span, such as 24h."
            ),
            click.Option(["--limit"], type=Limit(), default=20, help="At most so many (20)."),
        ],
        "Failed jobs, newest failure first, each with its error.",
    )
    status: list[click.Parameter] = [
        click.Argument(["ids"], type=JobIds(), nargs=-1, required=False, metavar="ID")
    ]
    if surface == "shell":
        status.append(
            click.Option(
                ["--reveal"], is_flag=True, help="Show arguments and errors unredacted; audited."
            )
        )
    add(
        "status",
        lambda ids, reveal=False: actions.GetJob(one_id(ids, "status"), reveal),
        status,
        "One job: its fields, timeline and every failed attempt.",
    )
    reset = click.Option(
        ["--reset-attempts"],
        is_flag=True,
        help="Count attempts from 0 again, so that automatic retries start over.",
    )
    put_back = "Put failed, cancelled or aborted jobs back; they run now."
    add("retry", _build_retry, [*bulk_options(actions.BulkVerb.RETRY, surface), reset], put_back)
    add_bulk_words(add, surface)
    add(
        "help",
        actions.ShowHelp,
        [
            click.Argument(
                ["about"],
                required=False,
                metavar="WORD",
                shell_complete=lambda _context, _param, start: [
                    word for word in root.commands if word.startswith(start)
                ],
            )
        ],
        "What you may do, and whom to ask for the rest.",
    )
    if surface == "shell":
        schema = click.Group(
            "schema",
            invoke_without_command=True,
            add_help_option=False,
            help="Our tables and indexes: apply, status, sql.",
        )
        root.add_command(schema)
        no_indexes = click.Option(
            ["--no-indexes"], is_flag=True, help="Leave out the indexes on Procrastinate's tables."
        )
        add(
            "apply",
            lambda no_indexes: actions.ApplySchema(indexes=not no_indexes),
            [no_indexes],
            "Create or update the tables; safe to repeat, also by several at once.",
            group=schema,
        )
        nothing = "Show what apply would do; changes nothing."
        add("status", actions.CheckSchema, [], nothing, group=schema)
        add("sql", actions.ShowSchemaSql, [], "Print the SQL that apply would run.", group=schema)
    return root


def _build_command(
    surface: Surface,
    name: str,
    about: str | None,
    build: Callable[..., Action[Any]],
    params: Sequence[click.Parameter],
    summary: str,
) -> click.Command:
    params = [*params, click.Option(["--help", "-h"], is_flag=True, help="Show this help.")]
    if surface == "shell":
        params.append(click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."))
    else:
        params.append(click.Option(["--private"], is_flag=True, help="Answer only to me."))

    def callback(
        *,
        help: bool,  # noqa: A002  click passes an option under its own name
        as_json: bool = False,
        private: bool = False,
        yes: bool = False,
        dry_run: bool = False,
        **values: Any,
    ) -> Request:
        if help:
            return Request(actions.ShowHelp(about), as_json, private)
        if yes and dry_run:
            raise InvalidRequest(f"{name} takes --yes or --dry-run, not both")
        action = build(**values)
        if dry_run:
            action = as_preview(action)
        return Request(action, as_json, private, yes, dry_run)

    return click.Command(
        name, params=params, callback=callback, help=summary, add_help_option=False
    )


def _build_retry(*, reset_attempts: bool, **values: Any) -> Action[Any]:
    found = build_set(actions.BulkVerb.RETRY, **values)
    if isinstance(found, tuple):
        if len(found) == 1:
            return actions.RetryJobs(found, reset_attempts)
        found = actions.JobFilter(job_ids=found, statuses=actions.BulkVerb.RETRY.statuses)
    return actions.PreviewBulk(actions.BulkVerb.RETRY, found, reset_attempts)
