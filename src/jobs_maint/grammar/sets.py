"""Jobs named one by one or chosen by filters: options, and the action that they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import click

from jobs_maint import actions
from jobs_maint.actions import Action, BulkVerb, JobFilter, find_named, quote_word
from jobs_maint.durations import format_duration
from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar.params import (
    PART,
    TASK,
    GroupName,
    JobIds,
    Number,
    TooManyWords,
    Window,
    WindowOrMoment,
    coverage_options,
    flat_ids,
    one_id,
    refuse_named,
    short,
)
from jobs_maint.grammar.word import ShellOption
from jobs_maint.quoting import in_quotes
from jobs_maint.spelling import see_help

__all__ = [
    "CONFIRM_OPTIONS",
    "as_dry_run",
    "build_cancel",
    "build_discard",
    "build_purge",
    "build_rescue",
    "build_retry",
    "set_params",
]

_SET_OPTIONS = (
    "queue", "status", "task", "error", "group", "since", "until", "request", "queues",
    "tasks",
)  # fmt: skip


CONFIRM_OPTIONS: tuple[click.Parameter, ...] = (
    # In Slack nothing that is previewed is done unasked.
    ShellOption(["--yes"], is_flag=True, help="Do not ask for confirmation."),
    click.Option(["--dry-run"], is_flag=True, help="Show what would be done; change nothing."),
)


def set_params(verb: BulkVerb) -> tuple[click.Parameter, ...]:
    """`VERB ID…` and `VERB --all [QUEUE] …`: ids and filters of one word."""
    happened = "ended"
    if verb is BulkVerb.CANCEL:
        happened = "were deferred or started"
        choice = click.Option(["--running"], is_flag=True, help="Also ask running jobs to abort.")
    else:
        text = (
            f"Only these statuses: {', '.join(verb.statuses)}; separate several with commas "
            f"(default with --all: {verb.statuses[0]})."
        )
        choice = click.Option(["--status"], help=text)
    return (
        click.Argument(["words"], nargs=-1, required=False, metavar="ID…|--all [QUEUE]"),
        click.Option(["--all", "everything"], is_flag=True, help="All jobs that match."),
        click.Option(["--queue"], help="The queue, for a name that looks like an id or an option."),
        TASK,
        click.Option(["--error"], type=PART, help="Only jobs whose error contains this."),
        click.Option(["--group"], type=GroupName(), help="Only jobs of this group of errors."),
        click.Option(["--since"], type=Window(), help=f"Only jobs that {happened} in this span."),
        click.Option(
            ["--until"],
            type=WindowOrMoment(),
            help=f"Only jobs that {happened} before this span, or up to this time in UTC, such as "
            "2026-03-29T06:00Z: the span of --since then ends there.",
        ),
        click.Option(
            ["--request"],
            type=Number(),
            help="Only jobs that this request changed; its outcome has the number.",
        ),
        choice,
        *coverage_options(),
        *CONFIRM_OPTIONS,
    )


def _read_ids(verb: BulkVerb, words: Sequence[str]) -> tuple[int, ...]:
    """Raises InvalidRequest where they begin with a name: perhaps --all was meant."""
    if words and words[0][:1].isalpha():
        refusal = f"{in_quotes(words[0])} is not a job id"
        if any(word.strip("#,").isdigit() for word in words):
            raise InvalidRequest(refusal, see_help(verb))
        for word in words[words[0].lower() == "all" :][:1]:
            refuse_named(word, "a job id", again=f"{verb} --all --group")
        line = _line_of_all(verb, words)
        raise InvalidRequest(refusal, f"; did you mean '{short(line)}'?", suggestion=line)
    ids = JobIds()
    return flat_ids([ids.convert(word, None, None) for word in words], verb.value, "--all")


def _line_of_all(verb: BulkVerb, words: Sequence[str], options: Sequence[str] = ()) -> str:
    """The words with `--all`, where they name a queue, a state, an error or nothing."""
    meant = words[1:] if words and words[0].lower() == "all" else words[:1]
    told = _name_state(verb, meant[0].lower()) if meant else None
    if meant and (named := find_named(meant[0])) is not None and named.group:
        told = ("--group", named.group)
    parts = [*(meant if told is None else told), *options]
    return " ".join([verb, "--all", *map(quote_word, parts)])


def _build_set(
    verb: BulkVerb, *, words: Sequence[str], everything: bool, **options: Any
) -> JobFilter | tuple[int, ...]:
    """The filter of `--all`, or the ids that were named."""
    running = bool(options.pop("running", False))
    of_ids = {"status"} if verb is BulkVerb.RETRY and words else set()
    given = [one for one in _SET_OPTIONS if options.get(one) is not None and one not in of_ids]
    if not everything:
        if running:
            given.append("running")
        _refuse_mixed(verb, words, given, request=options.get("request") is not None)
        if options.get("request") is None or words:
            return _read_ids(verb, words)
    if words and words[0].lstrip("#").replace(",", "").isdigit():
        raise InvalidRequest(
            f"{verb} takes ids or --all, not both: {in_quotes(words[0])} is an id; a queue of that "
            f"name is --queue {quote_word(words[0])}"
        )
    queues = [*words, *([options["queue"]] if options.get("queue") is not None else [])]
    if len(queues) > 1:
        raise TooManyWords(
            f"{verb} --all takes one queue, not two: {in_quotes(queues[0])} and "
            f"{in_quotes(queues[1])}"
        )
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


def _name_state(verb: BulkVerb, word: str) -> tuple[str, ...] | None:
    """How a set of jobs in this state is asked for; None: the word is no state."""
    if verb is BulkVerb.CANCEL:  # that needs a queue too
        return () if word in {*verb.statuses, "waiting", "running"} else None
    return ("--status", word) if word in verb.statuses else None


def _refuse_mixed(
    verb: BulkVerb, words: Sequence[str], given: Sequence[str], *, request: bool
) -> None:
    """Ids stand alone; other filters need --all or --request."""
    if words and request:
        raise InvalidRequest(
            f"{verb} takes ids or --request, not both: --request chooses among the jobs that the "
            "request changed"
        )
    if given and not request:
        why = f"{verb} --{given[0]} needs --all: it chooses among all jobs, not among ids"
        options: list[str] = list(click.get_current_context().obj)
        if (words and not words[0][:1].isalpha()) or len(words) > 1 or "--" in options:
            raise InvalidRequest(why)
        for word in words:
            if (named := find_named(word)) is not None and not named.group:
                raise InvalidRequest(why)
            options.remove(word)
        line = _line_of_all(verb, words, options)
        raise InvalidRequest(why, f"; did you mean '{short(line)}'?", suggestion=line)


def _refuse_empty_span(asked: actions.PreviewBulk) -> None:
    since, until = asked.filter.since, asked.filter.until
    if since is None or until is None or isinstance(until, datetime) or until < since:
        return
    empty = f"--since {format_duration(since)} --until {format_duration(until)}"
    why = f"{asked.word} {empty} is an empty span: both look back, and --since is the longer one"
    if since == until:
        raise InvalidRequest(why)
    line = replace(asked, filter=replace(asked.filter, since=until, until=since)).words()
    raise InvalidRequest(why, f"; did you mean '{short(line)}'?", suggestion=line)


def _statuses(verb: BulkVerb, text: str | None, *, request: bool) -> tuple[str, ...]:
    if text is None:
        return verb.statuses if request else verb.statuses[:1]
    return _split_statuses(verb.value, text, verb.statuses)


def _split_statuses(word: str, text: str, allowed: Sequence[str]) -> tuple[str, ...]:
    statuses = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    unknown = [status for status in statuses if status not in allowed]
    if unknown:
        raise InvalidRequest(
            f"{word} --status {in_quotes(unknown[0])}: it can be {', '.join(allowed)}"
        )
    return statuses


def build_purge(status: str | None, *, include_failed: bool, **options: Any) -> Action[Any]:
    """`--status` names what `--include-failed` only adds to."""
    if status is not None and include_failed:
        raise InvalidRequest(
            "purge takes --status or --include-failed, not both; --status succeeded,failed means "
            "the same"
        )
    statuses = () if status is None else _split_statuses("purge", status, actions.PURGEABLE)
    return actions.PreviewPurge(statuses=statuses, include_failed=include_failed, **options)


def as_dry_run(action: Action[Any]) -> Action[Any]:
    """What `--dry-run` shows: the preview, of single jobs too."""
    if isinstance(action, actions.RescueStalled):
        raise InvalidRequest(
            "rescue --dry-run needs job ids; `stuck` shows what a rescue without ids would look at",
            suggestion="stuck",
            leads_to="stuck",
        )
    if isinstance(action, actions.RescueJobs):
        return actions.PreviewRescue(action.job_ids, dry_run=True)
    if isinstance(action, actions.RetryJobs | actions.CancelJobs | actions.DiscardJobs):
        verb = BulkVerb(action.word)
        wanted = JobFilter(job_ids=action.job_ids, statuses=verb.statuses)
        if isinstance(action, actions.RetryJobs) and action.statuses:
            wanted = replace(wanted, statuses=action.statuses)
        reset = getattr(action, "reset_attempts", False)
        return actions.PreviewBulk(verb, wanted, reset, dry_run=True)
    if isinstance(action, actions.PreviewBulk | actions.PreviewPurge | actions.PreviewRescue):
        return replace(action, dry_run=True)
    return action


def build_rescue(*, ids: Sequence[tuple[int, ...]], force: bool) -> Action[Any]:
    if force:
        return actions.PreviewRescue((one_id(ids, "rescue --force"),), force=True)
    if not ids:
        return actions.RescueStalled()
    found = flat_ids(ids, "rescue", "none to run one pass")
    return actions.RescueJobs(found) if len(found) == 1 else actions.PreviewRescue(found)


def build_retry(*, reset_attempts: bool, **values: Any) -> Action[Any]:
    return _build(BulkVerb.RETRY, actions.RetryJobs, values, reset_attempts=reset_attempts)


def build_cancel(**values: Any) -> Action[Any]:
    return _build(BulkVerb.CANCEL, actions.CancelJobs, values)


def build_discard(**values: Any) -> Action[Any]:
    return _build(BulkVerb.DISCARD, actions.DiscardJobs, values)


def _build(
    verb: BulkVerb, single: Callable[..., Action[Any]], values: dict[str, Any], **more: Any
) -> Action[Any]:
    status = values.get("status")
    found = _build_set(verb, **values)
    if isinstance(found, tuple):
        only = () if status is None else _split_statuses(verb.value, status, verb.statuses)
        if len(found) == 1:
            return single(found, **more, **({"statuses": only} if only else {}))
        found = JobFilter(job_ids=found, statuses=only or verb.statuses)
    asked = actions.PreviewBulk(verb, found, **more)
    _refuse_empty_span(asked)
    return asked
