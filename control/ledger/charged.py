"""What PowerMTA may still have queued for an IP, from what was granted and what PowerMTA took.

Rule: a recipient is charged to the day of its grant, and PowerMTA tries it until `bounce-after` is
over; no record says which of them are still queued. So the days that are not over by that much are
counted, by the ledger's counters and by accounting, whichever knows more: a ledger that was lost
has forgotten days that accounting has, and accounting is behind the ledger.
An agent on PowerMTA's host counts its queues: what it says goes before what may be.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from control.ledger.status import OPENS, ledger_status
from control.pmta.draining import Counted, counts
from control.store.change import Act
from policy.isotime import date_of
from policy.ledger.admin import LedgerAdmin
from policy.limits import DAY, day_of
from policy.number import agree, count
from settings.control import Control
from settings.statements import statements

_SQL = statements(__package__, "ledger")


class Charged:
    """Call it within a change. `clock`: real seconds of the machine."""

    def __init__(
        self, admin: LedgerAdmin, settings: Control, clock: Callable[[], float] = time.time
    ) -> None:
        self._admin = admin
        self._tried = round(settings.pmta_bounce_after * 1000)
        self._drained = settings.pmta_drained
        self._silent = settings.pmta_agent_silent
        self._clock = clock

    async def __call__(self, act: Act, ips: dict[str, str], *, force: bool) -> list[str]:
        """A sentence for each of `ips` (to its VirtualMTA) that must stay. `force`: an operator
        looked, and PowerMTA has nothing queued. Raises RefusedError when the ledger cannot say."""
        # By the act's own connection: a second one, wanted while others wait for the publish lock
        # with all there are, never comes.
        status = await ledger_status(act.connection, self._admin)
        status.must_be_open()
        found = [
            f"IP {ip} is closed until midnight UTC, because its counts of today were lost "
            f"and would be free with it gone: {OPENS}"
            for ip in ips
            if ip in status.closed
        ]
        counted = await counts(act.connection, list(ips.values()))
        full = [self._full(counted[vmta]) for vmta in ips.values() if vmta in counted]
        found += [text for text in full if text]
        if force or any(full):
            return found
        left = {ip: vmta for ip, vmta in ips.items() if not self._is_empty(counted.get(vmta))}
        return found + await self._queued(act, left, counted)

    def _full(self, counted: Counted) -> str:
        if not counted.queued or not counted.is_of_now(self._now(), self._silent):
            return ""
        return (
            f"{count(counted.queued, 'recipient')} {agree(counted.queued, 'is', 'are')} queued at "
            f"PowerMTA for VirtualMTA {counted.vmta}, "
            "and would bounce: wait, or delete them there (`pmta delete "
            f"--queue=*/{counted.vmta}`)"
        )

    def _now(self) -> int:
        return round(self._clock() * 1000)

    def _is_empty(self, counted: Counted | None) -> bool:
        if counted is None:
            return False
        since = counted.empty_for(self._now(), self._silent)
        return since is not None and since >= self._drained

    def _emptying(self, counted: Counted | None) -> str:
        """What its agent's counts may come to before that."""
        if counted is None:
            return ""
        since = counted.empty_for(self._now(), self._silent) or 0.0
        return (
            f", or until its agent has counted nothing queued for {self._drained / 60:.0f} minutes "
            f"({since:.0f} s so far)"
        )

    async def _queued(
        self, act: Act, ips: dict[str, str], counted: dict[str, Counted]
    ) -> list[str]:
        now = act.milliseconds
        days = range(day_of(now - self._tried), day_of(now) + 1)
        granted = await self._admin.granted(ips, days)
        for row in await act.connection.fetch(
            _SQL["taken"], list(ips.values()), days.start, days.stop - 1
        ):
            for ip in (ip for ip, vmta in ips.items() if vmta == row["vmta"]):
                known = granted.setdefault(ip, {})
                known[row["day"]] = max(known.get(row["day"], 0), row["count"])
        found = []
        for ip, vmta in ips.items():
            if not (counts := granted.get(ip)):
                continue
            over = (max(counts) + 1) * DAY + self._tried
            found.append(
                f"{count(sum(counts.values()), 'recipient')} went through IP {ip} since "
                f"{date_of(min(counts))}, and PowerMTA may still have mail queued for VirtualMTA "
                f"{vmta}: wait until "
                f"{datetime.fromtimestamp(over / 1000, UTC):%Y-%m-%d %H:%M} UTC"
                f"{self._emptying(counted.get(vmta))}, or --force when `pmta show queues` has none"
            )
        return found
