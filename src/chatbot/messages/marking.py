"""A message whose button was used: there stands who used it, and the button only for the rest."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chatbot.messages.message import Block, Message
from chatbot.messages.packer import MOST_BLOCKS
from chatbot.messages.parts import Line, context, when
from chatbot.messages.people import name_actor
from chatbot.messages.words import count
from jobs_maint.models import BulkReport
from jobs_maint.verbs import find_verb

__all__ = ["Mark", "find_button_ids", "mark_done", "tell_part", "tell_who", "tell_who_ran"]

MOST_TOLD = 3
"""In the place of one button."""

_RUNS = "jobs_run:"
_NUMBER = re.compile(r"(Put |Retry |Rescue |Preview retry of )(\d[\d,]*)( jobs?\b)?")
_REST = {"Put them back": "Put the rest back", "Preview retry": "Preview the rest"}


@dataclass(frozen=True, slots=True)
class Mark:
    """Who ran the words of a button, and how many jobs were `done` by that.

    `left`: how many of those that the button names can be left; None: not known to who ran it.
    """

    told: tuple[Line, ...]
    done: int = 0
    left: int | None = 0

    def after(self, before: Mark | None) -> Mark:
        """This one beside what others had done before."""
        if before is None:
            return self
        return replace(
            self, told=(*before.told, *self.told)[-MOST_TOLD:], done=before.done + self.done
        )


def tell_who(verb: str, by: str, at: datetime, *, put_back: bool = False) -> Line:
    """`Retried by @ana 14:02`."""
    done = "put back" if put_back else find_verb(verb).done
    return [f"{done.capitalize()} by ", name_actor(by), " ", when(at, at)]


def tell_who_ran(report: BulkReport, by: str, at: datetime, *, put_back: bool = False) -> Line:
    """`50,000 put back by @ana 14:02`."""
    line = tell_who(report.verb, by, at, put_back=put_back)
    told = tell_part(line, report.done, report.requested)
    return [*told, ", then stopped" * report.stopped]


def tell_part(line: Line, done: int, requested: int) -> Line:
    """`2 of 3 retried by @ana 14:02`: of several jobs how many, as more may be left."""
    if done == requested == 1:
        return line
    of_all = f" of {requested:,}" if done < requested else ""
    return [f"{done:,}{of_all} {str(line[0]).lower()}", *line[1:]]


def mark_done(message: Message, marks: Mapping[str, Mark]) -> Message:
    """Who ran the words of a button stands there; the same message where there is no such button.

    A button of which all was done goes, else it is left for the rest. The other buttons of its row
    stay, as long as there is room for both.
    """
    blocks: list[Block] = []
    told: list[str] = []
    for block in message.blocks:
        used = [element["value"] for element in block.get("elements", ()) if _runs(element, marks)]
        if block.get("type") != "actions" or not used:
            blocks.append(block)
            continue
        for words in dict.fromkeys(used):
            note = context(_join(marks[words].told))
            told.append(note.text)
            blocks += note.blocks
        left = [rest for element in block["elements"] if (rest := _leave(element, marks))]
        if left and len(message.blocks) + len(told) <= MOST_BLOCKS + 3:
            blocks.append({**block, "elements": left})
    if not told:
        return message
    text = "\n".join([message.text, *dict.fromkeys(told)])
    return replace(message, text=text, blocks=blocks)


def find_button_ids(message: Message, words: str) -> list[str]:
    """The ids of the buttons that run these words; one that is left for the rest has another."""
    return [
        str(element["action_id"])
        for block in message.blocks
        for element in block.get("elements", ())
        if _runs(element, (words,))
    ]


def _leave(button: Block, marks: Mapping[str, Mark]) -> Block | None:
    """The button as it is; one that was used with the number that is left, if any is."""
    if not _runs(button, marks):
        return button
    mark = marks[button["value"]]
    label, left = str(button["text"]["text"]), mark.left
    if named := _NUMBER.match(label):
        rest = max(int(named[2].replace(",", "")) - mark.done, 0)
        left = rest if left is None else min(rest, left)
        number = count(left, "job") if named[3] else f"{left:,}"
        label = f"{named[1]}{number}{label[named.end() :]}"
    if left == 0:
        return None
    label = _REST.get(label, label.replace(" of all of ", " of the rest of "))
    action = f"{_RUNS}+{button['action_id'].removeprefix(_RUNS)}"[:255]
    return {**button, "text": {**button["text"], "text": label}, "action_id": action}


def _join(lines: Sequence[Line]) -> Line:
    return [span for i, line in enumerate(lines) for span in ([" · "] if i else []) + [*line]]


def _runs(element: Block, words: Container[str]) -> bool:
    name = str(element.get("action_id", ""))
    return name.startswith(_RUNS) and element.get("value") in words
