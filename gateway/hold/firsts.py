"""What became of messages that others are in doubt behind.

A message arrives on the day its id was minted, by the machine's clock; the hold's days are the
ledger's, which may be another one around midnight, or long after where tests have moved it. So the
days around are looked at first, and all there are only for what is not found there.
"""

from collections.abc import Sequence
from typing import Any

from gateway.hold.statement import statement
from gateway.ids import minted
from policy.limits import day_of

_FIRST = statement("first_rows")
_DAYS = statement("days")


async def fates(link: Any, ids: Sequence[str], timeout: float) -> dict[str, tuple[str, str]]:
    """Id to (state, ending), of those that have a row."""
    near = {name: day_of(at) for name in ids if (at := minted(name)) is not None}
    found = await _look(
        link, [(day + more, name) for name, day in near.items() for more in (-1, 0, 1)], timeout
    )
    if missing := [name for name in ids if name not in found]:
        days = [row["day"] for row in await link.fetch(_DAYS, timeout=timeout)]
        found |= await _look(link, [(day, name) for name in missing for day in days], timeout)
    return found


async def _look(
    link: Any, wanted: Sequence[tuple[int, str]], timeout: float
) -> dict[str, tuple[str, str]]:
    if not wanted:
        return {}
    rows = await link.fetch(
        _FIRST, [day for day, _ in wanted], [name for _, name in wanted], timeout=timeout
    )
    return {row["id"]: (row["fate"][0], row["fate"][1]) for row in rows if row["fate"]}
