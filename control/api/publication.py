"""/api/v2/domains/{domain}/check: what DNS has of a sending domain."""

from collections.abc import Sequence

from control.api.route import Call, Route
from control.plan.rows import of_domain
from control.plan.view import View
from control.published.asking import Servers
from control.published.check import check
from control.published.finding import DomainCheck
from control.published.subject import subject_of
from policy.address import normal_domain


class PublicationApi:
    """Asks `servers`. `read_by_powermta`: addresses, or `@DOMAIN`, whose mail PowerMTA reads."""

    def __init__(self, view: View, servers: Servers, read_by_powermta: Sequence[str]) -> None:
        self._view = view
        self._servers = servers
        self._read = read_by_powermta

    async def _check(self, call: Call) -> DomainCheck:
        tenant, given = call.query.get("tenant"), call.path["domain"]
        name = normal_domain(given) or given
        async with self._view() as connection:
            subject = subject_of(await of_domain(connection, tenant, name), tenant, name)
        # The connection is back by now: DNS may take its time.
        return await check(subject, self._servers.questions(), self._read)

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(
                "GET",
                "/api/v2/domains/{domain}/check",
                "What DNS has of a sending domain: SPF, DKIM, DMARC, host names, PTR, MX",
                self._check,
                DomainCheck,
                query={"tenant": "only this tenant's"},
            )
        ]
