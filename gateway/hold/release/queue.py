"""The heads of the queue: the oldest rows of each open group, in the order of `policy.fairness`."""

from collections.abc import Mapping, Sequence

from gateway.hold.database import Database
from gateway.hold.held import Held, held
from gateway.hold.keep.backlog import Group
from policy.fairness import Waiting, order
from settings.statements import statements

_SQL = statements("gateway.hold.release", "release")
_HEADS = _SQL["heads"]
_OF_MAILBOXES = _SQL["heads_of_mailboxes"]

_TIMEOUT = 30.0
_MOST_ROWS = 20_000
"""Rows read for one round: with more groups than this divided by the round, the oldest few of
each are looked at, and the order is exact only among those."""
_MOST_OCTETS = 64 * 1024 * 1024
"""Content of one round: it is all in memory while it is sent."""


class Queue:
    """Reads PostgreSQL; changes nothing."""

    def __init__(self, database: Database, *, round_size: int) -> None:
        self._database = database
        self._round = round_size
        self._last = ""

    async def next(
        self,
        groups: Sequence[tuple[str, Group]],
        behind: Mapping[tuple[str, str], int],
        most: int,
    ) -> list[Held]:
        """The rows to ask for now, first one first, at most `most`. `behind`: what mailboxes lack
        to their daily minimum. Raises AwayError, UnknownError, RefusedError."""
        most = min(most, self._round)
        if not groups or not most:
            return []
        each = max(min(most, _MOST_ROWS // (2 * len(groups))), 2)
        pairs = [(group, bulk) for _, group in groups for bulk in (False, True)]
        async with self._database.connection() as link:
            rows = await link.fetch(
                _HEADS,
                [group[0] for group, _ in pairs],
                [group[1] for group, _ in pairs],
                [bulk for _, bulk in pairs],
                each,
                timeout=_TIMEOUT,
            )
            lacking = [
                (*group, mailbox)
                for tenant, group in groups
                for (of, mailbox) in behind
                if of == tenant
            ]
            if lacking:
                columns = map(list, zip(*lacking, strict=True))
                rows += await link.fetch(_OF_MAILBOXES, *columns, each, timeout=_TIMEOUT)
        return self._ordered([held(row) for row in rows], behind, most)

    def _ordered(
        self, rows: list[Held], behind: Mapping[tuple[str, str], int], most: int
    ) -> list[Held]:
        known = {row.id: row for row in rows}
        picks = order(
            [
                Waiting(r.id, r.tenant, r.pool, r.provider, r.mailbox, r.bulk, r.arrived)
                for r in known.values()
            ],
            round_size=most,
            behind=behind,
            first=self._last,
        )
        chosen: list[Held] = []
        octets = 0
        for pick in picks:
            row = known[pick.id]
            octets += row.size
            if chosen and octets > _MOST_OCTETS:
                break
            chosen.append(row)
        if chosen:
            self._last = chosen[-1].tenant
        return chosen
