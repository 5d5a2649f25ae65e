"""What a test can switch and read: faults, the workspace, connections, calls, breaches."""

from collections.abc import Sequence

from local_slack.core import Core
from local_slack.journal import Breach, Call


class Switches(Core):
    @property
    def breaches(self) -> list[Breach]:
        return list(self._journal.breaches)

    def calls(self, method: str | None = None) -> list[Call]:
        """Return the app's API calls (and uses of a `response_url`), oldest first, no tokens."""
        return [call for call in self._journal.calls if method in {None, call.method}]

    @property
    def commands_sent(self) -> list[str]:
        """Every command that people sent, as `/jobs stats`, oldest first."""
        payloads = [one.payload for one in self._journal.requests]
        return [f"{one['command']} {one['text']}" for one in payloads if "command" in one]

    def set_fault(
        self,
        kind: str,
        *,
        method: str = "*",
        times: int = 1,
        channel: str | None = None,
        retry_after: int = 1,
    ) -> None:
        """Let the next `times` calls of the method (or `response_url`) meet a fault.

        `accepted_but_lost` does what was asked, then drops the connection. All others do nothing:
        `429` and `500` answer with that status, `garbage` answers 200 with a page of HTML,
        `reset` resets the connection, `timeout` never answers, `hang` answers 500 after
        `clear_faults`, and `invalid_blocks` refuses the next call that has blocks.
        """
        self._faults.add(kind, method=method, times=times, channel=channel, retry_after=retry_after)

    def clear_faults(self) -> None:
        self._faults.clear()

    def clear_breaches(self) -> None:
        self._journal.breaches.clear()

    def set_members(self, usergroup: str, users: Sequence[str]) -> None:
        self._workspace.set_members(usergroup, list(users))

    def set_request_url(self, url: str) -> None:
        """Set where the app listens, when its port is known only after it started."""
        self._delivery.request_url = url

    def set_scopes(self, scopes: Sequence[str]) -> None:
        """Grant the bot these scopes and no others, as a new installation does."""
        self._workspace.set_scopes(scopes)

    def set_unsupported_blocks(self, types: Sequence[str]) -> None:
        """Let this workspace refuse these types of blocks; new ones roll out slowly."""
        self._workspace.unsupported_blocks = tuple(types)

    def set_archived(self, channel: str, archived: bool = True) -> None:
        self._workspace.change_channel(channel, is_archived=archived)

    def set_ext_shared(self, channel: str, shared: bool = True) -> None:
        """Share the channel with another company, or stop sharing it."""
        self._workspace.change_channel(channel, is_ext_shared=shared)

    def add_bot(self, channel: str) -> None:
        self._workspace.set_bot_member(channel, is_member=True)

    def remove_bot(self, channel: str) -> None:
        self._workspace.set_bot_member(channel, is_member=False)

    def delete_channel(self, channel: str) -> None:
        self._workspace.delete_channel(channel)

    @property
    def connections(self) -> int:
        """How many Socket Mode connections are open."""
        return self._sockets.count

    @property
    def gaps(self) -> list[float]:
        """For how many seconds no connection was open, each time since the first was."""
        return self._sockets.gaps

    async def wait_for_connection(self, timeout: float = 30.0) -> None:  # noqa: ASYNC109 - the wait is the point
        await self._sockets.wait_until_open(timeout)

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask the app to leave.

        After a `warning` the connections stay in use until `Limits.warning_seconds` are over or the
        next `disconnect`, which spares those that were opened in the meantime.
        """
        await self._sockets.disconnect(reason)
