"""A message to be held as the arrays that `keep.sql` takes."""

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
    body: tuple[Any, ...]
    rows: list[tuple[Any, ...]]


def packed(keeping: Keeping, *, bucket: int, now: int, codec: str, content: bytes) -> Packed:
    """`now` in ledger milliseconds; `bucket` is its day."""
    message, sender = keeping.message, keeping.message.sender
    flags = BODY_8BIT * sender.body8 + BODY_UTF8 * sender.utf8
    count = len(message.recipients)
    rows = [
        (
            bucket,
            row_id(message.id, number, count),
            message.id,
            message.tenant,
            keeping.pool,
            provider,
            keeping.mailbox,
            keeping.bulk,
            recipient.address,
            recipient.notify,
            recipient.orcpt,
            keeping.campaign,
            # Several recipients go one by one from here: no single one of them answers for the key.
            keeping.key if count == 1 else "",
            keeping.message_id,
            message.size,
            now,
            keeping.state,
            now,
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
        for number, (recipient, provider) in enumerate(
            zip(message.recipients, keeping.providers, strict=True)
        )
    ]
    body = (bucket, message.id, sender.address, flags, sender.ret, codec, content)
    return Packed(bucket, now, message.id, len(content), body, rows)


def arrays(batch: list[Packed]) -> list[list[Any]]:
    """The arguments of `keep.sql`."""
    bodies = zip(*(packed.body for packed in batch), strict=True)
    rows = zip(*(row for packed in batch for row in packed.rows), strict=True)
    return [list(column) for column in (*bodies, *rows)]
