"""Delivery, or what stands for it: attempts that end as the recipient's local part says."""

import asyncio

from loadtest.pmta import records
from loadtest.pmta.accounting import Accounting
from loadtest.pmta.clock import Clock
from loadtest.pmta.counts import Counts
from loadtest.pmta.envelope import Recipient
from loadtest.pmta.magic import At
from loadtest.pmta.message import Message
from loadtest.pmta.routing import Routing

DEFAULT_RETRY_AFTER = 600.0
"""Seconds; PowerMTA's default for ``retry-after`` is 10m."""


class Delivery:
    """Writes the records of a message taken, and of each attempt for its recipients.

    `accounting` may be None: then attempts are only counted. `routing` is the loaded configuration;
    a reload replaces it, and what waits meets the new one.
    """

    def __init__(
        self,
        routing: Routing,
        accounting: Accounting | None,
        clock: Clock,
        counts: Counts,
        retry_after: float,
    ) -> None:
        self.routing = routing
        self._counts = counts
        self._accounting = accounting
        self._clock = clock
        self._retry_after = retry_after
        self._waiting: dict[tuple[int, int], tuple[Message, Recipient]] = {}
        self._retries: dict[tuple[int, int], asyncio.TimerHandle] = {}

    @property
    def waiting(self) -> int:
        """Recipients taken that have no final record yet."""
        return len(self._waiting)

    def queues(self) -> dict[str, int]:
        """Recipients waiting by queue, ``domain/vmta``."""
        queues: dict[str, int] = {}
        for message, recipient in self._waiting.values():
            queue = f"{recipient.domain}/{message.vmta}"
            queues[queue] = queues.get(queue, 0) + 1
        return queues

    def taken(self, message: Message) -> None:
        """Write the receipts of `message`, then make the first attempts."""
        if self._accounting is not None:
            now = self._clock.stamp()
            for recipient in message.recipients:
                self._accounting.write(records.receipt(message, recipient, now))
        for number, recipient in enumerate(message.recipients):
            magic = recipient.magic
            if (
                magic is None
                or magic.at is not At.ATTEMPT
                or recipient.address in message.discarded
            ):
                self._attempt(message, recipient, records.DELIVERED)
            elif magic.name == "bounce":
                self._attempt(message, recipient, records.BOUNCED)
            else:
                key = (message.id, number)
                self._waiting[key] = (message, recipient)
                if magic.name == "transient":
                    self._attempt(message, recipient, records.DELAYED)
                    loop = asyncio.get_running_loop()
                    retry = loop.call_later(self._retry_after, self._finish, key)
                    self._retries[key] = retry

    def record(self) -> None:
        """Have the records so far reach the operating system."""
        if self._accounting is not None and self._accounting.waiting:
            self._accounting.flush()

    def release(self) -> int:
        """Attempt everything that waits, now; how many recipients that were.

        A message whose VirtualMTA is gone bounces with 5.3.5 (guide, removing VirtualMTAs).
        """
        keys = list(self._waiting)
        for key in keys:
            self._finish(key)
        return len(keys)

    def forget(self) -> None:
        """Drop everything that waits, without records."""
        for retry in self._retries.values():
            retry.cancel()
        self._retries.clear()
        self._waiting.clear()

    def _finish(self, key: tuple[int, int]) -> None:
        message, recipient = self._waiting.pop(key)
        if retry := self._retries.pop(key, None):
            retry.cancel()
        self._attempt(message, recipient, records.DELIVERED)

    def _attempt(self, message: Message, recipient: Recipient, verdict: records.Verdict) -> None:
        if not self.routing.exists(message.vmta):
            verdict = records.ORPHANED
        totals = self._counts.totals
        if recipient.address not in message.discarded:
            totals.delivered += verdict.type == "d"
            totals.bounced += verdict.type == "b"
            totals.transient += verdict.type == "t"
        if self._accounting is not None:
            self._accounting.write(
                records.attempt(message, recipient, verdict, self._clock.stamp())
            )
