"""What PowerMTA refused, by the mailbox that sent it and the day: with what became of messages.

A record for people, as that is: what gateways could not tell is not in it.
"""

from collections import Counter
from collections.abc import Iterable

from control.accounting.columns import storable
from control.messages.outcome import Outcome
from control.statistics.names import MAILBOX, OTHER, Name, Names
from control.store.database import Connection
from policy.limits import day_of
from settings.statements import statements

_SQL = statements(__package__, "outcome")

_LONGEST = 254
"""Characters of a mailbox that are kept."""


class Refused:
    """`names_most`: mailboxes that count by name for each tenant and day; the rest together."""

    def __init__(self, names_most: int) -> None:
        self._names = Names(names_most)

    async def take(self, connection: Connection, outcomes: Iterable[Outcome]) -> None:
        """Add those that were refused, in the transaction that took them from the stream."""
        found = Counter(
            (day_of(one.at), one.tenant, storable(one.mailbox)[:_LONGEST])
            for one in outcomes
            if one.mailbox and one.outcome == "refused"
        )
        if not found:
            return
        names = await self._names.admitted(
            connection, (Name(day, tenant, MAILBOX, name) for day, tenant, name in found)
        )
        sums: Counter[tuple[int, str, str]] = Counter()
        for (day, tenant, name), count in found.items():
            known = Name(day, tenant, MAILBOX, name) in names
            sums[day, tenant, name if known else OTHER] += count
        # In one order: two transactions wait for each other and never in a circle.
        rows = sorted((*key, count) for key, count in sums.items())
        await connection.execute(_SQL["refused"], *map(list, zip(*rows, strict=True)))
