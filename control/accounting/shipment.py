"""What an agent posts and what it is answered: one look at the files of a PowerMTA server.

Rule: `turn` is the number of the next look that control stores of this stream, and control stores
it with the records. A shipment with another turn, or octets that do not follow those stored, is
answered 409 with where the stream stands; the agent goes on from there. So a shipment whose answer
was lost counts once, and a control plane restored from a backup is sent what it lost.
Octets travel as PowerMTA wrote them: what they say is found out on this side alone, so that an
agent of another version counts the same records.
"""

import zlib
from collections.abc import Sequence

import msgspec

from control.accounting.columns import Columns
from control.accounting.payload import inflated
from control.accounting.position import Position
from control.accounting.records import Cut
from control.accounting.understanding import Taken

VERSION = 1

LOOK, STATUS = "/api/v2/powermta/agent", "/api/v2/powermta/agent/status"
"""Where looks are posted, and what a server says of itself."""

FRESH = -1
"""The turn of an agent that does not know where the stream stands."""


class Stretch(Taken, frozen=True):
    """Octets of a file, and the places in them where no record could be read."""

    records: int
    cuts: list[tuple[int, str, int]]
    """Offset in the octets, why, offset where reading goes on."""
    anew: bool = False
    """Nothing that stood before is remembered but what `recall` says."""
    recall: bytes = b""
    """Whole records that stand just before."""
    recall_header: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        """Offset behind them."""
        return self.begin + len(self.octets)

    @property
    def whole_cuts(self) -> list[Cut]:
        """The places where no record could be read."""
        return [Cut(offset, why, end) for offset, why, end in self.cuts]

    def recalled(self) -> tuple[bytes, Columns] | None:
        """What stood before; None: nothing."""
        return (self.recall, Columns(self.recall_header)) if self.recall else None


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """One look; the fields are those of `control.accounting.look.Look`."""

    version: int = VERSION
    agent: str
    """Which agent: the host's name, or what its configuration says."""
    server: str
    path: str
    """As in `<acct-file PATH>`, on that host."""
    turn: int
    age: float
    """Real seconds since the look began, never fewer: with the time that this may take to come."""
    at: Position = Position()
    changed: Sequence[Position] = ()
    stretches: Sequence[Stretch] = ()
    end: bool = False
    watched: bool = False
    begins: bool = False
    gaps: Sequence[str] = ()
    lack: str = ""
    problem: str = ""
    behind: int | None = None
    """Octets written and not shipped yet, at the end of this look (of packed files their packed
    ones)."""
    present: Sequence[str] | None = None
    """Names of the files there are, now and then: positions of others are forgotten."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where the stream stands behind the answer."""

    turn: int
    taken: bool
    """Whether the shipment was stored."""
    why: str = ""
    """Why not."""
    recall: bool = False
    """It is wanted again, with what stands before its first octet."""
    file: str = ""
    files: Sequence[Position] = ()
    """Where the turn did not fit: how far each file was read."""
    read: bool = False
    """It was read to its end at least once."""
    unwatched: float | None = None
    """Real seconds since its end was last reached."""
    watched: bool = False


def packed(shipment: Shipment) -> bytes:
    """As it is posted."""
    packer = zlib.compressobj(1, wbits=31)
    return packer.compress(msgspec.msgpack.encode(shipment)) + packer.flush()


def unpacked(body: bytes, most: int) -> Shipment:
    """Raises InflatedError, or ValueError for what is no shipment of this version."""
    content = inflated(body, most)
    try:
        found = _DECODER.decode(content)
    except msgspec.DecodeError as error:
        raise ValueError(f"it is not an agent's shipment ({error})") from error
    if found.version != VERSION:
        raise ValueError(f"version {found.version} of shipments is not known here ({VERSION} is)")
    return found


_DECODER = msgspec.msgpack.Decoder(Shipment)
