"""What an IP has had today."""

from control.ledger.opening import Opening
from policy.ledger.admin import LedgerAdmin


class Charged:
    """Call it with an IP."""

    def __init__(self, opening: Opening, admin: LedgerAdmin) -> None:
        self._opening = opening
        self._admin = admin

    async def __call__(self, ip: str) -> int:
        """Recipients charged to it today. Raises RefusedError when the ledger cannot say."""
        await self._opening.must_be_open()
        _, counted = await self._admin.usage([ip])
        return counted[ip].relayed if ip in counted else 0
