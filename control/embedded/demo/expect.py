"""What the policy says about the demo's mail, worked out from the demo's own table.

On purpose a second, simple reading of the rules: nothing of the ledger, the selection, the hold's
order or the provider table is used, so that a mistake there shows as a difference.
Valid for mail asked for in the order it came, within minutes of one UTC day.
"""

import math
from collections import Counter

import msgspec

from control.embedded.demo.mail import Mail
from control.embedded.stack.demotenants import IPS, DemoIp

PROVIDER = {"gmail.com": "gmail", "outlook.com": "microsoft"}

QUOTA, CEILING, PACE = "ip_quota", "ip_provider", "ip_pace"
"""Reasons as `sendgate hold` names them."""


class Expected(msgspec.Struct, frozen=True):
    """Where a mail goes, or (empty) every limit that keeps it at the end of the day."""

    vmta: str
    whys: frozenset[str] = frozenset()


def provider_of(mail: Mail) -> str:
    """The mailbox provider of its recipient."""
    return PROVIDER.get(mail.to.partition("@")[2], "other")


def expected(mails: list[Mail]) -> dict[int, Expected]:
    """Mail number to what the policy says, for what waits or comes on one day, in order."""
    day = _Day()
    names = {mail.number: day.take(mail) for mail in mails}
    return {
        mail.number: Expected(names[mail.number])
        if names[mail.number]
        else Expected("", day.whys(mail))
        for mail in mails
    }


class _Day:
    """One day of every IP."""

    def __init__(self) -> None:
        self._used: Counter[str] = Counter()
        self._used_by: Counter[tuple[str, str]] = Counter()

    def take(self, mail: Mail) -> str:
        """The VirtualMTA of the next mail, counted; empty: none may send it."""
        provider = provider_of(mail)
        for row in _rows(mail):
            if not self._limits(row, provider):
                self._used[row.ip] += 1
                self._used_by[row.ip, provider] += 1
                return row.vmta
        return ""

    def whys(self, mail: Mail) -> frozenset[str]:
        """Every limit that keeps it now; the gateway names one of them."""
        provider = provider_of(mail)
        return frozenset(why for row in _rows(mail) for why in self._limits(row, provider))

    def _limits(self, row: DemoIp, provider: str) -> set[str]:
        used, found = self._used[row.ip], set()
        if used >= row.quota:
            found.add(QUOTA)
        ceiling = row.ceilings.get(provider)
        if ceiling is not None and self._used_by[row.ip, provider] >= ceiling:
            found.add(CEILING)
        # The rest of a paced day comes one at a time, hours apart.
        if row.burst < 1 and used >= max(1, math.floor(row.quota * row.burst)):
            found.add(PACE)
        return found


def _rows(mail: Mail) -> list[DemoIp]:
    """IPs that may carry it: its pool's, then the overflow pools'."""
    found: list[DemoIp] = []
    pool: str | None = next(row.pool for row in IPS if row.domain == mail.domain)
    for _ in IPS:
        rows = [row for row in IPS if row.pool == pool]
        found += rows
        pool = next((row.overflow for row in rows if row.overflow), None)
    return found
