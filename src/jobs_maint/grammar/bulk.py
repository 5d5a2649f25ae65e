"""The words on sets of jobs, and the words of maintenance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import click

from jobs_maint import actions
from jobs_maint.actions import Action, BulkVerb, JobFilter, quote_word
from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar.params import JobIds, Limit, Number, Window, flat_ids, one_id, short
from jobs_maint.grammar.request import Surface

__all__ = ["add_bulk_words", "as_preview", "build_set", "bulk_options"]

_SET_OPTIONS = ("queue", "status", "task", "error", "since", "until", "request")


def bulk_options(verb: BulkVerb, surface: Surface) -> list[click.Parameter]:
    """`VERB ID…` and `VERB --all [QUEUE] …`: ids and filters of one word."""
    statuses = ", ".join(verb.statuses)
    options: list[click.Parameter] = [
        click.Argument(["words"], nargs=-1, required=False, metavar="ID…|--all [QUEUE]"),
        click.Option(["--all", "everything"], is_flag=True, help="All that match the options."),
        click.Option(["--queue"], help="QUEUE, also one that reads as an id or an option."),
        click.Option(["--task"], help="Only tasks whose name contains this; * and ? match all."),
        click.Option(["--error"], help="Only jobs whose error contains this."),
        click.Option(["--since"], type=Window(), help="Only jobs that ended in this span."),
        click.Option(["--until"], type=Window(), help="Only jobs that ended before this span."),
        click.Option(
            ["--request"], type=Number(), help="What this request of the audit changed (undo)."
        ),
    ]
    if verb is BulkVerb.CANCEL:
        running = "Also ask running jobs to abort."
        options.append(click.Option(["--running"], is_flag=True, help=running))
    else:
        default = verb.statuses[0]
        text = f"Which status: {statuses}; several with commas ({default})."
        options.append(click.Option(["--status"], help=text))
    return [*options, *_confirm_options(surface)]


def _confirm_options(surface: Surface) -> list[click.Parameter]:
    """In Slack nothing that is previewed is done unasked."""
    dry_run = "Show what would be done; change nothing."
    options: list[click.Parameter] = [click.Option(["--dry-run"], is_flag=True, help=dry_run)]
    if surface == "shell":
        options.insert(0, click.Option(["--yes"], is_flag=True, help="Do it without asking."))
    return options


def build_set(
    verb: BulkVerb, *, words: Sequence[str], everything: bool, **options: Any
) -> JobFilter | tuple[int, ...]:
    """The filter of `--all`, or the ids that were named."""
    running = bool(options.pop("running", False))
    given = [name for name in _SET_OPTIONS if options.get(name) is not None]
    if not everything:
        if running:
            given.append("running")
        if given and (words or options.get("request") is None):
            raise InvalidRequest(
                f"{verb} --{given[0]} needs --all: it chooses among all jobs, not among ids"
            )
        if options.get("request") is None or words:
            ids = JobIds()
            if words and words[0][:1].isalpha():
                raise InvalidRequest(
                    f"{short(words[0])!r} is not a job id; did you mean "
                    f"{short(f'{verb} --all {words[0]}')!r}?",
                    suggestion=f"{verb} --all {quote_word(words[0])}",
                )
            return flat_ids([ids.convert(word, None, None) for word in words], verb.value)
    if words and words[0].lstrip("#").replace(",", "").isdigit():
        raise InvalidRequest(
            f"{verb} takes ids or --all, not both: {words[0]!r} is an id; a queue of that name is "
            f"--queue {words[0]}"
        )
    queues = [*words, *([options["queue"]] if options.get("queue") is not None else [])]
    if len(queues) > 1:
        raise InvalidRequest(f"{verb} --all takes one queue; {queues[1]!r} is too much")
    status = options.pop("status", None)
    if verb is BulkVerb.CANCEL:
        statuses = verb.statuses if running else verb.statuses[:1]
    else:
        statuses = _statuses(verb, status, request=options.get("request") is not None)
    queue = options["queue"] = queues[0] if queues else None
    wanted = JobFilter(statuses=statuses, **options)
    if verb is not BulkVerb.RETRY and queue is None and not given:
        raise InvalidRequest(
            f"{verb} --all needs a queue or a filter; `{verb} --all '*'` means every queue"
        )
    return wanted


def _statuses(verb: BulkVerb, text: str | None, *, request: bool) -> tuple[str, ...]:
    if text is None:
        return verb.statuses if request else verb.statuses[:1]
    statuses = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    unknown = [status for status in statuses if status not in verb.statuses]
    if unknown:
        raise InvalidRequest(
            f"{verb} --status {unknown[0]!r}: it can be {', '.join(verb.statuses)}"
        )
    return statuses


def as_preview(action: Action[Any]) -> Action[Any]:
    """What `--dry-run` shows of an act on single jobs: the set of them, previewed."""
    if isinstance(action, actions.RescueStalled):
        raise InvalidRequest(
            "rescue --dry-run needs job ids; `stuck` shows what a rescue without ids would look at"
        )
    if isinstance(action, actions.RescueJobs):
        return actions.PreviewRescue(action.job_ids)
    if not isinstance(action, actions.RetryJobs | actions.CancelJobs | actions.DiscardJobs):
        return action
    verb = BulkVerb(action.word)
    wanted = JobFilter(job_ids=action.job_ids, statuses=verb.statuses)
    return actions.PreviewBulk(verb, wanted, getattr(action, "reset_attempts", False))


def add_bulk_words(add: Callable[..., None], surface: Surface) -> None:
    """Add the words on sets and those of maintenance."""
    add("cancel", _build_cancel, bulk_options(BulkVerb.CANCEL, surface),
        "Cancel waiting jobs; a running one is asked to abort. Of a set: admin.")  # fmt: skip
    add("discard", _build_discard, bulk_options(BulkVerb.DISCARD, surface),
        "Give up on failed or aborted jobs: cancelled, kept until the purge. "
        "Of a set: admin.")  # fmt: skip
    queue = click.Argument(["queue"], required=False)
    day = timedelta(hours=24)
    add(
        "errors",
        actions.ListErrors,
        [
            queue,
            click.Option(["--since"], type=Window(), default=day, help="The span (24h)."),
            click.Option(["--limit"], type=Limit(), default=10, help="At most so many (10)."),
        ],
        "Failures grouped by task, type and message, compared with the span before.",
    )
    add("stuck", actions.ListStuck, [], "Running jobs without a living worker, and long ones.")
    add("workers", actions.ListWorkers, [], "Each worker: where, which queues, what it runs.")
    add("rescue", _build_rescue, _rescue_params(surface),
        "One pass of the rescue now, or these jobs at once if their worker is dead. "
        "A force: admin.")  # fmt: skip
    add(
        "purge",
        actions.PreviewPurge,
        [
            click.Option(
                ["--older-than"], type=Window(), help="Instead of the retention settings: 30d."
            ),
            click.Option(["--include-failed"], is_flag=True, help="With it: failed jobs too."),
            click.Option(["--queue"], help="Only this queue."),
            *_confirm_options(surface),
        ],
        "Delete finished jobs now; by default those the retention settings name.",
    )
    add(
        "audit",
        actions.ShowAudit,
        [
            click.Option(["--actor"], help="Only actors whose id or name contains this."),
            click.Option(
                ["--since"], type=Window(), default=timedelta(days=7), help="The span (7d)."
            ),
            click.Option(["--limit"], type=Limit(), default=50, help="At most so many (50)."),
        ],
        "Who did what, with what outcome, newest first.",
    )
    add(
        "digest",
        actions.ShowDigest,
        [queue, click.Option(["--since"], type=Window(), default=day, help="The span (24h).")],
        "The failure summary of the span that ends now, as a digest sends it.",
    )
    add("doctor", actions.RunDoctor, [], "Is the set-up sound; each finding with its fix.")


def _rescue_params(surface: Surface) -> list[click.Parameter]:
    force = "One job, also when its worker lives: it runs twice if that worker still runs it."
    return [
        click.Argument(["ids"], type=JobIds(), nargs=-1, required=False, metavar="[ID…]"),
        click.Option(["--force"], is_flag=True, help=force),
        *_confirm_options(surface),
    ]


def _build_rescue(*, ids: Sequence[tuple[int, ...]], force: bool) -> Action[Any]:
    if force:
        return actions.PreviewRescue((one_id(ids, "rescue --force"),), force=True)
    if not ids:
        return actions.RescueStalled()
    found = flat_ids(ids, "rescue")
    return actions.RescueJobs(found) if len(found) == 1 else actions.PreviewRescue(found)


def _build_cancel(**values: Any) -> Action[Any]:
    return _build(BulkVerb.CANCEL, actions.CancelJobs, values)


def _build_discard(**values: Any) -> Action[Any]:
    return _build(BulkVerb.DISCARD, actions.DiscardJobs, values)


def _build(
    verb: BulkVerb, single: Callable[[tuple[int, ...]], Action[Any]], values: dict[str, Any]
) -> Action[Any]:
    found = build_set(verb, **values)
    if isinstance(found, tuple):
        if len(found) == 1:
            return single(found)
        found = JobFilter(job_ids=found, statuses=verb.statuses)
    return actions.PreviewBulk(verb, found)
