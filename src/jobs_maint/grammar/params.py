"""The kinds of values that words take; what is wrong is said in a sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from jobs_maint.actions import find_named, read_group_name
from jobs_maint.durations import parse_window
from jobs_maint.errors import InvalidRequest
from jobs_maint.models import LARGEST_LIMIT
from jobs_maint.quoting import in_quotes

__all__ = [
    "MARKS",
    "PART",
    "TASK",
    "BadValue",
    "GroupName",
    "JobIds",
    "Limit",
    "Moment",
    "NotEmpty",
    "Number",
    "Person",
    "Window",
    "WindowOrMoment",
    "coverage_options",
    "flat_ids",
    "no_job_id",
    "one_id",
    "refuse_named",
    "short",
]

MARKS = "`*_~"
"""Bold, code and strike-through, as a chat marks a word."""
LARGEST_ID = 2**63 - 1
MOST_IDS = 500

if TYPE_CHECKING:
    _IdsType = click.ParamType[tuple[int, ...]]
    _SpanType = click.ParamType[Any]
    _NumberType = click.ParamType[int]
    _TextType = click.ParamType[str]
else:  # older releases of click have no generic ParamType
    _IdsType = _SpanType = _NumberType = _TextType = click.ParamType


class BadValue(click.BadParameter):
    """What is wrong with a value; the message names the word that was given it."""

    def __init__(
        self, why: InvalidRequest, param: click.Parameter | None, ctx: click.Context | None
    ) -> None:
        super().__init__(str(why), ctx, param)
        self.why = why


class TooManyWords(InvalidRequest):
    """More than it takes: some may be of the value of an option before them."""


def _whole_number(text: str, largest: int) -> int | None:
    """The number from 1 to `largest` that the ASCII digits spell; None when there is none."""
    digits = text.lstrip("0")
    number = int(digits) if digits and len(digits) <= len(str(largest)) else 0
    return number if 1 <= number <= largest else None


def _bare_id(text: str) -> str:
    """An id without the marks that a chat shows ids with."""
    return text.strip().strip(MARKS)


class NotEmpty(_TextType):
    """A text that is not empty, as one is of a variable that is not set."""

    name = "text"

    def __init__(self, would: str, write: str) -> None:
        self._told = f"is empty, which would match {would}; write {write}, or leave it out"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002  click's
        if not str(value).strip():
            raise InvalidRequest(f"{param.opts[0] if param is not None else 'it'} {self._told}")
        return value


class Person(NotEmpty):
    """A part of a name or an id, or a mention in Slack."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(str(value).lstrip("@"), param, ctx)


PART = NotEmpty("everything", "a part of what it should match")
TASK = click.Option(
    ["--task"],
    type=PART,
    help="Only tasks whose name contains this; with * or ? it must match the whole name.",
)
NAME_GLOB = NotEmpty("nothing", "a name, with * and ? if you like")


def refuse_named(text: str, wanted: str, *, again: str | None = None) -> None:
    """Raise InvalidRequest where the text is the name of a group of errors or of an incident.

    `again`: the words that take the name of a group, where the ones that show it are not meant.
    """
    if (named := find_named(_bare_id(text))) is None:
        return
    line = f"{again} {named.group}" if again is not None and named.group else named.line
    raise InvalidRequest(
        f"{in_quotes(text)} is the name of {named.what}, not {wanted}",
        f"; did you mean '{line}'?",
        suggestion=line,
    )


class GroupName(_TextType):
    """`E-4f2a`, however it was typed."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        name = read_group_name(_bare_id(str(value)))
        if name is None:
            refuse_named(str(value), "a group of errors")
            why = (
                f"{in_quotes(str(value))} is not the name of a group; `errors` shows names such as "
                "E-4f2a"
            )
            raise BadValue(InvalidRequest(why, leads_to="errors"), param, ctx)
        return name


class JobIds(_IdsType):
    """One word of ids: `12`, `#12` or `12,13,14`."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        ids = []
        for part in str(value).split(","):
            text = _bare_id(part).removeprefix("#")
            if not text:
                continue
            if not re.fullmatch(r"[0-9]+", text):
                refuse_named(part, "a job id")
                self.fail(no_job_id(part), param, ctx)
            job_id = _whole_number(text, LARGEST_ID)
            if job_id is None:
                self.fail(
                    f"{short(part)} is not a possible job id; ids go from 1 to {LARGEST_ID}",
                    param,
                    ctx,
                )
            ids.append(job_id)
        return tuple(ids)


def no_job_id(text: str) -> str:
    return f"{in_quotes(text)} is not a job id; ids are whole numbers such as 4711"


class Window(_SpanType):
    """A span that looks back: `24h`, `7d`."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return parse_window(value) if isinstance(value, str) else value
        except InvalidRequest as exc:
            raise BadValue(exc, param, ctx) from None


EARLIEST_YEAR = 1970
"""A span that ends then begins within the years that a datetime holds, however long it is."""


class Moment(_SpanType):
    """A time in UTC: `2026-03-29T06:00Z`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        try:
            found = datetime.fromisoformat(text)
            utc = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(
                f"{in_quotes(text)} is not a time; write one in UTC such as 2026-03-29T06:00Z",
                param,
                ctx,
            )
        if utc.year < EARLIEST_YEAR:
            self.fail(
                f"{in_quotes(text)} is before {EARLIEST_YEAR}, and so is every job", param, ctx
            )
        return utc


class WindowOrMoment(_SpanType):
    """`24h`, or `2026-03-29T06:00Z`."""

    name = "span|time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value).strip()
        is_time = "-" in text[1:]
        is_span = re.match("-?[0-9]", text) and ":" not in text
        if isinstance(value, str) and not (is_time or is_span):
            self.fail(
                f"{in_quotes(text)} is neither a span nor a time; write a span such as 24h, or a "
                "time in UTC such as 2026-03-29T06:00Z",
                param,
                ctx,
            )
        return (Moment() if is_time else Window()).convert(value, param, ctx)


class Limit(_NumberType):
    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value)
        limit = _whole_number(text, LARGEST_LIMIT) if re.fullmatch(r"[0-9]+", text) else None
        if limit is None:
            self.fail(
                f"{in_quotes(text)} is not a limit; write a number from 1 to {LARGEST_LIMIT}",
                param,
                ctx,
            )
        return limit


def coverage_options() -> tuple[click.Option, ...]:
    """`--queues` and `--tasks`, as a digest names what it covers; None where not given."""

    def none(_ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> Any:
        return value or None

    return tuple(
        click.Option(
            [f"--{noun}s"],
            multiple=True,
            type=NAME_GLOB,
            callback=none,
            help=f"Only {noun}s whose whole name is like this, with * and ?; may be repeated.",
        )
        for noun in ("queue", "task")
    )


def one_id(ids: Sequence[tuple[int, ...]], word: str) -> int:
    flat = [job_id for word_ids in ids for job_id in word_ids]
    if len(flat) != 1:
        raise InvalidRequest(f"{word} takes one job id, {len(flat)} were given; e.g. {word} 4711")
    return flat[0]


class Number(_NumberType):
    """The id of an audit entry."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = _bare_id(str(value)).removeprefix("#")
        number = _whole_number(text, LARGEST_ID) if re.fullmatch(r"[0-9]+", text) else None
        if number is None:
            why = f"{in_quotes(text)} is not the id of a request; `audit` lists them"
            raise BadValue(InvalidRequest(why, leads_to="audit"), param, ctx)
        return number


def flat_ids(ids: Sequence[tuple[int, ...]], word: str, instead: str) -> tuple[int, ...]:
    """One or more ids, each once, in the order given. `instead`: what else the word takes."""
    flat = tuple(dict.fromkeys(job_id for word_ids in ids for job_id in word_ids))
    if not flat:
        raise InvalidRequest(f"{word} takes job ids, or {instead}; e.g. {word} 4711")
    if len(flat) > MOST_IDS:
        raise InvalidRequest(
            f"{word} takes at most {MOST_IDS} job ids at once, {len(flat):,} were given"
        )
    return flat


def short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
