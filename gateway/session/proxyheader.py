"""A balancer's PROXY header, read to its last octet and no further.

The only file that names aiosmtpd, which reads what the octets mean. Owns: how many there are still
to come. Not here: who may send a header, and what follows from it (`gateway.session.listener`).
Rule: what follows the header stays in the kernel. On a listener with implicit TLS it is a
ClientHello, often in the same segment (HAProxy's proxy-protocol.txt, section 2), and neither loop
gives TLS octets that a transport has handed out already.
"""

import asyncio
import logging
from ipaddress import IPv4Address, IPv6Address

from aiosmtpd.proxy_protocol import ProxyData, get_proxy

from gateway.watch.log import Log
from policy.node import node_name

_V1 = b"PROXY"
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_LOCAL = 0  # PROXY protocol 2.2: the balancer speaks for itself
_LONGEST_V1 = 107
_SHORTEST_V1 = {
    b" TCP4": len(b"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"),
    b" TCP6": len(b"PROXY TCP6 :: :: 0 0\r\n"),
}
_SHORTEST = len(b"PROXY UNKNOWN\r\n")

# aiosmtpd's reader complains here of each malformed header; our own log does, with the peer.
logging.getLogger("mail.debug").disabled = True


class ProxyHeader(asyncio.BufferedProtocol):
    """Has the place of a session's protocol until the header is here; the transport is paused
    then, and whoever asked puts another protocol in its place."""

    def __init__(self, transport: asyncio.Transport, session: asyncio.Protocol, log: Log) -> None:
        """`session` hears of the connection's end."""
        self._log = log
        self._transport = transport
        self._session = session
        self._head = bytearray()
        self._piece = bytearray(missing(b""))
        self._complete: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def client(self, own: str, patience: float) -> str:
        """Whom the balancer at address `own` speaks for: itself, if it says so. Empty when there is
        no header: in time, or well-formed."""
        try:
            async with asyncio.timeout(patience):
                complete = await self._complete
        except TimeoutError:
            return ""
        if not complete:
            return ""  # a balancer's look whether we are there
        found = await self._read()
        if found is None or not found.valid:
            self._log.warning("proxy_malformed", peer=own)
            return ""
        # A client on a socket in the balancer's file system has no address for us.
        if found.command == _LOCAL or not isinstance(found.src_addr, IPv4Address | IPv6Address):
            return own
        return node_name(str(found.src_addr))

    async def _read(self) -> ProxyData | None:
        reader = asyncio.StreamReader()
        reader.feed_data(bytes(self._head))
        reader.feed_eof()
        try:
            return await get_proxy(reader)
        except asyncio.IncompleteReadError:
            return None

    # asyncio.BufferedProtocol

    def get_buffer(self, sizehint: int) -> bytearray:
        del sizehint
        return self._piece

    def buffer_updated(self, nbytes: int) -> None:
        self._head += self._piece[:nbytes]
        if more := missing(self._head):
            self._piece = bytearray(more)
            return
        self._transport.pause_reading()
        self._end(complete=True)

    def eof_received(self) -> bool:
        self._end(complete=False)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(complete=False)
        self._session.connection_lost(exc)

    def pause_writing(self) -> None:
        self._session.pause_writing()

    def resume_writing(self) -> None:
        self._session.resume_writing()

    def _end(self, *, complete: bool) -> None:
        if not self._complete.done():
            self._complete.set_result(complete)


def missing(head: bytes | bytearray) -> int:
    """Octets that surely belong to the header which begins with `head`; 0 when it is complete, or
    none."""
    here = len(head)
    if here < len(_V1):
        return len(_V1) - here
    if head.startswith(_V1):
        if b"\n" in head or here >= _LONGEST_V1:
            return 0
        # Its end is not announced: as much as the shortest one has, then octet by octet.
        return max(1, _SHORTEST_V1.get(bytes(head[5:10]), _SHORTEST) - here)
    if not _SIGNATURE.startswith(head[: len(_SIGNATURE)]):
        return 0
    if here < 16:
        return 16 - here
    return 16 + int.from_bytes(head[14:16], "big") - here
