"""What became of messages that others are in doubt behind.

A message arrives on the day its id was minted, by the machine's clock; the hold's days are the
ledger's, which may be another one around midnight, or long after where tests have moved it. So the
days around are looked at first, and all there are only for what is not found there.
"""

from collections.abc import Sequence
from typing import Any

from gateway.message.ids import minted
from policy.duplicate import recipient_digest
from policy.limits import day_of
from settings.statements import statements

_SQL = statements("gateway.hold.settle", "settle")
_FIRST = _SQL["first_rows"]
_PARTS = _SQL["first_parts"]
_DAYS = _SQL["days"]


Fate = tuple[str, str]
"""(state, ending)"""


async def fates(link: Any, ids: Sequence[str], timeout: float) -> dict[str, Fate]:
    """By id, of those that have a row."""
    rows = await _look(link, _FIRST, ids, timeout)
    return {row["id"]: (row["state"], row["ending"]) for row in rows}


async def fates_by_recipient(
    link: Any, messages: Sequence[str], timeout: float
) -> dict[tuple[str, int], Fate]:
    """By message and recipient (its digest), of messages that have a row for each of several."""
    return {
        (row["id"], recipient_digest(row["recipient"])): (row["state"], row["ending"])
        for row in await _look(link, _PARTS, messages, timeout)
    }


async def _look(link: Any, text: str, ids: Sequence[str], timeout: float) -> list[Any]:
    near = {name: day_of(at) for name in ids if (at := minted(name)) is not None}
    around = [(day + more, name) for name, day in near.items() for more in (-1, 0, 1)]
    rows = await _rows(link, text, around, timeout)
    found = {row["id"] for row in rows}
    if missing := [name for name in ids if name not in found]:
        days = [row["day"] for row in await link.fetch(_DAYS, timeout=timeout)]
        rows += await _rows(link, text, [(day, name) for name in missing for day in days], timeout)
    return rows


async def _rows(
    link: Any, text: str, wanted: Sequence[tuple[int, str]], timeout: float
) -> list[Any]:
    if not wanted:
        return []
    columns = [day for day, _ in wanted], [name for _, name in wanted]
    return list(await link.fetch(text, *columns, timeout=timeout))
