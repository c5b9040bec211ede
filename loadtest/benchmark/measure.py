"""Rounds: every target of a case in turn, A B A B, so that whatever else the machine does hits all.

Cases that need the same workers and sink share one stack, so that its start is paid once.
"""

import sys
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import msgspec

from loadtest.benchmark import peers, processes
from loadtest.benchmark.case import Case
from loadtest.benchmark.peers import Peer
from loadtest.benchmark.push import Push, push
from loadtest.benchmark.result import BARE, DIRECT, SENDGATE, Result
from loadtest.benchmark.sinks import SINK_PORT, sink_of
from loadtest.benchmark.stack import LOGIN, SMTP_PORT, TLS_PORT, Stack, stack

_DIRECT_SHARE = 2.0
"""Direct is fast: it gets more messages, as long as it takes to be a figure."""

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
        self._most = 0
        """Messages of a push by `longest`."""

    def rounds(self, result: Result, count: int) -> None:
        """Add so many rounds to `result`."""
        for _ in range(count):
            self._round(result)

    def warm(self, case: Case) -> None:
        """Open what is opened once: relay sessions, hash of the login, statements."""
        few = max(case.connections, _WARM if self._plan.longest else 20)
        if case.sink == "accept":
            self._most = int(self._sendgate(case, few).rate * self._plan.longest)
            self._direct(case, few)
            for peer in self._peers if case.peers else []:
                push(case, peer.port, few)
                peer.settled()
        processes.forget_peaks(self._stack.pid)

    def _round(self, result: Result) -> None:
        case = result.case
        messages = int(case.messages * self._plan.scale)
        messages = max(min(messages, self._most or messages), case.connections)
        direct = self._direct(case, int(messages * _DIRECT_SHARE))
        result.injector = direct.cpu
        result.add(DIRECT, direct.rate)
        if case.headers and case.sink == "accept":
            bare = msgspec.structs.replace(case, headers=False)
            result.add(BARE, self._sendgate(bare, messages).rate)
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
    cases: list[Case],
    plan: Plan,
    judge: Callable[[Bench, Result], None] | None = None,
) -> Iterator[tuple[Stack, Result]]:
    """Every case in turn, with the stack it ran on, which still runs. `judge` may ask for more
    rounds before a result is final. Raises RuntimeError, NoPostfixError, NoHarakaError."""
    done = 0
    ordered = sorted(cases, key=lambda c: (c.sink, c.workers))
    for (kind, workers), group in groupby(ordered, key=lambda c: (c.sink, c.workers)):
        members = list(group)
        names = plan.peers if any(case.peers for case in members) else []
        with (
            sink_of(kind),
            stack(workers) as running,
            peers.running(names, plan.cache, workers) as beside,
        ):
            bench = Bench(plan, running, beside)
            for case in members:
                done += 1
                print(f"[{done}/{len(cases)}] {case.name}", file=sys.stderr, flush=True)
                result = Result(case)
                bench.warm(case)
                bench.rounds(result, plan.rounds)
                if judge is not None:
                    judge(bench, result)
                yield running, result
