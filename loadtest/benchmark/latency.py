"""What Sendgate adds to a message's time at half load.

Rule: messages fall due at half the rate that the same load reached through Sendgate just before,
open loop, with campaign headers; the same pace is sent to the sink directly, in turn. Time runs
from MAIL, or from when the message was due if every session was busy, to the reply of the dot.
"""

import sys

import msgspec

from loadtest.benchmark.case import KB
from loadtest.benchmark.figures import percentile
from loadtest.benchmark.result import DIRECT, SENDGATE
from loadtest.benchmark.sinks import SINK_PORT, sink
from loadtest.benchmark.stack import SMTP_PORT, stack
from loadtest.inject import Order, inject


class Latency(msgspec.Struct):
    """Seconds, round by round."""

    rate: float
    """Messages due a second."""
    connections: int
    p50: dict[str, list[float]] = {}
    p99: dict[str, list[float]] = {}

    def add(self, target: str, latencies: list[float]) -> None:
        """One more round."""
        self.p50.setdefault(target, []).append(percentile(latencies, 0.50))
        self.p99.setdefault(target, []).append(percentile(latencies, 0.99))

    def added(self, percentiles: dict[str, list[float]]) -> list[float]:
        """Sendgate's minus direct's, round by round."""
        return [
            through - bare
            for through, bare in zip(percentiles[SENDGATE], percentiles[DIRECT], strict=True)
        ]


def latency(rounds: int, seconds: float, *, workers: int = 1, connections: int = 20) -> Latency:
    """Measure; `seconds` for each half of a round. Raises RuntimeError."""
    with sink(), stack(workers):
        closed = Order(
            port=SMTP_PORT, seconds=seconds, connections=connections, size=4 * KB,
            campaign=True, timed=False,
        )  # fmt: skip
        # The first run opens what is opened once.
        inject(msgspec.structs.replace(closed, seconds=1.0))
        found = Latency(inject(closed).rate / 2, connections)
        print(f"latency at {found.rate:.0f}/s", file=sys.stderr, flush=True)
        paced = msgspec.structs.replace(closed, rate=found.rate, timed=True)
        for _ in range(rounds):
            for target, port in ((DIRECT, SINK_PORT), (SENDGATE, SMTP_PORT)):
                tally = inject(msgspec.structs.replace(paced, port=port))
                if tally.failed or not tally.latencies:
                    raise RuntimeError(f"latency, {target}: {'; '.join(tally.trouble)}")
                found.add(target, tally.latencies)
    return found
