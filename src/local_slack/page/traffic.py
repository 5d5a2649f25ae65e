"""What went between Slack and the app, for the inspector."""

from dataclasses import asdict
from typing import Any

from local_slack.journal import Breach, Call, Delivered, Journal

Json = dict[str, Any]

MOST = 200
"""How many entries the inspector gets at first."""


class Reader:
    """Reads a journal on from where it stopped."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._read = (0, 0, 0)

    def read(self) -> list[Json]:
        """Return what is new, oldest first, at most `MOST` entries."""
        journal = self._journal
        requests, calls, breaches = self._read
        # What was cleared meanwhile begins anew.
        new = [
            *map(_describe_request, journal.requests[requests:]),
            *map(_describe_call, journal.calls[calls:]),
            *map(_describe_breach, journal.breaches[min(breaches, len(journal.breaches)) :]),
        ]
        self._read = (len(journal.requests), len(journal.calls), len(journal.breaches))
        return sorted(new, key=lambda one: float(one["at"]))[-MOST:]


def _describe_request(one: Delivered) -> Json:
    return {
        "kind": "request",
        "at": one.at - one.seconds,
        "title": _name_request(one.payload),
        "seconds": one.seconds,
        "error": one.error,
        "data": one.payload,
    }


def _describe_call(one: Call) -> Json:
    return {
        "kind": "call",
        "at": one.at,
        "title": one.method,
        "status": one.status,
        "error": one.error,
        "data": one.arguments,
    }


def _describe_breach(one: Breach) -> Json:
    return {"kind": "breach", "at": one.at, "title": one.kind, "data": asdict(one)}


def _name_request(payload: Json) -> str:
    if "command" in payload:
        return f"{payload['command']} {payload.get('text', '')}".strip()
    if payload.get("actions"):
        action = payload["actions"][0]
        text = action.get("text") or action.get("selected_option", {}).get("text") or {}
        return f"press {text.get('text', action.get('action_id', ''))}"
    title = payload.get("view", {}).get("title", {}).get("text", "")
    return f"{payload.get('type', '')} {title}".strip()
