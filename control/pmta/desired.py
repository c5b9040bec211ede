"""What each server with an agent is to run, and whether that is what the last plan says.

Rule: changed under the lock of all publishers alone. `settled` is the number of the plan that the
version was compared with, or that found it held (one less, where it still has what went by that
one); null while it is offered ahead of its plan: whoever finds it so and holds the lock knows that
the change it was for is gone, and compares.
"""

import msgspec

from control.pmta.version import withdraw
from control.store.database import Connection
from settings.statements import statements

_SQL = statements(__package__, "desired")


class Desired(msgspec.Struct, frozen=True, kw_only=True):
    """Of one server."""

    server: str
    version: int
    offer: int = 0
    """Grows with each offer, of all servers."""
    overwrite: bool = False
    settled: int | None = None
    instead: str = ""
    """Why it is not what the rows say."""
    held: bool = False
    """Put back by hand: no change of the plan ends it, `pmta apply` does."""
    who: str
    at: int = 0
    """When it was offered, milliseconds of the machine's clock: how long it takes is real time."""


async def desired(connection: Connection, server: str) -> Desired | None:
    """None: nothing was ever offered to it."""
    row = await connection.fetchrow(_SQL["one"], server)
    return None if row is None else Desired(**dict(row))


async def held(connection: Connection) -> list[Desired]:
    """Of servers that were put back by hand, by name."""
    return [Desired(**dict(row)) for row in await connection.fetch(_SQL["held"])]


async def offer(connection: Connection, wanted: Desired) -> int:
    """Its version is offered, anew if it is the one that was; the offer's number."""
    found: int = await connection.fetchval(
        _SQL["put"],
        *(wanted.server, wanted.version, wanted.overwrite, wanted.settled, wanted.instead),
        *(wanted.held, wanted.who, wanted.at),
    )
    return found


async def put_back(connection: Connection, wanted: Desired | None, server: str, offer: int) -> None:
    """`wanted` (None: nothing) in the place of an offer, should that still stand: who lost the lock
    of publishers meanwhile does not undo what another one offered."""
    if wanted is None:
        await connection.execute(_SQL["drop"], server, offer)
    else:
        await connection.execute(
            _SQL["put_back"],
            *(server, wanted.version, wanted.overwrite, wanted.settled, wanted.instead),
            *(wanted.held, wanted.who, wanted.at, offer),
        )


async def abandon(connection: Connection, wanted: Desired | None) -> None:
    """Another one takes its place. One that was offered ahead of a plan and compared with none is
    of none: the change that it was for is gone."""
    if wanted is not None and wanted.settled is None:
        await withdraw(connection, wanted.version, "the change that it was for is gone")


async def stands(connection: Connection, server: str, offer: int) -> bool:
    """Whether it is still the offer; then it is until the transaction ends."""
    return bool(await connection.fetchval(_SQL["stands"], server) == offer)


async def settle(connection: Connection, server: str, generation: int, offer: int) -> None:
    """This offer is what that plan says, or is held whatever it says."""
    await connection.execute(_SQL["settle"], server, generation, offer)


async def release(connection: Connection, server: str, offer: int) -> None:
    """This offer is held no more: plans go on from it."""
    await connection.execute(_SQL["release"], server, offer)


async def carry(connection: Connection, generation: int) -> None:
    """What was right for the plan before `generation` is right for it."""
    await connection.execute(_SQL["carry"], generation)


async def unsettled(connection: Connection) -> list[str]:
    """Servers whose version nobody has compared with the last plan."""
    return [row["server"] for row in await connection.fetch(_SQL["unsettled"])]
