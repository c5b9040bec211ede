"""What the agent remembers over a restart: where the stream stands, and what it saw of the folder.

Written beside and renamed, both synced, so that it is the old one or the new one, whole. It may
be lost, too: control has the position, with the records, and knows better where the two differ.
What is lost with it is having watched the folder while control was away.
"""

import time
from pathlib import Path

import msgspec

from control.accounting.continuity import Watch
from control.accounting.look import Look
from control.accounting.position import Position
from control.accounting.shipment import Shipment, Standing
from control.agent.disk import replace

_FILE = "position.json"
_LARGEST = 64 * 1_048_576


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Of one stream."""

    server: str
    path: str
    turn: int
    file: str = ""
    files: list[Position] = []
    read: bool = False
    """The stream was read to its end at least once."""
    boot: str = ""
    """Of the machine: `looked` is seconds since then."""
    looked: float | None = None
    watched: bool = False
    appeared: list[str] = []


_LAST = 100
"""Files, the last ones, that are remembered wherever they are: the next is known to follow."""


def seen(memory: Memory, boot: str, watch: Watch) -> Memory:
    """With what was seen of the folder."""
    return msgspec.structs.replace(
        memory,
        boot=boot,
        looked=watch.looked,
        watched=watch.watched,
        appeared=list(watch.appeared),
    )


def stored(memory: Memory, shipment: Shipment, turn: int, look: Look | None) -> Memory:
    """Behind a shipment that control has stored."""
    files = {position.file: position for position in memory.files}
    files |= {position.file: position for position in shipment.changed}
    if shipment.present is not None:
        there = {*shipment.present, shipment.at.file, *sorted(files)[-_LAST:]}
        files = {name: position for name, position in files.items() if name in there}
    return msgspec.structs.replace(
        memory,
        turn=turn,
        file=shipment.at.file,
        files=list(files.values()),
        read=memory.read or (look is not None and look.end and not look.problem),
    )


def adopted(
    standing: Standing,
    named: tuple[str, str],
    boot: str,
    watch: Watch | None,
    before: Memory | None,
) -> Memory:
    """Where control says that the stream stands. `named`: server and path; `watch`: of the trail
    that ends here."""
    looked = None if standing.unwatched is None else seconds() - standing.unwatched
    memory = Memory(
        server=named[0],
        path=named[1],
        turn=standing.turn,
        file=standing.file,
        files=list(standing.files),
        read=standing.read,
        boot=boot,
        looked=looked,
        watched=standing.watched,
    )
    if watch is None and before is not None and before.looked is not None:
        watch = Watch(before.looked, before.watched, tuple(before.appeared))
    return memory if watch is None else seen(memory, boot, watch)


class MemoryFile:
    """In the agent's folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE

    def read(self, server: str, path: str) -> Memory | None:
        """What was kept of this stream; None: nothing that can be used."""
        try:
            with self._file.open("rb") as file:
                found = msgspec.json.decode(file.read(_LARGEST), type=Memory)
        except (OSError, msgspec.DecodeError):
            return None
        return found if (found.server, found.path) == (server, path) else None

    def write(self, memory: Memory) -> None:
        """Raises OSError: full disk, read-only disk. What was there before is still there then."""
        replace(self._file, msgspec.json.encode(memory))


def boot() -> str:
    """Which start of the machine this is."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def seconds() -> float:
    """Since the machine started; it runs on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
