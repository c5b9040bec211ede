"""Messages go out: each to every channel, each channel on its own, none waits for another.

Rule: what is to be told is a row before it is sent, and marked when it was: a message may go twice
(a process killed between both), never not at all. A delivery that fails is tried again after 5 s,
doubling to ten minutes, or when the other side says; 40 times, about six hours, then it is dead and
seen in `sendgate alert list`. Waits are real time.
"""

import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, get_args

import msgspec

from control.again import Look, again
from control.alerts.alert import Severity
from control.alerts.channel import Channel, ChannelError
from control.alerts.message import Message, trial
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "outbox")

TICK = 1.0
AT_ONCE = 5
LEASE = 30.0 * AT_ONCE + 10
"""Seconds in which claimed deliveries end: above the longest time-out of all of them."""
FIRST_WAIT = 5.0
LONGEST_WAIT = 600.0
MOST_ATTEMPTS = 40

_GRAVITY = get_args(Severity)


def again_in(attempts: int) -> float | None:
    """Real seconds until one that failed `attempts` times is tried again; None: not any more."""
    if attempts >= MOST_ATTEMPTS:
        return None
    return min(FIRST_WAIT * 2.0 ** (attempts - 1), LONGEST_WAIT)


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a test on one channel."""

    channel: str
    delivered: bool
    error: str


class Sender:
    """Of one control node. `least`: the mildest severity that is sent; `sent`: told the severity of
    each message that a channel took."""

    def __init__(
        self,
        pool: Any,
        channels: Sequence[Channel],
        least: str,
        sent: Callable[[str], object] = str,
    ) -> None:
        self._pool = pool
        self._channels = {channel.name: channel for channel in channels}
        self._told = sent
        self._wanted = list(_GRAVITY[_GRAVITY.index(least) :])

    @property
    def names(self) -> list[str]:
        """Of its channels."""
        return list(self._channels)

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """What has to run, each in a task of its own until it is cancelled."""
        looks: list[Look] = [
            self.share,
            *(partial(self.deliver, one) for one in self._channels.values()),
        ]
        return [again(look, TICK, log, "alerts are not sent") for look in looks]

    async def share(self) -> None:
        """Put new messages on the lists of all channels. Raises asyncpg's errors."""
        await self._pool.execute(_SQL["share"], list(self._channels), self._wanted)

    async def deliver(self, channel: Channel) -> int:
        """Send what is due of one channel; how many went. Raises asyncpg's errors."""
        rows = await self._pool.fetch(_SQL["claim"], channel.name, LEASE, AT_ONCE)
        messages = [msgspec.convert(dict(row), Message) for row in rows]
        messages.sort(key=lambda one: one.message)
        sent = 0
        for place, message in enumerate(messages):
            try:
                await channel.send(message)
            except ChannelError as error:
                await self._failed(channel, message, error)
                if error.wait is not None:
                    # The channel wants to be left alone: so do those that were to follow.
                    others = [one.message for one in messages[place + 1 :]]
                    await self._pool.execute(_SQL["rest"], channel.name, error.wait, others)
                    break
            else:
                await self._pool.execute(_SQL["sent"], message.message, channel.name)
                self._told(message.severity)
                sent += 1
        return sent

    async def _failed(self, channel: Channel, message: Message, error: ChannelError) -> None:
        wait = None if error.final else again_in(message.attempts)
        if error.wait is not None:
            wait = error.wait
        log.warning(
            "alert %s is not told by %s (attempt %d): %s",
            *(message.key, channel.name, message.attempts, error),
        )
        # That it has to wait its turn is no failure of the message.
        uncounted = int(error.wait is not None)
        values = (message.message, channel.name, str(error)[:500], wait, uncounted)
        await self._pool.execute(_SQL["failed"], *values)

    async def test(self, now: int) -> list[Delivered]:
        """Send a message to each channel at once, by no list. Calendar milliseconds."""
        found = []
        for channel in self._channels.values():
            try:
                await channel.send(trial(now))
                error = ""
            except ChannelError as failed:
                error = str(failed)
            found.append(Delivered(channel=channel.name, delivered=not error, error=error))
        return found
