"""The configuration of the ledger.

As in `settings.model`: the text under a field is its manual, times are seconds.
"""

from typing import Annotated

import msgspec

from settings.hold import Seconds


class Ledger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Valkey or Redis, version 7 or newer, with `appendonly yes` and `noeviction`."""

    url: str = "redis://127.0.0.1:6379/0"
    """`redis://`, `rediss://` (TLS) or `unix://`. Also REDIS_URL."""
    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,32}$")] = "main"
    """Part of every key; two gateways with the same name share their limits."""
    timeout: Seconds = 2.0
    """For one reply."""
    budget: Seconds = 4.0
    """For one batch with its repeats; the ledger remembers a batch for 60 s."""
    lease: Seconds = 15.0
    """How long a gateway trusts its connection to the ledger without having seen, over a new one,
    that `url` still leads to the same server: it looks three times in that while. Then nothing is
    sent until it has seen it. Below `relay.grant_lifetime` and `relay.budget` together."""
    attempts: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
    """Times a batch without a reply is sent, always under the same id."""
    batch: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 32
    """Most reservations in one call, and most changes of duplicate entries beside them. The ledger
    answers nobody else meanwhile: at worst, when each reservation is the day's first of another
    pool of a hundred IPs, about half a millisecond each."""
    changes: Annotated[int, msgspec.Meta(ge=1000, le=10_000_000)] = 100_000
    """Changes of duplicate entries that one process keeps while the ledger is away, some 300 octets
    each. None is dropped: near it replies slow down (`hold.slow_from`), beyond it mail that would
    be held is deferred."""
    single: bool = False
    """One server without replicas and with `appendfsync always`: after a restart of it the ledger
    opens again at once. Checked; with replicas a restart may have lost counts."""
    denial_cache: Annotated[float, msgspec.Meta(ge=0, le=60)] = 1.0
    """How long a gateway repeats a denial without asking; never past the denial's own end."""
