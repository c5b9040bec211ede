"""What all client sessions of one worker share, and how they end together."""

import ssl
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.message.ids import Ids
from gateway.message.message import Message, Recipient
from gateway.session.admission import Memory, Sessions
from gateway.session.auth import Authenticator
from gateway.sessions import OpenSessions
from gateway.watch.log import Log
from policy.model import Tenant
from policy.node import network, within
from policy.plan import Generation
from policy.reply import Reply
from policy.suppression import Known
from settings.model import Gateway

_MOST_ORIGINS = 4096


class Origin:
    """What a source address says of its client."""

    __slots__ = ("plain_auth", "tenant")

    def __init__(self, tenant: str | None, plain_auth: bool) -> None:
        """`tenant`: named without a login; `plain_auth`: logins are taken without TLS."""
        self.tenant = tenant
        self.plain_auth = plain_auth


class Service:
    """What all sessions of one worker share."""

    def __init__(
        self,
        *,
        settings: Gateway,
        hostname: str,
        generation: Callable[[], Generation | None],
        handle: Callable[[Message], Coroutine[Any, Any, Reply]],
        authenticator: Authenticator,
        sessions: Sessions,
        memory: Memory,
        ids: Ids,
        log: Log,
        wall_clock: Callable[[], float],
        tls: ssl.SSLContext | None,
        max_size: Callable[[int], int],
        suppressed: Callable[[str, Recipient], Known],
    ) -> None:
        """`max_size` narrows the configured message size to what the servers take; `suppressed`:
        what is known of a tenant's recipient."""
        self.settings = settings
        self.hostname = hostname
        self.generation = generation
        self.handle = handle
        self.authenticator = authenticator
        self.sessions = sessions
        self.memory = memory
        self.ids = ids
        self.log = log
        self.wall_clock = wall_clock
        self.tls = tls
        self._max_size = max_size
        self.suppressed = suppressed
        self.plain_auth = tuple(network(n) for n in settings.plain_auth_networks)
        self.balancers = tuple(network(n) for n in settings.proxy_networks)
        self.live = OpenSessions()
        self.logged_in: set[str] = set()
        """Logins that let a client in since the last sign of life; the bulletin empties it."""
        self.logged_in_before: set[str] = set()
        """Those of them that did it by a former password."""
        self.closing = False
        self.greeting = f"220 {hostname} ESMTP Sendgate\r\n".encode()
        self.shortest_timeout = min(
            settings.command_timeout, settings.data_timeout, settings.message_timeout
        )
        self._origins: dict[str, Origin] = {}
        self._origins_of: Generation | None = None

    @property
    def max_message_size(self) -> int:
        """Octets, offered as SIZE."""
        return self._max_size(self.settings.max_message_size)

    def tenant(self, name: str | None) -> Tenant | None:
        """The tenant as the generation in force has it."""
        generation = self.generation()
        return generation.tenant.get(name) if generation is not None and name else None

    def admits(self, login: str, entry: tuple[str, str]) -> bool:
        """Whether (tenant, hash) is a login's now, as the generation in force has it."""
        generation = self.generation()
        found = generation.login.get(login) if generation is not None else None
        if found is None or found[0] != entry[0]:
            return False
        return entry[1] in found[1].accepted(int(self.wall_clock() * 1000))

    def origin(self, peer: str) -> Origin:
        """What a source address says of its client; remembered, for a client that connects for
        every message comes from the same few addresses."""
        generation = self.generation()
        if generation is not self._origins_of or len(self._origins) >= _MOST_ORIGINS:
            self._origins, self._origins_of = {}, generation
        origin = self._origins.get(peer)
        if origin is None:
            networks = generation.networks if generation is not None else ()
            tenant = next((name for net, name in networks if within(peer, (net,))), None)
            origin = self._origins[peer] = Origin(tenant, within(peer, self.plain_auth))
        return origin

    def close_idle(self) -> None:
        """Drain: sessions between messages end now, the others when their message is done."""
        self.closing = True
        for session in self.live:
            session.close_if_idle()

    def cut_readers(self) -> None:
        """Cut the sessions whose message is not here yet: nothing of it is lost."""
        for session in self.live:
            if not session.handling:
                session.cut()

    def abort(self) -> None:
        """Cut what is left when all time is over."""
        for session in self.live:
            session.cut()
