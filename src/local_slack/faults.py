"""Faults that a test switches on. They are ours, so they do not count as breaches."""

import asyncio
from dataclasses import dataclass, field

from local_slack.errors import ControlError

KINDS = (
    "429",
    "500",
    "accepted_but_lost",
    "garbage",
    "hang",
    "invalid_blocks",
    "reset",
    "timeout",
)


@dataclass
class Fault:
    """`method` is a Web API method, `response_url`, or `*` for all."""

    kind: str
    method: str
    times: int
    channel: str | None
    retry_after: int


@dataclass
class Faults:
    waiting: list[Fault] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when hanging calls should end."""

    def add(
        self,
        kind: str,
        *,
        method: str = "*",
        times: int = 1,
        channel: str | None = None,
        retry_after: int = 1,
    ) -> None:
        if kind not in KINDS:
            raise ControlError(f"there is no fault {kind!r}; the faults are: {', '.join(KINDS)}")
        if times < 1:
            raise ControlError(f"a fault must happen at least once, not {times} times")
        self.waiting.append(Fault(kind, method, times, channel, retry_after))

    def take(self, method: str, channel: str | None, *, has_blocks: bool = False) -> Fault | None:
        """Return the fault that this call meets, and use it up once.

        `invalid_blocks` waits for a call that has blocks.
        """
        for fault in self.waiting:
            is_apt = has_blocks or fault.kind != "invalid_blocks"
            if is_apt and fault.method in {"*", method} and fault.channel in {None, channel}:
                fault.times -= 1
                if fault.times == 0:
                    self.waiting.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        self.waiting.clear()
        self.released.set()
        self.released = asyncio.Event()
