"""Positions and evidence in PostgreSQL: both in one transaction, so evidence is exactly once."""

import hashlib

from control.accounting.evidence import Evidence
from control.accounting.trail import Look, Position
from control.store.database import Connection
from control.store.statements import statements

_SQL = statements("accounting")
FORGOTTEN_AT_ONCE = 5_000
"""Rows of one deleting statement: tens of milliseconds, so no reader waits long behind it."""


class OutrunError(Exception):
    """Somebody else moved the stream's position: what was read here is not counted."""


async def lock(connection: Connection, server: str) -> bool:
    """Whether this session now is the one reader of `server`'s stream, until it ends."""
    digest = hashlib.blake2b(f"sendgate accounting {server}".encode(), digest_size=8).digest()
    key = int.from_bytes(digest, "big", signed=True)
    return bool(await connection.fetchval(_SQL["try_lock"], key))


async def begin(connection: Connection, server: str, path: str, now: int) -> Position:
    """Where reading goes on; the beginning for a new stream. `now` in calendar milliseconds."""
    return position_of(await connection.fetchrow(_SQL["stream"], server, path, now))


def position_of(row: Connection) -> Position:
    """The position in a row of accounting_stream."""
    return Position(
        file=row["file"],
        inode=row["inode"],
        offset=row["position"],
        mark=row["mark"],
        header=tuple(row["header"].split(",")) if row["header"] else (),
        done=tuple(row["done"]),
    )


async def advance(
    connection: Connection,
    server: str,
    before: Position,
    look: Look,
    evidence: Evidence,
    now: int,
) -> None:
    """Store what `look` found and where it ended. Raises OutrunError; nothing was stored then."""
    at = look.at
    async with connection.transaction():
        moved = await connection.fetchval(
            _SQL["advance"],
            *(server, before.inode, before.offset),
            *(at.file, at.inode, at.offset, at.mark, ",".join(at.header)),
            *(evidence.records, evidence.skipped + look.broken),
            evidence.oldest or now,
            now if look.end and not look.problem else 0,
            *(look.gap, now, look.problem),
        )
        if moved is None:
            raise OutrunError(f"another node reads the accounting of {server}")
        if at.done != before.done:
            await connection.execute(_SQL["set_done"], server, list(at.done))
        # Sorted: two streams that count for one pool take its rows in one order.
        if receipts := sorted(evidence.receipts.items(), key=lambda item: item[0]):
            await connection.execute(
                _SQL["add_receipts"],
                server,
                *(list(column) for column in zip(*(name for name, _ in receipts), strict=True)),
                [receipt.key for _, receipt in receipts],
                [receipt.kinds for _, receipt in receipts],
                [receipt.at for _, receipt in receipts],
            )
        if relayed := sorted(evidence.relayed.items()):
            await connection.execute(
                _SQL["add_relayed"],
                *(list(column) for column in zip(*(name for name, _ in relayed), strict=True)),
                [count for _, count in relayed],
            )
        if evidence.probes:
            await connection.execute(_SQL["probes_read"], server, evidence.probes)


async def set_problem(connection: Connection, server: str, problem: str) -> None:
    """Why nothing can be read now."""
    await connection.execute(_SQL["set_problem"], server, problem)


async def forget(pool: Connection, before: int) -> int:
    """Delete receipts and counts of grants made on days before `before`; how many rows."""
    total = 0
    for statement in (_SQL["forget_receipts"], _SQL["forget_relayed"]):
        while True:
            tag = await pool.execute(statement, before, FORGOTTEN_AT_ONCE)
            deleted = int(tag.rpartition(" ")[2])
            total += deleted
            if deleted < FORGOTTEN_AT_ONCE:
                break
    return total
