"""Entry of one worker or releaser process: its sockets, its signals, its word to the supervisor."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import uvloop

from gateway.accept.board import Board
from gateway.releaser import ReleaserProcess
from gateway.watch.log import Log
from gateway.worker import Worker
from settings.model import Settings

FAULTY = os.EX_CONFIG
"""Exit code of a process that its settings keep from starting."""
Part = TypeVar("Part")
_TELL = 0.5
_COLLECT_AFTER = 10_000
"""Objects that may gather before the collector looks, about two megabytes."""


def run(settings: Settings, *, index: int, descriptors: list[int], report: int, board: str) -> int:
    """Serve on inherited listening sockets until SIGTERM. `report` is a pipe: a line says
    `ready` or `waiting` every half second, so that the supervisor knows. `board`: the path
    of `gateway.accept.board`, where the workers of one gateway see each other.

    SIGTERM drains within `gateway.drain`, SIGHUP (new configuration elsewhere) lets the sessions
    of this worker go on for `gateway.reload_drain`."""
    log = Log(
        level=settings.log.level,
        addresses=settings.log.addresses,
        key=settings.log.key,
        buffer=settings.log.buffer,
        file=settings.log.file,
        process=f"worker-{index}",
    )
    sockets = [socket.socket(fileno=number) for number in descriptors]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        # A worker alone takes what comes, which is quicker.
        workers = settings.gateway.workers
        shared = Board(Path(board), index, workers) if workers > 1 else None
        runner.run(_serve(settings, index, sockets, report, log, shared))
    log.flush()
    return 0


async def _serve(
    settings: Settings,
    index: int,
    sockets: list[socket.socket],
    report: int,
    log: Log,
    board: Board | None,
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    name = f"{socket.gethostname()}:{os.getpid()}:{index}"
    worker = _built(lambda: Worker(settings, name, log), report)
    retire = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, retire.set)
    async with worker.serving(sockets, board):
        _spare_the_collector()
        teller = loop.create_task(_tell(report, worker, stop))
        waits = [loop.create_task(event.wait()) for event in (stop, retire)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if retire.is_set() and not stop.is_set():
            await worker.retire(stop)
        teller.cancel()
        for wait in waits:
            wait.cancel()


def _spare_the_collector() -> None:
    """What was loaded stays, and a message makes hardly any cycles: with Python's defaults the
    collector takes a tenth of the time of a message to find nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 10, 10)


def release(settings: Settings, *, index: int, report: int) -> int:
    """Release held mail until SIGTERM or SIGHUP (a successor is there). `report` as for `run`."""
    log = Log(
        level=settings.log.level,
        addresses=settings.log.addresses,
        key=settings.log.key,
        buffer=settings.log.buffer,
        file=settings.log.file,
        process=f"releaser-{index}",
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_release(settings, index, report, log))
    log.flush()
    return 0


async def _release(settings: Settings, index: int, report: int, log: Log) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    start = os.urandom(4).hex()
    name = f"{socket.gethostname()}:{os.getpid()}:r{index}:{start}"
    releasing = _built(lambda: ReleaserProcess(settings, name, log), report)
    async with releasing.serving():
        teller = loop.create_task(_tell(report, releasing, stop))
        await stop.wait()
        teller.cancel()


def _built(build: Callable[[], Part], report: int) -> Part:
    """What is put together from the settings alone. What goes wrong with that goes wrong again:
    the supervisor is told why, so that nobody starts the process anew for ever."""
    try:
        return build()
    except (OSError, ValueError) as error:
        os.write(report, b"fault %b\n" % " ".join(str(error).split()).encode()[:1000])
        raise SystemExit(FAULTY) from error


class Ready(Protocol):
    """What tells whether it can work."""

    @property
    def ready(self) -> bool: ...


async def _tell(report: int, worker: Ready, stop: asyncio.Event) -> None:
    """Without a supervisor there is nobody to restart or to stop us: then end too."""
    while True:
        try:
            os.write(report, b"ready\n" if worker.ready else b"waiting\n")
        except BrokenPipeError:
            stop.set()
            return
        await asyncio.sleep(_TELL)
