"""The conversation as text: what people type, what the bot answers, who sees it."""

from __future__ import annotations

import asyncio
import re
import shutil
import textwrap
from typing import Any

from demo.stage import ADA, ANA, AUDIT, OPS, VIC
from local_slack import CommandResult, ControlError, LocalSlackControl, SeenView, as_text
from local_slack.blocks import iterate_elements

NAMES = {ANA: "ana", VIC: "vic", ADA: "ada"}
CHANNELS = {OPS: "#ops", AUDIT: "#ops-audit"}
SHOWN = {
    **{f"@{user}": f"@{name}" for user, name in NAMES.items()},
    **{f"#{channel}": name for channel, name in CHANNELS.items()},
    "@S0ONCALL": "@on-call",
}
"""Slack shows names where a message holds ids."""
MARGIN = "    │ "
WIDEST = 100
SECONDS_FOR_AN_ANSWER = 2


class Talk:
    """Prints each message once, and again when it was edited.

    On a terminal a prompt tells who is typing, and comes again below what was printed meanwhile.
    """

    def __init__(self, slack: LocalSlackControl, *, terminal: bool = False) -> None:
        self._slack = slack
        self._terminal = terminal
        self._prompt = ""
        self._printed: dict[tuple[str, str], str] = {}
        self._width = min(shutil.get_terminal_size((80, 24)).columns, WIDEST) - len(MARGIN)

    def prompt(self, text: str, *, later: bool = False) -> None:
        """`later`: an answer is on its way, and the prompt comes below it."""
        if self._terminal:
            self._prompt = text
            print("" if later else text, end="", flush=True)

    async def say(self, user: str, text: str, channel: str = OPS) -> bool:
        """Whether an answer is to be expected."""
        if view := await self._slack.view(user):
            print(f"    The modal {view.title!r} covers the channel: close closes it.")
            return False
        if not self._terminal:  # there it stands already, as it was typed
            print(f"\n{CHANNELS[channel]}  {NAMES[user]}: {text}")
        try:
            return self._is_acked(await self._slack.command(user, channel, text))
        except ControlError as exc:
            print(f"    Slack shows: {exc}")
            return False

    async def click(self, user: str, label: str, channel: str = OPS) -> bool:
        """Press the newest button with this label that the person sees, or is about to see.

        `Details 2` is the second one of that label in the message. A modal covers the channel.
        """
        name, number = label, 0
        for _ in range(SECONDS_FOR_AN_ANSWER * 5):
            if view := await self._slack.view(user):
                return await self._click_in(view, user, label)
            for message in reversed(await self._slack.messages(channel, as_user=user)):
                name, number, values = _find_buttons(message.blocks, label)
                if len(values) > 1 and not number:
                    print(f"    {len(values)} buttons there are [{name}]: click {name} 2 presses")
                    print("    the second.")
                    return False
                if 0 < max(number, 1) <= len(values):
                    value = values[max(number, 1) - 1]
                    self._tell(channel, user, f"presses [{label}]")
                    press = self._slack.click(user, channel, message.ts, name, value=value)
                    return self._is_acked(await press)
            await asyncio.sleep(0.2)
        print(f"    {NAMES[user]} sees no button [{label}].")
        return False

    async def _click_in(self, view: SeenView, user: str, label: str) -> bool:
        name, number, values = _find_buttons(view.blocks, label)
        if label == (view.close or "Close"):
            await self.close(user)
            return False
        if label == view.submit:
            return await self.submit(user)
        if not 0 < max(number, 1) <= len(values):
            print(f"    The modal {view.title!r} covers the channel and has no button [{label}].")
            print("    close closes it.")
            return False
        self._tell(OPS, user, f"presses [{label}]")
        value = values[max(number, 1) - 1]
        return self._is_acked(await self._slack.click_in_view(user, name, value=value))

    async def submit(self, user: str) -> bool:
        """Press the button at the bottom of the open modal that is not [Close]."""
        view = await self._slack.view(user)
        if view is None or view.submit is None:
            print(f"    {NAMES[user]} has no modal open that can be submitted.")
            return False
        self._tell(OPS, user, f"presses [{view.submit}]")
        return self._is_acked(await self._slack.submit_view(user))

    async def close(self, user: str) -> None:
        if await self._slack.view(user) is None:
            print(f"    {NAMES[user]} has no modal open.")
            return
        self._tell(OPS, user, "closes the modal")
        await self._slack.close_view(user)

    def _tell(self, channel: str, user: str, what: str) -> None:
        if not self._terminal:  # there it stands already, as it was typed
            print(f"\n{CHANNELS[channel]}  {NAMES[user]} {what}")

    def _is_acked(self, result: CommandResult) -> bool:
        if not result.acked:
            print(f"    Slack shows: {result.error_shown}")
        return result.acked

    async def show_new(self) -> None:
        """Print what the people see now and did not see before."""
        shown = False
        for channel, people in ((OPS, (ANA, VIC, ADA)), (AUDIT, (ADA,))):
            for user in people:
                for message in await self._slack.messages(channel, as_user=user):
                    only = f", only {NAMES[user]} sees it" if message.ephemeral else ""
                    only += ", in a thread" if message.thread_ts is not None else ""
                    head = f"{CHANNELS[channel]}  jobs{{}}{only}:"
                    if message.kind != "command":
                        text = as_text(message, self._width)
                        shown |= self._show((channel, message.ts), head, text, " (edited)")
        for user in (ANA, VIC, ADA):
            if view := await self._slack.view(user):
                head = f"A modal of {NAMES[user]}{{}}:"
                text = as_text(view, self._width)
                shown |= self._show(("view", view.id), head, text, " shows now")
        if shown and self._prompt:
            print(f"\n{self._prompt}", end="", flush=True)

    def _show(self, key: tuple[str, str], head: str, text: str, again: str) -> bool:
        """Whether it was printed: `head` with `again` in it where it differs from before."""
        text = _with_names(text)
        if self._printed.get(key) == text:
            return False
        print(f"\n{head.format(again if key in self._printed else '')}")
        self._printed[key] = text
        for line in text.splitlines():
            print("\n".join(MARGIN + part for part in _fold(line, self._width)))
        return True


def _find_buttons(blocks: list[dict[str, Any]], label: str) -> tuple[str, int, list[str | None]]:
    """The label without its number, the number (0 without one), and the values of such buttons."""

    def find(name: str) -> list[str | None]:
        elements = [element for element, _ in iterate_elements(blocks)]
        buttons = [one for one in elements if one["type"] == "button"]
        return [one.get("value") for one in buttons if one["text"]["text"] == name]

    numbered = re.fullmatch(r"(.+) (\d{1,3})", label)
    if numbered and not find(label):
        return numbered[1], int(numbered[2]), find(numbered[1])
    return label, 0, find(label)


def _fold(line: str, width: int) -> list[str]:
    """A line that is too long goes on below, two columns further in."""
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(line, width, subsequent_indent=f"{indent}  ") or [""]


def _with_names(text: str) -> str:
    for found, shown in SHOWN.items():
        text = text.replace(found, shown)
    return text
