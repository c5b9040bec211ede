"""What people who watch the console cost the gateway: the same mail with nobody at the first page
and with fifty, in turn.

Each half of a round first sends as fast as answers come (throughput), then at half of that pace
(latency). The figure is the gateway's processor time for a message, which a busy machine does not
stretch: watched, it may be 3 % more. Beside it messages a second, milliseconds to the reply of the
dot, and what Valkey, PostgreSQL and control use of a processor in a second of wall time.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import time
from pathlib import Path

import msgspec

from loadtest.benchmark import compiled
from loadtest.benchmark.figures import percentile
from loadtest.benchmark.processes import Usage, usage
from loadtest.benchmark.push import TOOLS
from loadtest.benchmark.sinks import sink
from loadtest.benchmark.stack import API_PORT, SMTP_PORT, stack
from loadtest.benchmark.viewers import signed_in, watching
from loadtest.inject import Order, inject
from loadtest.injection.tally import Tally

MOST = 0.03
"""Most that the gateway's time for a message may grow."""
BESIDE = ("valkey", "postgres", "control")
KB = 1024


class Half(msgspec.Struct, kw_only=True):
    """Of a round."""

    viewers: int
    rate: float
    """Messages a second, as fast as answers came."""
    p50: float
    p99: float
    """Milliseconds, at half that pace."""
    gateway: float
    """Microseconds of the processor, a message."""
    beside: dict[str, float]
    """Of a processor, 1.0 is one that is busy all the time; at half pace."""
    samples: int
    """That the viewers got."""


def half(pid: int, viewers: int, seconds: float, pace: float) -> Half:
    """One; `pace`: messages a second of its second part. Raises RuntimeError."""
    closed = Order(
        port=SMTP_PORT, seconds=seconds, connections=20, size=4 * KB, campaign=True, timed=False
    )
    began = usage(pid)
    fast = _sent(closed)
    between, at = usage(pid), time.monotonic()
    slow = _sent(msgspec.structs.replace(closed, rate=pace, timed=True))
    ended, took = usage(pid), time.monotonic() - at
    used = _gateway(ended) - _gateway(began)
    return Half(
        viewers=viewers,
        rate=round(fast.rate, 1),
        p50=round(1000 * percentile(slow.latencies, 0.50), 2),
        p99=round(1000 * percentile(slow.latencies, 0.99), 2),
        gateway=round(1e6 * used / (fast.accepted + slow.accepted), 2),
        beside={
            name: round((ended[name].cpu - between.get(name, Usage()).cpu) / took, 4)
            for name in BESIDE
        },
        samples=0,
    )


def _sent(order: Order) -> Tally:
    tally = inject(order)
    if tally.failed:
        raise RuntimeError(f"not accepted: {'; '.join(tally.trouble)}")
    return tally


def _gateway(found: dict[str, Usage]) -> float:
    return sum(one.cpu for name, one in found.items() if name.startswith("worker"))


def measure(rounds: int, seconds: float, viewers: int) -> list[Half]:
    """In turn, nobody first; the next round begins with those who watch, so that what only grows is
    on neither's account."""
    found: list[Half] = []
    with sink(), stack(1) as running:
        url = f"http://127.0.0.1:{API_PORT}"
        cookie = asyncio.run(signed_in(url, running.folder))
        warm = Order(port=SMTP_PORT, seconds=2.0, size=4 * KB, campaign=True, timed=False)
        pace = _sent(warm).rate / 2
        for turn in range(rounds):
            for many in (0, viewers) if turn % 2 == 0 else (viewers, 0):
                if many:
                    with watching(url, cookie, many) as seen:
                        found.append(half(running.pid, many, seconds, pace))
                    found[-1].samples = seen[0]
                else:
                    found.append(half(running.pid, 0, seconds, pace))
                print(found[-1], file=sys.stderr, flush=True)
    return found


def shown(found: list[Half], viewers: int) -> tuple[str, float]:
    """A table of medians, and by how much the gateway's time for a message grew: the median of what
    the rounds say, each with its own two halves."""
    halves = {many: [one for one in found if one.viewers == many] for many in (0, viewers)}

    def of(many: int, name: str) -> float:
        return statistics.median(
            one.beside[name] if name in BESIDE else getattr(one, name) for one in halves[many]
        )

    lines = [f"{'median':34}{'nobody':>10}{f'{viewers} watch':>12}"]
    for name, said, scale in (
        ("gateway", "gateway, µs of CPU a message", 1),
        ("rate", "messages a second", 1),
        ("p50", "ms to the reply of the dot, p50", 1),
        ("p99", "p99", 1),
        *((name, f"{name}, % of a processor", 100) for name in BESIDE),
    ):
        lines.append(f"{said:34}{scale * of(0, name):10.1f}{scale * of(viewers, name):12.1f}")
    grew = statistics.median(
        watched.gateway / alone.gateway - 1
        for alone, watched in zip(halves[0], halves[viewers], strict=True)
    )
    lines.append(f"the gateway's time for a message grew by {100 * grew:.1f} % (at most 3 %)")
    return "\n".join(lines), grew


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchviewers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each part of a half")
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--json", type=Path, help="write the figures there")
    compiled.option(parser)
    options = parser.parse_args()
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        print(f"benchviewers: {', '.join(missing)} missing: install Postfix", file=sys.stderr)
        return 1
    try:
        compiled.use(interpreted=options.interpreted)
        found = measure(options.rounds, options.seconds, options.viewers)
    except RuntimeError as error:
        print(f"benchviewers: {error}", file=sys.stderr)
        return 1
    text, grew = shown(found, options.viewers)
    print(text)
    if options.json:
        options.json.write_text(json.dumps(msgspec.to_builtins(found), indent=2) + "\n")
    return int(grew > MOST)


if __name__ == "__main__":
    sys.exit(main())
