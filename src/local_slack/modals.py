"""The modals that are open: one stack of views for each user.

Documented: a trigger_id opens one view within 3 s; a modal has up to three views; `views.update`
needs no trigger; a `hash` that is not the current one is a conflict; inputs keep their
content. Strict reading: `views.open` ends a modal that is open, and `views.push` needs a trigger
from inside one. A wrong trigger is `invalid_trigger_id`.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from local_slack.errors import SlackError
from local_slack.form import read_values
from local_slack.state import Workspace
from local_slack.view_checks import check_view
from local_slack.views import SeenView, View


@dataclass
class Trigger:
    user: str
    view_id: str | None
    issued_at: float
    is_used: bool = False


class Modals:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._triggers: dict[str, Trigger] = {}
        self._stacks: dict[str, list[View]] = {}

    def issue_trigger(self, user: str, view: View | None = None) -> str:
        """Return a new trigger_id for what this user did, in that view if in one."""
        team = self._workspace.config.workspace.team_id
        trigger_id = f"{secrets.randbelow(10**12)}.{team}.{secrets.token_hex(16)}"
        now = self._workspace.clock()
        self._triggers[trigger_id] = Trigger(user, view.id if view else None, now)
        return trigger_id

    def get_top(self, user: str) -> View | None:
        stack = self._stacks.get(user)
        return stack[-1] if stack else None

    def get_seen(self, user: str) -> SeenView | None:
        top = self.get_top(user)
        return top.seen(len(self._stacks[user])) if top else None

    def open(self, trigger_id: Any, view: Any) -> View:
        content = self._check(view)
        user = self._take_trigger(trigger_id).user
        opened = self._build(user, content, None)
        self._stacks[user] = [opened]
        self._workspace.notify()
        return opened

    def push(self, trigger_id: Any, view: Any) -> View:
        content = self._check(view)
        trigger = self._take_trigger(trigger_id)
        under = self._find(trigger.view_id, None)
        if under is None:
            raise SlackError("not_found")
        return self._put_on(under, content)

    def update(self, arguments: dict[str, Any]) -> View:
        view_id, external_id = arguments.get("view_id"), arguments.get("external_id")
        if not view_id and not external_id:
            raise SlackError("invalid_arguments")
        view = self._find(view_id, external_id)
        if view is None:
            raise SlackError("not_found")
        content = self._check(arguments.get("view"), but=view)
        if arguments.get("hash") not in {None, "", view.hash}:
            raise SlackError("hash_conflict")
        return self._replace(view, content)

    def fill(self, view: View, values: Any) -> None:
        view.values, view.errors, view.trouble = values, {}, None
        self._workspace.notify()

    def respond(self, view: View, answer: Any) -> None:
        """Let the ack of a submit take effect; raise what is wrong with it.

        Documented: an empty ack closes this view; `response_action` is `clear`, `update`, `push` or
        `errors`, and errors name block_ids of input blocks.
        """
        if not answer:
            self._remove(view)
            return
        action = answer.get("response_action") if isinstance(answer, dict) else None
        if action == "clear":
            self._stacks.pop(view.user, None)
            self._workspace.notify()
        elif action == "update":
            self._replace(view, self._check(answer.get("view"), but=view))
        elif action == "push":
            self._put_on(view, self._check(answer.get("view")))
        elif action == "errors":
            self._show_errors(view, answer.get("errors"))
        else:
            raise SlackError("invalid_response_action")

    def close(self, view: View) -> list[View]:
        """Close this view, or all where it says `clear_on_close`; return them, the top first."""
        closed = [view]
        if view.content.get("clear_on_close"):
            closed = self._stacks[view.user][::-1]
        for one in closed:
            self._remove(one)
        return closed

    def show_trouble(self, view: View, text: str) -> None:
        view.trouble = text
        self._workspace.notify()

    def _check(self, view: Any, but: View | None = None) -> dict[str, Any]:
        content = check_view(view, self._workspace.unsupported_blocks)
        external_id = content.get("external_id")
        there = self._find(None, external_id) if external_id else None
        if there is not None and there is not but:
            raise SlackError("duplicate_external_id")
        return content

    def _take_trigger(self, trigger_id: Any) -> Trigger:
        if not trigger_id:
            raise SlackError("invalid_arguments")
        trigger = self._triggers.get(str(trigger_id))
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.is_used:
            raise SlackError("exchanged_trigger_id")
        age = self._workspace.clock() - trigger.issued_at
        if age > self._workspace.config.limits.trigger_seconds:
            raise SlackError("expired_trigger_id")
        trigger.is_used = True
        return trigger

    def _find(self, view_id: Any, external_id: Any) -> View | None:
        for stack in self._stacks.values():
            for view in stack:
                if view.id == view_id or (external_id and view.external_id == external_id):
                    return view
        return None

    def _build(self, user: str, content: dict[str, Any], under: View | None) -> View:
        view_id = f"V{secrets.token_hex(5).upper()}"
        return View(
            id=view_id,
            user=user,
            content=content,
            hash=self._new_hash(),
            root_id=under.root_id if under else view_id,
            previous_id=under.id if under else None,
            values=read_values(content["blocks"]),
        )

    def _put_on(self, under: View, content: dict[str, Any]) -> View:
        stack = self._stacks.get(under.user, [])
        if under not in stack:
            raise SlackError("not_found")
        if len(stack) >= self._workspace.config.limits.views:
            raise SlackError("push_limit_reached")
        pushed = self._build(under.user, content, stack[-1])
        stack.append(pushed)
        self._workspace.notify()
        return pushed

    def _remove(self, view: View) -> None:
        """Remove the view; a faster app may already have done so."""
        stack = self._stacks.get(view.user, [])
        if view in stack:
            stack.remove(view)
            self._workspace.notify()

    def _replace(self, view: View, content: dict[str, Any]) -> View:
        view.values = read_values(content["blocks"], view.values)
        view.content, view.hash = content, self._new_hash()
        view.errors, view.trouble = {}, None
        self._workspace.notify()
        return view

    def _show_errors(self, view: View, errors: Any) -> None:
        inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
        if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
            raise SlackError("invalid_errors")
        if not all(isinstance(text, str) and text for text in errors.values()):
            raise SlackError("invalid_errors")
        view.errors = dict(errors)
        self._workspace.notify()

    def _new_hash(self) -> str:
        return f"{int(self._workspace.clock())}.{secrets.token_hex(4)}"
