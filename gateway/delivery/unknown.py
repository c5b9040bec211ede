"""VirtualMTAs that PowerMTA does not know: finds out by itself when each is known again.

Rule: our drift is not the business of any message. Such a VirtualMTA leaves selection in every
process (`relay.circuit`, told through `ledger.bulletin`, so after a restart, too), and a message of
our own asks for it: x-virtual-mta names it, its domain is discarded, no IP sends anything and
nothing is charged. PowerMTA took it: the circuit closes, here and, within a second, everywhere.
Failure: any other answer says nothing, and another probe follows when the circuit's wait is over.
"""

import asyncio
from collections.abc import Callable

from gateway.delivery.probe import probe
from gateway.message.ids import Ids
from gateway.relay.parcel import Parcel
from gateway.relay.relay import Relay
from gateway.relay.wire import Session
from gateway.watch import metrics
from gateway.watch.log import Log
from policy.identity import PROBE
from policy.outcome import Outcome, Relayed
from policy.plan import Generation

EVERY = 1.0
_BUDGET = 20.0
_AT_ONCE = 4
"""Probes under way: as many sessions as they take from mail."""

_TEXT = b"Asks whether PowerMTA knows this VirtualMTA."

_SENT = metrics.counters(
    "sendgate_vmta_probes_total",
    "Messages of our own that asked PowerMTA for a VirtualMTA it had not known, by result: known, "
    "unknown, failed.",
    {"result": ("known", "unknown", "failed")},
)


class UnknownVmtas:
    """Of one process."""

    def __init__(
        self,
        relay: Relay,
        generation: Callable[[], Generation | None],
        ids: Ids,
        *,
        hostname: str,
        clock: Callable[[], float],
        now: Callable[[], int],
        log: Log,
    ) -> None:
        """`clock` in real elapsed seconds, `now` in ledger milliseconds."""
        self._relay = relay
        self._generation = generation
        self._ids = ids
        self._hostname = hostname
        self._clock = clock
        self._now = now
        self._log = log

    async def run(self) -> None:
        """Side task: until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Ask for those whose wait is over; the others have their turn a second later."""
        plan, now = self._generation(), self._clock()
        if plan is None:
            return
        due = [
            one.name
            for one in self._relay.vmtas.unknown()
            if one.state == "open" and not one.rests(now) and one.name in plan.vmta
        ]
        if due:
            servers = {name: plan.vmta[name].server for name in due[:_AT_ONCE]}
            await asyncio.gather(*(self._ask(name, server) for name, server in servers.items()))

    async def _ask(self, vmta: str, server: str) -> None:
        name = self._ids.message(self._now() / 1000)

        def pack(session: Session) -> Parcel:
            return probe(name, vmta, session, hostname=self._hostname, now=self._now(), text=_TEXT)

        outcome = await self._relay.send(
            server,
            vmta,
            pack,
            message=PROBE + name,
            deadline=asyncio.get_running_loop().time() + _BUDGET,
            fresh=lambda: True,
            late=_unheard,
        )
        known = isinstance(outcome, Relayed)
        still = not known and vmta in {one.name for one in self._relay.vmtas.unknown()}
        _SENT.labels("known" if known else "unknown" if still else "failed").inc()
        if known:
            self._log.info("vmta_known_again", vmta=vmta, server=server)
        else:
            self._log.warning("vmta_unknown", vmta=vmta, server=server, why=str(outcome))


def _unheard(outcome: Outcome) -> None:
    """Late: the next one will be in time."""
    del outcome
