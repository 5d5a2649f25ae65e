"""The panel beside the messages: what to try, what just happened, what can be switched."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from local_slack.errors import ControlError

MOST_EVENTS = 50

Turn = Callable[[bool], Awaitable[None]]
"""Raises `ControlError` when it cannot be done; the page shows the sentence."""


@dataclass
class Step:
    """Something to try. `user`: as whom the page types the commands in the text."""

    title: str
    text: str
    user: str = ""
    done: bool = False


@dataclass
class Switch:
    """`on` is its state, None for a button, which shows the first word of its label.

    `turn` is told the new state, a button's always True.
    """

    label: str
    about: str
    turn: Turn
    on: bool | None = False
    busy: bool = False


@dataclass(frozen=True)
class Event:
    at: float
    text: str
    user: str = ""


class Panel:
    """Texts are mrkdwn; one click on a `/command` in code style puts it into the composer.

    Labels of switches are unique. What is told or changed appears in every tab at once. `end` says
    how to go on when all steps are done.
    """

    def __init__(
        self,
        title: str,
        *,
        steps: Sequence[Step] = (),
        end: str = "",
        switches: Sequence[Switch] = (),
    ) -> None:
        self.title = title
        self.steps = tuple(steps)
        self.end = end
        self.switches = {one.label: one for one in switches}
        self.events: list[Event] = []
        self.watchers: set[Callable[[], None]] = set()
        """Called after each change."""

    def tell(self, text: str, *, user: str = "") -> None:
        """Say what just happened and what to do about it; `user` as in `Step`."""
        self.events = [*self.events, Event(time.time(), text, user)][-MOST_EVENTS:]
        self._show()

    def finish(self, step: Step) -> None:
        if not step.done:
            step.done = True
            self._show()

    async def turn(self, label: str, on: bool = True) -> None:
        """Bring the switch into this state, or press the button."""
        switch = self.switches.get(label)
        if switch is None:
            raise ControlError(f"there is no switch {label!r}")
        if switch.busy:
            raise ControlError(f"“{label}” is still being done; wait until it is.")
        if switch.on is on:
            return
        switch.busy = True
        self._show()
        try:
            await switch.turn(on)
            if switch.on is not None:
                switch.on = on
        finally:
            switch.busy = False
            self._show()

    def describe(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "steps": [asdict(one) for one in self.steps],
            "end": self.end,
            "switches": [
                {"label": one.label, "about": one.about, "on": one.on, "busy": one.busy}
                for one in self.switches.values()
            ],
            "events": [asdict(one) for one in self.events],
        }

    def _show(self) -> None:
        for watcher in list(self.watchers):
            watcher()
