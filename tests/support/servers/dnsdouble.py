"""A DNS server of tests: answers over a real UDP socket what it was told."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class DnsDouble(asyncio.DatagramProtocol):
    """`mx`: domain to (TTL, [(preference, host)]); what is not there does not exist."""

    def __init__(self) -> None:
        self.mx: dict[str, tuple[int, list[tuple[int, str]]]] = {}
        self.silent: set[str] = set()
        """Domains whose questions nobody answers."""
        self.failing: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.port = 0

    def connection_made(self, transport: Any) -> None:
        # uvloop's is none of asyncio's class.
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text().rstrip(".").lower()
        self.asked[name] += 1
        if name in self.silent:
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if name in self.failing:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif name not in self.mx:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            ttl, records = self.mx[name]
            if records:
                texts = [f"{preference} {host}." for preference, host in records]
                answer.answer.append(dns.rrset.from_text(f"{name}.", ttl, "IN", "MX", *texts))
        self._transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def dns_double() -> AsyncIterator[DnsDouble]:
    """Listening on a free port of loopback."""
    loop = asyncio.get_running_loop()
    transport, double = await loop.create_datagram_endpoint(DnsDouble, local_addr=("127.0.0.1", 0))
    try:
        yield double
    finally:
        transport.close()
