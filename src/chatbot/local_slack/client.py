"""`LocalSlackControl`: the verbs of `LocalSlack` for another process."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp

from chatbot.local_slack.delivery import CommandResult, RawResponse
from chatbot.local_slack.errors import ControlError
from chatbot.local_slack.journal import Breach, Call
from chatbot.local_slack.messages import SeenMessage
from chatbot.local_slack.waiting import wait_for_message


class LocalSlackControl:
    """Use as `async with LocalSlackControl(url) as slack`; raises `ControlError` like there."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
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
        timeout: float = 5.0,  # noqa: ASYNC109 - the wait is the point
        as_user: str | None = None,
    ) -> SeenMessage:
        async def look(since: int | None, wait: float) -> tuple[int, list[SeenMessage]]:
            result = await self._ask(
                "messages", channel=channel, as_user=as_user, since=since, wait=wait
            )
            return result["changes"], [SeenMessage(**one) for one in result["messages"]]

        return await wait_for_message(look, predicate, timeout)

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

    async def set_request_url(self, url: str) -> None:
        await self._ask("set_request_url", url=url)

    async def post_as_user(self, user: str, channel: str, text: str) -> SeenMessage:
        return SeenMessage(**await self._ask("post_as_user", user=user, channel=channel, text=text))

    async def connections(self) -> int:
        count: int = await self._ask("connections")
        return count

    async def wait_for_connection(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - the wait is the point
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
