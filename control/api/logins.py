"""/api/v2/tenants/{tenant}/logins and /networks: how a tenant's mail gets in."""

from control.api.route import DRY, FORCED, Call, Route, changed
from control.plan.changed import Changed, Removed
from control.problem import bad
from control.store.change import Act
from control.tenants import login, network
from control.tenants.login import LoginView, NewLogin
from control.tenants.network import NewNetwork
from control.tenants.view import must_exist


async def _logins(call: Call) -> list[LoginView]:
    await must_exist(call.core.pool, call.path["tenant"])
    async with call.core.pool.acquire() as connection:
        return await login.logins(connection, call.path["tenant"])


async def _add_login(call: Call) -> Changed[LoginView]:
    async def act(a: Act) -> LoginView:
        return await login.add(a, call.path["tenant"], call.body)

    return await changed(call, act)


async def _remove_login(call: Call) -> Changed[Removed]:
    async def act(a: Act) -> Removed:
        return await login.remove(
            *(a, call.path["tenant"], _given(call, "login")), force=call.force, reason=call.reason
        )

    return await changed(call, act)


async def _networks(call: Call) -> list[str]:
    await must_exist(call.core.pool, call.path["tenant"])
    async with call.core.pool.acquire() as connection:
        return await network.networks(connection, call.path["tenant"])


async def _add_network(call: Call) -> Changed[list[str]]:
    async def act(a: Act) -> list[str]:
        return await network.add(a, call.path["tenant"], call.body)

    return await changed(call, act)


async def _remove_network(call: Call) -> Changed[Removed]:
    async def act(a: Act) -> Removed:
        return await network.remove(
            *(a, call.path["tenant"], _given(call, "network")),
            force=call.force,
            reason=call.reason,
        )

    return await changed(call, act)


def _given(call: Call, name: str) -> str:
    """A parameter the query must have: these names have slashes and blanks in them."""
    if not (found := call.query.get(name)):
        raise bad(name, "is missing: say which in the query")
    return found


_ONE = "/api/v2/tenants/{tenant}"

ROUTES = [
    Route("GET", f"{_ONE}/logins", "Its logins", _logins, list[LoginView]),
    Route(
        "POST",
        f"{_ONE}/logins",
        "Add a login with its own password",
        _add_login,
        Changed[LoginView],
        body=NewLogin,
        query=DRY,
        status=201,
    ),
    Route(
        "DELETE",
        f"{_ONE}/logins",
        "Remove a login",
        _remove_login,
        Changed[Removed],
        query=FORCED | {"login": "which one"},
    ),
    Route("GET", f"{_ONE}/networks", "Its source networks", _networks, list[str]),
    Route(
        "POST",
        f"{_ONE}/networks",
        "Add a source network that names it without a login",
        _add_network,
        Changed[list[str]],
        body=NewNetwork,
        query=DRY,
        status=201,
    ),
    Route(
        "DELETE",
        f"{_ONE}/networks",
        "Remove a source network",
        _remove_network,
        Changed[Removed],
        query=FORCED | {"network": "which one"},
    ),
]
