"""What the policy says about the demo's mail, worked out from the demo's own table.

On purpose a second, simple reading of the rules: nothing of the ledger, the selection or the
provider table is used, so that a mistake there shows as a difference.
Valid for mail sent one after the other within minutes of one UTC day.
"""

import math
from collections import Counter

import msgspec

from control.demo.mail import Mail
from control.demo.table import IPS, DemoIp

PROVIDER = {"gmail.com": "gmail", "outlook.com": "microsoft"}

QUOTA, CEILING, PACE = "daily quota", "daily ceiling", "paced"
"""Words of the sentence a deferral carries."""


class Expected(msgspec.Struct, frozen=True):
    """Where a mail goes, or (empty) why it waits."""

    vmta: str
    why: str = ""


class Day:
    """One day of every IP."""

    def __init__(self) -> None:
        self._used: Counter[str] = Counter()
        self._used_by: Counter[tuple[str, str]] = Counter()

    def expect(self, mail: Mail) -> Expected:
        """The answer for the next mail; counts it when it goes."""
        provider = PROVIDER.get(mail.to.partition("@")[2], "other")
        pool: str | None = next(row.pool for row in IPS if row.domain == mail.domain)
        why = ""
        while pool is not None:
            rows = [row for row in IPS if row.pool == pool]
            for row in rows:
                reason = self._refusal(row, provider)
                if not reason:
                    self._used[row.ip] += 1
                    self._used_by[row.ip, provider] += 1
                    return Expected(row.vmta)
                why = why or reason
            pool = next((row.overflow for row in rows if row.overflow), None)
        return Expected("", why)

    def _refusal(self, row: DemoIp, provider: str) -> str:
        if self._used[row.ip] >= row.quota:
            return QUOTA
        if self._used_by[row.ip, provider] >= row.ceilings.get(provider, row.quota):
            return CEILING
        # The rest of a paced day comes one at a time, hours apart.
        if row.burst < 1 and self._used[row.ip] >= max(1, math.floor(row.quota * row.burst)):
            return PACE
        return ""
