"""/api/v2/domains/{domain}/rotation: the stages in which a DKIM key is replaced."""

from control.api.route import DRY, GONE, Call, Route, changed
from control.plan.changed import Changed
from control.plan.publish import Publisher
from control.pmta.dkim import Seal
from control.rotation.stages import RotationOrder
from control.rotation.view import begun, called_off, finished
from control.sources.domainview import DomainView
from policy.address import normal_domain
from settings.model import Settings

_TENANT = {"tenant": "only this tenant's"}


class RotationApi:
    """Begins rotations, calls them off and ends them."""

    def __init__(self, publisher: Publisher, seal: Seal, settings: Settings) -> None:
        self._publisher = publisher
        self._seal = seal
        self._signs = bool(settings.control.pmta_keys)
        self._kept = settings.dns.rotation_kept

    async def _begin(self, call: Call) -> Changed[DomainView]:
        given = (call.query.get("tenant"), _name(call), call.body)
        return await changed(
            self._publisher,
            call,
            lambda act: begun(act, *given, seal=self._seal, signs=self._signs, dry=call.dry),
        )

    async def _cancel(self, call: Call) -> Changed[DomainView]:
        given = (call.query.get("tenant"), _name(call), call.reason)
        return await changed(self._publisher, call, lambda act: called_off(act, *given))

    async def _finish(self, call: Call) -> Changed[DomainView]:
        given = (call.query.get("tenant"), _name(call))
        return await changed(
            self._publisher,
            call,
            lambda act: finished(act, *given, kept=self._kept, reason=call.reason),
        )

    def routes(self) -> list[Route]:
        """All of them."""
        one = "/api/v2/domains/{domain}/rotation"
        return [
            Route(
                "POST",
                one,
                "Make a new DKIM key, which signs once its record is seen in DNS",
                self._begin,
                Changed[DomainView],
                body=RotationOrder,
                query=DRY | _TENANT,
                status=201,
            ),
            Route(
                "DELETE",
                one,
                "Call the new DKIM key off, unless it signs",
                self._cancel,
                Changed[DomainView],
                query=GONE | _TENANT,
            ),
            Route(
                "POST",
                f"{one}/finish",
                "Delete the former DKIM key, where PowerMTA's configuration is carried by hand",
                self._finish,
                Changed[DomainView],
                query=GONE | _TENANT,
            ),
        ]


def _name(call: Call) -> str:
    return normal_domain(call.path["domain"]) or call.path["domain"]
