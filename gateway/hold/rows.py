"""Messages to be held as the arrays that `keep.sql` takes.

Measured: asyncpg spends 1.5 microseconds on every element of an array, and messages that wait for
the same limit agree in all but a few columns. What they share travels once a commit, as a *kind*;
contents and rows name it by its number.
"""

from typing import Any

import msgspec

from gateway.keeping import Keeping
from policy.identity import row_id

BODY_8BIT, BODY_UTF8 = 1, 2


class Packed(msgspec.Struct):
    """One message, ready to be committed."""

    bucket: int
    now: int
    message: str
    octets: int
    body: tuple[str, bytes, bytes]
    rows: list[tuple[Any, ...]]
    kinds: list[tuple[Any, ...]]
    """Of each row, in order; the content has the first one's."""


def packed(keeping: Keeping, *, bucket: int, now: int, codec: str, content: bytes) -> Packed:
    """`now` in ledger milliseconds; `bucket` is its day."""
    message, sender = keeping.message, keeping.message.sender
    flags = BODY_8BIT * sender.body8 + BODY_UTF8 * sender.utf8
    count = len(message.recipients)
    # Several recipients go one by one from here: no single one of them answers for the key.
    key = keeping.key if count == 1 else ""
    rows: list[tuple[Any, ...]] = []
    kinds: list[tuple[Any, ...]] = []
    for number, recipient in enumerate(message.recipients):
        rows.append(
            (
                row_id(message.id, number, count),
                message.id,
                recipient.address,
                recipient.orcpt,
                key,
                keeping.message_id,
                message.size,
                now,
            )
        )
        kinds.append(
            (
                bucket,
                flags,
                sender.ret,
                codec,
                message.tenant,
                keeping.pool,
                keeping.providers[number],
                keeping.mailbox,
                keeping.bulk,
                recipient.notify,
                keeping.campaign,
                keeping.state,
                keeping.reason,
                keeping.detail,
                keeping.until,
                keeping.due > 0,
                keeping.due,
                keeping.attempt,
                keeping.server,
                keeping.vmta,
                keeping.envelope,
                keeping.failures,
                keeping.behind,
            )
        )
    body = (message.id, sender.address, content)
    return Packed(bucket, now, message.id, len(content), body, rows, kinds)


def arrays(batch: list[Packed]) -> list[list[Any]]:
    """The arguments of `keep.sql`."""
    numbers: dict[tuple[Any, ...], int] = {}
    bodies: list[tuple[Any, ...]] = []
    rows: list[tuple[Any, ...]] = []
    for one in batch:
        of_rows = [numbers.setdefault(kind, len(numbers) + 1) for kind in one.kinds]
        bodies.append((*one.body, of_rows[0]))
        rows += [(*row, number) for row, number in zip(one.rows, of_rows, strict=True)]
    columns = (*zip(*bodies, strict=True), *zip(*rows, strict=True), *zip(*numbers, strict=True))
    return [list(column) for column in columns]
