"""Words → `Action`: one click group for the shell and for Slack.

Parsing never exits, prints, prompts, or reads the environment or files; what is wrong with the
words is raised as InvalidRequest. Help texts come from here and from nowhere else.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import click

from jobs_maint import actions
from jobs_maint.actions import Action, Actor, Role, quote_word
from jobs_maint.durations import parse_window
from jobs_maint.errors import InvalidRequest
from jobs_maint.models import HelpReport, HelpWord

__all__ = ["Request", "build_grammar", "build_help", "parse_words", "split_text"]

Surface = Literal["shell", "slack"]
LARGEST_ID = 2**63 - 1
LARGEST_LIMIT = 1000
MOST_IDS = 500
_HELP_OPTIONS = {"--help", "-h"}


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, and how the answer is wanted."""

    action: Action
    as_json: bool = False
    private: bool = False


if TYPE_CHECKING:
    _IdsType = click.ParamType[tuple[int, ...]]
    _SpanType = click.ParamType[Any]
    _NumberType = click.ParamType[int]
else:  # older releases of click have no generic ParamType
    _IdsType = _SpanType = _NumberType = click.ParamType


def _whole_number(text: str, largest: int) -> int | None:
    """The number from 1 to `largest` that the ASCII digits spell; None when there is none."""
    digits = text.lstrip("0")
    number = int(digits) if digits and len(digits) <= len(str(largest)) else 0
    return number if 1 <= number <= largest else None


class _JobIds(_IdsType):
    """One word of ids: `12`, `#12` or `12,13,14`."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        ids = []
        for part in str(value).split(","):
            text = part.strip().removeprefix("#")
            if not text:
                continue
            if not re.fullmatch(r"[0-9]+", text):
                self.fail(_no_job_id(part), param, ctx)
            job_id = _whole_number(text, LARGEST_ID)
            if job_id is None:
                self.fail(
                    f"{_short(part)} is no possible job id; ids go from 1 to {LARGEST_ID}",
                    param,
                    ctx,
                )
            ids.append(job_id)
        return tuple(ids)


def _no_job_id(text: str) -> str:
    return f"{_short(text)!r} is not a job id; ids are whole numbers such as 4711"


class _Window(_SpanType):
    """A span that looks back: `24h`, `7d`."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return parse_window(value) if isinstance(value, str) else value
        except InvalidRequest as exc:
            self.fail(str(exc), param, ctx)


class _Limit(_NumberType):
    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value)
        limit = _whole_number(text, LARGEST_LIMIT) if re.fullmatch(r"[0-9]+", text) else None
        if limit is None:
            self.fail(
                f"{_short(text)!r} is not a limit; write a number from 1 to {LARGEST_LIMIT}",
                param,
                ctx,
            )
        return limit


def _one_id(ids: Sequence[tuple[int, ...]], word: str) -> int:
    flat = [job_id for word_ids in ids for job_id in word_ids]
    if len(flat) != 1:
        raise InvalidRequest(f"{word} takes one job id, {len(flat)} were given; e.g. {word} 4711")
    return flat[0]


def build_grammar(surface: Surface) -> click.Group:
    """The click group of one surface; the shell's knows more words and options."""
    root = click.Group(name="jobs", invoke_without_command=True, add_help_option=False)

    def add(
        group: click.Group,
        name: str,
        build: Callable[..., Action],
        params: list[click.Parameter],
        summary: str,
    ) -> None:
        about = name if group is root else group.name
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
            **values: Any,
        ) -> Request:
            action = actions.ShowHelp(about) if help else build(**values)
            return Request(action, as_json, private)

        group.add_command(
            click.Command(
                name, params=params, callback=callback, help=summary, add_help_option=False
            )
        )

    queue = click.Argument(["queue"], required=False)
    add(
        root,
        "stats",
        actions.ShowStats,
        [queue],
        "Each queue now: ready, doing, failed, how far it is behind; workers; last maintenance.",
    )
    add(
        root,
        "failed",
        actions.ListFailed,
        [
            queue,
            click.Option(["--task"], help="Only jobs whose task name contains this."),
            click.Option(["--error"], help="Only jobs whose error contains this."),
            click.Option(
                ["--since"], type=_Window(), help="Only failures of this span, such as 24h."
            ),
            click.Option(["--limit"], type=_Limit(), default=20, help="At most so many (20)."),
        ],
        "Failed jobs, newest failure first, each with its error.",
    )
    status = [click.Argument(["ids"], type=_JobIds(), nargs=-1, required=False, metavar="ID")]
    if surface == "shell":
        status_more: list[click.Parameter] = [
            click.Option(
                ["--reveal"], is_flag=True, help="Show arguments and errors unredacted; audited."
            )
        ]
    else:
        status_more = []
    add(
        root,
        "status",
        lambda ids, reveal=False: actions.GetJob(_one_id(ids, "status"), reveal),
        [*status, *status_more],
        "One job: its fields, timeline and every failed attempt.",
    )
    add(
        root,
        "retry",
        _build_retry,
        [
            click.Argument(["ids"], type=_JobIds(), nargs=-1, required=False, metavar="ID..."),
            click.Option(
                ["--reset-attempts"],
                is_flag=True,
                help="Count attempts from 0 again, so that automatic retries start over.",
            ),
        ],
        "Put failed, cancelled or aborted jobs back; they run now.",
    )
    add(
        root,
        "help",
        actions.ShowHelp,
        [click.Argument(["about"], required=False, metavar="WORD")],
        "What you may do, and whom to ask for the rest.",
    )
    if surface == "shell":
        schema = click.Group(
            "schema",
            invoke_without_command=True,
            add_help_option=False,
            help="Our tables and indexes: apply, status, sql.",
        )
        add(
            schema,
            "apply",
            actions.ApplySchema,
            [],
            "Create or update the tables; safe to repeat, also by several at once.",
        )
        add(schema, "status", actions.CheckSchema, [], "Show what apply would do; changes nothing.")
        add(schema, "sql", actions.ShowSchemaSql, [], "Print the SQL that apply would run.")
        root.add_command(schema)
    return root


def _build_retry(ids: Sequence[tuple[int, ...]], *, reset_attempts: bool) -> Action:
    flat = tuple(dict.fromkeys(job_id for word_ids in ids for job_id in word_ids))
    if not flat:
        raise InvalidRequest("retry takes one or more job ids; e.g. retry 4711 or retry 4711 4712")
    if len(flat) > MOST_IDS:
        raise InvalidRequest(
            f"retry takes at most {MOST_IDS} job ids at once, {len(flat)} were given"
        )
    return actions.RetryJobs(flat, reset_attempts)


def parse_words(words: Sequence[str], surface: Surface) -> Request:
    """Words after the command's name → request; raises InvalidRequest, with a suggestion."""
    root = build_grammar(surface)
    words = [str(word) for word in words]
    if any("\0" in word for word in words):
        raise InvalidRequest("the words contain a NUL character; nothing was done")
    group, path = root, []
    rest = list(words)
    if rest and rest[0] in _HELP_OPTIONS:
        rest[0] = "help"
    while rest and isinstance(command := group.commands.get(rest[0]), click.Group):
        path.append(rest.pop(0))
        group = command
    if not rest:
        if not path:
            return Request(actions.ShowHelp())
        raise InvalidRequest(f"{' '.join(path)} takes one of: {', '.join(group.commands)}")
    if path and rest[0] in _HELP_OPTIONS:
        return Request(actions.ShowHelp(path[0]))
    if rest[0] not in group.commands:
        raise _unknown_word(rest, path, group)
    command = group.commands[rest[0]]
    path.append(rest.pop(0))
    try:
        with command.make_context(" ".join(path), list(rest), auto_envvar_prefix=None) as context:
            return command.invoke(context)  # type: ignore[no-any-return]
    except click.NoSuchOption as exc:
        raise _unknown_option(exc.option_name, path, rest, command) from None
    except click.UsageError as exc:
        raise InvalidRequest(_sentence(exc, path, command)) from None


def _unknown_word(rest: list[str], path: list[str], group: click.Group) -> InvalidRequest:
    if rest[0].startswith("-") and len(rest) > 1 and rest[1] in group.commands:
        suggestion = _line([*path, *rest[1:], rest[0]])
        return InvalidRequest(
            f"options come after the word; did you mean {_short(suggestion)!r}?",
            suggestion=suggestion,
        )
    close = difflib.get_close_matches(rest[0].lower()[:60], list(group.commands), n=1)
    full = " ".join([*path, rest[0]])
    if not close:
        return InvalidRequest(f"{_short(full)!r} is no word of this tool; see help")
    suggestion = _line([*path, close[0], *rest[1:]])
    return InvalidRequest(
        f"{_short(full)!r} is no word of this tool; did you mean {_short(suggestion)!r}?",
        suggestion=suggestion,
    )


def _unknown_option(
    option: str, path: list[str], rest: list[str], command: click.Command
) -> InvalidRequest:
    known = [
        name for param in command.params if isinstance(param, click.Option) for name in param.opts
    ]
    word = " ".join(path)
    if any(isinstance(param.type, _JobIds) for param in command.params) and (
        number := next((part for part in rest if re.fullmatch(r"-[0-9]+", part)), None)
    ):
        return InvalidRequest(f"{word}: {_no_job_id(number)}")
    close = difflib.get_close_matches(option[:60], known, n=1, cutoff=0.7)
    if not close:
        return InvalidRequest(f"{word} has no option {_short(option)}; see help {path[0]}")
    fixed = [re.sub(rf"^{re.escape(option)}(?==|$)", close[0], part) for part in rest]
    return InvalidRequest(
        f"{word} has no option {_short(option)}; did you mean {close[0]}?",
        suggestion=_line([*path, *fixed]),
    )


def _line(words: Sequence[str]) -> str:
    return " ".join(quote_word(word) for word in words)


def _sentence(exc: click.UsageError, path: list[str], command: click.Command) -> str:
    word = " ".join(path)
    text = exc.message.rstrip(".")
    if isinstance(exc, click.BadOptionUsage):
        return f"{word}: {text[:1].lower()}{text[1:]}; see help {path[0]}"
    if isinstance(exc, click.MissingParameter):
        missing = exc.param.human_readable_name if exc.param else "more"
        return f"{word} needs {missing}; see help {path[0]}"
    if isinstance(exc, click.BadParameter):
        return f"{word}: {text}"
    places = sum(isinstance(param, click.Argument) for param in command.params)
    if extra := re.search(r"unexpected extra arguments? \((.*)\)", exc.message, re.DOTALL):
        takes = "takes one word" if places else "takes no words"
        return f"{word} {takes}; {_short(extra[1])!r} is too much; see help {path[0]}"
    return f"{word}: {text}; see help {path[0]}"


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


_QUOTES = {"'": "'", '"': '"'}


def split_text(text: str) -> list[str]:
    """One line of text → words. Quotes group; an unpaired quote, as in `can't`, is text."""
    words: list[str] = []
    current: list[str] = []
    started = False
    i = 0
    while i < len(text):
        char = text[i]
        if char.isspace():
            if started:
                words.append("".join(current))
                current, started = [], False
        elif char in _QUOTES and (not current or current[-1] == "=") and (end := _closing(text, i)):
            current.append(text[i + 1 : end])
            started = True
            i = end
        else:
            current.append(char)
            started = True
        i += 1
    if started:
        words.append("".join(current))
    return words


def _closing(text: str, start: int) -> int | None:
    """The index of the quote that closes the one at `start`: followed by space or the end."""
    end = text.find(text[start], start + 1)
    while end != -1:
        if end + 1 == len(text) or text[end + 1].isspace():
            return end
        end = text.find(text[start], end + 1)
    return None


_ROLES: dict[str, Role | None] = {
    "stats": actions.ShowStats.role,
    "failed": actions.ListFailed.role,
    "status": actions.GetJob.role,
    "retry": actions.RetryJobs.role,
    "help": None,
    "schema": actions.ApplySchema.role,
}


def build_help(actor: Actor, surface: Surface, about: str | None = None) -> HelpReport:
    """The words this actor may use, and those it may not with the role they need."""
    root = build_grammar(surface)
    if about is not None and about not in root.commands:
        raise _unknown_word([about], [], root)
    words = []
    for name, command in root.commands.items():
        needs = _ROLES[name]
        allowed = needs is None or actor.scope(needs) is not None
        words.append(HelpWord(name, _usage(command), command.help or "", needs, allowed))
    text = None
    if about is not None:
        command = root.commands[about]
        lines = [f"{_usage(command)}", command.help or ""]
        if isinstance(command, click.Group):
            lines += [f"  {about} {sub.name}: {sub.help}" for sub in command.commands.values()]
        lines += [
            f"  {_option(param)}: {param.help}"
            for param in command.params
            if isinstance(param, click.Option)
        ]
        text = "\n".join(lines)
    return HelpReport(actor.role, tuple(words), about, text)


def _option(param: click.Option) -> str:
    value = "" if param.is_flag else f" {param.type.name.upper()}"
    return f"{param.opts[0]}{value}"


def _usage(command: click.Command) -> str:
    if isinstance(command, click.Group):
        return f"{command.name} {'|'.join(command.commands)}"
    parts = [command.name or ""]
    for param in command.params:
        if isinstance(param, click.Argument):
            name = (param.metavar or param.name or "").upper().replace("...", "…")
            parts.append(name if param.name == "ids" else f"[{name}]")
    hidden = {"--help", "--json", "--private"}
    parts += [
        f"[{_option(param)}]"
        for param in command.params
        if isinstance(param, click.Option) and param.opts[0] not in hidden
    ]
    return " ".join(parts)
