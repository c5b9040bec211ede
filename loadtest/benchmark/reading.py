"""What many clients wait for when they ask control at the same time: each read that its own
description names, and some changes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import aiohttp
import msgspec

from loadtest.benchmark.filling import address
from loadtest.benchmark.processes import usage

READ, CHANGE = 100.0, 300.0
"""Milliseconds in which 99 of 100 are to be answered."""
GIVEN = {
    "{tenant}": "t000",
    "{address}": "m000000@d0.t000.example",
    "{domain}": "d0.t000.example",
    "{ip}": address(0),
    "{pool}": "t000",
}
BESIDE = ("/api/v2/domains/{domain}/check", "/api/v2/powermta/diff", "/api/v2/powermta/keys")
"""Ask DNS, or want an agent or a folder for keys that are not there."""
PARTS = (
    "/api/v2/tenants?limit=100",
    "/api/v2/domains?limit=100",
    "/api/v2/ips?limit=100",
    "/api/v2/quota?limit=100",
    "/api/v2/warmup?limit=100",
    "/api/v2/users?limit=100",
    "/api/v2/tenants/t000/mailboxes?limit=100",
    "/api/v2/audit?who=u7",
    "/api/v2/audit?subject=tenant/t001",
    "/api/warmup/quota?status=behind",
    "/api/warmup/mailbox?id=m000000@d0.t000.example",
)
SLOWEST = 10.0
"""Seconds after which a route gets no more questions: one of seconds would take an hour."""

Ask = Callable[[str, str, Any], Awaitable[int]]


class Waited(msgspec.Struct, kw_only=True):
    """For one question; milliseconds."""

    question: str
    clients: int
    answers: int
    octets: int
    p50: float
    p99: float
    processor: float
    """Control's own, an answer."""
    target: float

    @property
    def kept(self) -> bool:
        """Whether 99 of 100 came in time."""
        return self.p99 <= self.target


async def described(session: aiohttp.ClientSession, url: str) -> list[str]:
    """Paths that can be read as they are, by what the API says of itself."""
    async with session.get(f"{url}/api/openapi.json") as response:
        document = await response.json()
    found = []
    for path, methods in document["paths"].items():
        needs = any(p.get("required") and p["in"] == "query" for p in _parameters(methods))
        if "get" in methods and path not in BESIDE and not needs:
            for name, value in GIVEN.items():
                path = path.replace(name, value)
            found.append(path)
    return [path for path in found if "{" not in path]


def _parameters(methods: dict[str, Any]) -> Iterable[dict[str, Any]]:
    found: list[dict[str, Any]] = methods.get("get", {}).get("parameters", [])
    return found


async def reads(
    session: aiohttp.ClientSession, url: str, pid: int, *, clients: int, times: int
) -> list[Waited]:
    """Each by so many clients at once, `times` answers in all."""
    return [
        await waited(session, pid, f"GET {path}", [("GET", url + path, None)], clients, times, READ)
        for path in (*await described(session, url), *PARTS)
    ]


async def changes(session: aiohttp.ClientSession, url: str, pid: int, times: int) -> list[Waited]:
    """One after the other: they are made under one lock. Each is another change than before."""
    tenant = f"{url}/api/v2/tenants/t000"
    box = f"{tenant}/mailboxes/m000000@d0.t000.example"
    kinds: dict[str, Callable[[int], tuple[str, str, Any]]] = {
        "PATCH a tenant": lambda n: ("PATCH", tenant, {"max_recipients": 500 + n}),
        "POST a domain": lambda n: (
            "POST",
            f"{url}/api/v2/domains",
            {"tenant": "t000", "domain": f"r{n}.t000.example", "ip": f"10.201.0.{n + 1}"},
        ),
        "PUT a mailbox": lambda n: ("PUT", box, {"daily_max": 2000 + n}),
        "POST a user": lambda n: ("POST", f"{url}/api/v2/users", {"name": f"bench{n}"}),
        "POST a token": lambda n: (
            "POST",
            f"{url}/api/v2/tokens",
            {"name": f"bench{n}", "scope": "read"},
        ),
    }
    return [
        await waited(session, pid, name, [made(n) for n in range(times)], 1, times, CHANGE)
        for name, made in kinds.items()
    ]


async def waited(
    session: aiohttp.ClientSession,
    pid: int,
    question: str,
    asked: list[tuple[str, str, Any]],
    clients: int,
    times: int,
    target: float,
) -> Waited:
    """`asked` in turns by clients each of which asks again as soon as it is answered. Raises
    RuntimeError for an error on control's side, and for a change that is refused."""
    took: list[float] = []
    octets = 0
    began = time.perf_counter()
    left = iter(range(times))

    async def client() -> None:
        nonlocal octets
        for number in left:
            method, path, body = asked[number % len(asked)]
            started = time.perf_counter()
            async with session.request(method, path, json=body) as response:
                said = await response.read()
            # Of a read it is an answer, too, that something is not there.
            if response.status >= (500 if method == "GET" else 400):
                raise RuntimeError(f"{method} {path}: {response.status} {said[:300]!r}")
            took.append(1000 * (time.perf_counter() - started))
            octets = len(said)
            if time.perf_counter() - began > SLOWEST:
                return

    before = usage(pid)["control"].cpu
    await asyncio.gather(*(client() for _ in range(clients)))
    used = usage(pid)["control"].cpu - before
    took.sort()
    return Waited(
        question=question,
        clients=clients,
        answers=len(took),
        octets=octets,
        p50=round(took[len(took) // 2], 1),
        p99=round(took[min(int(0.99 * len(took)), len(took) - 1)], 1),
        processor=round(1000 * used / len(took), 2),
        target=target,
    )


def shown(found: list[Waited]) -> str:
    """A line for each, those over their target marked."""
    lines = [f"{'ms':60}{'p50':>9}{'p99':>9}{'control':>9}{'octets':>12}"]
    for one in found:
        line = f"{one.question[:59]:60}{one.p50:9.1f}{one.p99:9.1f}{one.processor:9.2f}"
        lines.append(f"{line}{one.octets:12,}{'' if one.kept else '  over'}")
    over = sum(not one.kept for one in found)
    lines.append(f"{len(found) - over} of {len(found)} in time")
    return "\n".join(lines)
