"""Everything that is sealed with `control.secret`, found and sealed anew with the newest.

Owns: the list of places. Rule: a place that seals stands here; a test holds that no other column of
the schema does. Sealing anew goes in small transactions and begins where it was stopped, because
what the newest opens is left alone.
"""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable

import msgspec

from control import kinds
from control.problem import RefusedError
from control.store.database import Connection
from control.store.keyring import Keyring
from settings.control import Control
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "sealed")

PLACES: dict[str, tuple[str, ...]] = {
    "dkim": ("dkim_domains", "dkim_rotations", "dkim_files"),
    "codes": ("again_codes",),
    "tokens": ("again_tokens",),
    "answers": ("again_answers",),
    "naming": ("again_naming",),
}
"""What is sealed, and the statements that write it anew."""
COLUMNS = frozenset({
    ("sending_domain", "dkim_private"), ("dkim_rotation", "private"), ("pmta_key", "sealed"),
    ("person", "totp"), ("signing_key", "sealed"), ("request_once", "answer"),
    ("naming_key", "sealed"),
})  # fmt: skip
"""Where these stand."""
NEEDED = ("dkim", "codes", "naming")
"""Without these nobody can go on; keys of tokens are replaced by themselves, and answers go."""
NAMED = 5
"""So many are named."""
_PAGE = 200


class Thing(msgspec.Struct, frozen=True):
    """One that is sealed."""

    place: str
    what: str
    sealed: bytes
    by: int
    """Which secret opens it: 0 the newest, then those before; -1 none."""
    plain: bytes | None


async def pages(
    connection: Connection, ring: Keyring, places: tuple[str, ...] = tuple(PLACES)
) -> AsyncIterator[list[Thing]]:
    """All of them, some at a time."""
    for place in places:
        after = b""
        while rows := await connection.fetch(_SQL[place], after, _PAGE):
            after = rows[-1]["sealed"]
            yield [
                Thing(place, row["what"], row["sealed"], *ring.looked(row["sealed"]))
                for row in rows
            ]


class Sealing(msgspec.Struct, frozen=True, kw_only=True):
    """What seals what."""

    newest: int
    """Sealed with control.secret."""
    before: list[int]
    """With each of control.secrets_before, in its order."""
    unopened: list[str]
    """What no secret opens."""

    @property
    def stale(self) -> int:
        return sum(self.before)


async def counted(connection: Connection, ring: Keyring) -> Sealing:
    """As it is now."""
    by: Counter[int] = Counter()
    lost: list[str] = []
    async for page in pages(connection, ring):
        by.update(one.by for one in page)
        lost += [one.what for one in page if one.by < 0]
    before = [by[number] for number in range(1, ring.count)]
    return Sealing(newest=by[0], before=before, unopened=lost)


async def again(connection: Connection, ring: Keyring, told: Callable[[int], None]) -> int:
    """Seals all anew that a former secret sealed; how many. Each page is a transaction, after which
    `told` hears how many were done."""
    done = 0
    async for page in pages(connection, ring):
        if stale := [one for one in page if one.by > 0]:
            await _write(connection, ring, stale)
            done += len(stale)
            told(done)
    return done


async def _write(connection: Connection, ring: Keyring, stale: list[Thing]) -> None:
    former = [one.sealed for one in stale]
    fresh = [ring.closed(one.plain) for one in stale if one.plain is not None]
    async with connection.transaction():
        for name in PLACES[stale[0].place]:
            await connection.execute(_SQL[name], former, fresh)


async def must_open(pool: Connection, settings: Control) -> None:
    """Raises RefusedError for what nobody can go on without and no secret opens, by its name."""
    ring = Keyring(settings.secret, settings.secrets_before)
    # Without any secret digests have a key that everybody knows, and no row.
    needed = NEEDED if ring.ready else tuple(one for one in NEEDED if one != "naming")
    lost: list[str] = []
    async with pool.acquire() as connection:
        async for page in pages(connection, ring, needed):
            lost += [one.what for one in page if one.by < 0]
    if not lost:
        return
    more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
    text = (
        f"{', '.join(lost[:NAMED])}{more}: sealed with a secret that is neither control.secret nor "
        "in control.secrets_before: name it there"
    )
    if not settings.start_unopened:
        raise RefusedError(
            f"{text}; or, where it is lost, set control.start_unopened (deploy/runbook/secrets.md)",
            kind=kinds.NOT_SET_UP,
        )
    log.error("%s", text)
