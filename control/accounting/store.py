"""Positions and receipts in PostgreSQL: both in one transaction, so a receipt is exactly once."""

from collections.abc import Sequence
from typing import NamedTuple

from control.accounting.door import Batch, Door
from control.accounting.fact import Fact
from control.accounting.lock import lock_number
from control.accounting.look import Look
from control.accounting.position import Position
from control.accounting.receipts import DIGEST, KINDS, Name, Receipt, Taken, arrived
from control.store.database import Connection
from settings.statements import statements

_SQL = statements(__package__, "accounting")
FORGOTTEN_AT_ONCE = 5_000
"""Rows of one deleting statement: tens of milliseconds, so no reader waits long behind it."""

_TOLD = 3
"""Gaps of one look that are stored; the log has all."""


class OutrunError(Exception):
    """Somebody else moved the stream's position: what was read here is not counted."""


class Stream(NamedTuple):
    """Where reading goes on."""

    turn: int
    file: str
    """The one being read."""
    files: list[Position]
    read_at: int
    """0: never read to its end."""
    unwatched: float | None
    """Real seconds since it last was."""
    watched: bool
    """As `Look.watched` was."""


class Moment(NamedTuple):
    """Calendar milliseconds of a look."""

    began: int
    ended: int
    since: int
    """From then on nothing is missing, as far as this look shows; never later than it began."""
    elapsed: float = 0.0
    """Real seconds since it began, where it came from afar."""


async def lock(connection: Connection, server: str) -> bool:
    """Whether this session now is the one reader of `server`'s stream, until it ends."""
    return bool(await connection.fetchval(_SQL["try_lock"], lock_number(server)))


async def begin(
    connection: Connection, server: str, path: str, now: int, agent: str = ""
) -> Stream:
    """Where reading goes on; the beginning for a new stream. `now` in calendar milliseconds;
    `agent`: the one that ships it."""
    row = await connection.fetchrow(_SQL["stream"], server, path, now, agent)
    files = await positions(connection, server)
    return Stream(row["turn"], row["file"], files, row["read_at"], row["unwatched"], row["watched"])


async def positions(connection: Connection, server: str) -> list[Position]:
    """How far each file of a stream was read."""
    return [
        Position(
            row["file"],
            row["inode"],
            row["position"],
            row["mark"],
            tuple(row["header"].split(",")) if row["header"] else (),
            row["state"],
        )
        for row in await connection.fetch(_SQL["files"], server)
    ]


async def advance(
    connection: Connection,
    server: str,
    turn: int,
    look: Look,
    moment: Moment,
    door: Door,
    origin: str = "file",
) -> tuple[int, list[str]]:
    """Store what `look` found and where it ended: (turn of the next one, all gaps it told).
    `origin`: file, or agent.

    Raises OutrunError; nothing was stored then."""
    found = look.receipts
    receipts = sorted(found.attempts.items(), key=lambda item: item[0])
    async with connection.transaction():
        fresh, repeated = await _fresh(connection, receipts)
        gaps = list(look.gaps)
        if repeated and not gaps:
            gaps.append(f"{look.at.file or 'a file'} repeats {repeated} receipts read before")
        moved: int | None = await connection.fetchval(
            _SQL["advance"],
            *(server, turn, look.at.file),
            *(found.records - repeated, found.skipped + look.cuts),
            *(found.received - repeated, found.named - repeated, found.unaddressed),
            found.behind_receipt,
            moment.since,
            moment.began if look.end and not look.problem else 0,
            look.end and not look.problem,
            *(_told(gaps), moment.ended, look.trouble, look.watched),
            moment.elapsed,
        )
        if moved is None:
            raise OutrunError(f"another node reads the accounting of {server}")
        changed = {position.file: position for position in [*look.changed, look.at]}
        changed.pop("", None)
        if changed:
            await connection.execute(_SQL["put_files"], server, *_columns(list(changed.values())))
        # Sorted: two streams that count for one pool take its rows in one order.
        if receipts:
            await _add_receipts(connection, server, receipts, fresh)
        if relayed := sorted(_relayed(fresh).items()):
            await connection.execute(
                _SQL["add_relayed"],
                *(list(column) for column in zip(*(name for name, _ in relayed), strict=True)),
                [count for _, count in relayed],
            )
        if found.probes:
            await connection.execute(_SQL["probes_read"], server, found.probes)
        if look.facts or look.set_aside:
            place = f"{look.at.file} up to offset {look.at.offset}"
            batch = Batch(origin, server, place, look.facts, look.set_aside)
            await door.book(connection, batch, moment.ended)
    return moved, gaps


async def put_arrived(connection: Connection, server: str, facts: Sequence[Fact]) -> None:
    """That the attempts of posted records reached PowerMTA. Never what proves that another did not,
    nor what a lost ledger is counted from: both need receipts in their order."""
    found: dict[Name, Receipt] = {}
    for fact in facts:
        if fact.envelope is not None and fact.kind in KINDS:
            arrived(found, fact.envelope, fact.kind, fact.at, fact.rcpt)
    if found:
        await _add_receipts(connection, server, sorted(found.items()), {})


async def _add_receipts(
    connection: Connection,
    server: str,
    receipts: list[tuple[Name, Receipt]],
    fresh: dict[Name, list[Taken]],
) -> None:
    """In the order of their names, so that two streams take rows in one order."""
    await connection.execute(
        _SQL["add_receipts"],
        server,
        *(list(column) for column in zip(*(name for name, _ in receipts), strict=True)),
        [receipt.key for _, receipt in receipts],
        [receipt.kinds for _, receipt in receipts],
        [receipt.at for _, receipt in receipts],
        [b"".join(taken.digest for taken in fresh.get(name, ())) for name, _ in receipts]
        if fresh
        else [],
        # Arrays of different lengths make no array: as PostgreSQL writes them.
        [f"{{{','.join(map(str, receipt.recipients))}}}" for _, receipt in receipts],
    )


async def _fresh(
    connection: Connection, receipts: list[tuple[Name, Receipt]]
) -> tuple[dict[Name, list[Taken]], int]:
    """(of each attempt the receipts that were not counted yet, how many were)."""
    fresh = {name: receipt.taken for name, receipt in receipts if receipt.taken}
    repeated = 0
    if not fresh:
        return {}, 0
    names = [list(column) for column in zip(*fresh, strict=True)]
    for row in await connection.fetch(_SQL["seen"], *names):
        name = (row["day"], row["message"], row["attempt"])
        seen = row["seen"]
        if seen is None:
            # Of a release that kept no digests: what it had of this attempt it has counted.
            if "r" in row["kinds"]:
                fresh[name] = []
            continue
        known = {seen[at : at + DIGEST] for at in range(0, len(seen), DIGEST)}
        new = [taken for taken in fresh[name] if taken.digest not in known]
        repeated += len(fresh[name]) - len(new)
        fresh[name] = new
    return fresh, repeated


def _relayed(fresh: dict[Name, list[Taken]]) -> dict[tuple[int, str, str], int]:
    counts: dict[tuple[int, str, str], int] = {}
    for (day, _, _), several in fresh.items():
        for taken in several:
            name = (day, taken.vmta, taken.provider)
            counts[name] = counts.get(name, 0) + 1
    return counts


def _columns(files: list[Position]) -> tuple[list[object], ...]:
    return (
        [file.file for file in files],
        [file.inode for file in files],
        [file.offset for file in files],
        [file.mark for file in files],
        [",".join(file.header) for file in files],
        [file.state for file in files],
    )


def _told(gaps: list[str]) -> str:
    more = len(gaps) - _TOLD
    return "; ".join(gaps[:_TOLD]) + (f"; and {more} more" if more > 0 else "")


async def set_problem(connection: Connection, server: str, problem: str) -> None:
    """Why nothing can be read now."""
    await connection.execute(_SQL["set_problem"], server, problem)


async def forget_files(
    connection: Connection, server: str, kept: float, present: list[str]
) -> None:
    """Forget the positions of files read more than `kept` seconds ago that are not `present`."""
    await connection.execute(_SQL["forget_files"], server, kept, present)


async def forget(pool: Connection, before: int) -> int:
    """Delete receipts and counts of grants made on days before `before`; how many rows."""
    # As many as operators removed, and no more.
    await pool.execute(_SQL["forget_ips"], before)
    total = 0
    for statement in (_SQL["forget_receipts"], _SQL["forget_relayed"]):
        while True:
            tag = await pool.execute(statement, before, FORGOTTEN_AT_ONCE)
            deleted = int(tag.rpartition(" ")[2])
            total += deleted
            if deleted < FORGOTTEN_AT_ONCE:
                break
    return total
