"""How throughput grows with sessions and workers, before a sink at once and one 5 ms late.

    python -m loadtest.benchmark.sessions [--rounds 3] [--json FILE]

4 KB, kept-alive, smtp-source, which has one message under way on each session. Every number of
sessions is pushed in turn, round after round; direct, in between, tells what the sink and the
client can do by themselves. Before the late sink a message takes 20 ms directly, four replies after
each other, and 10 through Sendgate, which has pipelined the envelope; and the gateway has no more
sessions to the sink than the server's budget divided by its processes.
"""

import statistics
import sys

import msgspec

from loadtest.benchmark import compiled, single
from loadtest.benchmark.case import KB, Case
from loadtest.benchmark.figures import encoded
from loadtest.benchmark.machine import Machine, machine
from loadtest.benchmark.push import push
from loadtest.benchmark.sinks import LATE, SINK_PORT, counting, sink
from loadtest.benchmark.stack import SMTP_PORT, stack

SESSIONS = (1, 2, 5, 10, 20, 50, 100, 200)
_SECONDS = 2.0
"""About as long as one push takes."""
_FEW, _EACH = 50, 10
"""Messages, at least and for a session, of the push before it, which tells how many that is."""


class Series(msgspec.Struct):
    """Messages a second, round by round, by number of sessions."""

    workers: int
    late: float
    """Seconds by which the sink answers late."""
    through: dict[int, list[float]] = {}
    direct: dict[int, list[float]] = {}


class Figures(msgspec.Struct):
    """What the file keeps."""

    machine: Machine
    series: list[Series]


def _rate(sessions: int, workers: int, port: int, messages: int) -> float:
    case = Case(size=4 * KB, kept=True, connections=sessions, workers=workers, messages=messages)
    return push(case, port, messages).rate


def measure(workers: int, late: float, rounds: int) -> Series:
    """One stack. Raises RuntimeError."""
    found = Series(workers, late)
    with counting("--delay", str(late)) if late else sink(), stack(workers):
        # Opens what is opened once.
        _rate(20, workers, SMTP_PORT, 1000)
        for number in range(rounds):
            for sessions in SESSIONS:
                print(
                    f"\rround {number + 1}: {workers} w, {late:g} s late, {sessions} sessions  ",
                    end="", file=sys.stderr, flush=True,
                )  # fmt: skip
                for port, into in ((SINK_PORT, found.direct), (SMTP_PORT, found.through)):
                    few = max(_EACH * sessions, _FEW)
                    messages = int(_rate(sessions, workers, port, few) * _SECONDS)
                    rate = _rate(sessions, workers, port, max(messages, few))
                    into.setdefault(sessions, []).append(rate)
    print(file=sys.stderr)
    return found


def table(series: list[Series]) -> str:
    """Medians, each row of Sendgate below the direct one of the same stack."""
    lines = ["sessions".ljust(28) + "".join(f"{sessions:>9}" for sessions in SESSIONS)]
    for one in series:
        replies = f"{one.late * 1000:.0f} ms late" if one.late else "at once"
        for name, rates in (("direct", one.direct), (f"{one.workers} w", one.through)):
            medians = [statistics.median(rates[sessions]) for sessions in SESSIONS]
            lines.append(f"{replies}, {name}".ljust(28) + "".join(f"{m:>9.0f}" for m in medians))
    return "\n".join(lines)


def main() -> int:
    options = single.parser("sessions", __doc__, rounds=3).parse_args()
    compiled.use(interpreted=options.interpreted)
    series = [measure(workers, late, options.rounds) for late in (0.0, LATE) for workers in (1, 2)]
    print(table(series))
    if options.json:
        options.json.write_bytes(encoded(Figures(machine(), series)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
