"""Probes: messages of our own that show how far a server's receipt stream has been read.

Owns: when one is needed, sending it. Rules (policy/README.md: doubt): only where a
receipt stream of that server is read, and only while a doubt there, or a closed ledger, waits for
it; own envelope id, system VirtualMTA, a discarded domain, outside quotas, allowed while the ledger
is closed.
Failure: a probe that was not accepted proves nothing, and another one follows.
"""

import asyncio
from collections.abc import Callable, Mapping

from gateway.delivery.probe import probe
from gateway.hold.database import Database
from gateway.message.ids import Ids
from gateway.relay.relay import Relay
from gateway.watch import metrics
from gateway.watch.log import Log
from policy.outcome import Outcome, Relayed
from policy.plan import SYSTEM_VIRTUAL_MTA
from settings.statements import statements

_SQL = statements("gateway.hold.upkeep", "upkeep")
_STREAMS = _SQL["streams"]
_LAST = _SQL["probe_last"]
_PUT = _SQL["probe_put"]
_ACCEPTED = _SQL["probe_accepted"]
_WANTED = _SQL["probes_wanted"]

_BUDGET = 20.0
_SHORTEST = 15
"""Part of the gap that must lie between two probes whatever is waiting."""


_SENT = metrics.counters(
    "sendgate_probes_total",
    "Probes sent to PowerMTA servers, by result: accepted, failed.",
    {"result": ("accepted", "failed")},
)


class Probes:
    """Sends probes for all gateways; two at once do no harm."""

    def __init__(
        self,
        database: Database,
        relay: Relay,
        ids: Ids,
        *,
        hostname: str,
        gap: float,
        now: Callable[[], int],
        log: Log,
    ) -> None:
        """`gap`: calendar seconds between the two probes of a proof; `now` in ledger
        milliseconds."""
        self._database = database
        self._relay = relay
        self._ids = ids
        self._hostname = hostname
        self._gap = round(gap * 1000)
        self._now = now
        self._log = log

    async def send(self, newest: Mapping[str, int]) -> None:
        """`newest`: by server, since when the newest doubt there waits. Sends what is due, and
        what control asked for. Raises AwayError, UnknownError, RefusedError."""
        async with self._database.connection() as link:
            streams = {row["server"] for row in await link.fetch(_STREAMS)}
            last = {row["server"]: row["sent"] for row in await link.fetch(_LAST)}
            wanted = [(row["id"], row["server"]) for row in await link.fetch(_WANTED)]
        now = self._now()
        for server, since in newest.items():
            before = last.get(server, 0)
            rest = self._gap // _SHORTEST if since > before else self._gap
            if server in streams and now >= before + rest:
                wanted.append((self._ids.message(now / 1000), server))
        await asyncio.gather(*(self._one(name, server) for name, server in wanted))

    async def _one(self, name: str, server: str) -> None:
        sent = self._now()
        async with self._database.connection() as link:
            await link.execute(_PUT, name, server, sent)
        outcome = await self._relay.send(
            server,
            SYSTEM_VIRTUAL_MTA,
            lambda session: probe(
                name,
                SYSTEM_VIRTUAL_MTA,
                session,
                hostname=self._hostname,
                now=self._now(),
                text=b"Shows how far accounting has been read.",
            ),
            message=name,
            deadline=asyncio.get_running_loop().time() + _BUDGET,
            fresh=lambda: True,
            late=_unheard,
        )
        accepted = isinstance(outcome, Relayed)
        _SENT.labels("accepted" if accepted else "failed").inc()
        if not accepted:
            self._log.warning("probe_failed", server=server, probe=name, why=str(outcome))
            return
        async with self._database.connection() as link:
            # Accepted now: a doubt that arose since it was asked for is before it all the same.
            await link.execute(_ACCEPTED, name)
        self._log.info("probe", server=server, probe=name)


def _unheard(outcome: Outcome) -> None:
    """A probe answered late proves nothing."""
    del outcome
