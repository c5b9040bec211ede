"""The spool: the messages taken, kept as far as the run wants them."""

import enum

from loadtest.pmta.message import Message, Stored, stored


class Store(enum.StrEnum):
    """What is kept of a message: everything, all but its bytes, or nothing but the counts."""

    ALL = "all"
    HEADERS = "headers"
    COUNTS = "counts"


class Spool:
    """Messages in the order they were taken."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._messages: list[Stored] = []

    def take(self, message: Message, raw: bytes, content: bytes) -> None:
        """Keep `message`, which arrived as `raw` and is delivered as `content`."""
        if self._store is not Store.COUNTS:
            self._messages.append(stored(message, raw, content, self._store is Store.ALL))

    def select(
        self, vmta: str = "", rcpt: str = "", offset: int = 0, limit: int = 1000
    ) -> list[Stored]:
        """Messages sent by `vmta` to `rcpt` ("" = any; case does not count), `offset` skipped."""
        vmta, rcpt = vmta.lower(), rcpt.lower()
        chosen = [
            message
            for message in self._messages
            if (not vmta or message.vmta.lower() == vmta)
            and (not rcpt or any(address.lower() == rcpt for address in message.rcpts))
        ]
        return chosen[offset : offset + limit]

    def clear(self) -> None:
        """Forget every message."""
        self._messages.clear()
