"""The conversation as text: what people type, what the bot answers, who sees it."""

from __future__ import annotations

import textwrap

from chatbot.local_slack import LocalSlackControl, as_text
from demo.stage import ADA, ANA, AUDIT, OPS, VIC

NAMES = {ANA: "ana", VIC: "vic", ADA: "ada"}
CHANNELS = {OPS: "#ops", AUDIT: "#ops-audit"}
SHOWN = {
    **{f"@{user}": f"@{name}" for user, name in NAMES.items()},
    **{f"#{channel}": name for channel, name in CHANNELS.items()},
    "@S0ONCALL": "@on-call",
}
"""Slack shows names where a message holds ids."""


class Talk:
    """Prints each message once, and again when it was edited."""

    def __init__(self, slack: LocalSlackControl) -> None:
        self._slack = slack
        self._printed: dict[tuple[str, str], str] = {}

    async def say(self, user: str, text: str, channel: str = OPS) -> None:
        print(f"\n{CHANNELS[channel]}  {NAMES[user]}: {text}")
        result = await self._slack.command(user, channel, text)
        if not result.acked:
            print(f"    Slack shows: {result.error_shown}")

    async def click(self, user: str, label: str, channel: str = OPS) -> None:
        """Press the newest button with this label that the person sees."""
        for message in reversed(await self._slack.messages(channel, as_user=user)):
            if f"[{label}]" in as_text(message):
                print(f"\n{CHANNELS[channel]}  {NAMES[user]} presses [{label}]")
                await self._slack.click(user, channel, message.ts, label)
                return
        print(f"    there is no button [{label}]")

    async def show_new(self) -> None:
        """Print what the people see now and did not see before."""
        for channel, people in ((OPS, (ANA, VIC)), (AUDIT, (ADA,))):
            for user in people:
                for message in await self._slack.messages(channel, as_user=user):
                    text = _with_names(as_text(message))
                    key = (channel, message.ts)
                    if message.kind == "command" or self._printed.get(key) == text:
                        continue
                    again = " (edited)" if key in self._printed else ""
                    self._printed[key] = text
                    only = f", only {NAMES[user]} sees it" if message.ephemeral else ""
                    print(f"\n{CHANNELS[channel]}  jobs{again}{only}:")
                    print(textwrap.indent(text, "    │ ", lambda _: True))


def _with_names(text: str) -> str:
    for found, shown in SHOWN.items():
        text = text.replace(found, shown)
    return text
