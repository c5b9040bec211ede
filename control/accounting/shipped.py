"""What agents ship, taken in: the receiving half of a trail that stands on PowerMTA's host.

Owns: whether a shipment continues its stream, and what its octets say. The records, what they
prove and the stream's position are stored in one transaction (`control.accounting.store`), as
those of a file that is read here; so receipts that come this way keep their order, and an absence
is proved by them.
Failure: PostgreSQL away is an answer (503), and the agent repeats the shipment.
Two control nodes: the stream's turn decides; the other one answers 409.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from control.accounting import store
from control.accounting.columns import Columns
from control.accounting.door import Door
from control.accounting.inbox import Now
from control.accounting.look import Look, Step
from control.accounting.records import LONGEST, Piece, split
from control.accounting.shipment import FRESH, Shipment, Standing, Stretch
from control.accounting.since import Since
from control.accounting.understanding import Understanding
from control.problem import bad, missing
from control.store.database import Connection
from control.values.name import printable
from settings.accounting import Accounting
from settings.statements import statements

_SQL = statements(__package__, "accounting")

_NAME = 64


class _Memory:
    """Of one stream, what its next shipment is understood by."""

    def __init__(self, turn: int, *, first: bool) -> None:
        self.turn = turn
        self.since = Since(first=first)
        self.understanding: Understanding | None = None
        """None: what stood before the next octets is not remembered."""


class Shipments:
    """`pool`: the control process's."""

    def __init__(self, pool: Any, door: Door, settings: Accounting, now: Now) -> None:
        self._pool = pool
        self._door = door
        self._kept = settings.kept
        self._read_here = frozenset(stream.server for stream in settings.streams)
        self._now = now
        self._memory: dict[str, _Memory] = {}
        self._taking: dict[str, asyncio.Lock] = {}
        """By servers that exist: as many as operators add."""

    async def take(self, shipment: Shipment) -> Standing:
        """Store it, if it continues its stream. Raises RefusedError: 400 and 404 for what an
        operator has to change."""
        arrived = await self._now()
        _check(shipment)
        server = shipment.server
        if server in self._read_here:
            raise bad(
                "server",
                f"control itself reads the files of {server} (accounting.streams): take them out "
                "there, or stop this agent",
            )
        async with self._pool.acquire() as connection:
            if not await connection.fetchval(_SQL["is_server"], server):
                raise missing("PowerMTA server", server)
            async with self._taking.setdefault(server, asyncio.Lock()):
                return await self._take(connection, shipment, arrived)

    async def _take(self, connection: Connection, shipment: Shipment, arrived: int) -> Standing:
        server = shipment.server
        # Put back when all of it is stored.
        memory = self._memory.pop(server, None)
        at = await store.begin(connection, server, shipment.path, arrived, shipment.agent)
        if shipment.turn != at.turn:
            said = "where it stands" if shipment.turn == FRESH else f"turn {shipment.turn} has been"
            return _standing(at, said)
        if why := _not_behind(at, shipment):
            return _standing(at, why)
        if memory is None or memory.turn != at.turn:
            memory = _Memory(at.turn, first=not at.read_at)
        first = next(iter(shipment.stretches), None)
        if memory.understanding is None and first is not None and not first.anew and first.begin:
            why = "what stood before is not remembered"
            return Standing(turn=at.turn, taken=False, why=why, recall=True)
        understanding = memory.understanding or Understanding()
        began = arrived - round(shipment.age * 1000)
        try:
            look = await asyncio.to_thread(_look, shipment, understanding, began)
            ended = await self._now()
            moment = store.Moment(began, ended, memory.since.behind(look, began), shipment.age)
            turn, _ = await store.advance(
                connection, server, at.turn, look, moment, self._door, origin="agent"
            )
        except store.OutrunError:
            return _standing(
                await store.begin(connection, server, shipment.path, arrived), "outrun"
            )
        except BaseException:
            self._door.forget()
            raise
        memory.turn = turn
        if shipment.stretches:
            memory.understanding = understanding
        self._memory[server] = memory
        await connection.execute(_SQL["set_behind"], server, shipment.behind)
        if shipment.present is not None:
            await store.forget_files(connection, server, self._kept, list(shipment.present))
        return Standing(turn=turn, taken=True)


def _check(shipment: Shipment) -> None:
    """Raises RefusedError."""
    for field in ("agent", "server"):
        text = getattr(shipment, field)
        if not 1 <= len(text) <= _NAME or not printable(text):
            raise bad(field, "a name of 1 to 64 printable characters is wanted")
    if not 0.0 <= shipment.age < 10**9:
        raise bad("age", "seconds since the look began are wanted")
    for stretch in shipment.stretches:
        cuts = [(offset, end) for offset, _, end in stretch.cuts]
        flat = [at for cut in cuts for at in cut]
        if flat != sorted(flat) or (
            flat and not (flat[0] >= 0 and flat[-1] <= len(stretch.octets))
        ):
            raise bad("stretches", f"the cuts of {stretch.file} do not lie in its octets")


def _standing(at: store.Stream, why: str) -> Standing:
    return Standing(
        turn=at.turn,
        taken=False,
        why=why,
        file=at.file,
        files=at.files,
        read=at.read_at > 0,
        unwatched=at.unwatched,
        watched=at.watched,
    )


def _not_behind(at: store.Stream, shipment: Shipment) -> str:
    """Why the octets do not follow those that are stored; '' when they do."""
    stored = {file.file: file.offset for file in at.files}
    reached = dict(stored)
    for stretch in shipment.stretches:
        wanted = reached.get(stretch.file, 0)
        # One that was written anew begins anew, and that is told as a gap.
        if stretch.begin != wanted and (stretch.begin or not shipment.gaps):
            return f"{stretch.file} is stored up to offset {wanted}, not {stretch.begin}"
        reached[stretch.file] = stretch.end
    for position in [*shipment.changed, shipment.at]:
        wanted = reached.get(position.file, 0)
        if position.offset != wanted and (position.offset or not shipment.gaps):
            return f"{position.file} came up to offset {wanted}, not {position.offset}"
    return ""


def _look(shipment: Shipment, understanding: Understanding, now: int) -> Look:
    """What the agent's look found."""
    step = Step(1)
    gaps = list(shipment.gaps)
    cuts = sum(len(stretch.cuts) for stretch in shipment.stretches)
    for stretch in shipment.stretches:
        if stretch.anew or not stretch.begin:
            understanding.anew()
            if before := stretch.recalled():
                understanding.recall(*before)
        for pieces, more in _pieces(stretch):
            cuts += len(more)
            gaps += [f"{stretch.file} behind offset {stretch.begin}: {why}" for why in more]
            understanding.understand(step, stretch, pieces, (), now)
        understanding.understand(step, stretch, (), stretch.whole_cuts, now)
    return Look(
        at=shipment.at,
        changed=list(shipment.changed),
        receipts=step.receipts,
        end=shipment.end,
        watched=shipment.watched,
        begins=shipment.begins,
        cuts=cuts,
        gaps=tuple(gaps),
        lack=shipment.lack,
        problem=shipment.problem,
        facts=step.facts,
        set_aside=step.set_aside,
    )


def _pieces(stretch: Stretch) -> Iterable[tuple[list[Piece], list[str]]]:
    """Of the octets between the agent's cuts: (records, why others can not be read here)."""
    columns = Columns(stretch.header) if stretch.header else None
    begin = 0
    for offset, _, end in [*stretch.cuts, (len(stretch.octets), "", len(stretch.octets))]:
        octets = stretch.octets[begin:offset]
        begin = end
        while octets:
            found = split(octets, LONGEST, columns, last=True)
            columns = found.columns
            yield found.pieces, [cut.why for cut in found.cuts]
            if not found.used:
                break
            octets = octets[found.used :]
