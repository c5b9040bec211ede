"""How often who may ask: by token or person, and by address where nobody is known.

Rule: what is counted by is never of a client's making: the name of a token and the number of a
person are ours, and an address is that of who connects, or of whom a proxy of ours names. Who has a
valid token is counted by that alone: no stranger, and no neighbour behind the same address, uses
up what is another's. A request that two bounds concern counts for both or for neither.
State is in memory: a restart forgets it, and everybody begins with all of it; of several control
processes each counts its own, so that together they let pass as many times more.
"""

from collections import Counter
from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

from control import kinds
from control.problem import RefusedError
from control.users.allowance import Allowance, Left
from control.users.attempt import source_of
from control.users.role import Holder
from settings.control import Control

Policy = Literal["requests", "costly", "address"]
POLICIES: tuple[Policy, ...] = get_args(Policy)


class Met(NamedTuple):
    """One bound that a request met."""

    policy: Policy
    left: Left


class QuotaError(RefusedError):
    """Too many; nothing was done. `after` seconds it is allowed."""

    def __init__(self, who: str, met: list[Met], violated: list[Met]) -> None:
        first = violated[0]
        super().__init__(
            f"{who} asked {first.left.most} times within a minute (control.rate_{first.policy})",
            kind=kinds.QUOTA_EXCEEDED,
        )
        self.met = met
        self.violated = tuple(one.policy for one in violated)
        self.after = max(max(1, one.left.seconds) for one in violated)


class Rates:
    """Of one control process; `clock`: monotonic seconds. What was refused is in `refused`, by
    policy."""

    def __init__(self, settings: Control, clock: Callable[[], float]) -> None:
        self.refused: Counter[str] = Counter(dict.fromkeys(POLICIES, 0))
        self.clock = clock
        rates: dict[Policy, int] = {
            "requests": settings.rate_requests,
            "costly": settings.rate_costly,
            "address": settings.rate_address,
        }
        self._of = {
            policy: Allowance(most, settings.rate_sources) for policy, most in rates.items() if most
        }

    def known(self, holder: Holder, *, costly: bool) -> list[Met]:
        """Counts a request of who is known. Raises QuotaError."""
        key = f"{holder.kind}:{holder.person or holder.name}"
        return self._take(key, holder.said, ("requests", "costly") if costly else ("requests",))

    def stranger(self, address: str) -> list[Met]:
        """Counts one of who is not. Raises QuotaError."""
        source = source_of(address)
        return self._take(source, f"without a valid token, {source}", ("address",))

    def _take(self, key: str, who: str, policies: tuple[Policy, ...]) -> list[Met]:
        now = self.clock()
        those = [(policy, self._of[policy]) for policy in policies if policy in self._of]
        met = [Met(policy, allowance.see(key, now)) for policy, allowance in those]
        if violated := [one for one in met if not one.left.remaining]:
            self.refused.update(one.policy for one in violated)
            raise QuotaError(who, met, violated)
        return [Met(policy, allowance.take(key, now)) for policy, allowance in those]
