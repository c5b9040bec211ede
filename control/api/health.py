"""/healthz and /readyz, for who watches the process."""

import logging

import msgspec

from control.api.route import Call, Route
from control.ledger.opening import Opening
from control.ledger.status import SHORTLY, LedgerState
from control.problem import said

log = logging.getLogger(__name__)


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this process can do its work."""

    ready: bool
    problems: list[str] = []


class HealthApi:
    """Open to everybody: nothing in it is anybody's."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening

    async def _healthz(self, _: Call) -> Health:
        return Health(ready=True)

    async def _readyz(self, _: Call) -> Health:
        try:
            status = await self._opening.status()
        except Exception as error:  # noqa: BLE001 - whatever the database says, we are not ready
            log.warning("not ready: PostgreSQL: %s", said(error))
            return Health(ready=False, problems=["PostgreSQL: it does not answer as it must"])
        if status.state is LedgerState.OPEN:
            return Health(ready=True)
        log.warning("not ready: ledger: %s", status.detail)
        return Health(ready=False, problems=[f"ledger: {SHORTLY[status.state]}"])

    def routes(self) -> list[Route]:
        """All of them."""
        lives, works = "The process lives", "It can do its work (else 503)"
        return [
            Route("GET", "/healthz", lives, self._healthz, Health, public=True),
            Route("GET", "/readyz", works, self._readyz, Health, public=True),
        ]
