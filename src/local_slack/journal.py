"""What the app did: its API calls and its breaches of Slack's rules."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """One Web API call or use of a response_url; the arguments never hold a token."""

    method: str
    arguments: dict[str, Any]
    status: int
    error: str | None
    at: float


@dataclass(frozen=True)
class Breach:
    kind: str
    detail: str
    at: float


@dataclass(frozen=True)
class Delivered:
    """One request to the app; `status`, `seconds` and `error` are those of its `CommandResult`."""

    request_id: str
    kind: str
    payload: dict[str, Any]
    status: int | None
    seconds: float
    error: str | None
    at: float


@dataclass
class Journal:
    clock: Callable[[], float]
    calls: list[Call] = field(default_factory=list)
    breaches: list[Breach] = field(default_factory=list)
    requests: list[Delivered] = field(default_factory=list)
    watchers: set[Callable[[], None]] = field(default_factory=set)
    """Called after each entry."""

    def add_call(
        self, method: str, arguments: dict[str, Any], status: int, error: str | None
    ) -> None:
        shown = {name: value for name, value in arguments.items() if name != "token"}
        self.calls.append(Call(method, shown, status, error, self.clock()))
        self._tell()

    def add_breach(self, kind: str, detail: str) -> None:
        self.breaches.append(Breach(kind, detail, self.clock()))
        self._tell()

    def add_request(self, request: Delivered) -> None:
        self.requests.append(request)
        self._tell()

    def _tell(self) -> None:
        for watcher in self.watchers:
            watcher()
