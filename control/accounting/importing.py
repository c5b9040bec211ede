"""History taken in: files of accounting that somebody brings, in parts, each once.

Rule: a part is stored with how far its file has been stored, in one transaction, and only where it
follows; so an import that was broken off goes on where it was, and the same file again is nothing
new. Parts wait in the inbox behind what PowerMTA posts now, and are taken in as that is: records
that counted before, by whichever way they came, do not count again, in whichever order files come.
Their batches have the origin `import`: what follows from records leaves today's limits alone.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec

from control.accounting.inbox import Inbox
from control.keyset import Column, Keyset
from control.problem import RefusedError, bad, missing
from control.values.name import PRINTED, printable
from control.values.part import Part, Slice
from control.values.wanted import meant
from policy.model import Name
from settings.statements import statements

_SQL = statements(__package__, "importing")

Now = Callable[[], Awaitable[int]]
"""Calendar milliseconds now; raises nothing."""

LIST = Keyset(_SQL["list"], {"id": (Column(name="id", sql="id", kind="bigint"),)}, given=2)
_SERVER = 64


class ImportFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file to be imported."""

    digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    """Of its beginning, unpacked: BLAKE2b, 16 octets in hexadecimal, over the first 65,536."""
    size: Annotated[int, msgspec.Meta(ge=1, le=1 << 50)]
    """Octets on the disk."""
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255), PRINTED]
    """For people."""
    server: Annotated[str, msgspec.Meta(max_length=_SERVER), PRINTED] = ""
    """Which PowerMTA server wrote it; empty: not told."""


class ImportView(msgspec.Struct, frozen=True, kw_only=True):
    """How far one file's import is. Offsets are those of the unpacked content."""

    id: int
    name: str
    size: int
    server: str
    began: int
    """Calendar milliseconds."""
    stored: int
    """Octets that are stored: the next part begins there."""
    whole: bool
    """All of it is."""
    taken: int
    """Octets that have been taken in."""
    counted: int
    """Records that counted."""
    repeated: int
    """Records that had counted before; those of a part that was begun twice, too."""
    set_aside: int
    """What could not be read (`sendgate accounting rejected`)."""
    done: bool
    """All of it has been taken in."""


class ImportQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every one that is given must match."""

    server: Annotated[Name | None, meant("Only of this PowerMTA server.")] = None
    done: Annotated[bool | None, meant("Whether all of it has been taken in.")] = None


class Imports:
    """`pool`: the control process's."""

    def __init__(self, pool: Any, inbox: Inbox, now: Now) -> None:
        self._pool = pool
        self._inbox = inbox
        self._now = now

    async def begin(self, file: ImportFile, who: str) -> ImportView:
        """The import of that file: a new one, or the one there is."""
        if not (printable(file.name) and printable(file.server)):
            raise bad("name", "printable characters are wanted")
        row = await self._pool.fetchrow(
            _SQL["begin"],
            *(file.digest, file.size, file.name, file.server, await self._now(), who),
        )
        return await self.one(row["id"])

    async def one(self, number: int) -> ImportView:
        """Raises RefusedError (404)."""
        row = await self._pool.fetchrow(_SQL["one"], number)
        if row is None:
            raise missing("import", str(number))
        return _view(row)

    async def list(self, wanted: ImportQuery, part: Part) -> Slice[ImportView]:
        """Those that are asked for. Raises RefusedError."""
        rows, after = await LIST.rows(self._pool, part, wanted.server, wanted.done)
        return Slice([_view(row) for row in rows], after)

    async def put(self, number: int, begin: int, end: int, last: bool, body: bytes) -> ImportView:
        """Store the part from `begin` up to `end`. Raises RefusedError: 404, 409 where it does not
        follow, 413 and 503 as `Inbox.put`."""
        one = await self.one(number)
        if begin != one.stored or one.whole:
            raise RefusedError(
                f"import {number} is stored up to {one.stored}: the part from {begin} on does not "
                "follow",
                status=409,
            )
        if not (begin < end <= begin + (1 << 30) or (last and begin == end)):
            raise bad("upto", f"an offset behind {begin} is wanted")
        await self._inbox.put_part(body, number, begin, end, last=last)
        return await self.one(number)


def _view(row: Any) -> ImportView:
    return ImportView(
        id=row["id"],
        name=row["name"],
        size=row["size"],
        server=row["server"],
        began=row["began"],
        stored=row["stored"],
        whole=row["whole"],
        taken=row["taken"],
        counted=row["counted"],
        repeated=row["repeated"],
        set_aside=row["set_aside"],
        done=row["whole"] and row["taken"] == row["stored"],
    )
