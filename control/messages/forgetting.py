"""Taking an address out of what became of its messages, those that are still on the way too.

Owns: digests of forgotten addresses, kept `KEPT` so that what a gateway told before and the reader
has not read yet is forgotten as it arrives. Rule: the address itself stands nowhere.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from control.held.request import digest
from control.messages.outcome import Outcome, looked_for, normal, unkeyed
from control.store.change import Act
from control.store.database import Connection
from policy.limits import DAY
from settings.log import Log
from settings.statements import statements

_SQL = statements(__package__, "outcome")

KEPT = DAY
"""Milliseconds: a gateway without its ledger keeps its outcomes until it has it again, and control
without PostgreSQL leaves them in the stream."""


async def forget(act: Act, recipient: str, tenant: str | None, *, log: Log, key: bytes) -> None:
    """In its one spelling; `key`: of digests of addresses."""
    spelt = sorted({recipient, looked_for(recipient, log.addresses, log.key)})
    # What is being read now is in the table before it is looked through; what is read next meets
    # the digests.
    await act.connection.execute(_SQL["reading"])
    asked = act.milliseconds
    digests = [digest(key, one) for one in spelt]
    await act.connection.execute(_SQL["to_forget"], digests, tenant, asked)
    await act.connection.execute(_SQL["forget"], spelt, tenant)
    if unkeyed(log):
        act.note(
            "`message list` is not searched for it: gateways write digests of random keys there "
            "(log.addresses is hashed and log.key is not set)"
        )


class Forgotten:
    """The addresses that are to be forgotten now."""

    def __init__(self, records: Sequence[Any], key: bytes) -> None:
        """From statement `forgotten`."""
        self._key = key
        self._asked: dict[tuple[str, str | None], int] = {}
        for row in records:
            whose = row["digest"], row["tenant"]
            self._asked[whose] = max(row["asked"], self._asked.get(whose, 0))

    def applied(self, one: Outcome) -> Outcome:
        """Without its address if that was to be forgotten after it was told."""
        if not self._asked:
            return one
        name = digest(self._key, normal(one.recipient))
        asked = max(self._asked.get((name, whose), -1) for whose in (one.tenant, None))
        return msgspec.structs.replace(one, recipient="", why="") if one.at <= asked else one


async def forgotten(connection: Connection, key: bytes) -> Forgotten:
    """As of this transaction, in which the reader reads."""
    return Forgotten(await connection.fetch(_SQL["forgotten"]), key)
