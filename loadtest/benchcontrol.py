"""What a change costs control, by how much there is: PostgreSQL is filled by COPY, and typical
questions are put over HTTP.

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
import asyncpg
import msgspec

from loadtest.benchmark import compiled

SIZES = {10: (1, 5), 1_000: (10, 500), 100_000: (100, 5_000)}
"""Mailboxes to (tenants, IPs)."""
DOMAINS = 10
"""Of each tenant."""
NOBODY = "127.0.0.1:9"
"""A PowerMTA that is not there: no mail is sent."""
VMTA = "name tenant ip host_name server state quota_source plan stage hourly_share created"
_TICK = os.sysconf("SC_CLK_TCK")


class Figure(msgspec.Struct, kw_only=True):
    """One question at one size, milliseconds."""

    mailboxes: int
    question: str
    wall: float
    processor: float


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


async def fill(url: str, tenants: int, ips: int, mailboxes: int) -> None:
    """Tenants with a pool of their IPs, ten domains and mailboxes with a limit each."""
    names = [f"t{i:03}" for i in range(tenants)]
    vmtas = [(f"v{i:05}", names[i * tenants // ips], address(i)) for i in range(ips)]
    connection = await asyncpg.connect(url)
    try:
        server = await connection.fetchval("SELECT min(name) FROM pmta_server")
        now = await connection.fetchval("SELECT now()")
        rows: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
            "tenant": (
                "name profile default_pool created",
                [(n, "mailwizz", n, now) for n in names],
            ),
            "pool": ("name tenant created", [(n, n, now) for n in names]),
            "login": (
                "name tenant hash created",
                [(f"login-{n}", n, "$argon2id$" + "x" * 80, now) for n in names],
            ),
            "virtual_mta": (
                VMTA,
                [
                    (
                        v,
                        t,
                        ip,
                        f"mta.{v}.example",
                        server,
                        "warming",
                        "plan",
                        "default",
                        3,
                        0.2,
                        now,
                    )
                    for v, t, ip in vmtas
                ],
            ),
            "pool_member": ("tenant pool vmta", [(t, t, v) for v, t, _ in vmtas]),
            "sending_domain": (
                "tenant domain pool dkim_selector dkim_public dkim_private created",
                [
                    (n, f"d{i}.{n}.example", n, "sg", "p" * 392, b"sealed", now)
                    for n in names
                    for i in range(DOMAINS)
                ],
            ),
            "mailbox": (
                "tenant address daily_max",
                [
                    (names[i * tenants // mailboxes], f"m{i:06}@d0.t000.example", 100)
                    for i in range(mailboxes)
                ],
            ),
        }
        async with connection.transaction():
            for table, (columns, records) in rows.items():
                await connection.copy_records_to_table(
                    table, columns=columns.split(), records=records
                )
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def address(number: int) -> str:
    """A source address."""
    return f"10.0.{number // 250}.{number % 250 + 1}"


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


def questions(turn: int) -> dict[str, tuple[str, str, Any]]:
    """Name to (method, path, body); another change each turn."""
    tenant, domain = "/api/v2/tenants/t000", f"new{turn}.t000.example"
    added = {"tenant": "t000", "domain": domain, "ip": f"10.200.0.{turn + 1}"}
    mailbox = f"{tenant}/mailboxes/m000000@d0.t000.example"
    changes = {
        "tenant set": ("PATCH", tenant, {"max_recipients": 10 + turn}),
        "mailbox set": ("PUT", mailbox, {"daily_max": 1000 + turn}),
        "ip set": ("PATCH", f"/api/v2/ips/{address(0)}", {"quota": 1000 + turn}),
        "domain add": ("POST", "/api/v2/domains", added),
    }
    dry = {f"{name}, dry": (m, f"{path}?dry_run=1", b) for name, (m, path, b) in changes.items()}
    return {
        **dry,
        **changes,
        "tenant show": ("GET", tenant, None),
        "ip list": ("GET", "/api/v2/ips?limit=100", None),
    }


async def measure(mailboxes: int, rounds: int) -> list[Figure]:
    """All questions at one size."""
    tenants, ips = SIZES[mailboxes]
    with stack() as (pid, found, token):
        await fill(found["postgres"], tenants, ips, mailboxes)
        headers = {"Authorization": f"Bearer {token}"}
        timeout = aiohttp.ClientTimeout(total=120)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            client = Client(session, found["api"])
            await client.ask("POST", "/api/v2/generation")
            wall: dict[str, list[float]] = {}
            used: dict[str, float] = {}
            for name in questions(0):
                before = processor(pid)
                for turn in range(rounds):
                    method, path, body = questions(turn)[name]
                    started = time.perf_counter()
                    if await client.ask(method, path, body) == 400:
                        # A version without pages answers with all there is.
                        started = time.perf_counter()
                        await client.ask(method, path.partition("?")[0])
                    wall.setdefault(name, []).append(time.perf_counter() - started)
                used[name] = (processor(pid) - before) / rounds
    return [
        Figure(
            mailboxes=mailboxes,
            question=name,
            wall=round(1000 * min(wall[name]), 1),
            processor=round(1000 * used[name], 1),
        )
        for name in wall
    ]


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
    parser.add_argument("--mailboxes", type=int, choices=SIZES, action="append")
    parser.add_argument("--json", type=Path, help="write the figures there")
    compiled.option(parser)
    options = parser.parse_args()
    figures = []
    try:
        compiled.use(interpreted=options.interpreted)
        for mailboxes in options.mailboxes or SIZES:
            figures += asyncio.run(measure(mailboxes, options.rounds))
    except RuntimeError as error:
        print(f"benchcontrol: {error}", file=sys.stderr)
        return 1
    print(table(figures))
    if options.json:
        found = {"machine": f"{os.cpu_count()} cores", "figures": msgspec.to_builtins(figures)}
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
