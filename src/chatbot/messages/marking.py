"""A message whose button was used: in the button's place stands who used it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from chatbot.messages.message import Block, Message
from chatbot.messages.packer import MOST_BLOCKS
from chatbot.messages.parts import Line, context, when
from chatbot.messages.people import name_actor
from jobs_maint.models import BulkReport
from jobs_maint.verbs import find_verb

__all__ = ["join", "mark_done", "tell_who", "tell_who_ran"]


def tell_who(verb: str, by: str, at: datetime, *, put_back: bool = False) -> Line:
    """`Retried by @ana 14:02`."""
    done = "put back" if put_back else find_verb(verb).done
    return [f"{done.capitalize()} by ", name_actor(by), " ", when(at, at)]


def tell_who_ran(report: BulkReport, by: str, at: datetime, *, put_back: bool = False) -> Line:
    """`50,000 put back by @ana 14:02`: of several jobs how many, as more may be left."""
    line = tell_who(report.verb, by, at, put_back=put_back)
    if report.done == report.requested == 1:
        return line
    of_all = f" of {report.requested:,}" if report.done < report.requested else ""
    number = f"{report.done:,}{of_all} {str(line[0]).lower()}"
    return [number, *line[1:], ", then stopped" * report.stopped]


def join(lines: Sequence[Line]) -> Line:
    return [span for i, line in enumerate(lines) for span in ([" · "] if i else []) + [*line]]


def mark_done(message: Message, marks: Mapping[str, Line]) -> Message:
    """Each button that runs one of the words is replaced; the same message where there is none.

    The other buttons of its row stay, as long as there is room for both.
    """
    blocks: list[Block] = []
    told: list[str] = []
    for block in message.blocks:
        used = [element["value"] for element in block.get("elements", ()) if _runs(element, marks)]
        if block.get("type") != "actions" or not used:
            blocks.append(block)
            continue
        for words in dict.fromkeys(used):
            note = context(marks[words])
            told.append(note.text)
            blocks += note.blocks
        left = [element for element in block["elements"] if not _runs(element, marks)]
        if left and len(message.blocks) + len(told) <= MOST_BLOCKS + 3:
            blocks.append({**block, "elements": left})
    if not told:
        return message
    text = "\n".join([message.text, *dict.fromkeys(told)])
    return replace(message, text=text, blocks=blocks)


def _runs(element: Block, marks: Mapping[str, Line]) -> bool:
    name = str(element.get("action_id", ""))
    return name.startswith("jobs_run:") and element.get("value") in marks
