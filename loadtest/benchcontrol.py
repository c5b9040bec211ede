"""What a change costs control, by how much there is: PostgreSQL is filled by COPY, and typical
questions are put over HTTP.

Beside them what callers of /api/warmup wait for, the memory of each process, and how long a gateway
answers nobody while it takes a plan of that size.

A dry run does all of a change but publishing it: that is the figure to bound. Of several the best,
for a machine does other things as well; and the processor time of the control process, which a
busy machine does not stretch.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from loadtest.benchmark import compiled
from loadtest.benchmark.calls import Call, called, calls
from loadtest.benchmark.filling import address, fill, history
from loadtest.benchmark.processes import usage
from loadtest.benchmark.reading import Waited, changes, reads, shown
from loadtest.benchmark.stops import Listening

SIZES = {10: (1, 5), 1_000: (10, 500), 100_000: (100, 5_000)}
"""Mailboxes to (tenants, IPs)."""
NOBODY = "127.0.0.1:9"
"""A PowerMTA that is not there: no mail is sent."""
QUIET = 3.0
SETTLED = 20.0
"""Seconds until gateways run a plan, and mailboxes were looked at."""
_TICK = os.sysconf("SC_CLK_TCK")


class Figure(msgspec.Struct, kw_only=True):
    """One question at one size, milliseconds."""

    mailboxes: int
    question: str
    wall: float
    processor: float


RATES = ("REQUESTS", "COSTLY", "ADDRESS")


@contextlib.contextmanager
def stack() -> Iterator[tuple[int, dict[str, str], str]]:
    """(pid, addresses, token) of one whose PowerMTA gets no mail."""
    with tempfile.TemporaryDirectory(prefix="sendgate-bench-") as name:
        command = [str(Path(sys.executable).with_name("sendgate")), "up", "--pmta", NOBODY]
        ports = ["--smtp-port", "0", "--api-port", "0"]
        process = subprocess.Popen(
            [*command, *ports, "--workers", "1", "--data-dir", name],
            stdout=subprocess.PIPE,
            text=True,
            # What it costs is asked, not how much of it is allowed.
            env={**os.environ, **{f"SENDGATE_CONTROL_RATE_{kind}": "0" for kind in RATES}},
        )
        try:
            assert process.stdout is not None
            if not process.stdout.readline().startswith("ready"):
                raise RuntimeError("the stack did not start")
            found = json.loads((Path(name) / "addresses.json").read_text())
            yield process.pid, found, (Path(name) / "admin-token").read_text().strip()
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def processor(pid: int) -> float:
    """Seconds a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


class Client:
    """Puts questions."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def ask(self, method: str, path: str, body: Any = None) -> int:
        """The status. Raises RuntimeError for one nobody expects."""
        async with self._session.request(method, self._url + path, json=body) as response:
            said = await response.read()
        if response.status >= 400 and not (response.status == 400 and b"limit" in said):
            raise RuntimeError(f"{method} {path}: {response.status} {said[:300]!r}")
        return response.status


def questions(turn: int, own: int) -> dict[str, tuple[str, str, Any]]:
    """Name to (method, path, body); another change each turn. `own`: mailboxes of the tenant."""
    tenant, domain = "/api/v2/tenants/t000", f"new{turn}.t000.example"
    added = {"tenant": "t000", "domain": domain, "ip": f"10.200.0.{turn + 1}"}
    mailbox = f"{tenant}/mailboxes/m000000@d0.t000.example"
    changes = {
        "tenant set": ("PATCH", tenant, {"max_recipients": 10 + turn}),
        "mailbox set": ("PUT", mailbox, {"daily_max": 1000 + turn}),
        "ip set": ("PATCH", f"/api/v2/ips/{address(0)}", {"quota": 1000 + turn}),
        "domain add": ("POST", "/api/v2/domains", added),
        # All of the tenant's, of which one is another one.
        "mailbox import": (
            "POST",
            f"{tenant}/mailboxes/import",
            {"csv": mailboxes_csv(own, 100 + turn)},
        ),
    }
    dry = {f"{name}, dry": (m, f"{path}?dry_run=1", b) for name, (m, path, b) in changes.items()}
    return {
        **dry,
        **changes,
        "tenant show": ("GET", tenant, None),
        "ip list": ("GET", "/api/v2/ips?limit=100", None),
    }


def mailboxes_csv(own: int, most: int) -> str:
    """As `loadtest.benchmark.filling` has them, but for the last one's maximum."""
    maxima = [100] * (own - 1) + [most]
    rows = [f"m{i:06}@d0.t000.example,{maximum},30\n" for i, maximum in enumerate(maxima)]
    return "address,daily_max,daily_min\n" + "".join(rows)


class Found(msgspec.Struct, kw_only=True):
    """Of one size."""

    figures: list[Figure]
    calls: list[Call]
    memory: dict[str, float]
    """MB resident, by process, at the end."""
    stops: dict[str, float]
    """Longest time for which the gateway answered no NOOP, milliseconds: at rest, and by change."""


async def measure(mailboxes: int, tenants: int, rounds: int, times: int) -> Found:
    """All questions at one size; each path of /api/warmup is called `times` times."""
    _, ips = SIZES[mailboxes]
    own = mailboxes // tenants
    noop = Listening()
    with stack() as (pid, found, token):
        await fill(found["postgres"], tenants, ips, mailboxes)
        headers = {"Authorization": f"Bearer {token}"}
        timeout = aiohttp.ClientTimeout(total=120)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            client = Client(session, found["api"])
            await client.ask("POST", "/api/v2/generation")
            await asyncio.sleep(SETTLED)
            called_ = await calls(client.ask, mailboxes, times)
            stops: dict[str, float] = {}
            async with noop.to(found["smtp"]):
                await asyncio.sleep(QUIET)
                stops["at rest"] = noop.forget()
                stops |= await stopped(client, noop, rounds, own)
            wall: dict[str, list[float]] = {}
            used: dict[str, float] = {}
            for name in questions(0, own):
                before = processor(pid)
                for turn in range(rounds):
                    method, path, body = questions(turn, own)[name]
                    started = time.perf_counter()
                    if await client.ask(method, path, body) == 400:
                        # A version without pages answers with all there is.
                        started = time.perf_counter()
                        await client.ask(method, path.partition("?")[0])
                    wall.setdefault(name, []).append(time.perf_counter() - started)
                used[name] = (processor(pid) - before) / rounds
        memory = {name: round(one.rss / 2**20, 1) for name, one in usage(pid).items()}
    figures = [
        Figure(
            mailboxes=mailboxes,
            question=name,
            wall=round(1000 * min(wall[name]), 1),
            processor=round(1000 * used[name], 1),
        )
        for name in wall
    ]
    return Found(figures=figures, calls=called_, memory=memory, stops=stops)


async def crowd(mailboxes: int, tenants: int, clients: int, times: int) -> list[Waited]:
    """What many clients at once wait for, with a tenth as many people and ten times as many entries
    of the audit log as mailboxes."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=120)
    ) as session:
        with stack() as (pid, found, token):
            await fill(found["postgres"], tenants, SIZES[mailboxes][1], mailboxes)
            await history(found["postgres"], max(mailboxes // 10, 1), 10 * mailboxes)
            session.headers["Authorization"] = f"Bearer {token}"
            await Client(session, found["api"]).ask("POST", "/api/v2/generation")
            await asyncio.sleep(SETTLED)
            asked = await reads(session, found["api"], pid, clients=clients, times=times)
            return asked + await changes(session, found["api"], pid, max(times // 20, 5))


async def stopped(client: Client, noop: Listening, rounds: int, own: int) -> dict[str, float]:
    """By change, the best of some rounds: what else the machine does is not in all of them."""
    found: dict[str, float] = {}
    for turn in range(rounds):
        for name in ("tenant set", "mailbox set", "ip set"):
            method, path, body = questions(100 + turn, own)[name]
            noop.forget()
            await client.ask(method, path, body)
            await asyncio.sleep(QUIET)
            found[name] = min(found.get(name, float("inf")), noop.forget())
    return found


def table(figures: list[Figure]) -> str:
    """A line for each question, a column for each size."""
    sizes = sorted({f.mailboxes for f in figures})
    found = {(f.question, f.mailboxes): f"{f.wall:.0f} ({f.processor:.0f})" for f in figures}
    lines = [f"{'ms (of the processor)':22}" + "".join(f"{size:>16,}" for size in sizes)]
    lines += [
        f"{name:22}" + "".join(f"{found[name, size]:>16}" for size in sizes)
        for name in dict.fromkeys(f.question for f in figures)
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchcontrol", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=200, help="of each path of /api/warmup")
    parser.add_argument("--mailboxes", type=int, choices=SIZES, action="append")
    parser.add_argument(
        "--tenants", type=int, help="that share the mailboxes; else as the size has"
    )
    parser.add_argument("--clients", type=int, default=50, help="that ask at the same time")
    parser.add_argument("--answers", type=int, default=300, help="to them, of each read")
    parser.add_argument(
        "--only-clients", action="store_true", help="what they wait for, and nothing else"
    )
    parser.add_argument("--json", type=Path, help="write the figures there")
    compiled.option(parser)
    options = parser.parse_args()
    found: list[Found] = []
    crowds: dict[int, list[Waited]] = {}
    try:
        compiled.use(interpreted=options.interpreted)
        for mailboxes in options.mailboxes or SIZES:
            tenants = options.tenants or SIZES[mailboxes][0]
            given = mailboxes, tenants
            if not options.only_clients:
                found.append(asyncio.run(measure(*given, options.rounds, options.calls)))
            crowds[mailboxes] = asyncio.run(crowd(*given, options.clients, options.answers))
    except RuntimeError as error:
        print(f"benchcontrol: {error}", file=sys.stderr)
        return 1
    if found:
        print(table([figure for one in found for figure in one.figures]), end="\n\n")
        print(called([call for one in found for call in one.calls]), end="\n\n")
    for one in found:
        print(f"{one.calls[0].mailboxes:,} mailboxes, MB: {one.memory}")
        print(f"ms without a reply: {one.stops}")
    for mailboxes, waited in crowds.items():
        print(f"{mailboxes:,} mailboxes, {options.clients} clients at once\n{shown(waited)}")
    if options.json:
        said = {
            "machine": f"{os.cpu_count()} cores",
            "found": msgspec.to_builtins(found),
            "crowds": {str(size): msgspec.to_builtins(one) for size, one in crowds.items()},
        }
        options.json.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
