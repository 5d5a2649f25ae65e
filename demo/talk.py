"""The conversation as text: what people type, what the bot answers, who sees it."""

from __future__ import annotations

import asyncio
import shutil
import textwrap

from chatbot.local_slack import ControlError, LocalSlackControl, as_text
from demo.stage import ADA, ANA, AUDIT, OPS, VIC

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
        if not self._terminal:  # there it stands already, as it was typed
            print(f"\n{CHANNELS[channel]}  {NAMES[user]}: {text}")
        try:
            result = await self._slack.command(user, channel, text)
        except ControlError as exc:
            print(f"    Slack shows: {exc}")
            return False
        if not result.acked:
            print(f"    Slack shows: {result.error_shown}")
        return result.acked

    async def click(self, user: str, label: str, channel: str = OPS) -> bool:
        """Press the newest button with this label that the person sees, or is about to see."""
        for _ in range(SECONDS_FOR_AN_ANSWER * 5):
            for message in reversed(await self._slack.messages(channel, as_user=user)):
                if f"[{label}]" in as_text(message):
                    if not self._terminal:
                        print(f"\n{CHANNELS[channel]}  {NAMES[user]} presses [{label}]")
                    return (await self._slack.click(user, channel, message.ts, label)).acked
            await asyncio.sleep(0.2)
        print(f"    {NAMES[user]} sees no button [{label}].")
        return False

    async def show_new(self) -> None:
        """Print what the people see now and did not see before."""
        shown = False
        for channel, people in ((OPS, (ANA, VIC, ADA)), (AUDIT, (ADA,))):
            for user in people:
                for message in await self._slack.messages(channel, as_user=user):
                    text = _with_names(as_text(message, self._width))
                    key = (channel, message.ts)
                    if message.kind == "command" or self._printed.get(key) == text:
                        continue
                    again = " (edited)" if key in self._printed else ""
                    self._printed[key] = text
                    only = f", only {NAMES[user]} sees it" if message.ephemeral else ""
                    print(f"\n{CHANNELS[channel]}  jobs{again}{only}:")
                    for line in text.splitlines():
                        print("\n".join(MARGIN + part for part in _fold(line, self._width)))
                    shown = True
        if shown and self._prompt:
            print(f"\n{self._prompt}", end="", flush=True)


def _fold(line: str, width: int) -> list[str]:
    """A line that is too long goes on below, two columns further in."""
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(line, width, subsequent_indent=f"{indent}  ") or [""]


def _with_names(text: str) -> str:
    for found, shown in SHOWN.items():
        text = text.replace(found, shown)
    return text
