"""What limits of a minute and an hour leave of what an IP may send at this moment: pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from control.ledger.limits import Limit
from policy.denial import Denied
from policy.denial import Limit as Bound
from policy.ledger.rates import NEVER
from policy.model import UNLIMITED, Unlimited, VirtualMta
from policy.plan import Generation
from policy.rolling import later


class Left(NamedTuple):
    """Of what may go now, and what binds where it is nothing."""

    now: int | Unlimited = UNLIMITED
    denied: Denied | None = None


class Rates:
    """What has been used of the limits that IPs of a plan meet."""

    def __init__(self, plan: Generation, limits: Iterable[Limit]) -> None:
        self._of: defaultdict[tuple[str, str], list[Limit]] = defaultdict(list)
        for one in limits:
            self._of[one.level, one.name].append(one)
        self._plan = plan

    def left(self, vmta: VirtualMta, tenant: str, provider: str) -> Left:
        """`provider`: empty for all together, whose own limits then say nothing."""
        if not self._of:
            return Left()
        of = [("gateway", ""), ("tenant", tenant), ("ip", vmta.ip)]
        if provider:
            of.append(("provider", provider))
        common = _left([one for key in of for one in self._of.get(key, ())], vmta)
        # What one of its pools may not, another may.
        pools = [
            _left(self._of.get(("pool", pool.name), ()), vmta)
            for pool in self._plan.pools_of.get(vmta.name, ())
        ]
        widest = max(pools, key=_width, default=Left())
        return Left(min(common.now, widest.now, key=_number), later(common.denied, widest.denied))


def _left(limits: Sequence[Limit], vmta: VirtualMta) -> Left:
    now: int | Unlimited = UNLIMITED
    denied: Denied | None = None
    for one in limits:
        room = max(one.most - one.used, 0)
        now = min(now, room, key=_number)
        if room == 0:
            level = "global" if one.level == "gateway" else one.level
            subject = vmta.name if one.level == "ip" else one.name
            until = 0 if one.free == NEVER else one.free
            binds = Denied(Bound(f"{level}_{one.span}"), subject, until, one.most, one.used)
            denied = later(denied, binds)
    return Left(now, denied)


def _number(left: int | Unlimited) -> float:
    return float("inf") if left == UNLIMITED else left


def _width(left: Left) -> tuple[float, float]:
    """The widest, and of those with nothing the one that is free first."""
    until = left.denied.until or float("inf") if left.denied else 0.0
    return _number(left.now), -until
