"""`LocalSlackControl`: the verbs of `LocalSlack` for another process."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import aiohttp

from local_slack.delivery import CommandResult, RawResponse
from local_slack.errors import ControlError
from local_slack.journal import Breach, Call
from local_slack.messages import SeenMessage
from local_slack.views import SeenView
from local_slack.waiting import wait_for


class LocalSlackControl:
    """Use as `async with LocalSlackControl(url) as slack`; raises `ControlError` as there."""

    def __init__(self, url: str) -> None:
        """`url`: that of the server, or of its page with the secret."""
        parsed = urlsplit(url)
        self.url = f"{parsed.scheme}://{parsed.netloc}"
        token = parse_qs(parsed.query).get("token", [""])[0]
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers)
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def command(self, user: str, channel: str, text: str) -> CommandResult:
        return CommandResult(**await self._ask("command", user=user, channel=channel, text=text))

    async def click(
        self, user: str, channel: str, ts: str, button: str, *, value: str | None = None
    ) -> CommandResult:
        result = await self._ask(
            "click", user=user, channel=channel, ts=ts, button=button, value=value
        )
        return CommandResult(**result)

    async def choose(
        self, user: str, channel: str, ts: str, action_id: str, value: Any
    ) -> CommandResult:
        result = await self._ask(
            "choose", user=user, channel=channel, ts=ts, action_id=action_id, value=value
        )
        return CommandResult(**result)

    async def choose_in_view(self, user: str, action_id: str, value: Any) -> CommandResult:
        result = await self._ask("choose_in_view", user=user, action_id=action_id, value=value)
        return CommandResult(**result)

    async def replay(self, request_id: str) -> CommandResult:
        return CommandResult(**await self._ask("replay", request_id=request_id))

    async def post_raw(
        self,
        body: str,
        *,
        secret: str | None = None,
        age: float = 0.0,
        headers: dict[str, str] | None = None,
    ) -> RawResponse:
        result = await self._ask("post_raw", body=body, secret=secret, age=age, headers=headers)
        return RawResponse(**result)

    async def messages(self, channel: str, as_user: str | None = None) -> list[SeenMessage]:
        result = await self._ask("messages", channel=channel, as_user=as_user)
        return [SeenMessage(**one) for one in result["messages"]]

    async def wait_for_message(
        self,
        channel: str,
        predicate: Callable[[SeenMessage], bool],
        timeout: float = 30.0,  # noqa: ASYNC109 - the wait is the point
        as_user: str | None = None,
    ) -> SeenMessage:
        async def look(since: int | None, wait: float) -> tuple[int, list[SeenMessage]]:
            result = await self._ask(
                "messages", channel=channel, as_user=as_user, since=since, wait=wait
            )
            return result["changes"], [SeenMessage(**one) for one in result["messages"]]

        return await wait_for(look, predicate, timeout, what="message")

    async def view(self, user: str) -> SeenView | None:
        return _view((await self._ask("view", user=user))["view"])

    async def wait_for_view(
        self,
        user: str,
        predicate: Callable[[SeenView], bool] = lambda _view: True,
        timeout: float = 30.0,  # noqa: ASYNC109 - the wait is the point
    ) -> SeenView:
        async def look(since: int | None, wait: float) -> tuple[int, list[SeenView]]:
            result = await self._ask("view", user=user, since=since, wait=wait)
            seen = _view(result["view"])
            return result["changes"], [seen] if seen else []

        return await wait_for(look, predicate, timeout, what="view")

    async def submit_view(self, user: str, values: dict[str, Any] | None = None) -> CommandResult:
        return CommandResult(**await self._ask("submit_view", user=user, values=values))

    async def close_view(self, user: str) -> CommandResult | None:
        result = await self._ask("close_view", user=user)
        return CommandResult(**result) if result else None

    async def click_in_view(
        self, user: str, button: str, *, value: str | None = None
    ) -> CommandResult:
        result = await self._ask("click_in_view", user=user, button=button, value=value)
        return CommandResult(**result)

    async def breaches(self) -> list[Breach]:
        return [Breach(**one) for one in await self._ask("breaches")]

    async def clear_breaches(self) -> None:
        await self._ask("clear_breaches")

    async def calls(self, method: str | None = None) -> list[Call]:
        return [Call(**one) for one in await self._ask("calls", method=method)]

    async def set_fault(
        self,
        kind: str,
        *,
        method: str = "*",
        times: int = 1,
        channel: str | None = None,
        retry_after: int = 1,
    ) -> None:
        await self._ask(
            "set_fault",
            kind=kind,
            method=method,
            times=times,
            channel=channel,
            retry_after=retry_after,
        )

    async def clear_faults(self) -> None:
        await self._ask("clear_faults")

    async def set_members(self, usergroup: str, users: Sequence[str]) -> None:
        await self._ask("set_members", usergroup=usergroup, users=list(users))

    async def set_scopes(self, scopes: Sequence[str]) -> None:
        await self._ask("set_scopes", scopes=list(scopes))

    async def set_unsupported_blocks(self, types: Sequence[str]) -> None:
        await self._ask("set_unsupported_blocks", types=list(types))

    async def set_archived(self, channel: str, archived: bool = True) -> None:
        await self._ask("set_archived", channel=channel, archived=archived)

    async def set_ext_shared(self, channel: str, shared: bool = True) -> None:
        await self._ask("set_ext_shared", channel=channel, shared=shared)

    async def add_bot(self, channel: str) -> None:
        await self._ask("add_bot", channel=channel)

    async def remove_bot(self, channel: str) -> None:
        await self._ask("remove_bot", channel=channel)

    async def delete_channel(self, channel: str) -> None:
        await self._ask("delete_channel", channel=channel)

    async def delete_message(self, channel: str, ts: str) -> None:
        await self._ask("delete_message", channel=channel, ts=ts)

    async def open_dm(self, user: str) -> str:
        return str(await self._ask("open_dm", user=user))

    async def set_request_url(self, url: str) -> None:
        await self._ask("set_request_url", url=url)

    async def post_as_user(
        self, user: str, channel: str, text: str, *, thread_ts: str | None = None
    ) -> SeenMessage:
        said = await self._ask(
            "post_as_user", user=user, channel=channel, text=text, thread_ts=thread_ts
        )
        return SeenMessage(**said)

    async def connections(self) -> int:
        count: int = await self._ask("connections")
        return count

    async def gaps(self) -> list[float]:
        return list(await self._ask("gaps"))

    async def wait_for_connection(self, timeout: float = 30.0) -> None:  # noqa: ASYNC109 - the wait is the point
        await self._ask("wait_for_connection", timeout=timeout)

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        await self._ask("disconnect", reason=reason)

    async def _ask(self, verb: str, **arguments: Any) -> Any:
        if self._session is None:
            raise ControlError("open LocalSlackControl with `async with` first")
        async with self._session.post(f"{self.url}/control/{verb}", json=arguments) as response:
            answer = await response.json()
        if response.status == 408:
            raise TimeoutError(answer["error"])
        if not answer["ok"]:
            raise ControlError(answer["error"])
        return answer["result"]


def _view(fields: dict[str, Any] | None) -> SeenView | None:
    return SeenView(**fields) if fields else None
