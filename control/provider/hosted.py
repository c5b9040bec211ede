"""Domains that records name and no table of ours has, and whose servers took their mail.

Rule: a domain is noted once an hour and where something new is said of it, so that a million
records to a thousand domains are not a million rows written. What a rolled back transaction had
noted is noted an hour later: nothing is decided by one record.
"""

from collections import Counter

from control.accounting.columns import storable
from control.accounting.door import Batch
from control.store.database import Connection
from policy.address import split_address
from policy.provider import named, of_host, provider_of
from settings.statements import statements

_SQL = statements(__package__, "provider")

IMPORT = "import"
"""The origin of history, which says nothing of today's hosts."""
NOTED = 3_600_000
"""Milliseconds for which a domain is not noted again."""
_MOST = 200_000
"""Domains remembered."""
_KINDS = frozenset("rdbt")


class Hosted:
    """A consumer of the door."""

    def __init__(self) -> None:
        self._noted: dict[str, tuple[int, str]] = {}
        """When each was, and whose servers its records named then."""

    async def take(self, connection: Connection, batch: Batch, now: int) -> None:
        """See `control.accounting.door.Consumer`."""
        if batch.origin == IMPORT:
            return
        hints: dict[str, Counter[tuple[str, str]]] = {}
        for fact in batch.facts:
            if fact.kind not in _KINDS:
                continue
            address = split_address(fact.rcpt)
            if address is None or address[1][:1] == "[" or named(address[1]) is not None:
                continue
            found = hints.setdefault(storable(address[1]), Counter())
            host = storable(fact.mta.partition(" ")[0])
            # An address alone names nobody.
            if host.strip("0123456789.") and ":" not in host:
                found[of_host(host), host] += 1
        rows = []
        for domain in sorted(hints):
            # The one said most; several hosts of a provider are one.
            said: Counter[str] = Counter()
            for (provider, _), count in hints[domain].items():
                said[provider] += count
            hint, count = said.most_common(1)[0] if said else ("", 0)
            at, before = self._noted.get(domain, (0, ""))
            # What is known already is said again where something else was said since.
            new = hint and not hint == before == provider_of(domain)
            if at > now - NOTED and not new:
                continue
            host = next((h for (p, h), _ in hints[domain].most_common() if p == hint), "")
            rows.append((domain, hint, host, count))
        if not rows:
            return
        if len(self._noted) > _MOST:
            self._noted.clear()
        for domain, hint, _, _ in rows:
            self._noted[domain] = (now, hint or self._noted.get(domain, (0, ""))[1])
        await connection.execute(
            _SQL["see"], now, *(list(column) for column in zip(*rows, strict=True))
        )
