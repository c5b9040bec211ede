"""/api/v2/powermta/config and beside it: versions of PowerMTA's configuration, looked at, compared,
brought into force and taken back."""

from control.api.listing import Listing
from control.api.route import DRY, Call, Route
from control.plan.applying import Applying
from control.plan.brought import Apply, BroughtView, Rollback
from control.plan.configured import (
    PLAN,
    RUNNING,
    Configured,
    DifferenceView,
    StandingView,
    Validated,
)
from control.plan.inforce import in_force
from control.plan.publish import Publisher
from control.pmta.version import VersionView
from control.values.part import Slice

_SERVER = {"server": "PowerMTA server; else the only one"}
_SERVERS = Listing(key=("server",), sorts=("server", "-server"))
_ONE = {"server": "this PowerMTA server alone"}
_WHICH = "a version's number, running, desired, or plan (what the plan makes of it now)"


class VersionsApi:
    """The configuration of each server, version by version."""

    def __init__(self, publisher: Publisher, configured: Configured, applying: Applying) -> None:
        self._publisher = publisher
        self._configured = configured
        self._applying = applying

    async def _config(self, call: Call) -> str:
        query = call.query
        if not {"server", "tenant", "file"} & query.keys():
            return await self._publisher.config_text(await in_force(self._publisher))
        return await self._configured.text(
            query.get("server"), query.get("tenant"), query.get("file")
        )

    async def _diff(self, call: Call) -> DifferenceView:
        query = call.query
        from_, to = query.get("from", RUNNING), query.get("to", PLAN)
        return await self._configured.difference(query.get("server"), from_, to)

    async def _validate(self, call: Call) -> list[Validated]:
        return await self._configured.validated(call.query.get("server"))

    async def _versions(self, call: Call) -> Slice[VersionView]:
        return await self._configured.versions(call.query.get("server"), call.parted)

    async def _standing(self, call: Call) -> list[StandingView]:
        return await self._configured.standing(call.query.get("server"))

    async def _apply(self, call: Call) -> BroughtView:
        return await self._applying.apply(call.who, call.body, dry=call.dry)

    async def _rollback(self, call: Call) -> BroughtView:
        return await self._applying.rollback(call.who, call.body, dry=call.dry)

    def routes(self) -> list[Route]:
        """All of them."""
        files = "/api/v2/powermta"
        return [
            Route(
                "GET",
                f"{files}/config",
                "PowerMTA's configuration as the plan makes it",
                self._config,
                str,
                query={
                    "server": "of this server; without it and the others: one text of all",
                    "tenant": "only the VirtualMTAs and pools of this tenant",
                    "file": "only this one of the server's files",
                },
                tagged=True,
            ),
            Route(
                "GET",
                f"{files}/diff",
                "What changes from one configuration of a server to another",
                self._diff,
                DifferenceView,
                query={**_SERVER, "from": f"{_WHICH}; running", "to": f"{_WHICH}; plan"},
            ),
            Route(
                "GET",
                f"{files}/validate",
                "What is wrong with the configuration that the plan makes",
                self._validate,
                list[Validated],
                query=_ONE,
                listing=_SERVERS,
            ),
            Route(
                "GET",
                f"{files}/versions",
                "Versions of the configuration, newest first",
                self._versions,
                list[VersionView],
                query=_ONE,
                listing=Listing(key=("version",), sorts=("-version", "version"), usual=100),
            ),
            Route(
                "GET",
                f"{files}/standing",
                "What each server with an agent runs, and is to run",
                self._standing,
                list[StandingView],
                query=_ONE,
                listing=Listing(key=("server", "agent"), sorts=("server", "-server")),
            ),
            Route(
                "POST",
                f"{files}/apply",
                "Bring what the plan says into force, on one server first",
                self._apply,
                BroughtView,
                body=Apply,
                query=DRY,
            ),
            Route(
                "POST",
                f"{files}/rollback",
                "Bring an older version into force",
                self._rollback,
                BroughtView,
                body=Rollback,
                query=DRY,
            ),
        ]
