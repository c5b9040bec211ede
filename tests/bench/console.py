"""What pages of the console take, by how much there is: `python -m tests.bench.console`.

A stack of its own is filled: mailboxes, a twentieth as many IPs, a tenth as many people, ten times
as many held messages and entries of the audit log. Then every page of the table is asked for, as an
admin and as a viewer of one tenant, one after the other: the median and the longest of the rounds,
the first one too, for that is what an operator waits for who comes once a day; how long until
nothing of it is being looked for any more; and what a page costs of the processor, which a busy
machine does not stretch.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec

from control.console.views.pages import PAGES
from loadtest.benchcontrol import SETTLED, SIZES, Client, stack
from loadtest.benchmark.filling import address, fill, history
from loadtest.benchmark.processes import usage
from tests.bench.heldrows import fill_tenants
from tests.support.control.browsing import PENDING, Browser, Seen

TARGET = 300.0
"""Milliseconds in which any page is to be there."""
NAMES = {
    "ip": address(0),
    "job": "cleanup",
    "user": "p1",
    "tenant": "t000",
    "domain": "d0.t000.example",
    "address": "m000000@d0.t000.example",
}
"""What stands in paths; the server is asked for."""
BESIDE = {
    "/held": (
        "?tenant=t000",
        "?reason=ip_quota",
        "?campaign=c7",
        "?message=nobody",
        "?state=doubt",
    ),
    "/audit": ("?who=u7", "?subject=tenant/t000", "?action=ip.set", "?text=ticket"),
    "/mailboxes": ("?tenant=t000",),
    "/suppressions": ("?tenant=t000&address=nobody7@gmail.com",),
    "/ips": ("?tenant=t000",),
    "/users": ("?name=p77",),
    "/explain": ("?message=nobody",),
}
"""Of some pages what is asked for by their filters."""
PASSWORD = "a long pass phrase"


class Took(msgspec.Struct, kw_only=True):
    """One page as one who asks; milliseconds."""

    page: str
    who: str
    p50: float
    most: float
    whole: float
    control: float
    """Of the processor, a page: control's own, and PostgreSQL's."""
    postgres: float
    octets: int


def asked(server: str) -> list[str]:
    """Every page of the table, filled in, and some with a filter."""
    names = {**NAMES, "server": server}
    found = ["/"]
    for page in PAGES:
        path = page.path
        for name, value in names.items():
            path = path.replace(f"{{{name}}}", value)
        found += [path, *(path + query for query in BESIDE.get(page.path, ()))]
    return found


@asynccontextmanager
async def people(url: str, token: str) -> AsyncIterator[dict[str, Browser]]:
    """An admin, and a viewer of one tenant, each signed in."""
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        headers = {"Authorization": f"Bearer {token}"}

        async def api(path: str, body: dict[str, Any]) -> Any:
            async with session.post(url + path, json=body, headers=headers) as answer:
                said = await answer.json()
                if answer.status >= 400:
                    raise RuntimeError(f"{path}: {answer.status} {said}")
                return said

        found = {}
        for name, given in {
            "admin": {"role": "admin"},
            "viewer": {"role": "viewer", "tenants": ["t000"]},
        }.items():
            made = await api("/api/v2/users", {"name": f"bench-{name}", **given})
            link = made["view"]["link"] if "view" in made else made["link"]
            await api("/api/v1/auth/link", {"link": link, "password": PASSWORD})
            browser = Browser(_Asking(url, session))  # type: ignore[arg-type]
            seen = await browser.sign_in(f"bench-{name}", PASSWORD)
            if seen.status != 303:
                raise RuntimeError(f"{name} cannot sign in: {seen.status} {seen.words[:300]}")
            found[name] = browser
        yield found


class _Asking:
    """As much of a client of the API as a browser needs."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session


async def took(pid: int, browser: Browser, who: str, path: str, rounds: int) -> Took | None:
    """None: who asks may not see it. Raises RuntimeError for an error on control's side."""
    times = []
    began = time.perf_counter()
    whole = 0.0
    seen: Seen | None = None
    before = usage(pid)
    while len(times) < rounds or (not whole and time.perf_counter() - began < 60):
        started = time.perf_counter()
        seen = await browser.at_once(path)
        times.append(1000 * (time.perf_counter() - started))
        if seen.status in (403, 404):
            return None
        if seen.status >= 400:
            raise RuntimeError(f"{path}: {seen.status} {seen.words[:300]}")
        if not whole and not PENDING.search(seen.text):
            whole = time.perf_counter() - began
        if not whole:
            await asyncio.sleep(0.05)
    assert seen is not None
    after = usage(pid)
    control, postgres = (
        1000 * (after[name].cpu - before[name].cpu) / len(times) for name in ("control", "postgres")
    )
    times.sort()
    return Took(
        page=path,
        who=who,
        p50=round(times[len(times) // 2], 1),
        most=round(times[-1], 1),
        whole=round(1000 * whole, 1),
        control=round(control, 1),
        postgres=round(max(postgres, 0.0), 1),
        octets=len(seen.text.encode()),
    )


async def measure(mailboxes: int, rounds: int, only: str) -> list[Took]:
    """Of one size."""
    tenants, ips = SIZES[mailboxes]
    with stack() as (pid, found, token):
        url, database = found["api"], found["postgres"]
        await fill(database, tenants, ips, mailboxes)
        await history(database, max(mailboxes // 10, 1), 10 * mailboxes)
        link = await asyncpg.connect(database)
        await fill_tenants(link, 10 * mailboxes, mailboxes, tenants)
        server = await link.fetchval("SELECT min(name) FROM pmta_server")
        await link.close()
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            await Client(session, url).ask("POST", "/api/v2/generation")
        await asyncio.sleep(SETTLED)
        async with people(url, token) as browsers:
            done = [
                await took(pid, browser, who, path, rounds)
                for path in asked(server)
                if only in path
                for who, browser in browsers.items()
            ]
    return [one for one in done if one is not None]


def shown(found: dict[int, list[Took]]) -> str:
    """A line for each page and who asks, three columns for each size."""
    by = {(size, one.page, one.who): one for size, all_ in found.items() for one in all_}
    lines = [
        f"{'ms: median, longest, whole; of control, PG; kB':48}"
        + "".join(f"{s:>41,}" for s in found)
    ]
    for page, who in dict.fromkeys((page, who) for _, page, who in by):
        line = f"{page[:40]:41}{who:7}"
        over = False
        for size in found:
            if one := by.get((size, page, who)):
                over = over or one.most > TARGET
                line += f"{one.p50:8.0f}{one.most:7.0f}{one.whole:8.0f}"
                line += f"{one.control:6.0f}{one.postgres:6.0f}{one.octets / 1000:6.0f}"
            else:
                line += f"{'-':>41}"
        lines.append(line + ("  over" if over else ""))
    late = sum(one.most > TARGET for all_ in found.values() for one in all_)
    lines.append(f"{len(by) - late} of {len(by)} within {TARGET:.0f} ms, each time")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.console", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--mailboxes", type=int, choices=SIZES, action="append")
    parser.add_argument("--only", default="", help="pages whose path has this in it")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    found = {}
    for mailboxes in options.mailboxes or SIZES:
        try:
            found[mailboxes] = asyncio.run(measure(mailboxes, options.rounds, options.only))
        except RuntimeError as error:
            print(f"bench.console: {error}", file=sys.stderr)
            return 1
        print(shown({mailboxes: found[mailboxes]}), flush=True, end="\n\n")
    if len(found) > 1:
        print(shown(found))
    if options.json:
        said = {
            "machine": f"{os.cpu_count()} cores",
            "found": {str(size): msgspec.to_builtins(one) for size, one in found.items()},
        }
        options.json.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    return int(any(one.most > TARGET for all_ in found.values() for one in all_))


if __name__ == "__main__":
    sys.exit(main())
