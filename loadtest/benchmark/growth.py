"""CPU of gateway and ledger for a message: one IP and 100 mailboxes beside 100 IPs and 100,000.

    python -m loadtest.benchmark.growth [--rounds 3] [--json FILE]

One stack has both: a pool of one IP for one sending domain, a pool of a hundred for the other.
Each sender of the second has sent before it counts. Six providers' recipients take turns. Rounds
A B A B; the figure is the ratio of the medians.
"""

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

NEEDED = 1.10
IPS, MAILBOXES = 100, 100_000
_MESSAGES = 20_000
_PARTS = ("worker 0", "valkey")
_FEW, _MANY = "one.example", "hundred.example"
_DESTINATIONS = (
    "gmail.com", "outlook.com", "yahoo.com", "icloud.com", "orange.fr", "dest.example",
)  # fmt: skip


class Growth(msgspec.Struct):
    """Microseconds of CPU a message, each round, by part."""

    machine: Machine
    few: dict[str, list[float]]
    many: dict[str, list[float]]
    rates: dict[str, list[float]]

    @property
    def ratio(self) -> float:
        return _median(self.many) / _median(self.few)


def _median(side: dict[str, list[float]]) -> float:
    """Of all parts together."""
    rounds = len(next(iter(side.values())))
    return statistics.median([sum(side[part][n] for part in side) for n in range(rounds)])


def _furnish(running: Stack) -> None:
    """A pool of one IP, and one of a hundred."""
    where = ("--data-dir", str(running.folder))
    common = ("--quota", "100000000", "--hourly-share", "1.0", "--tenant", "bench", *where)
    sendgate("domain", "add", "--domain", _FEW, "--ip", "203.0.113.1", "--pool", "one", *common)
    for number in range(IPS):
        domain = f"d{number}.{_MANY}" if number else _MANY
        ip = f"198.51.100.{number}"
        sendgate("domain", "add", "--domain", domain, "--ip", ip, "--pool", "hundred", *common)
        print(f"\rgrowth: {number + 1} of {IPS} IPs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def _push(messages: int, domain: str, senders: int) -> float:
    """Messages a second. Raises RuntimeError when one was not accepted."""
    order = Order(
        port=SMTP_PORT,
        messages=messages,
        connections=50,
        domain=domain,
        senders=senders,
        destinations=_DESTINATIONS,
        timed=False,
    )
    tally = inject(order)
    if tally.accepted < messages:
        raise RuntimeError(f"{messages - tally.accepted} not accepted: {'; '.join(tally.trouble)}")
    return messages / (tally.ended - tally.started)


def _round(running: Stack, domain: str, senders: int) -> tuple[dict[str, float], float]:
    before = processes.usage(running.pid)
    rate = _push(_MESSAGES, domain, senders)
    after = processes.usage(running.pid)
    used = {part: (after[part].cpu - before[part].cpu) / _MESSAGES * 1e6 for part in _PARTS}
    return used, rate


def growth(running: Stack, rounds: int) -> Growth:
    """Measure."""
    _furnish(running)
    _push(1000, _FEW, 100)
    started = time.monotonic()
    _push(MAILBOXES, _MANY, MAILBOXES)
    print(f"growth: warm after {time.monotonic() - started:.0f} s", file=sys.stderr)
    found = Growth(
        machine(), {p: [] for p in _PARTS}, {p: [] for p in _PARTS}, {"few": [], "many": []}
    )
    for _ in range(rounds):
        for name, side, domain, senders in (
            ("few", found.few, _FEW, 100),
            ("many", found.many, _MANY, MAILBOXES),
        ):
            used, rate = _round(running, domain, senders)
            found.rates[name].append(rate)
            for part, value in used.items():
                side[part].append(value)
    return found


def main() -> int:
    options = single.parser("growth", __doc__, rounds=3).parse_args()
    compiled.use(interpreted=options.interpreted)
    with sink(), stack(1) as running:
        found = growth(running, options.rounds)
    for name, side in (("1 IP, 100 mailboxes", found.few), ("100 IPs, 100,000", found.many)):
        parts = ", ".join(f"{p} {statistics.median(v):.0f} us" for p, v in side.items())
        print(f"{name:20} {parts}")
    print(f"ratio {found.ratio:.2f} (at most {NEEDED:.2f})")
    if options.json:
        figures = {**msgspec.to_builtins(found), "ratio": round(found.ratio, 3), "needed": NEEDED}
        options.json.write_bytes(encoded(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
