"""What Sendgate is compared with: the peers that can be run here, and why the others cannot."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from loadtest import postfix
from loadtest.benchmark import haraka
from loadtest.benchmark.sinks import SINK_PORT

POSTFIX_PROXY, POSTFIX_QUEUE, HARAKA = "postfix proxy", "postfix queue", "haraka"
NAMES = (POSTFIX_PROXY, POSTFIX_QUEUE, HARAKA)
_PORTS = {POSTFIX_PROXY: 2596, POSTFIX_QUEUE: 2595, HARAKA: 2594}


class Peer(msgspec.Struct, frozen=True):
    """One that runs."""

    name: str
    port: int
    share: float
    """Of a case's messages it is sent: slower ones get fewer, as long as a round lasts anyway."""
    settled: Callable[[], None]
    """Returns when everything it accepted has reached the sink."""


def skipped(cache: Path, wanted: tuple[str, ...]) -> dict[str, str]:
    """Each peer that will not run, with its reason."""
    reasons = {
        POSTFIX_PROXY: postfix.unable(),
        POSTFIX_QUEUE: postfix.unable(),
        HARAKA: haraka.unable(cache),
    }
    return {
        name: "not asked for" if name not in wanted else reason
        for name, reason in reasons.items()
        if reason or name not in wanted
    }


@contextlib.contextmanager
def running(names: list[str], cache: Path, workers: int) -> Iterator[list[Peer]]:
    """All of `names`, until left. Raises NoPostfixError, NoHarakaError."""
    with contextlib.ExitStack() as held:
        peers = []
        for name in names:
            port = _PORTS[name]
            if name == HARAKA:
                held.enter_context(haraka.haraka(cache, port, SINK_PORT, workers))
                peers.append(Peer(name, port, 0.1, _at_once))
            elif name == POSTFIX_PROXY:
                held.enter_context(postfix.postfix(port, postfix.proxy(SINK_PORT)))
                peers.append(Peer(name, port, 0.3, _at_once))
            else:
                root = held.enter_context(postfix.postfix(port, postfix.queueing(SINK_PORT)))
                peers.append(Peer(name, port, 0.3, drained(root)))
        yield peers


def _at_once() -> None:
    """Answered means delivered."""


def drained(root: Path) -> Callable[[], None]:
    """Waits until Postfix has delivered everything; raises RuntimeError after 300 s."""

    async def wait() -> None:
        deadline = time.monotonic() + 300
        while left := postfix.undelivered(root):
            if time.monotonic() > deadline:
                raise RuntimeError(f"Postfix still has {left} messages after 300 s")
            await asyncio.sleep(0.02)

    return lambda: asyncio.run(wait())
