"""100,000 mailboxes with limits of their own, counts, a first day and a last message."""

from policy.ledger.connection import connect
from tests.bench.mailboxes import taken

MOST = 50_000_000
"""Octets."""


async def test_a_hundred_thousand_mailboxes_take_under_50_mb(valkey_url: str) -> None:
    client = connect(valkey_url, timeout=60)
    try:
        octets = await taken(client)
    finally:
        await client.aclose()
    # Less would be that they are not there.
    assert 10_000_000 < octets < MOST
