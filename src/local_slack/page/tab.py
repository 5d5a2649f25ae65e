"""One WebSocket per tab: pushes what its person sees, takes what they do."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from local_slack.controls import Controls
from local_slack.errors import ControlError
from local_slack.page.acts import act
from local_slack.page.seen import (
    describe_place,
    describe_view,
    list_changed,
    list_recent,
)
from local_slack.page.settings import Page
from local_slack.page.traffic import Reader

HEARTBEAT = 15.0
"""Seconds between pings, so that a connection that died unseen ends."""
MOST_CHANGES = 300
"""After more at once a tab begins anew with the newest."""


class Tabs:
    """All that are open; what a person did in a tab goes on when the tab is closed."""

    def __init__(self, slack: Controls, page: Page) -> None:
        self._slack = slack
        self._page = page
        self._sockets: set[web.WebSocketResponse] = set()
        self._acts: set[asyncio.Task[None]] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT)
        if not socket.can_prepare(request):
            return web.Response(text="This address is for the page's WebSocket.\n", status=426)
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            await Tab(self._slack, self._page, socket, self.start).run()
        finally:
            self._sockets.discard(socket)
        return socket

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Never in the receiving loop: an act waits for the app."""
        task = asyncio.create_task(work)
        self._acts.add(task)
        task.add_done_callback(self._acts.discard)

    async def close(self, _app: web.Application) -> None:
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)
        for task in list(self._acts):
            task.cancel()


class Tab:
    def __init__(
        self, slack: Controls, page: Page, socket: web.WebSocketResponse, start: Any
    ) -> None:
        self._slack = slack
        self._page = page
        self._socket = socket
        self._start = start
        self._user: str | None = None
        self._reader: Reader | None = None
        self._woken = asyncio.Event()
        self._seen = 0
        self._deleted = 0
        self._sent: dict[str, str] = {}
        """What changes as a whole: the place and the view."""

    async def run(self) -> None:
        watchers = [self._slack._workspace.watchers, self._slack._journal.watchers]  # noqa: SLF001
        if self._page.panel is not None:
            watchers.append(self._page.panel.watchers)
        for one in watchers:
            one.add(self._woken.set)
        pushing = asyncio.create_task(self._push())
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    self._take(message.data)
        finally:
            pushing.cancel()
            for one in watchers:
                one.discard(self._woken.set)

    def _take(self, text: str) -> None:
        try:
            asked = json.loads(text)
        except ValueError:
            return
        if not isinstance(asked, dict):
            return
        if asked.get("do") == "hello":
            self._user, self._sent = str(asked.get("user")), {}
            self._woken.set()
        elif asked.get("do") == "inspect":
            self._reader = Reader(self._slack._journal) if asked.get("on") else None  # noqa: SLF001
            self._woken.set()
        else:
            self._start(self._answer(asked, self._user or ""))

    async def _answer(self, asked: dict[str, Any], user: str) -> None:
        reply: dict[str, Any] = {"kind": "reply", "id": asked.get("id")}
        try:
            if asked.get("do") == "switch" and self._page.panel is not None:
                await self._page.panel.turn(str(asked["label"]), bool(asked["on"]))
            else:
                reply["result"] = await act(self._slack, user, asked)
        except ControlError as exc:
            reply["error"] = str(exc)
        except (KeyError, TypeError, ValueError) as exc:
            reply["error"] = f"The page sent what the server does not understand: {exc!r}"
        await self._send(reply)

    async def _push(self) -> None:
        try:
            while True:
                await self._woken.wait()
                self._woken.clear()
                for one in self._collect():
                    await self._send(one)
        finally:
            # Whatever ended this: a page that hears no more must know that.
            await self._socket.close()

    def _collect(self) -> list[dict[str, Any]]:
        """What the tab does not know yet."""
        news: list[dict[str, Any]] = []
        if self._reader is not None and (entries := self._reader.read()):
            news.append({"kind": "traffic", "entries": entries})
        if self._user is None:
            return news
        place = describe_place(self._slack, self._page, self._user)
        if self._user not in {one["id"] for one in place["people"]}:
            self._user = place["people"][0]["id"] if place["people"] else ""
            place = describe_place(self._slack, self._page, self._user)
        is_new = not self._sent
        if self._has_changed("place", place):
            news.append({"kind": "place", "me": self._user, **place})
        if is_new:
            news += self._collect_all(place)
        news += self._collect_changes(place)
        view = describe_view(self._slack, self._user)
        if self._has_changed("view", view):
            news.append({"kind": "view", "view": view})
        if self._page.panel is not None:
            panel = self._page.panel.describe()
            if self._has_changed("panel", panel):
                news.append({"kind": "panel", "panel": panel})
        return news

    def _collect_all(self, place: dict[str, Any]) -> list[dict[str, Any]]:
        self._seen = self._slack.changes
        self._deleted = len(self._slack._workspace.deleted)  # noqa: SLF001
        recent = {
            one["id"]: list_recent(self._slack, self._user or "", one["id"])
            for one in place["channels"]
        }
        return [
            {
                "kind": "start",
                "messages": [one for there, _ in recent.values() for one in there],
                "more": [channel for channel, (_, more) in recent.items() if more],
                "words": self._page.words,
            }
        ]

    def _collect_changes(self, place: dict[str, Any]) -> list[dict[str, Any]]:
        if self._slack.changes == self._seen:
            return []
        changed = list_changed(self._slack, self._user or "", self._seen)
        if len(changed) > MOST_CHANGES:
            return self._collect_all(place)
        gone = self._slack._workspace.deleted[self._deleted :]  # noqa: SLF001
        self._seen = self._slack.changes
        self._deleted += len(gone)
        if not changed and not gone:
            return []
        deleted = [[channel, ts] for _, channel, ts in gone]
        return [{"kind": "changes", "messages": changed, "deleted": deleted}]

    def _has_changed(self, name: str, value: Any) -> bool:
        text = json.dumps(value)
        if self._sent.get(name) == text:
            return False
        self._sent[name] = text
        return True

    async def _send(self, value: dict[str, Any]) -> None:
        if not self._socket.closed:
            try:
                await self._socket.send_json(value)
            except ConnectionError:
                return  # the tab is gone, and the loop that receives ends too
