"""Where a message comes from: the environment for people, a mark of the database for the bot.

Put on everything at the one place where it leaves, so that no message can lack it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chatbot.messages.message import Block, Message
from chatbot.messages.words import cut

__all__ = ["ORIGIN", "Stamp", "read_key", "read_origin", "read_reach"]

ORIGIN = "jobs-"
"""How the ids of our blocks with buttons begin; the mark of the database follows."""
REACH = "~"
"""What follows it is the mark of the queues that the message may show."""
MOST_KEPT = 100
_KEY = re.compile(rf"{ORIGIN}[^~]*\.([0-9a-f]{{12}})")


@dataclass(slots=True)
class Stamp:
    """`environment`: JOBS_ENVIRONMENT; `database`: the mark, empty until it is known.

    `kept`: the last private messages with buttons, by their key; a click does not bring them along.
    """

    environment: str = ""
    database: str = ""
    kept: OrderedDict[str, Message] = field(default_factory=OrderedDict)

    def mark(self, message: Message, *, private: bool = False) -> Message:
        if private and any(block.get("type") == "actions" for block in message.blocks):
            message = self._keep(message)
        blocks = self._mark_blocks(message.blocks, message.reach, message.key)
        mark = f"[{self.environment}] " if self.environment else ""
        text = message.text if message.text.startswith(mark) else f"{mark}{message.text}"
        return replace(message, text=text, blocks=blocks)

    def _keep(self, message: Message) -> Message:
        message = replace(message, key=message.key or secrets.token_hex(6))
        self.kept.pop(message.key, None)
        self.kept[message.key] = message
        if len(self.kept) > MOST_KEPT:
            self.kept.popitem(last=False)
        return message

    def mark_view(self, view: Mapping[str, Any]) -> dict[str, Any]:
        marked = {**view, "blocks": self._mark_blocks(view.get("blocks") or [])}
        if self.database and "private_metadata" in view:
            notes = json.loads(view["private_metadata"])
            marked["private_metadata"] = json.dumps({**notes, "origin": self.database})
        return marked

    def _mark_blocks(self, blocks: list[Block], reach: str = "", key: str = "") -> list[Block]:
        tail = (f".{key}" if key else "") + (f"{REACH}{reach}" if reach else "")
        marked = [self._mark_block(block, f"{i}{tail}") for i, block in enumerate(blocks)]
        if not self.environment or not marked:
            return marked
        name = {"type": "mrkdwn", "text": f"*{self.environment}*"}
        if [element.get("text") for element in marked[0].get("elements", ())] == [name["text"]]:
            return marked  # a message of ours that is edited
        return [{"type": "context", "elements": [name]}, *marked]

    def _mark_block(self, block: Block, place: str) -> Block:
        if "child_blocks" in block:
            inner = enumerate(block["child_blocks"])
            children = [self._mark_block(child, f"{place}-{i}") for i, child in inner]
            block = {**block, "child_blocks": children}
        if block.get("type") != "actions" and "accessory" not in block:
            return block
        marked = dict(block)
        if self.database:
            marked["block_id"] = f"{ORIGIN}{self.database}-{place}"
        if self.environment and "elements" in block:
            marked["elements"] = [self._name(element) for element in block["elements"]]
        if self.environment and "accessory" in block:
            marked["accessory"] = self._name(block["accessory"])
        return marked

    def _name(self, button: Block) -> Block:
        """Where a click changes jobs, the button itself and its dialog say where."""
        named = dict(button)
        if str(button.get("action_id", "")).startswith("jobs_confirm"):
            named["text"] = self._add(button["text"], 75)
        if "confirm" in button:
            dialog = button["confirm"]
            named["confirm"] = {
                **dialog,
                "title": self._add(dialog["title"], 100),
                "confirm": self._add(dialog["confirm"], 30),
            }
        return named

    def _add(self, text: Block, most: int) -> Block:
        tail = f" ({self.environment})"
        if text["text"].endswith(tail):
            return text
        return {**text, "text": cut(text["text"], most - len(tail)) + tail}


def read_origin(block_id: object) -> str:
    """The mark of the database whose bot made this block; empty where there is none."""
    text = str(block_id or "")
    return text.removeprefix(ORIGIN).partition("-")[0] if text.startswith(ORIGIN) else ""


def read_reach(block_id: object) -> str:
    """The mark of the queues that the message may show; empty for all, and where there is none."""
    text = str(block_id or "")
    return text.partition(REACH)[2] if text.startswith(ORIGIN) else ""


def read_key(block_id: object) -> str:
    """The key of a private message; empty where it has none."""
    found = _KEY.match(str(block_id or ""))
    return found[1] if found else ""
