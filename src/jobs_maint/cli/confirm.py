"""Preview, ask, act: what touches more than one job is shown before it is done.

While a person thinks, no connection is held: the set is frozen in the database for ten minutes.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from jobs_maint.actions import (
    Action,
    Actor,
    ConfirmSelection,
    DropSchema,
    PreviewBulk,
    PreviewRescue,
)
from jobs_maint.cli import run
from jobs_maint.cli.outcome import NONE_DONE, find_exit_code
from jobs_maint.cli.output import find_width, is_styled, is_terminal
from jobs_maint.cli.progress import ProgressLine
from jobs_maint.errors import InvalidRequest, JobsMaintError
from jobs_maint.interrupts import Interrupted, find_code
from jobs_maint.models import BulkReport, Preview, SchemaDropReport
from jobs_maint.perform import Watch
from jobs_maint.render import count_noun, render_question, render_text, say_counts
from jobs_maint.settings import MaintSettings
from jobs_maint.verbs import VERBS

if TYPE_CHECKING:
    from jobs_maint.grammar import Command

__all__ = ["confirm", "confirm_drop", "confirm_shown"]

UNCHANGED = "Nothing was changed."
DROP_QUESTION = "Remove all of this?"
NOTHING_YET = "interrupted; nothing was changed"
AT_ONCE = {signal.SIGINT: "Ctrl-C again", signal.SIGTERM: "SIGTERM again", signal.SIGHUP: "SIGTERM"}
"""What ends a set at once, after the signal that stops it between two batches."""
DROPPED_SOME = (
    "interrupted; some of it may be removed already: run the same command again for the rest"
)


def confirm(actor: Actor, command: Command) -> tuple[Any, int]:
    """Freeze the set, show it, ask where that is wanted, act; the answer and its exit code.

    Without a terminal to ask on, and without --yes or --dry-run, raises InvalidRequest before the
    database is asked anything.
    """
    stream = None if command.yes or command.dry_run else _find_terminal(command)
    with _nothing_yet(stream):
        preview: Preview = run.perform_action(actor, command.action)
        if command.dry_run:
            return preview, 0
        if preview.key is None:
            return preview, NONE_DONE if _is_named(command.action) else 0
        if stream is not None:
            if not preview.expected:
                return preview, NONE_DONE
            if not _ask(preview, stream):
                return UNCHANGED, 0
    return _act(actor, preview, preview.key, as_json=command.as_json)


def confirm_shown(actor: Actor, command: Command, preview: Preview) -> tuple[Any, int]:
    """Ask about an act that began without a question and turned out to need one.

    Without a terminal to ask on, and without --yes, raises InvalidRequest with what must be known.
    """
    if preview.key is None:
        return preview, NONE_DONE
    if not command.yes:
        try:
            stream = _find_terminal(command)
        except InvalidRequest as exc:
            raise InvalidRequest(f"{' '.join(preview.warnings)} So {exc}") from exc
        with _nothing_yet(stream):
            if not _ask(preview, stream):
                return UNCHANGED, 0
    return _act(actor, preview, preview.key, as_json=command.as_json)


def confirm_drop(actor: Actor, command: Command) -> tuple[Any, int]:
    """Show what `schema drop` would take away, ask, take it away; the answer and its exit code."""
    stream = None if command.yes or command.dry_run else _find_terminal(command)
    with _nothing_yet(stream):
        found: SchemaDropReport = run.perform_action(actor, command.action)
        if command.dry_run or found.empty:
            return found, 0
        if stream is not None:
            if found.in_use_by or found.dependents:
                return found, NONE_DONE
            if not _ask_about(found, DROP_QUESTION, stream):
                return UNCHANGED, 0
    try:
        report = run.perform_action(actor, DropSchema())
    except KeyboardInterrupt:
        raise KeyboardInterrupt(DROPPED_SOME) from None
    return report, find_exit_code(report)


@contextmanager
def _nothing_yet(stream: TextIO | None) -> Iterator[None]:
    """Ctrl-C before the act, at the question too."""
    try:
        yield
    except KeyboardInterrupt:
        if stream is not None:
            stream.write("\n")
        raise KeyboardInterrupt(NOTHING_YET) from None


def _is_named(action: Action[Any]) -> bool:
    """Whether the jobs were named one by one, so that none found is not simply nothing to do."""
    if isinstance(action, PreviewBulk):
        return action.filter.job_ids is not None
    return isinstance(action, PreviewRescue)


def _find_terminal(command: Command) -> TextIO:
    """Where to ask: the preview and the prompt must be seen, and the answer typed."""
    word = command.action.word
    options = "use --yes to skip it, or --dry-run to see what it would do"
    if command.as_json:
        raise InvalidRequest(f"{word} needs confirmation, which --json cannot ask for; {options}")
    if is_terminal(sys.stdin):
        for stream in (sys.stdout, sys.stderr):
            if is_terminal(stream):
                return stream
    raise InvalidRequest(f"{word} needs confirmation, but there is no terminal; {options}")


def _ask(preview: Preview, stream: TextIO) -> bool:
    return _ask_about(preview, render_question(preview), stream)


def _ask_about(shown: object, question: str, stream: TextIO) -> bool:
    text = render_text(shown, width=find_width(stream), styled=is_styled(stream))
    environment = MaintSettings.load().environment
    where = f"[{environment}] " if environment else ""
    stream.write(f"{text}\n\n{where}{question} [y/N] ")
    stream.flush()
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")
    line = sys.stdin.readline()
    if not line.endswith("\n"):  # Ctrl-D, or the terminal went away
        stream.write("\n")
    stream.flush()
    return line.strip().lower() in {"y", "yes"}


def _act(actor: Actor, preview: Preview, key: str, *, as_json: bool) -> tuple[Any, int]:
    stopped_by: list[int] = []

    def on_stop(number: int) -> None:
        stopped_by.append(number)
        if not as_json:
            how = AT_ONCE[signal.Signals(number)]
            line.say(f"Stopping after this batch; {how} ends at once.")

    title = f"{VERBS[preview.verb].doing} {count_noun(preview.count, 'job')}"
    line = ProgressLine(title, preview.count)
    watch = Watch(line.update)
    with line, _say_how_far(watch, preview):
        report = run.perform_action(actor, ConfirmSelection(key), watch=watch, on_stop=on_stop)
    stopped = report.stopped if isinstance(report, BulkReport) else not report.finished
    if stopped_by and stopped:
        return report, run.find_signal_code(stopped_by[0])
    return report, find_exit_code(report)


@contextmanager
def _say_how_far(watch: Watch, preview: Preview) -> Iterator[None]:
    """What breaks the act off says what was done, and how to go on or back."""
    try:
        yield
    except (Exception, KeyboardInterrupt) as exc:
        if not watch.so_far.done and watch.certain:
            if isinstance(exc, KeyboardInterrupt):
                raise Interrupted(NOTHING_YET, find_code(exc)) from None
            raise
        far, then = _tell_far(watch, preview)
        if isinstance(exc, KeyboardInterrupt):
            raise Interrupted(f"interrupted; {far}. {then}", find_code(exc)) from None
        far = f"{far[:1].upper()}{far[1:]}."
        if isinstance(exc, JobsMaintError):
            why = str(exc).rstrip(".")
            raise type(exc)(f"{far} Then: {why}. {then}") from exc
        exc.add_note(f"{far} {then}")
        raise


def _tell_far(watch: Watch, preview: Preview) -> tuple[str, str]:
    """How far it came, and what to do now."""
    so_far = watch.so_far
    about = "" if watch.certain else "about "
    far = f"{about}{so_far.done:,} of {count_noun(preview.count, 'job')} had been processed"
    counted = say_counts(preview.verb, so_far.counts, skips=so_far.skips, failures=so_far.failures)
    if counted:
        far += f": {about}{counted}"
    is_all = watch.certain and so_far.done >= preview.count  # broken off while it was written down
    then = f"Completed work is kept{'' if is_all else '; run the same command again for the rest'}."
    if VERBS[preview.verb].can_undo and so_far.counts.get("done"):
        then += f" Undo: jobs-maint retry --request {watch.audit_id}"
    return far, then
