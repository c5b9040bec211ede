"""Rounds: every target of a case in turn, A B A B, so that whatever else the machine does hits all.

Cases that need the same workers and sink share one stack, so that its start is paid once, and take
turns too: the rounds of one case lie far apart, so that a busy minute costs each case one of them
and no case all (measured with the rounds in a row: a case lost a third of its ratio to neighbours).
"""

import sys
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import msgspec

from loadtest.benchmark import peers, processes
from loadtest.benchmark.case import Case
from loadtest.benchmark.neighbours import Meter
from loadtest.benchmark.peers import Peer
from loadtest.benchmark.push import Push, push
from loadtest.benchmark.result import BARE, DIRECT, SENDGATE, Result
from loadtest.benchmark.sinks import SINK_PORT, sink_of
from loadtest.benchmark.stack import LOGIN, SMTP_PORT, TLS_PORT, Stack, stack

_DIRECT_SHARE = 2.0
"""Direct is fast: it gets more messages, as long as it takes to be a figure."""

_AGAIN = 2
_WARM = 300
"""Messages of a warm-up whose rate is used."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How thoroughly."""

    rounds: int = 3
    scale: float = 1.0
    """Of each case's messages."""
    longest: float = 0.0
    """Most seconds one push through Sendgate should last; fewer messages on a slower machine, as
    the warm-up shows. 0: no limit."""
    injectors: int = 1
    """Processes of our own injector."""
    peers: list[str] = []
    cache: Path = Path()


class Bench:
    """One stack behind some cases, until `all_results` ends."""

    def __init__(self, plan: Plan, stack: Stack, peers: list[Peer]) -> None:
        self._plan = plan
        self._stack = stack
        self._peers = peers
        self._most: dict[str, int] = {}
        """Messages of a push by `longest`, by case."""

    def rounds(self, results: list[Result]) -> None:
        """Add the plan's rounds to each of `results`."""
        for number in range(1, self._plan.rounds + 1):
            for result in results:
                print(f"round {number}: {result.case.name}", file=sys.stderr, flush=True)
                self._round(result)

    def warm(self, case: Case) -> None:
        """Open what is opened once: relay sessions, hash of the login, statements."""
        few = max(case.connections, _WARM if self._plan.longest else 20)
        if case.sink == "accept":
            rate = self._sendgate(case, few).rate
            self._most[case.name] = int(rate * self._plan.longest)
            self._direct(case, few)
            for peer in self._peers if case.peers else []:
                push(case, peer.port, few)
                peer.settled()

    def _round(self, result: Result) -> None:
        case = result.case
        meter = Meter()
        messages = int(case.messages * self._plan.scale)
        messages = max(min(messages, self._most.get(case.name) or messages), case.connections)
        direct = self._direct(case, int(messages * _DIRECT_SHARE))
        result.injector = direct.cpu
        result.add(DIRECT, direct.rate)
        if case.headers and case.sink == "accept":
            bare = msgspec.structs.replace(case, headers=False)
            result.add(BARE, self._sendgate(bare, messages).rate)
        processes.forget_peaks(self._stack.pid)
        before = processes.usage(self._stack.pid)
        through = self._sendgate(case, messages)
        after = processes.usage(self._stack.pid)
        result.add(SENDGATE, through.rate)
        done = len(result.series[SENDGATE])
        for name, used in after.items():
            cost = (used.cpu - before.get(name, processes.Usage()).cpu) / through.messages
            result.cpu[name] = result.cpu.get(name, 0.0) + (cost - result.cpu.get(name, 0.0)) / done
            result.peak[name] = max(result.peak.get(name, 0), used.peak)
        for peer in self._peers if case.peers else []:
            result.add(peer.name, _peer(case, peer, max(int(messages * peer.share), 20)))
        result.others.append(meter.others())

    def _direct(self, case: Case, messages: int) -> Push:
        return push(case, SINK_PORT, messages, login=LOGIN, injectors=self._plan.injectors)

    def _sendgate(self, case: Case, messages: int) -> Push:
        port, ca = (TLS_PORT, self._stack.certificate) if case.tls else (SMTP_PORT, "")
        return push(case, port, messages, login=LOGIN, ca=ca, injectors=self._plan.injectors)


def _peer(case: Case, peer: Peer, messages: int) -> float:
    """Messages a second until the sink has all of them."""
    started = time.perf_counter()
    push(case, peer.port, messages)
    peer.settled()
    return messages / (time.perf_counter() - started)


def all_results(
    cases: list[Case], plan: Plan, again: Callable[[Result], bool] = lambda _: False
) -> Iterator[tuple[Stack, list[Result]]]:
    """The results of each stack, which still runs. While `again` says so of a case, it gets as many
    rounds once more, twice at most. Raises RuntimeError, NoPostfixError, NoHarakaError."""
    ordered = sorted(cases, key=lambda c: (c.sink, c.workers))
    for (kind, workers), group in groupby(ordered, key=lambda c: (c.sink, c.workers)):
        results = [Result(case) for case in group]
        names = plan.peers if any(result.case.peers for result in results) else []
        with (
            sink_of(kind),
            stack(workers) as running,
            peers.running(names, plan.cache, workers) as beside,
        ):
            bench = Bench(plan, running, beside)
            for result in results:
                bench.warm(result.case)
            bench.rounds(results)
            for _ in range(_AGAIN):
                if doubtful := [result for result in results if again(result)]:
                    bench.rounds(doubtful)
            yield running, results
