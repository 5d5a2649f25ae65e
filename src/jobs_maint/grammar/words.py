"""Every word of the tool, declared once."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

import click

from jobs_maint import actions
from jobs_maint.actions import BulkVerb
from jobs_maint.grammar.build import build_group
from jobs_maint.grammar.command import Surface
from jobs_maint.grammar.groups import (
    INCIDENTS_PARAMS,
    MUTE_PARAMS,
    TAKE_PARAMS,
    build_incidents,
    build_mute,
    build_take,
)
from jobs_maint.grammar.params import (
    PART,
    TASK,
    GroupName,
    JobIds,
    Limit,
    Moment,
    Person,
    Window,
    coverage_options,
    one_id,
)
from jobs_maint.grammar.sets import (
    CONFIRM_OPTIONS,
    build_cancel,
    build_discard,
    build_purge,
    build_rescue,
    build_retry,
    set_params,
)
from jobs_maint.grammar.word import ShellOption, Word

__all__ = ["GROUPS", "WORDS", "build_grammar"]

DAY = timedelta(hours=24)
QUEUE = click.Argument(["queue"], required=False)


def _flag(name: str, text: str) -> click.Option:
    return click.Option([name], is_flag=True, help=text)


UNTIL = click.Option(
    ["--until"],
    type=Moment(),
    help="When the span ends, in UTC, such as 2026-03-29T06:00Z (default now).",
)


def _since(default: timedelta, shown: str) -> click.Option:
    text = f"How far back to look (default {shown})."
    return click.Option(["--since"], type=Window(), default=default, help=text)


def _limit(default: int) -> click.Option:
    text = f"Maximum to show (default {default})."
    return click.Option(["--limit"], type=Limit(), default=default, help=text)


def _complete_word(_context: click.Context, _param: click.Parameter, start: str) -> list[str]:
    return [name for name in build_grammar("shell").commands if name.startswith(start)]


_DECLARED = (
    Word(
        "stats",
        (actions.ShowStats,),
        actions.ShowStats,
        "Show each queue now: ready, doing, failed, how far it is behind; the workers; when "
        "maintenance last ran.",
        "each queue now, and how far it is behind",
        ("stats", "stats webhook"),
        "Look",
        (
            QUEUE,
            ShellOption(
                ["--errors"],
                is_flag=True,
                help="Also show the failures of the last 24 hours, as `errors` does.",
            ),
        ),
    ),
    Word(
        "failed",
        (actions.ListFailed,),
        actions.ListFailed,
        "List failed jobs with their errors, newest failure first.",
        "failed jobs with their errors, newest first",
        ("failed webhook --since 1h", "failed --task deliver --error Timeout"),
        "Look",
        (
            QUEUE,
            TASK,
            click.Option(["--error"], type=PART, help="Only jobs whose error contains this."),
            click.Option(["--group"], type=GroupName(), help="Only jobs of this group of errors."),
            click.Option(
                ["--since"], type=Window(), help="Only failures of this span, such as 24h."
            ),
            UNTIL,
            _limit(20),
            *coverage_options(),
        ),
    ),
    Word(
        "errors",
        (actions.ListErrors,),
        actions.ListErrors,
        "Group failures by task, exception type and message, and compare with the span before.",
        "why jobs fail, in groups",
        ("errors --since 1h", "errors webhook"),
        "Look",
        (
            QUEUE,
            _since(DAY, "24h"),
            UNTIL,
            _limit(10),
            *coverage_options(),
        ),
    ),
    Word(
        "status",
        (actions.GetJob,),
        lambda ids, reveal=False: actions.GetJob(one_id(ids, "status"), reveal),
        "Show one job: its fields, timeline and every failed attempt.",
        "one job in full, with its traceback",
        ("status 4711",),
        "Look",
        (
            click.Argument(["ids"], type=JobIds(), nargs=-1, required=False, metavar="ID"),
            ShellOption(
                ["--reveal"],
                is_flag=True,
                help="Show arguments and errors unredacted; this is audited.",
            ),
        ),
    ),
    Word(
        "stuck",
        (actions.ListStuck,),
        actions.ListStuck,
        "List running jobs without a live worker, and jobs that have run for long.",
        "running jobs whose worker is gone, and long ones",
        ("stuck",),
        "Look",
    ),
    Word(
        "workers",
        (actions.ListWorkers,),
        actions.ListWorkers,
        "List the workers: where each runs, its queues, the jobs it runs now.",
        "the workers, and what they run",
        ("workers",),
        "Look",
    ),
    Word(
        "incidents",
        (actions.ListIncidents, actions.GetIncident),
        build_incidents,
        "List what is wrong now and was lately, as a bot's watch found it; or show one of it.",
        "what is wrong now, and was lately",
        ("incidents", "incidents I-7", "incidents --since 7d"),
        "Look",
        INCIDENTS_PARAMS,
    ),
    Word(
        "digest",
        (actions.ShowDigest,),
        actions.ShowDigest,
        "Summarise the failures of a span that ends now, as the posted digests do.",
        "the failure summary now",
        ("digest --since 7d",),
        "Look",
        (QUEUE, _since(DAY, "24h")),
    ),
    Word(
        "retry",
        (actions.RetryJobs, actions.PreviewBulk),
        build_retry,
        "Retry failed, cancelled or aborted jobs. They run at once; a cancelled job that was "
        "scheduled for later keeps its time.",
        "run failed jobs again; a set is previewed first",
        ("retry 4711", "retry --all webhook --since 1h"),
        "Change",
        (
            *set_params(BulkVerb.RETRY),
            _flag(
                "--reset-attempts",
                "Count attempts from 0 again, so that automatic retries start over.",
            ),
        ),
    ),
    Word(
        "cancel",
        (actions.CancelJobs, actions.PreviewBulk),
        build_cancel,
        "Cancel waiting jobs, and ask running ones to abort. --all needs admin.",
        "cancel waiting jobs, ask running ones to abort; `--all` needs admin",
        ("cancel 4711", "cancel --all webhook"),
        "Change",
        set_params(BulkVerb.CANCEL),
        for_admins="--all",
    ),
    Word(
        "discard",
        (actions.DiscardJobs, actions.PreviewBulk),
        build_discard,
        "Give up on failed or aborted jobs: they become cancelled and are kept until the purge. "
        "--all needs admin.",
        "give up on failed jobs; `--all` needs admin",
        ("discard 4711", "discard --all webhook --error Timeout"),
        "Change",
        set_params(BulkVerb.DISCARD),
        for_admins="--all",
    ),
    Word(
        "rescue",
        (actions.RescueStalled, actions.RescueJobs, actions.PreviewRescue),
        build_rescue,
        "Run one pass of the rescue now, or rescue the named jobs at once if their worker is "
        "dead. --force needs admin.",
        "put back jobs whose worker is dead; `--force` needs admin",
        ("rescue", "rescue 4711"),
        "Change",
        (
            click.Argument(["ids"], type=JobIds(), nargs=-1, required=False, metavar="[ID…]"),
            _flag(
                "--force",
                "Rescue one job although its worker is alive; if that worker still runs it, it "
                "runs twice.",
            ),
            *CONFIRM_OPTIONS,
        ),
        everywhere="without ids",
        for_admins="--force",
    ),
    Word(
        "take",
        (actions.TakeGroup, actions.TakeIncident),
        build_take,
        "Say that you are on a group of errors or an incident; a job id means the group of its "
        "error.",
        "say that you are on a group of errors or an incident",
        ("take E-4f2a", "take 4711", "take I-7"),
        "Change",
        TAKE_PARAMS,
    ),
    Word(
        "mute",
        (actions.MuteGroup, actions.MuteIncident),
        build_mute,
        "Mute a group of errors or an incident for a span, or a group until it fails more often "
        "than it may.",
        "mute a group of errors or an incident for a while",
        ("mute E-4f2a --for 24h", "mute E-4f2a --above 50/h", "mute I-7 --for 2h"),
        "Change",
        MUTE_PARAMS,
    ),
    Word(
        "purge",
        (actions.PreviewPurge,),
        build_purge,
        "Delete finished jobs now; by default those past their retention.",
        "delete old finished jobs; previewed first",
        ("purge --older-than 30d", "purge --queue webhook --dry-run"),
        "Change",
        (
            click.Option(
                ["--older-than"],
                type=Window(),
                help="Only succeeded jobs, or those of --status, older than this, such as 30d, "
                "whatever the retention settings.",
            ),
            click.Option(
                ["--status"],
                help="Only these statuses: succeeded, failed, cancelled, aborted; separate several "
                "with commas.",
            ),
            _flag("--include-failed", "With --older-than: delete failed jobs too."),
            click.Option(["--queue"], help="Only jobs of this queue."),
            *CONFIRM_OPTIONS,
        ),
        everywhere="without --queue",
    ),
    Word(
        "audit",
        (actions.ShowAudit,),
        actions.ShowAudit,
        "List who did what and how it ended, newest first.",
        "who did what, newest first",
        ("audit --since 1d", "audit --actor ana"),
        "Look after the bot",
        (
            click.Option(
                ["--actor"],
                type=Person("everybody", "a part of a name or id"),
                help="Only actors whose kind, id or name contains this.",
            ),
            _since(timedelta(days=7), "7d"),
            _limit(50),
        ),
    ),
    Word(
        "doctor",
        (actions.RunDoctor,),
        actions.RunDoctor,
        "Check the set-up; each finding comes with its fix.",
        "check the set-up",
        ("doctor",),
        "Look after the bot",
    ),
    Word(
        "help",
        (actions.ShowHelp,),
        actions.ShowHelp,
        "Show what you may do, and whom to ask for the rest.",
        "the words and their options",
        ("help retry",),
        "Help",
        (click.Argument(["about"], required=False, metavar="WORD", shell_complete=_complete_word),),
    ),
    Word(
        "schema apply",
        (actions.ApplySchema,),
        lambda no_indexes, wait: actions.ApplySchema(
            indexes=not no_indexes, wait=wait or timedelta()
        ),
        "Create or update the tables; safe to repeat, and to run several times at once.",
        "create or update our tables and indexes",
        ("schema apply",),
        "Set up",
        (
            _flag("--no-indexes", "Leave out the indexes on Procrastinate's tables."),
            click.Option(
                ["--wait"],
                type=Window(),
                metavar="SPAN",
                help="Wait up to so long for a database that does not answer yet, e.g. 60s.",
            ),
        ),
        only="shell",
    ),
    Word(
        "schema status",
        (actions.CheckSchema,),
        actions.CheckSchema,
        "Show what apply would do; nothing is changed.",
        "what `schema apply` would do",
        ("schema status",),
        "Set up",
        only="shell",
    ),
    Word(
        "schema sql",
        (actions.ShowSchemaSql,),
        actions.ShowSchemaSql,
        "Print the SQL that apply would run.",
        "the SQL that `schema apply` would run",
        ("schema sql",),
        "Set up",
        only="shell",
    ),
    Word(
        "schema drop",
        (actions.PreviewDropSchema, actions.DropSchema),
        actions.PreviewDropSchema,
        "Remove our tables, indexes and jobs; Procrastinate's own stay as they are.",
        "remove all that we made in the database",
        ("schema drop", "schema drop --dry-run"),
        "Set up",
        CONFIRM_OPTIONS,
        only="shell",
    ),
)

GROUPS = {"schema": "Create, update or remove our tables and indexes, or show what that would do."}
"""What the words of two, such as `schema apply`, have in common."""

WORDS: Mapping[str, Word] = MappingProxyType({word.name: word for word in _DECLARED})


@functools.cache
def build_grammar(surface: Surface) -> click.Group:
    """The click group of one surface, built once; the shell's knows more words and options."""
    return build_group(WORDS.values(), GROUPS, surface)
