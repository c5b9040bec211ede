"""The figures as tables of text: what was reached beside what is needed."""

import statistics
from collections.abc import Iterable

from loadtest.benchmark.case import HEADERS_COST, LATENCY_P50, LATENCY_P99
from loadtest.benchmark.figures import Ratio
from loadtest.benchmark.latency import Latency
from loadtest.benchmark.peers import NAMES
from loadtest.benchmark.result import BARE, DIRECT, SENDGATE, Result
from loadtest.benchmark.soak import Soak


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Columns as wide as they need; the first to the left, the others to the right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]

    def text(line: tuple[str, ...]) -> str:
        first, *others = (
            word.ljust(width) if column == 0 else word.rjust(width)
            for column, (word, width) in enumerate(zip(line, widths, strict=True))
        )
        return "   ".join((first, *others)).rstrip()

    return "\n".join(map(text, lines))


def beside(found: Ratio, needed: float | None) -> tuple[str, str, str]:
    """A ratio, its spread, and what is needed with whether it is reached."""
    if needed is None:
        return f"{found.value:.2f}", f"{found.spread:.0%}", ""
    return (
        f"{found.value:.2f}",
        f"{found.spread:.0%}",
        f"{needed:.2f} {'yes' if found.value >= needed else 'NO'}",
    )


def throughput(results: list[Result]) -> str:
    """Each case: messages a second, its share of direct, and what others took of the machine."""
    rows = []
    for result in results:
        direct = statistics.median(result.series[DIRECT])
        through = statistics.median(result.series[SENDGATE])
        words = beside(result.direct, result.case.needed)
        others = f"{statistics.median(result.others):.0%}" if result.others else ""
        rows.append((result.case.name, f"{direct:.0f}/s", f"{through:.0f}/s", *words, others))
    head = ("case", "direct", "sendgate", "ratio", "spread", "needed", "others")
    return table(head, rows)


def peers(results: list[Result]) -> str:
    """Sendgate as a multiple of each peer that ran; empty without any."""
    rows = []
    for result in results:
        for name in NAMES:
            if found := result.over(name):
                rate = statistics.median(result.series[name])
                words = beside(found, result.case.needed_peers.get(name))
                rows.append((result.case.name, name, f"{rate:.0f}/s", *words))
    head = ("case", "peer", "peer's", "sendgate is", "spread", "needed")
    return table(head, rows) if rows else ""


def headers(results: list[Result]) -> str:
    """What campaign headers cost; empty where it was not measured."""
    rows = []
    for result in results:
        if found := result.over(BARE):
            cost = 1 - found.value
            verdict = "yes" if cost <= HEADERS_COST else "NO"
            needed = f"{HEADERS_COST:.0%} {verdict}"
            rows.append((result.case.name, f"{cost:.0%}", f"{found.spread:.0%}", needed))
    return table(("case", "headers cost", "spread", "at most"), rows) if rows else ""


def resources(results: list[Result]) -> str:
    """CPU time for a message and peak memory, a column a process."""
    names = sorted({name for result in results for name in result.cpu})
    rows = []
    for result in results:
        cells = (
            f"{1e6 * result.cpu[name]:.0f} µs {result.peak[name] / 2**20:.0f} MiB"
            if name in result.cpu
            else "-"
            for name in names
        )
        rows.append((result.case.name, *cells))
    return table(("CPU a message, peak memory", *names), rows)


def injector(results: list[Result]) -> str:
    """How fast our own injector can go: its rate against the sink, and its CPU time."""
    rows = [
        (
            result.case.name,
            f"{statistics.median(result.series[DIRECT]):.0f}/s",
            f"{1e6 * result.injector:.0f} µs",
        )
        for result in results
        if result.injector
    ]
    head = ("our injector's ceiling", "direct", "CPU a message")
    return table(head, rows) if rows else ""


def latency(found: Latency) -> str:
    """At half load: both medians and 99th percentiles, and what Sendgate adds."""
    rows = []
    for name, rounds, most in (("p50", found.p50, LATENCY_P50), ("p99", found.p99, LATENCY_P99)):
        added = statistics.median(found.added(rounds))
        verdict = "yes" if added < most else "NO"
        rows.append(
            (
                f"{name} at {found.rate:.0f}/s",
                f"{1000 * statistics.median(rounds[DIRECT]):.2f} ms",
                f"{1000 * statistics.median(rounds[SENDGATE]):.2f} ms",
                f"{1000 * added:.2f} ms",
                f"{1000 * most:.0f} ms {verdict}",
            )
        )
    return table(("latency", "direct", "sendgate", "added", "below"), rows)


def soak(found: Soak) -> str:
    """Counts, and growth over the second half."""
    last = found.samples[-1].usage
    rows = [
        (
            name,
            f"{last[name].rss / 2**20:.1f} MiB",
            f"{memory / 2**20:+.1f} MiB",
            str(last[name].descriptors),
            f"{descriptors:+d}",
        )
        for name, (memory, descriptors) in sorted(found.growth().items())
    ]
    counts = (
        f"accepted {found.tally.accepted} ({found.tally.rate:.0f}/s), at the sink "
        f"{found.count.distinct}, still held {found.waiting}, lost {found.lost}, "
        f"twice {found.count.twice}"
    )
    head = ("process", "memory", "second half", "descriptors", "second half")
    return f"{counts}\n\n{table(head, rows)}"
