"""Mail around the gateways, as records tell it: each recipient once, booked in the transaction that
remembers its records, for `control.bypass.charging` to tell the ledger.

Owns: `bypass_seen`, `bypass` and what is charged in `bypass_charge`.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from control.accounting.door import Batch
from control.bypass import recipient
from control.bypass.recipient import Asked, Counts, Ours, Recipient, Source
from control.store.database import Connection
from settings.statements import statements

_SQL = statements(__package__, "bypass")

IMPORT = "import"
"""The origin of records of history, which touch no day's limits."""

REST = "other"
"""What sources are called that are too many to be told apart."""


class _Sum(NamedTuple):
    recipients: int
    first: int
    last: int


class Bypass:
    """A consumer of the door. `sources`: rows of one day that are told apart."""

    def __init__(self, sources: int) -> None:
        self._sources = sources

    async def take(self, connection: Connection, batch: Batch, now: int) -> None:  # noqa: ARG002
        """See `control.accounting.door.Consumer`."""
        if batch.origin == IMPORT:
            return
        facts = recipient.shown(batch.facts)
        if not facts:
            return
        known = await _known(connection, {recipient.asked(fact) for fact in facts}, batch.server)
        if found := recipient.recipients(facts, known):
            await self._book(connection, found)

    async def _book(self, connection: Connection, found: list[Recipient]) -> None:
        sums: dict[Source, _Sum] = {}
        charges: dict[tuple[int, str, str], int] = {}
        for one, more in await _more(connection, found):
            before = sums.get(one.source, _Sum(0, one.at, one.at))
            sums[one.source] = _Sum(
                before.recipients + more, min(before.first, one.at), max(before.last, one.at)
            )
            charge = (one.source.day, one.source.ip, one.provider)
            charges[charge] = charges.get(charge, 0) + more
        if not charges:
            return
        rows = sorted((await self._told_apart(connection, sums)).items())
        await connection.execute(
            _SQL["add"],
            *_columns([source for source, _ in rows]),
            *_columns([total for _, total in rows]),
        )
        await connection.execute(
            _SQL["charge"], *_columns(sorted(charges)), [charges[key] for key in sorted(charges)]
        )

    async def _told_apart(
        self, connection: Connection, sums: dict[Source, _Sum]
    ) -> dict[Source, _Sum]:
        """With those that are too many for their day under `REST`. Two transactions at once may
        each find the last room: the bound is for a table's size."""
        room: dict[int, int] = {}
        new = []
        for row in await connection.fetch(_SQL["told_apart"], *_columns(list(sums))):
            room[row["day"]] = self._sources - row["rows"]
            if not row["present"]:
                new.append(Source(*list(row.values())[: len(Source._fields)]))
        found = dict(sums)
        for source in sorted(new):
            room[source.day] -= 1
            if room[source.day] < 0:
                rest = source._replace(login=REST, source=REST, job=REST)
                own = found.pop(source)
                at = found.get(rest, own._replace(recipients=0))
                found[rest] = _Sum(
                    at.recipients + own.recipients,
                    min(at.first, own.first),
                    max(at.last, own.last),
                )
        return found


async def _known(connection: Connection, names: set[Asked], server: str) -> dict[Asked, list[Ours]]:
    rows = await connection.fetch(_SQL["known"], *_columns(sorted(names)), server)
    found: dict[Asked, list[Ours]] = defaultdict(list)
    for row in rows:
        name = (row["day"], row["vmta"], row["source_ip"])
        found[name].append(Ours(row["ip"], row["server"], row["left_from"]))
    return found


async def _more(connection: Connection, found: list[Recipient]) -> list[tuple[Recipient, int]]:
    """(recipient, messages of it that nobody counted before)."""
    by_id: dict[tuple[int, bytes], list[Recipient]] = defaultdict(list)
    for one in found:
        by_id[one.source.day, one.id].append(one)
    met: list[Counts] = [
        recipient.counts(one.kind for one in several) for several in by_id.values()
    ]
    for day in sorted({day for day, _ in by_id}):
        await connection.execute(_SQL["partition"], day)
    rows = await connection.fetch(_SQL["meet"], *_columns(list(by_id)), *_columns(met))
    more = {(row["day"], row["id"]): row["more"] for row in rows if row["more"] > 0}
    if more:
        await connection.execute(_SQL["counted"], *_columns(list(more)))
    return [(by_id[key][0], count) for key, count in more.items()]


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
