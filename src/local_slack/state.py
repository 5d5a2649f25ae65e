"""The workspace as it is now: members, messages, who sees what."""

import asyncio
import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

from local_slack.config import Channel, Config, User
from local_slack.errors import ControlError, SlackError
from local_slack.messages import Message

MICROSECONDS = 1_000_000


class Workspace:
    """Channels, users and messages; `changes` counts what was shown, edited or deleted."""

    def __init__(self, config: Config, clock: Callable[[], float] = time.time) -> None:
        self.config = config
        self.clock = clock
        self.channels = {channel.id: channel for channel in config.channels}
        bot = User(config.app.bot_user_id, config.app.bot_name, is_bot=True)
        self.users = {user.id: user for user in (*config.users, bot)}
        self.usergroups = {group.id: list(group.users) for group in config.usergroups}
        self.messages: list[Message] = []
        self.bot_scopes = config.app.bot_scopes
        self.unsupported_blocks = config.workspace.unsupported_blocks
        self.changes = 0
        self.deleted: list[tuple[int, str, str]] = []
        """(changes, channel, ts) of each message that was deleted."""
        self.watchers: set[Callable[[], None]] = set()
        """Called after each change."""
        self._last_ts = 0
        self._waiters: set[asyncio.Future[None]] = set()

    def next_ts(self) -> str:
        """Return a ts such as `1700000000.000100`: now, unique, and greater than all before it."""
        self._last_ts = max(int(self.clock() * MICROSECONDS), self._last_ts + 1)
        seconds, rest = divmod(self._last_ts, MICROSECONDS)
        return f"{seconds}.{rest:06d}"

    def get_channel(self, channel: Any) -> Channel:
        """Return the channel if the bot may know it: a private one only as a member."""
        found = self.channels.get(channel) if isinstance(channel, str) else None
        hidden = found is not None and (found.is_private or found.is_mpim)
        if found is None or (hidden and not self.has_bot(found)):
            raise SlackError("channel_not_found")
        return found

    def has_bot(self, channel: Channel) -> bool:
        return self.config.app.bot_user_id in channel.members

    def get_user(self, user: Any) -> User:
        found = self.users.get(user) if isinstance(user, str) else None
        if found is None:
            raise SlackError("user_not_found")
        return found

    def get_person(self, user: str, channel: str) -> tuple[User, Channel]:
        """Return who acts where; raise `ControlError` when that person could not act there."""
        person, place = self.get_actor(user), self.get_place(channel)
        if user not in place.members:
            raise ControlError(f"{user} is not in #{place.name}")
        if place.is_archived:
            raise ControlError(f"#{place.name} is archived; nobody can act there")
        return person, place

    def get_actor(self, user: str) -> User:
        person = self.users.get(user)
        if person is None or person.is_bot:
            raise ControlError(
                f"there is no user {user}; the users are: {', '.join(self._people())}"
            )
        if person.deleted:
            raise ControlError(f"{user} is deactivated and cannot act")
        return person

    def get_place(self, channel: str) -> Channel:
        if channel not in self.channels:
            raise ControlError(f"there is no channel {channel}; the channels are: {self._places()}")
        return self.channels[channel]

    def change_channel(self, channel: str, **changes: Any) -> None:
        self.channels[channel] = dataclasses.replace(self.get_place(channel), **changes)
        self.notify()

    def set_bot_member(self, channel: str, *, is_member: bool) -> None:
        if self.get_place(channel).is_mpim:
            raise ControlError(f"{channel} is a group message; nobody is added or removed there")
        bot = self.config.app.bot_user_id
        others = tuple(one for one in self.get_place(channel).members if one != bot)
        self.change_channel(channel, members=(*others, bot) if is_member else others)

    def delete_channel(self, channel: str) -> None:
        del self.channels[self.get_place(channel).id]
        self.notify()

    def open_im(self, user: User) -> Channel:
        """Return the direct message between the bot and this person; create it the first time."""
        channel = f"D{user.id[1:]}"
        if channel not in self.channels:
            members = (user.id, self.config.app.bot_user_id)
            self.channels[channel] = Channel(channel, "directmessage", members, is_im=True)
            self.notify()
        return self.channels[channel]

    def set_scopes(self, scopes: Sequence[str]) -> None:
        self.bot_scopes = tuple(scopes)

    def set_members(self, usergroup: str, users: list[str]) -> None:
        if usergroup not in self.usergroups:
            raise ControlError(f"there is no user group {usergroup}")
        unknown = [user for user in users if user not in self.users]
        if unknown:
            raise ControlError(f"there is no user {unknown[0]}")
        self.usergroups[usergroup] = list(users)

    def add(self, message: Message) -> Message:
        self.messages.append(message)
        self.notify(message)
        return message

    def delete(self, message: Message) -> None:
        self.messages.remove(message)
        self.deleted.append((self.changes + 1, message.channel, message.ts))
        self.notify()

    def find(self, channel: str, ts: Any) -> Message | None:
        for message in self.messages:
            if message.channel == channel and message.ts == ts:
                return message
        return None

    def find_thread(self, message: Message) -> str | None:
        """The first message of its thread, which is itself once somebody replied; None of none."""
        if message.thread_ts is not None:
            return message.thread_ts
        there = {one.thread_ts for one in self.messages if one.channel == message.channel}
        return message.ts if message.ts in there else None

    def list_seen(self, channel: str, as_user: str | None) -> list[Message]:
        """Return what `as_user` sees in the channel, oldest first; None sees everything."""
        place = self.get_place(channel)
        if as_user is not None and as_user not in place.members:
            raise ControlError(f"{as_user} is not in #{place.name}")
        return [m for m in self.messages if m.channel == channel and m.is_seen_by(as_user)]

    def notify(self, message: Message | None = None) -> None:
        """Tell of a change, of this message if of one."""
        self.changes += 1
        if message is not None:
            message.changed = self.changes
        for watcher in self.watchers:
            watcher()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait_for_change(self, since: int, timeout: float) -> None:  # noqa: ASYNC109 - the wait is the point
        """Return when something changed after `since`, or after `timeout` seconds."""
        if self.changes > since:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait([waiter], timeout=timeout)
        finally:
            self._waiters.discard(waiter)

    def _people(self) -> list[str]:
        return [user.id for user in self.users.values() if not user.is_bot]

    def _places(self) -> str:
        return ", ".join(f"{channel.id} (#{channel.name})" for channel in self.channels.values())
