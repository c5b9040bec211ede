"""Where a request comes from: the address of who connects, or of whom a proxy of ours names."""

import re

from aiohttp import web

from policy.node import Network, node, within

_PORT = re.compile(r"^(?:\[([^\]]*)\]|([0-9.]+))(?::[0-9]+)?$")
"""Some balancers write the port, too (`192.0.2.1:4711`, `[2001:db8::1]:4711`). It is another with
each connection: taken for a part of the address, everyone who guesses would come from a new source
each time, and a token that is bound to networks would be good from none."""
MOST = 20
"""Hops of `X-Forwarded-For` that are looked at."""


def come_from(request: web.Request, proxies: tuple[Network, ...]) -> str:
    """The last address that is no proxy's: what stands before it anybody may have written. Where a
    proxy of ours names none (`unknown`, a socket's path), it is the proxy's own."""
    address = request.remote or ""
    named = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
    for one in reversed(named[-MOST:]):
        if not within(address, proxies) or not one.strip():
            break
        named_address = _PORT.sub(r"\1\2", one.strip()[:64])
        try:
            node(named_address)
        except ValueError:
            break
        address = named_address
    return address
