"""One look at what control knows, for Prometheus: read when it is asked for, nothing is counted.

A part that does not answer takes its own figures with it and no others: an alert on what is
missing is `up`'s and `sendgate_ledger_open`'s, which is 0 for a ledger that is away.
"""

import msgspec

from control.accounting.setaside import Backlog
from control.accounting.status import StreamView
from control.bypass.view import Standing
from control.ledger.carryover import Figure
from control.ledger.status import LedgerState, LedgerStatus
from control.pmta.told import SILENT, ToldView
from control.suppressions.listed import Listed
from control.watch.named import Named
from policy.ledger.bulletin import OpenCircuit


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown; None for what did not answer."""

    ledger: LedgerStatus | None
    streams: list[StreamView] | None
    workers: dict[str, int] | None
    """Live gateway workers and the generation each runs."""
    published: int | None
    """Number of the last generation."""
    lost: int | None = None
    """Recipients whose outcome nobody read, ever."""
    backlog: Backlog | None = None
    """What accounting has not counted."""
    around: list[Standing] | None = None
    """Mail that went around the gateways, by server."""
    carried: list[Figure] | None = None
    """What earlier days carry over into today, by server."""
    listed: Listed | None = None
    """Suppressions."""
    told: list[ToldView] | None = None
    """What PowerMTA servers say of themselves."""
    named: Named | None = None
    """Of IPs and queues."""
    circuits: dict[str, list[OpenCircuit]] | None = None
    """Servers and VirtualMTAs that each gateway worker leaves alone."""

    @property
    def open(self) -> bool:
        """Whether mail may be counted, and so sent."""
        return self.ledger is not None and self.ledger.state is LedgerState.OPEN

    @property
    def late(self) -> int | None:
        """Workers that do not run the last generation."""
        if self.workers is None or self.published is None:
            return None
        return sum(number != self.published for number in self.workers.values())

    @property
    def health(self) -> dict[str, bool]:
        """Of each part that mail needs, whether it is well."""
        told = self.told or []
        left_alone = [
            one for of in (self.circuits or {}).values() for one in of if one.kind == "server"
        ]
        silent = [one for one in told if one.age * 1000 > SILENT]
        return {
            "control": True,
            "postgresql": self.backlog is not None,
            "valkey": self.workers is not None,
            "gateway": bool(self.workers),
            "pmta": self.circuits is not None and not left_alone and not silent,
            "accounting": self.streams is not None and not any(s.problem for s in self.streams),
        }
