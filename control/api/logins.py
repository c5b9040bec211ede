"""/api/v2/tenants/{tenant}/logins and /networks: how a tenant's mail gets in."""

from control.api.listing import Listing
from control.api.route import DRY, FORCED, GONE, Call, Route, Thing, changed
from control.plan.changed import Changed, Removed
from control.plan.publish import Publisher
from control.plan.view import Reader, View
from control.problem import bad
from control.tenants import login, network, rotation
from control.tenants.login import LoginView, NewLogin
from control.tenants.network import NewNetwork
from control.tenants.rotation import NextPassword
from control.tenants.view import must_exist
from control.values.part import Slice

_WHICH = {"login": "which one"}


class LoginsApi:
    """Lists are those of a tenant that exists; each is a thing, which its changes change."""

    def __init__(self, publisher: Publisher, view: View, *, former: float) -> None:
        """`former`: control.former_valid."""
        self._publisher = publisher
        self._view = view
        self._former = former

    async def _logins(self, call: Call) -> Slice[LoginView]:
        async with self._view() as connection:
            return await self._read_logins(call, connection)

    async def _read_logins(self, call: Call, connection: Reader) -> Slice[LoginView]:
        await must_exist(connection, call.path["tenant"])
        return await login.logins(connection, call.path["tenant"], call.parted)

    async def _add_login(self, call: Call) -> Changed[LoginView]:
        tenant = call.path["tenant"]
        return await changed(self._publisher, call, lambda act: login.add(act, tenant, call.body))

    async def _remove_login(self, call: Call) -> Changed[Removed]:
        tenant, name = call.path["tenant"], _given(call, "login")
        return await changed(
            self._publisher,
            call,
            lambda act: login.remove(act, tenant, name, force=call.force, reason=call.reason),
        )

    async def _login(self, call: Call) -> LoginView:
        async with self._view() as connection:
            return await self._read_login(call, connection)

    async def _read_login(self, call: Call, connection: Reader) -> LoginView:
        tenant, name = call.path["tenant"], _given(call, "login")
        await must_exist(connection, tenant)
        return await login.login_view(connection, tenant, name)

    async def _rotate(self, call: Call) -> Changed[LoginView]:
        given = (call.path["tenant"], _given(call, "login"), call.body)
        return await changed(
            self._publisher, call, lambda act: rotation.begin(act, *given, keep=self._former)
        )

    async def _call_off(self, call: Call) -> Changed[LoginView]:
        given = (call.path["tenant"], _given(call, "login"), call.reason)
        return await changed(self._publisher, call, lambda act: rotation.call_off(act, *given))

    async def _finish(self, call: Call) -> Changed[LoginView]:
        given = (call.path["tenant"], _given(call, "login"), call.reason)
        return await changed(self._publisher, call, lambda act: rotation.finish(act, *given))

    async def _networks(self, call: Call) -> Slice[str]:
        async with self._view() as connection:
            return await self._read_networks(call, connection)

    async def _read_networks(self, call: Call, connection: Reader) -> Slice[str]:
        await must_exist(connection, call.path["tenant"])
        return await network.network_part(connection, call.path["tenant"], call.parted)

    async def _add_network(self, call: Call) -> Changed[list[str]]:
        tenant = call.path["tenant"]
        return await changed(self._publisher, call, lambda act: network.add(act, tenant, call.body))

    async def _remove_network(self, call: Call) -> Changed[Removed]:
        tenant, name = call.path["tenant"], _given(call, "network")
        return await changed(
            self._publisher,
            call,
            lambda act: network.remove(act, tenant, name, force=call.force, reason=call.reason),
        )

    def routes(self) -> list[Route]:
        """All of them."""
        one = "/api/v2/tenants/{tenant}"
        return [
            Route(
                "GET",
                f"{one}/logins",
                "Its logins",
                self._logins,
                list[LoginView],
                thing=Thing(self._read_logins, measured=frozenset({"used", "former_used"})),
                listing=Listing(key=("name",), sorts=("name", "-name", "created", "-created")),
            ),
            Route(
                "POST",
                f"{one}/logins",
                "Add a login with its own password",
                self._add_login,
                Changed[LoginView],
                body=NewLogin,
                query=DRY,
                status=201,
            ),
            Route(
                "DELETE",
                f"{one}/logins",
                "Remove a login",
                self._remove_login,
                Changed[Removed],
                query=FORCED | _WHICH,
                needed=frozenset(_WHICH),
            ),
            Route(
                "GET",
                f"{one}/login",
                "One login",
                self._login,
                LoginView,
                query=_WHICH,
                needed=frozenset(_WHICH),
                thing=Thing(self._read_login, measured=frozenset({"used", "former_used"})),
            ),
            Route(
                "POST",
                f"{one}/login/rotation",
                "Give a login its next password; the former one is good besides for a while",
                self._rotate,
                Changed[LoginView],
                body=NextPassword,
                query=DRY | _WHICH,
                needed=frozenset(_WHICH),
                status=201,
            ),
            Route(
                "DELETE",
                f"{one}/login/rotation",
                "Call the new password off: the former one is the login's again",
                self._call_off,
                Changed[LoginView],
                query=GONE | _WHICH,
                needed=frozenset(_WHICH),
            ),
            Route(
                "POST",
                f"{one}/login/rotation/finish",
                "End the former password at once",
                self._finish,
                Changed[LoginView],
                query=GONE | _WHICH,
                needed=frozenset(_WHICH),
            ),
            Route(
                "GET",
                f"{one}/networks",
                "Its source networks",
                self._networks,
                list[str],
                thing=Thing(self._read_networks),
                listing=Listing(sorts=("network", "-network"), shown=("192.0.2.0/24",)),
            ),
            Route(
                "POST",
                f"{one}/networks",
                "Add a source network that names it without a login",
                self._add_network,
                Changed[list[str]],
                body=NewNetwork,
                query=DRY,
                status=201,
            ),
            Route(
                "DELETE",
                f"{one}/networks",
                "Remove a source network",
                self._remove_network,
                Changed[Removed],
                query=FORCED | {"network": "which one"},
                needed=frozenset({"network"}),
            ),
        ]


def _given(call: Call, name: str) -> str:
    """A parameter the query must have: these names have slashes and blanks in them."""
    if not (found := call.query.get(name)):
        raise bad(name, "is missing: say which in the query")
    return found
