"""What PowerMTA may still have queued for an IP, from what was granted and what PowerMTA took.

Rule: a recipient is charged to the day of its grant, and PowerMTA tries it until `bounce-after` is
over; no record says which of them are still queued. So the days that are not over by that much are
counted, by the ledger's counters and by accounting, whichever knows more: a ledger that was lost
has forgotten days that accounting has, and accounting is behind the ledger.
"""

from datetime import UTC, datetime

from control.ledger.status import OPENS, LedgerState, ledger_status
from control.problem import RefusedError
from control.store.change import Act
from policy.isotime import date_of
from policy.ledger.admin import LedgerAdmin
from policy.limits import DAY, day_of
from settings.statements import statements

_SQL = statements(__package__, "ledger")


class Charged:
    """Call it within a change. `bounce_after`: seconds for which PowerMTA tries a recipient."""

    def __init__(self, admin: LedgerAdmin, bounce_after: float) -> None:
        self._admin = admin
        self._tried = round(bounce_after * 1000)

    async def __call__(self, act: Act, ips: dict[str, str], *, force: bool) -> list[str]:
        """A sentence for each of `ips` (to its VirtualMTA) that must stay. `force`: an operator
        looked, and PowerMTA has nothing queued. Raises RefusedError when the ledger cannot say."""
        # By the act's own connection: a second one, wanted while others wait for the publish lock
        # with all there are, never comes.
        status = await ledger_status(act.connection, self._admin)
        if status.state is not LedgerState.OPEN:
            raise RefusedError(
                f"ledger {status.name} is closed ({status.state.value}): {status.detail}",
                status=503,
            )
        found = [
            f"IP {ip} is closed until midnight UTC, because its counts of today were lost "
            f"and would be free with it gone: {OPENS}"
            for ip in ips
            if ip in status.closed
        ]
        return found if force else found + await self._queued(act, ips)

    async def _queued(self, act: Act, ips: dict[str, str]) -> list[str]:
        now = round(act.now.timestamp() * 1000)
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
                f"{sum(counts.values())} recipients went through IP {ip} since "
                f"{date_of(min(counts))}, and PowerMTA may still have mail queued for VirtualMTA "
                f"{vmta}: wait until "
                f"{datetime.fromtimestamp(over / 1000, UTC):%Y-%m-%d %H:%M} UTC, or --force when "
                "`pmta show queues` has none"
            )
        return found
