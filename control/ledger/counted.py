"""What the ledger counts, noted beside it: carry-over needs the days of a ledger that was lost.

Rule: noted is what carry-over read, of the days that are still charged (yesterday's refunds come
today), under the incarnation that counted it. A ledger in force is believed itself; what another
one had noted is the least that was charged.
Limit: what was granted since the last note, up to `accounting.carry_every` seconds, is not in it.
"""

from collections.abc import Mapping

from control.store.database import Connection
from policy.ledger.daycounts import TOTAL, DayCounts
from settings.statements import statements

_SQL = statements(__package__, "counted")


async def note(
    connection: Connection,
    incarnation: str,
    counts: Mapping[tuple[str, int], DayCounts],
    today: int,
    first: int,
) -> None:
    """In the caller's transaction. `counts` by IP and day; days before `first` are forgotten."""
    rows = sorted(
        (ip, day, by_provider(of.charged))
        for (ip, day), of in counts.items()
        if today - 1 <= day <= today
    )
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    await connection.execute(_SQL["put"], incarnation, *map(list, columns))
    await connection.execute(_SQL["forget"], first)


def by_provider(charged: Mapping[str, int]) -> dict[str, int]:
    """Under `TOTAL` what of all no provider has."""
    of = {one: count for one, count in charged.items() if one != TOTAL and count}
    rest = charged.get(TOTAL, 0) - sum(of.values())
    return {**of, TOTAL: rest} if rest > 0 else of
