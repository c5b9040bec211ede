"""Where a request comes from: the address of who connects, or of whom a proxy of ours names."""

from aiohttp import web

from policy.node import Network, within

MOST = 20
"""Hops of `X-Forwarded-For` that are looked at."""


def come_from(request: web.Request, proxies: tuple[Network, ...]) -> str:
    """The last address that is no proxy's: what stands before it anybody may have written."""
    address = request.remote or ""
    named = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
    for one in reversed(named[-MOST:]):
        if not within(address, proxies) or not one.strip():
            break
        address = one.strip()[:64]
    return address
