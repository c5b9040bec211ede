"""Questions to DNS, bounded: so many at a time, so long for each, so long for all of a check.

dnspython asks. Rule: an answer is what a server said about the name: records, none of this kind, no
such name. Everything else (SERVFAIL, REFUSED, silence, no server at all) is *not known*, and the
caller must not take it for an absence.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from control.provider.lookup import server_address
from settings.dns import Dns

MOST_ALIASES = 8
"""CNAME records that are followed from one answer to the next; resolvers stop near there, too."""
SHORTEST = 0.01
"""Seconds that are left for a question that is still worth asking."""

Kind = Literal["TXT", "A", "AAAA", "PTR", "MX"]


class Answer(NamedTuple):
    """What is known about a name and a kind of record."""

    state: Literal["found", "none", "nxdomain", "unknown"]
    values: tuple[str, ...] = ()
    """In order: of TXT the strings of each record joined, names without their last dot, of MX
    `PREFERENCE HOST`, HOST `.` where it says that there is none."""
    why: str = ""
    """Of `unknown`."""

    @property
    def absent(self) -> bool:
        """Whether it is known that there is none: what RFC 7208 calls a void look-up."""
        return self.state in ("none", "nxdomain")


class Servers:
    """Whom to ask. One for a process: it bounds what is asked at a time."""

    def __init__(self, settings: Dns) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.at_once)
        self._all: Any = None
        self._each: list[Any] = []

    def questions(self) -> "Questions":
        """For one check, by any of the servers: the next where one does not answer."""
        self._ready()
        return Questions(self._all, self._slots, self._settings)

    def separately(self) -> "list[Questions]":
        """For one check, each of the servers by itself. Empty: there is none."""
        self._ready()
        return [Questions(one, self._slots, self._settings) for one in self._each]

    def _ready(self) -> None:
        # Here: it takes a tenth of a second, which each command of `sendgate` would wait for.
        import dns.asyncresolver
        import dns.nameserver
        import dns.resolver

        named = self._settings.nameservers
        if self._all is not None:
            return
        try:
            resolver = dns.asyncresolver.Resolver(configure=not named)
        except dns.resolver.NoResolverConfiguration:
            return
        servers: Sequence[Any] = resolver.nameservers
        if named:
            servers = [dns.nameserver.Do53Nameserver(*server_address(text)) for text in named]
        self._all = self._asking(resolver, servers)
        self._each = [
            self._asking(dns.asyncresolver.Resolver(configure=False), [one]) for one in servers
        ]

    def _asking(self, resolver: Any, servers: Sequence[Any]) -> Any:
        resolver.nameservers = list(servers)
        # One lost datagram is no silence: at least two tries within the time.
        resolver.timeout = min(2.0, self._settings.timeout / 2)
        return resolver


class Questions:
    """Of one check; each question is asked once."""

    def __init__(self, resolver: Any, slots: asyncio.Semaphore, settings: Dns) -> None:
        self._resolver = resolver
        self._slots = slots
        self._settings = settings
        self._ends = asyncio.get_running_loop().time() + settings.deadline
        self._asked: dict[tuple[str, Kind], asyncio.Task[Answer]] = {}

    async def ask(self, name: str, kind: Kind) -> Answer:
        """What is there. Raises nothing: what cannot be known is `unknown`, and says why."""
        key = (name.rstrip(".").lower(), kind)
        if key not in self._asked:
            self._asked[key] = asyncio.create_task(self._bounded(*key))
        # Who asked may be cancelled: what is under way is not.
        return await asyncio.shield(self._asked[key])

    async def _bounded(self, name: str, kind: Kind) -> Answer:
        # Nothing is cancelled: dnspython then leaves its socket open. What is under way ends with
        # its own time, and what waits behind it by then is not asked.
        async with self._slots:
            if self._left() <= 0:
                late = f"not asked within the {self._settings.deadline:g} s of a check"
                return Answer("unknown", why=f"{late} (dns.deadline)")
            return await self._followed(name, kind)

    def _left(self) -> float:
        return self._ends - asyncio.get_running_loop().time()

    async def _followed(self, name: str, kind: Kind) -> Answer:
        """Through aliases that the server did not follow itself."""
        if self._resolver is None:
            return Answer("unknown", why="no name server is known: name some in dns.nameservers")
        for _ in range(MOST_ALIASES):
            answer, alias = await self._one(name, kind)
            if not alias:
                return answer
            name = alias
        return Answer("unknown", why=f"more than {MOST_ALIASES} CNAME records lead on from it")

    async def _one(self, name: str, kind: Kind) -> tuple[Answer, str]:
        """The answer, or the name at which it is to be asked for."""
        import dns.exception
        import dns.name
        import dns.resolver

        lifetime = max(min(self._settings.timeout, self._left()), SHORTEST)
        try:
            asked = dns.name.from_text(f"{name}.")
        except (dns.exception.DNSException, UnicodeError):
            return Answer("nxdomain"), ""  # no name that could be published
        try:
            found = await self._resolver.resolve(
                asked, kind, lifetime=lifetime, search=False, raise_on_no_answer=False
            )
        except dns.resolver.NXDOMAIN:
            return Answer("nxdomain"), ""
        except (dns.exception.DNSException, OSError, ValueError) as error:
            return Answer("unknown", why=str(error) or type(error).__name__), ""
        if found.rrset is not None:
            return Answer("found", tuple(_text(record, kind) for record in found.rrset)), ""
        alias = found.canonical_name
        return Answer("none"), "" if alias == asked else alias.to_text(omit_final_dot=True)


def _text(record: Any, kind: Kind) -> str:
    if kind == "TXT":
        return b"".join(record.strings).decode("utf-8", "replace")
    if kind == "PTR":
        return str(record.target.to_text(omit_final_dot=True)).lower()
    if kind == "MX":
        host = record.exchange.to_text()
        return f"{record.preference} {host if host == '.' else host.rstrip('.').lower()}"
    return str(record.address)
