"""What history costs: `python -m tests.bench.importing [--megabytes N] [--days N]`.

A file of accounting is written as PowerMTA writes it (its usual columns; a receipt and an end a
recipient, of 100 VirtualMTAs, 100 campaigns and all of some days), then taken in by `sendgate
accounting import` on a stack of its own, fsync on, until every record counted. Seconds are those of
the command, from its start to its end; memory is the most that the command and control ever had.
Who else is at work here shows in the seconds, and not in the processor time of a record.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from loadtest.benchcontrol import processor, stack
from loadtest.pmta.records import BOUNCED, COLUMNS, DELAYED, DELIVERED, DESTINATION, ESMTP, Verdict
from policy.limits import DAY

VMTAS = CAMPAIGNS = 100
DOMAINS = ("gmail.com", "yahoo.com", "outlook.com", "gmx.de", "free.fr", "orange.fr", "icloud.com")
_LOOK = 0.2
"""Seconds between two looks at the command."""
_PARENT, _OWN = 1, 11
"""Fields of a process: its parent, and its processor time, followed by that of those that ended."""


def rows(first: int, days: int, total: int) -> Iterator[tuple[str, ...]]:
    """So many, in the order of their times, of `days` from `first` on (since 1970)."""
    for number in range(total):
        message, end = divmod(number, 2)
        second = first * DAY // 1000 + number * days * (DAY // 1000) // total
        logged = time.strftime("%Y-%m-%d %H:%M:%S+0000", time.gmtime(second))
        vmta, domain = f"vmta-192-0-2-{message % VMTAS}", DOMAINS[message % len(DOMAINS)]
        rcpt = f"user{message:08}@{domain}"
        name = f"{second // (DAY // 1000)}-m{message:012}.1-{message:016x}"
        job, user = f"campaign-{message // 7 % CAMPAIGNS}", "acme-smtp"
        identity = f"<{message:032x}@news.acme.test>"
        source = ("smtp", "mail.acme.test (198.51.100.7)")
        if not end:
            yield (
                *("r", logged, "", "news@acme.test", rcpt, "", "", "", "", "", "", *source),
                *("", "", "", "", "", vmta, job, name, "", "", "198.51.100.7", "192.0.2.250"),
                *(user, identity),
            )
            continue
        of = _verdict(message)
        yield (
            *(of.type, logged, logged, "news@acme.test", rcpt, "", of.action, of.status),
            *(of.diagnosis, f"mx.{domain} ({DESTINATION})", of.category, *source, "smtp"),
            *(f"192.0.2.{message % VMTAS}", DESTINATION, ESMTP, "24731", vmta, job, name),
            *(f"{domain}/{vmta}", "", "198.51.100.7", "192.0.2.250", user, identity),
        )


def _verdict(message: int) -> Verdict:
    return BOUNCED if message % 25 == 0 else DELAYED if message % 10 == 0 else DELIVERED


def write(path: Path, octets: int, days: int) -> int:
    """A file of about that size; how many records it has."""
    first = int(time.time() * 1000) // DAY - days
    some = list(rows(first, days, 1_000))
    total = octets * len(some) // len("".join(map(_line, some)))
    with path.open("w", encoding="ascii", newline="") as file:
        file.write(_line(COLUMNS))
        file.writelines(map(_line, rows(first, days, total)))
    return total


def _line(row: tuple[str, ...]) -> str:
    assert len(row) == len(COLUMNS), row
    return ",".join(f'"{field}"' if "," in field else field for field in row) + "\r\n"


def _peak(process: int) -> float:
    """Megabytes of memory that it ever had; 0: it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 / 1e6 if found else 0.0


async def _server(url: str) -> int:
    """The process of a PostgreSQL on this machine that starts all its others."""
    connection = await asyncpg.connect(url)
    try:
        return int(_fields(await connection.fetchval("SELECT pg_backend_pid()"))[_PARENT])
    finally:
        await connection.close()


def _used(server: int) -> float:
    """Seconds of the processor that it had, and all that it ever started."""
    ticks = sum(map(int, _fields(server)[_OWN : _OWN + 4]))
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = _fields(int(folder.name))
            if int(fields[_PARENT]) == server:
                ticks += sum(map(int, fields[_OWN : _OWN + 2]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _fields(process: int) -> list[str]:
    """Of /proc/PID/stat, behind its name. Raises OSError."""
    text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    return text.rpartition(")")[2].split()


def measure(file: Path, records: int) -> None:
    """Import it, printed."""
    with stack() as (process, addresses, token):
        environment = {**os.environ, "SENDGATE_URL": addresses["api"], "SENDGATE_TOKEN": token}
        command = [str(Path(sys.executable).with_name("sendgate")), "accounting", "import"]
        server = asyncio.run(_server(addresses["postgres"]))
        before = processor(process), _used(server)
        began = time.perf_counter()
        importing = subprocess.Popen(
            [*command, str(file), "--json"], env=environment, stdout=subprocess.PIPE
        )
        memory, own = 0.0, 0.0
        while importing.poll() is None:
            memory = max(memory, _peak(importing.pid))
            with contextlib.suppress(OSError, IndexError):
                own = processor(importing.pid)
            time.sleep(_LOOK)
        taken = time.perf_counter() - began
        control = processor(process) - before[0]
        database = _used(server) - before[1]
        assert importing.stdout is not None
        answer = importing.stdout.read()
        if importing.returncode:
            raise RuntimeError(f"the import ended with {importing.returncode}")
        [view] = json.loads(answer)
        if (view["counted"], view["set_aside"]) != (records, 0):
            raise RuntimeError(f"of {records} records: {view}")
        print(
            f"{file.stat().st_size / 1e6:.0f} MB, {records:,} records: {taken:.1f} s, "
            f"{records / taken:,.0f} records a second; processor of a record: command "
            f"{own / records * 1e6:.0f} µs, control {control / records * 1e6:.0f}, PostgreSQL "
            f"{database / records * 1e6:.0f}; memory at most: command {memory:.0f} MB, control "
            f"{_peak(process):.0f} MB",
            flush=True,
        )


def main() -> int:
    """Read the options, measure."""
    parser = argparse.ArgumentParser(prog="importing", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--days", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sendgate-import-") as folder:
        file = Path(folder) / "acct.csv"
        records = write(file, options.megabytes * 1_000_000, options.days)
        try:
            measure(file, records)
        except RuntimeError as error:
            print(f"importing: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
