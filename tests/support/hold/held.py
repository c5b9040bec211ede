"""Rows of the hold queue, put there as a gateway leaves them."""

from typing import Any

DAY = 20_500
MIDNIGHT = DAY * 86_400_000

ROW: dict[str, Any] = {
    "tenant": "acme",
    "pool": "acme",
    "provider": "gmail",
    "mailbox": "news@acme.example",
    "bulk": True,
    "recipient": "anna@gmail.com",
    "notify": b"",
    "orcpt": b"",
    "campaign": "camp01",
    "key": "",
    "message_id": "<1@acme.example>",
    "size": 1000,
    "arrived": MIDNIGHT,
    "state": "held",
    "since": MIDNIGHT,
    "reason": "ip_quota",
    "detail": "the daily quota of vmta-1 is used up (50 of 50)",
    "until": MIDNIGHT + 86_400_000,
    "attempt": 1,
}


NOT_HELD: dict[str, dict[str, Any]] = {
    "claimed": {"until": 0, "claimant": "releaser/1"},
    "doubt": {"until": 0, "reason": "unknown", "detail": "no answer to the dot"},
    "done": {"until": 0, "reason": "", "detail": "", "ending": "relayed"},
    "refused": {"until": 0, "reason": "", "detail": "", "ending": "expired"},
    "tombstone": {"until": 0, "reason": "tombstone", "detail": ""},
}
"""What such a row has in place of a held one's."""


async def hold(database: Any, name: str, /, **changes: Any) -> None:
    """One row, for `anna@gmail.com` by tenant acme unless said otherwise; `bucket` is the day."""
    state = NOT_HELD.get(changes.get("state", "held"), {})
    row = {**ROW, "bucket": DAY, "id": name, "body": name, **state, **changes}
    if isinstance(row["recipient"], str):
        row["recipient"] = row["recipient"].encode()
    await database.execute("SELECT hold_partition($1)", row["bucket"])
    places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
    await database.execute(f"INSERT INTO held ({', '.join(row)}) VALUES ({places})", *row.values())


async def claimed(database: Any, *names: str) -> None:
    """These are a releaser's by now."""
    await database.execute(
        "UPDATE held SET state = 'claimed', until = 0, claimant = 'us/1' WHERE id = ANY($1)",
        list(names),
    )


async def content(database: Any, name: str, sender: str = "bounce@acme.example") -> None:
    """What is kept of message `name`."""
    await database.execute(
        "INSERT INTO held_body (bucket, id, sender, flags, ret, codec, content) "
        "VALUES ($1, $2, $3, 3, '', 'zlib:', $4)",
        *(DAY, name, sender.encode(), b"secret words"),
    )


async def receipt(database: Any, message: str, **changes: Any) -> None:
    """What PowerMTA's records say about an attempt."""
    row = {
        "day": DAY,
        "message": message,
        "attempt": 1,
        "key": "",
        "server": "pmta1",
        "kinds": "rd",
        "at": MIDNIGHT,
        **changes,
    }
    places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
    await database.execute(
        f"INSERT INTO receipt ({', '.join(row)}) VALUES ({places})", *row.values()
    )
