"""One push of a case's messages at one port, and what it took."""

import subprocess
import time

import msgspec

from loadtest.benchmark.case import Case
from loadtest.inject import Order, inject

TOOLS = ("smtp-source", "smtp-sink")
REALISTIC_SECONDS = 10.0
"""One period of the realistic sink's stalls, so that each round meets exactly one."""


class Push(msgspec.Struct, frozen=True):
    """Messages answered a second, and the client's own CPU time in seconds for each (0: not
    known)."""

    rate: float
    messages: int
    cpu: float = 0.0


def push(
    case: Case,
    port: int,
    messages: int,
    *,
    login: tuple[str, str] | None = None,
    ca: str = "",
    injectors: int = 1,
) -> Push:
    """Send. Raises RuntimeError when a message was not accepted (or, by the realistic sink,
    deferred)."""
    if case.tool == "smtp-source":
        return _smtp_source(case, port, messages)
    order = Order(
        port=port,
        messages=messages,
        seconds=REALISTIC_SECONDS if case.sink == "realistic" else 0.0,
        connections=case.connections,
        processes=injectors,
        size=case.size,
        kept=case.kept,
        campaign=case.headers,
        login=login if case.login else None,
        ca=ca,
        timed=False,
    )
    tally = inject(order)
    answered = tally.accepted + tally.deferred
    if tally.lost or tally.refused or (tally.deferred and case.sink == "accept") or not answered:
        raise RuntimeError(f"{case.name}, port {port}: not accepted: {'; '.join(tally.trouble)}")
    return Push(answered / (tally.ended - tally.started), answered, tally.cpu / answered)


def _smtp_source(case: Case, port: int, messages: int) -> Push:
    command = ["smtp-source", "-f", "news@bench.example", "-t", "you@dest.example"]
    command += ["-l", str(case.size), "-s", str(case.connections), "-m", str(messages)]
    command += ["-d"] if case.kept else []
    started = time.perf_counter()
    done = subprocess.run(
        [*command, f"127.0.0.1:{port}"], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode or done.stderr:
        raise RuntimeError(f"smtp-source, port {port}: {done.stderr.strip()[:300]}")
    return Push(messages / seconds, messages)
