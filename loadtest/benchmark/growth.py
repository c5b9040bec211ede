"""CPU of gateway, ledger and releaser for a message: 10, 1,000 and 100,000 mailboxes over pools of
1, 10 and 100 IPs.

    python -m loadtest.benchmark.growth [--rounds 3] [--json FILE]

One stack has all: a pool of each size, with a sending domain of its own. Each mailbox has sent
before it counts. Six providers' recipients take turns. Two figures for each of nine cells: a
message that goes at once (worker and ledger), and one that waits and is released (with the
releaser; PostgreSQL apart, for its own upkeep falls where it falls). All cells take their turn in
each round; each median is compared with the mean of all.
"""

import json
import statistics
import sys
import time

import msgspec

from loadtest.benchmark import compiled, processes, single
from loadtest.benchmark.figures import encoded
from loadtest.benchmark.machine import Machine, machine
from loadtest.benchmark.sinks import sink
from loadtest.benchmark.stack import SMTP_PORT, Stack, sendgate, stack
from loadtest.inject import Order, inject

NEEDED = 0.10
"""How far a cell may be from the mean of all."""
IPS = (1, 10, 100)
MAILBOXES = (10, 1_000, 100_000)
_AT_ONCE, _HELD = 20_000, 10_000
"""Messages of a round."""
_PARTS = ("worker 0", "valkey", "releaser 0", "postgres")
_COUNTED = ("worker 0", "valkey", "releaser 0")
_DESTINATIONS = (
    "gmail.com", "outlook.com", "yahoo.com", "icloud.com", "orange.fr", "dest.example",
)  # fmt: skip
_LONGEST = 300.0
"""Seconds in which what was held is gone."""

Used = dict[str, list[float]]
"""Microseconds of CPU a message, each round, by part."""


class Cell(msgspec.Struct):
    """One number of mailboxes over a pool of one size."""

    mailboxes: int
    ips: int
    at_once: Used
    held: Used
    rates: list[float]
    released: list[float]


class Growth(msgspec.Struct):
    """All cells."""

    machine: Machine
    cells: list[Cell]

    def farthest(self, kind: str) -> float:
        """How far the farthest cell is from the mean of all, as a share of it."""
        figures = [median(getattr(cell, kind)) for cell in self.cells]
        mean = statistics.mean(figures)
        return max(abs(one - mean) for one in figures) / mean


def median(used: Used) -> float:
    """Of the counted parts together."""
    rounds = len(used[_COUNTED[0]])
    return statistics.median([sum(used[part][n] for part in _COUNTED) for n in range(rounds)])


def _domain(ips: int) -> str:
    return f"of{ips}.example"


def _furnish(running: Stack) -> None:
    """A pool of each size."""
    where = ("--data-dir", str(running.folder))
    common = ("--quota", "100000000", "--hourly-share", "1.0", "--tenant", "bench", *where)
    for third, ips in enumerate(IPS):
        for number in range(ips):
            domain = f"d{number}.{_domain(ips)}" if number else _domain(ips)
            ip = f"198.51.{third}.{number}"
            sendgate("domain", "add", "--domain", domain, "--ip", ip, "--pool", f"of{ips}", *common)
            print(f"\rgrowth: {number + 1} of {ips} IPs", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)


def _push(messages: int, ips: int, mailboxes: int) -> float:
    """Messages a second. Raises RuntimeError when one was not accepted."""
    order = Order(
        port=SMTP_PORT,
        messages=messages,
        connections=50,
        domain=_domain(ips),
        senders=mailboxes,
        destinations=_DESTINATIONS,
        timed=False,
    )
    tally = inject(order)
    if tally.accepted < messages:
        raise RuntimeError(f"{messages - tally.accepted} not accepted: {'; '.join(tally.trouble)}")
    return messages / (tally.ended - tally.started)


def _spent(running: Stack, before: dict[str, processes.Usage], messages: int, to: Used) -> None:
    """Adds what `messages` cost since `before`."""
    after = processes.usage(running.pid)
    for part in _PARTS:
        to[part].append((after[part].cpu - before[part].cpu) / messages * 1e6)


def _waiting(running: Stack) -> int:
    found = sendgate("hold", "list", "--json", "--data-dir", str(running.folder))
    return int(json.loads(found)["all"]["messages"])


def _at_once(running: Stack, cell: Cell) -> None:
    before = processes.usage(running.pid)
    cell.rates.append(_push(_AT_ONCE, cell.ips, cell.mailboxes))
    _spent(running, before, _AT_ONCE, cell.at_once)


def _held(running: Stack, cell: Cell) -> None:
    """All of it comes while the tenant is paused, and goes when that ends."""
    where = ("--data-dir", str(running.folder))
    sendgate("tenant", "pause", "bench", *where)
    before = processes.usage(running.pid)
    _push(_HELD, cell.ips, cell.mailboxes)
    if _waiting(running) < _HELD:
        raise RuntimeError("a paused tenant's mail went")
    sendgate("tenant", "resume", "bench", *where)
    started = time.monotonic()
    while _waiting(running):
        if time.monotonic() > started + _LONGEST:
            raise RuntimeError(f"what was held is not gone after {_LONGEST:.0f} s")
    cell.released.append(_HELD / (time.monotonic() - started))
    _spent(running, before, _HELD, cell.held)


def growth(running: Stack, rounds: int) -> Growth:
    """Measure."""
    _furnish(running)
    for ips in IPS:
        _push(max(MAILBOXES), ips, max(MAILBOXES))
        print(f"growth: pool of {ips} warm", file=sys.stderr)
    found = Growth(
        machine(),
        [
            Cell(mailboxes, ips, {p: [] for p in _PARTS}, {p: [] for p in _PARTS}, [], [])
            for ips in IPS
            for mailboxes in MAILBOXES
        ],
    )
    for number in range(rounds):
        for cell in found.cells:
            _at_once(running, cell)
            _held(running, cell)
        print(f"growth: round {number + 1} of {rounds}", file=sys.stderr)
    return found


def _line(cell: Cell, kind: str) -> str:
    used: Used = getattr(cell, kind)
    parts = ", ".join(f"{p} {statistics.median(v):.0f}" for p, v in used.items())
    return f"{cell.mailboxes:>7} mailboxes, {cell.ips:>3} IPs  {median(used):4.0f} us ({parts})"


def main() -> int:
    options = single.parser("growth", __doc__, rounds=3).parse_args()
    compiled.use(interpreted=options.interpreted)
    with sink(), stack(1) as running:
        found = growth(running, options.rounds)
    for kind, name in (("at_once", "goes at once"), ("held", "waits and is released")):
        print(name)
        for cell in found.cells:
            print(f"  {_line(cell, kind)}")
        print(f"  farthest from the mean {found.farthest(kind):.0%} (at most {NEEDED:.0%})")
    if options.json:
        farthest = {kind: round(found.farthest(kind), 3) for kind in ("at_once", "held")}
        figures = {**msgspec.to_builtins(found), "farthest": farthest, "needed": NEEDED}
        options.json.write_bytes(encoded(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
