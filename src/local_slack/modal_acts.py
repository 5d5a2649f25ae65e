"""What a person does and sees in a modal."""

from collections.abc import Callable
from typing import Any

from local_slack.acting import get_button
from local_slack.core import Core
from local_slack.delivery import CommandResult
from local_slack.errors import ControlError
from local_slack.form import fill_in
from local_slack.payloads import build_action
from local_slack.responses import Origin
from local_slack.view_payloads import (
    build_view_click,
    build_view_closed,
    build_view_submission,
)
from local_slack.views import SeenView, View
from local_slack.waiting import wait_for


class ModalActs(Core):
    def view(self, user: str) -> SeenView | None:
        """Return the view on top of what this user has open; `as_text` shows it."""
        self._workspace.get_actor(user)
        return self._modals.get_seen(user)

    async def wait_for_view(
        self,
        user: str,
        predicate: Callable[[SeenView], bool] = lambda _view: True,
        timeout: float = 30.0,  # noqa: ASYNC109 - the wait is the point
    ) -> SeenView:
        """Return the view on top once it matches; a TimeoutError lists what was there."""

        async def look(since: int | None, wait: float) -> tuple[int, list[SeenView]]:
            if since is not None:
                await self.wait_for_change(since, wait)
            seen = self.view(user)
            return self.changes, [seen] if seen else []

        return await wait_for(look, predicate, timeout, what="view")

    async def submit_view(self, user: str, values: dict[str, Any] | None = None) -> CommandResult:
        """Fill in `values` (by action_id or block_id; a choice by its value) and submit."""
        person, view = self._workspace.get_actor(user), self._get_view(user)
        if view.label("submit") is None:
            raise ControlError(f"the modal {view.label('title')!r} has no submit button")
        if view.content.get("submit_disabled"):
            raise ControlError(f"the submit button of {view.label('title')!r} is disabled")
        self._modals.fill(view, fill_in(view, values or {}))
        trigger_id = self._modals.issue_trigger(user, view)
        payload = build_view_submission(self.config, person, view, trigger_id)
        return await self._send(payload, view)

    async def close_view(self, user: str) -> CommandResult | None:
        """Close the view on top; None when the app did not ask to be notified.

        With `clear_on_close` all views close, and the app hears of each that asked, top first.
        """
        person, view = self._workspace.get_actor(user), self._get_view(user)
        closed = self._modals.close(view)
        is_cleared = bool(view.content.get("clear_on_close"))
        results = [
            await self._send(
                build_view_closed(self.config, person, one, is_cleared=is_cleared), one
            )
            for one in closed
            if one.content.get("notify_on_close")
        ]
        return results[0] if results else None

    async def click_in_view(
        self, user: str, button: str, *, value: str | None = None
    ) -> CommandResult:
        """Press a button of the view on top by its action_id or its text."""
        person, view = self._workspace.get_actor(user), self._get_view(user)
        element, block_id = get_button(view.blocks, button, value)
        action = build_action(element, block_id, self._workspace.next_ts())
        trigger_id = self._modals.issue_trigger(user, view)
        return await self._send(
            build_view_click(self.config, person, view, action, trigger_id), view
        )

    async def _send(self, payload: dict[str, Any], view: View) -> CommandResult:
        origin = Origin(view.user, "", self._workspace.clock(), view=view)
        return await self._delivery.send("interactive", payload, origin)

    def _get_view(self, user: str) -> View:
        view = self._modals.get_top(user)
        if view is None:
            raise ControlError(f"{user} has no modal open")
        return view
