"""Who warms up, and what happens to whom."""

from collections.abc import Iterator
from typing import NamedTuple

LADDER = (50, 200, 500, 1_500, 5_000, 10_000)
STAGE_DAYS = 7
GMAIL = "gmail.com"
GMAIL_SHARE = 0.6
"""Of a stage's quota, where the default plan has its ceiling."""
PROVIDERS = (GMAIL, *("company.example",) * 3, "outlook.com", *("house.example",) * 2)
"""In turn: no ceiling binds but that of a provider that was taken back."""
FULL_DAY = 38
"""All five have the quotas of their sixth to second week: 17,200."""


class Warming(NamedTuple):
    """One IP, its domain, pool and tenant."""

    name: str
    tenant: str
    ip: str
    begins: int = 0
    """The day on which it is added."""
    share: float = 0.5
    """Of its quota a day, and one recipient more."""
    bounces: int = 0
    """From `trouble` on: one of so many recipients does not exist."""
    complaints: int = 0
    """On the day `trouble`: so many."""
    doubted: int = 0
    """Days from `trouble` on, on which Gmail doubts the IP's reputation."""
    trouble: int = 0
    silent_from: int = 1_000
    quotas: tuple[int, ...] = ()
    """Of a plan of its own."""

    @property
    def domain(self) -> str:
        """It sends for."""
        return f"{self.name}.example"

    @property
    def sender(self) -> str:
        """Of its mail."""
        return f"news@{self.domain}"

    def wants(self, day: int, quota: int) -> int:
        """Recipients on a day."""
        if day < self.begins or day >= self.silent_from:
            return 0
        if day == FULL_DAY and self.tenant == "week":
            return quota
        return int(quota * self.share) + (self.share >= 0.5)

    def recipients(self, day: int, count: int, gmail: int) -> Iterator[str]:
        """Always others; `gmail`: at most so many of Gmail's."""
        for number in range(count):
            bad = self.bounces and day >= self.trouble and number % self.bounces == 0
            name = "bounce+" if bad else "s"
            domain = PROVIDERS[number % len(PROVIDERS)]
            gmail -= domain == GMAIL
            if gmail < 0:
                domain = PROVIDERS[1]
            yield f"{name}{self.name}-{day}-{number}@{domain}"


WEEKLY = tuple(
    Warming(f"week{n}", "week", f"192.0.2.{10 + n}", begins=STAGE_DAYS * n) for n in range(5)
)
"""Five domains, a week apart."""
BOUNCING = Warming("bouncing", "bouncing", "192.0.2.20", bounces=4, trouble=9)
HATED = Warming("hated", "hated", "192.0.2.21", complaints=6, trouble=10)
DOUBTED = Warming("doubted", "doubted", "192.0.2.22", doubted=3, trouble=8)
THIN = Warming("thin", "thin", "192.0.2.23", share=0.4)
IDLE = Warming("idle", "idle", "192.0.2.24", silent_from=8)
QUICK = Warming("quick", "quick", "192.0.2.25", begins=3, quotas=(50,))
"""ACTIVE after its first week, at the midnight behind day 9."""
ALL = (*WEEKLY, BOUNCING, HATED, DOUBTED, THIN, IDLE, QUICK)

TOLD = 10
"""The day behind which all that is told has happened: two are paused, one is ACTIVE."""
