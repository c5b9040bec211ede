"""Messages to be held as the values that `keep` takes: composites, in two arrays.

Measured: asyncpg spends half a microsecond on every element of an array, for it looks whether each
is an array itself, and a tenth of that on a field of a composite. With an array for each column a
commit of twelve messages cost 340 microseconds here and 615 in PostgreSQL; this way 260 and 540.
"""

from typing import Any

import msgspec

from gateway.hold_port import Keeping
from policy.duplicate import recipient_key
from policy.identity import row_id

BODY_8BIT, BODY_UTF8 = 1, 2


class Packed(msgspec.Struct):
    """One message, ready to be committed."""

    bucket: int
    now: int
    message: str
    octets: int
    content: tuple[Any, ...]
    """As type `hold_message`."""
    rows: list[tuple[Any, ...]]
    """As type `hold_recipient`."""

    @property
    def first(self) -> str:
        """The id of its first row."""
        row: str = self.rows[0][1]
        return row


def packed(keeping: Keeping, *, bucket: int, now: int, codec: str, content: bytes) -> Packed:
    """`now` in ledger milliseconds; `bucket` is its day."""
    message, sender = keeping.message, keeping.message.sender
    flags = BODY_8BIT * sender.body8 + BODY_UTF8 * sender.utf8
    count = len(message.recipients)
    # Several recipients go one by one from here, each with an entry of its own.
    whole = keeping.key if count > 1 else ""
    rows: list[tuple[Any, ...]] = [
        (
            bucket,
            row_id(message.id, number, count),
            message.id,
            message.tenant,
            keeping.pool,
            keeping.providers[number],
            keeping.mailbox,
            keeping.bulk,
            recipient.address,
            recipient.notify,
            recipient.orcpt,
            keeping.campaign,
            recipient_key(whole, recipient.address) if whole else keeping.key,
            keeping.message_id,
            message.size,
            now,
            keeping.state,
            keeping.reason,
            keeping.detail,
            keeping.until,
            keeping.due > 0,
            keeping.due,
            keeping.attempt,
            keeping.server,
            keeping.vmta,
            keeping.envelopes[number] if keeping.envelopes else keeping.envelope,
            keeping.failures,
            keeping.behind,
            whole,
        )
        for number, recipient in enumerate(message.recipients)
    ]
    body = (bucket, message.id, sender.address, flags, sender.ret, sender.envid, codec, content)
    return Packed(bucket, now, message.id, len(content), body, rows)


def values(batch: list[Packed]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The arguments of the statement `keep`."""
    return [one.content for one in batch], [row for one in batch for row in one.rows]
