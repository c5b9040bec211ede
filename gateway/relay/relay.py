"""Relays one parcel: a session from the server's pool, and one more try before the body has left.

Owns: the pools, the circuits, the time a relay may take. Not here: quota, stamping, answers.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.relay.circuit import Circuits
from gateway.relay.endpoint import OpenError
from gateway.relay.parcel import Parcel
from gateway.relay.passes import Passes
from gateway.relay.pool import Opener, ServerPool
from gateway.relay.verdicts import Divided
from gateway.relay.wire import Session
from gateway.watch import metrics
from policy.model import Server
from policy.outcome import Asked, Failed, Outcome, Refused, Relayed, Scope, Stage
from policy.reply import Reply
from settings.model import Relay as RelaySettings

_OWN_FIELDS = 512
"""Octets left for the fields we put on top."""


_SESSIONS: Final = metrics.gauge(
    "sendgate_relay_sessions",
    "Sessions to a PowerMTA server by state, and messages waiting for one.",
    ["server", "state"],
)
_CIRCUITS: Final = metrics.gauge(
    "sendgate_circuits_open", "Circuits that are not closed, by kind (server or vmta).", ["kind"]
)


_UNKNOWN: Final = metrics.gauge(
    "sendgate_vmtas_unknown",
    "VirtualMTAs that PowerMTA does not know (5.5.0), of the worker that knows of most: their mail "
    "goes by other IPs or is held.",
    workers="livemax",
)


def _unheard(server: str, farewell: str) -> None:
    del server, farewell


class Relay:
    """The way to all PowerMTA servers of the generation."""

    def __init__(
        self,
        settings: RelaySettings,
        opener: Opener,
        *,
        workers: int,
        clock: Callable[[], float],
        now: Callable[[], int],
        farewell: Callable[[str, str], None] = _unheard,
    ) -> None:
        """`workers`: processes of this node that share each server's sessions; `clock` in real
        elapsed seconds, `now` in ledger milliseconds; `farewell` is told the server and its words
        when it ends a session by itself."""
        self._settings = settings
        self._opener = opener
        self._share = settings.gateways * workers
        self._clock = clock
        self._farewell = farewell
        self._pools: dict[str, ServerPool] = {}
        waits = {"wait": settings.circuit_wait, "wait_max": settings.circuit_wait_max}
        self.servers = Circuits(failures=settings.circuit_failures, **waits)
        self.passes = Passes(now)
        self.vmtas = Circuits(failures=settings.circuit_failures, **waits)
        self.known: set[str] = set()
        """VirtualMTAs of the generation."""

    def update(self, servers: tuple[Server, ...], vmtas: set[str]) -> None:
        """Follow a new generation. A server whose addresses changed gets new sessions; the old
        ones finish what they do."""
        wanted = {server.name: server for server in servers}
        for name, pool in list(self._pools.items()):
            server = wanted.get(name)
            if server is not None and server.addresses == pool.server.addresses:
                pool.resize(server, self._limit(server))
            else:
                pool.close()
                del self._pools[name]
        for name, server in wanted.items():
            if name not in self._pools:
                self._pools[name] = self._pool(server)
        self.servers.keep_only(set(wanted))
        self.vmtas.keep_only(vmtas)
        self.known = vmtas
        self.passes.keep_only(vmtas)

    def _limit(self, server: Server) -> int:
        return max(server.sessions // self._share, 1)

    def retire(self) -> None:
        """A successor takes new sessions: leave it most of what the servers admit."""
        self._share *= 4
        for pool in self._pools.values():
            pool.resize(pool.server, self._limit(pool.server))

    def _pool(self, server: Server) -> ServerPool:
        settings = self._settings
        return ServerPool(
            server,
            self._opener,
            limit=self._limit(server),
            idle=settings.idle,
            late_reply=settings.late_reply,
            max_messages=settings.max_messages,
            grow_after=settings.grow_after,
            farewell=self._farewell,
        )

    @property
    def pools(self) -> tuple[ServerPool, ...]:
        return tuple(self._pools.values())

    @property
    def capacity(self) -> int:
        """Sessions this process may have to all servers together, as far as they have slots."""
        return sum(pool.bound for pool in self._pools.values())

    def want_slots(self, servers: set[str]) -> None:
        """Other processes of ours find no slot of these: sessions unused here are given up soon."""
        for name, pool in self._pools.items():
            pool.wanted = name in servers

    def blocked(self, message: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(servers, VirtualMTAs) that this message must not use now."""
        if self.servers.all_closed and self.vmtas.all_closed:
            return (), ()
        now = self._clock()
        return self.servers.blocked(message, now), self.vmtas.blocked(message, now)

    def max_size(self, configured: int) -> int:
        """The largest message worth taking, in octets, our own fields included: what every server
        takes that says so on a session now open. What one said before binds nobody."""
        largest = configured
        for pool in self._pools.values():
            if pool.size:
                # Never 0, which would say that there is no limit (RFC 1870 section 4).
                largest = min(largest, max(pool.size - _OWN_FIELDS, 1))
        return largest

    async def send(
        self,
        server: str,
        vmta: str,
        parcel: Callable[[Session], Parcel | Reply | Failed],
        *,
        message: str,
        deadline: float,
        fresh: Callable[[], bool],
        late: Callable[[Outcome], None],
        divided: Divided | None = None,
    ) -> Outcome:
        """One outcome. `parcel` builds the commands for what the session's EHLO offers, or says why
        there can be none; `deadline` is loop time; `divided` as for `Session.transact`."""
        if server not in self._pools:
            # The ledger is a generation ahead of us, or behind: another IP may do.
            return _not_begun(f"PowerMTA server {server} is not in our generation", Scope.SERVER)
        if not self._admitted(server, vmta, message):
            return _not_begun(f"{server} or {vmta} is resting after failures", Scope.MESSAGE)
        try:
            outcome = await self._try(server, parcel, deadline, fresh, late, divided)
        except BaseException:
            self._abandon(server, vmta, message)
            raise
        self._count(outcome, server, vmta, message)
        return outcome

    def _admitted(self, server: str, vmta: str, message: str) -> bool:
        if self.servers.all_closed and self.vmtas.all_closed:
            return True
        now = self._clock()
        if not self.servers[server].admits(message, now):
            return False
        if self.vmtas[vmta].admits(message, now):
            return True
        self.servers[server].abandoned(message, now)
        return False

    async def _try(
        self,
        server: str,
        parcel: Callable[[Session], Parcel | Reply | Failed],
        deadline: float,
        fresh: Callable[[], bool],
        late: Callable[[Outcome], None],
        divided: Divided | None,
    ) -> Outcome:
        outcome: Outcome = _not_begun("no session", Scope.MESSAGE)
        tried = 0
        while True:
            pool = self._pools.get(server)
            if pool is None:
                return _not_begun(f"PowerMTA server {server} left the configuration", Scope.MESSAGE)
            try:
                session = await pool.acquire(deadline)
            except OpenError as error:
                if pool.closed and self._pools.get(server) is not pool:
                    continue  # its successor has sessions
                return error.failure
            used_before = session.messages > 0
            packed = parcel(session)
            if not isinstance(packed, Parcel):
                pool.release(session)
                return Refused(packed, Stage.MAIL) if isinstance(packed, Reply) else packed
            try:
                outcome = await session.transact(
                    packed, deadline=deadline, fresh=fresh, late=late, divided=divided
                )
            finally:
                pool.release(session)
            # Only a session that died of age, before the body left, is worth another. Each one is
            # gone then, so that all a pool has may be tired.
            died = isinstance(outcome, Failed) and not session.usable and session.stale
            tried += 1
            if not (died and used_before) or tried > pool.bound + 1:
                return outcome

    def _count(self, outcome: Outcome, server: str, vmta: str, message: str) -> None:
        if isinstance(outcome, Relayed | Refused):
            self.servers.succeeded(server)
            if isinstance(outcome, Relayed):
                self.passes.passed(server, vmta)
                self.vmtas.succeeded(vmta)
            else:
                self.vmtas.answered(vmta, message, self._clock())
            return
        now = self._clock()
        scope, immediate, full = Scope.SERVER, False, False
        if isinstance(outcome, Failed):
            scope, immediate, full = outcome.scope, outcome.immediate, outcome.full
        why = outcome.why
        if scope is Scope.VMTA:
            # At once is for one that PowerMTA does not know (`policy.outcome`). Our own, which is
            # in no generation, nobody asks for but who uses it.
            unknown = immediate and vmta in self.known
            self.vmtas[vmta].failed(message, why, now, immediate=immediate, unknown=unknown)
            # The server answered; it is well.
            self.servers[server].succeeded()
        elif scope is Scope.SERVER:
            self.servers[server].failed(message, why, now, immediate=immediate, full=full)
            self.vmtas[vmta].abandoned(message, now)
        else:
            self._abandon(server, vmta, message)

    def _abandon(self, server: str, vmta: str, message: str) -> None:
        """The attempt told nothing about either."""
        now = self._clock()
        self.servers[server].abandoned(message, now)
        self.vmtas[vmta].abandoned(message, now)

    def gauge(self) -> None:
        """Show what is open, and what is not closed."""
        for pool in self.pools:
            for state, count in pool.counts.items():
                _SESSIONS.labels(pool.server.name, state).set(count)
        _CIRCUITS.labels("server").set(len(self.servers.not_closed()))
        _CIRCUITS.labels("vmta").set(len(self.vmtas.not_closed()))
        _UNKNOWN.set(len(self.vmtas.unknown()))

    async def sweep(self, every: float = 5.0) -> None:
        """Side task: close idle sessions in time. Runs until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(every)
            for pool in self._pools.values():
                pool.sweep(loop.time())

    def close(self) -> None:
        """Idle sessions end; those that owe a reply are given up."""
        for pool in self._pools.values():
            pool.abandon()


def _not_begun(why: str, scope: Scope) -> Failed:
    return Failed(why, scope, asked=Asked.NOTHING)
