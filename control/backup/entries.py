"""What lies inside a sealed file: named entries one behind the other, none of known length.

Form: frames of a letter, four octets of length and a payload. `F` begins an entry (JSON, its name
and mode), `D` is some of it, `E` ends it with its length and SHA-256, `Z` ends all with the number
of entries. The seal proves that nobody changed them; the sums prove that we wrote what we read.
"""

import hashlib
from collections.abc import Iterator
from typing import BinaryIO, TypeVar

import msgspec

from control.backup.key import Key
from control.backup.sealing import CHUNK, BrokenBackupError, Sealer, unsealed

T = TypeVar("T")
MANIFEST, DUMP, LEDGER, SECRETS = "manifest", "postgresql.dump", "ledger", "secrets"
"""Names of entries that are no files."""
FILES = "files/"
"""Before the path of one that is."""
SMALL = 64 * 1024 * 1024
"""Most octets of an entry that is read into memory: all but the dump."""


class Begin(msgspec.Struct, frozen=True):
    """An entry begins."""

    name: str
    mode: int = 0o600


class End(msgspec.Struct, frozen=True):
    """It ends."""

    size: int
    sha256: str


class Writer:
    """Entries into a sealed file."""

    def __init__(self, file: BinaryIO, key: Key) -> None:
        self._sealer = Sealer(file, key)
        self._entries = 0
        self._size = 0
        self._sum = hashlib.sha256()

    def begin(self, name: str, mode: int = 0o600) -> None:
        """Raises OSError, as all here do."""
        self._frame(b"F", msgspec.json.encode(Begin(name, mode)))
        self._size, self._sum = 0, hashlib.sha256()

    def data(self, octets: bytes) -> None:
        """Some of the entry."""
        self._size += len(octets)
        self._sum.update(octets)
        for at in range(0, len(octets), CHUNK):
            self._frame(b"D", octets[at : at + CHUNK])

    def end(self) -> End:
        """The entry is whole."""
        ended = End(self._size, self._sum.hexdigest())
        self._frame(b"E", msgspec.json.encode(ended))
        self._entries += 1
        return ended

    def whole(self, name: str, octets: bytes, mode: int = 0o600) -> None:
        """An entry at once."""
        self.begin(name, mode)
        self.data(octets)
        self.end()

    def finish(self) -> None:
        """Nothing follows."""
        self._frame(b"Z", str(self._entries).encode())
        self._sealer.finish()

    def _frame(self, kind: bytes, payload: bytes) -> None:
        self._sealer.write(kind + len(payload).to_bytes(4, "big") + payload)


def read(file: BinaryIO, key: Key) -> Iterator[Begin | bytes | End]:
    """Every entry: its beginning, its octets in pieces, its end, when its sum was right. All of the
    file is good when the iterator ends. Raises BrokenBackupError, OSError."""
    frames = _Frames(unsealed(file, key))
    entries, inside = 0, False
    size, sum_ = 0, hashlib.sha256()
    while True:
        kind, payload = frames.next()
        if kind == b"F" and not inside:
            inside, size, sum_ = True, 0, hashlib.sha256()
            yield _said(payload, Begin)
        elif kind == b"D" and inside:
            size += len(payload)
            sum_.update(payload)
            yield payload
        elif kind == b"E" and inside:
            ended = _said(payload, End)
            if ended != End(size, sum_.hexdigest()):
                raise BrokenBackupError("an entry is not what its sum says: it was written wrongly")
            inside, entries = False, entries + 1
            yield ended
        elif kind == b"Z" and not inside and payload == str(entries).encode():
            frames.must_end()
            return
        else:
            raise BrokenBackupError("its entries cannot be read: was it made by another version?")


class _Frames:
    """Frames out of chunks that end anywhere."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = bytearray()

    def next(self) -> tuple[bytes, bytes]:
        head = self._take(5)
        length = int.from_bytes(head[1:], "big")
        if length > CHUNK:
            raise BrokenBackupError("its entries cannot be read: a frame is too long")
        return head[:1], self._take(length)

    def must_end(self) -> None:
        """Also reads on to the last chunk, whose seal says that it is the last."""
        if self._left or any(self._chunks):
            raise BrokenBackupError("something follows its end")

    def _take(self, length: int) -> bytes:
        while len(self._left) < length:
            chunk = next(self._chunks, None)
            if chunk is None:
                raise BrokenBackupError("it ends in the middle of an entry")
            self._left += chunk
        taken = bytes(self._left[:length])
        del self._left[:length]
        return taken


def _said(payload: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(payload, type=kind)
    except msgspec.DecodeError as error:
        raise BrokenBackupError(f"its entries cannot be read: {error}") from error
