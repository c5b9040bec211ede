"""People of a control plane, for tests that sign in."""

import datetime
from typing import Any

from control.parts import Parts
from control.store.change import Act
from control.users import person
from control.users.person import Terms
from control.users.role import PersonRole
from tests.support.control.core import Api

PASSWORD = "a long pass phrase"


async def acting(core: Parts, do: Any) -> Any:
    """In a transaction, as the command on the host does it."""
    async with core.pool.acquire() as connection, connection.transaction():
        return await do(Act(connection, datetime.datetime.now(datetime.UTC), "command line"))


async def invited(
    core: Parts, name: str, role: PersonRole = "admin", tenants: tuple[str, ...] | None = None
) -> str:
    """A new person; the secret of its link."""
    terms = Terms(role=role, tenants=tenants, mail=None)
    _, secret = await acting(core, lambda act: person.add(act, name, terms, 3600.0))
    return str(secret)


async def joined(
    core: Parts,
    api: Api,
    name: str,
    role: PersonRole = "admin",
    tenants: tuple[str, ...] | None = None,
) -> dict[str, Any]:
    """A new person that has signed in: its tokens."""
    body = {"link": await invited(core, name, role, tenants), "password": PASSWORD}
    assert await api("POST", "/api/v1/auth/link", body, token="") == (200, {"name": name})
    return await signed_in(api, name)


async def signed_in(api: Api, name: str, password: str = PASSWORD, **more: str) -> dict[str, Any]:
    """Its tokens."""
    status, found = await login(api, name, password, **more)
    assert status == 200, found
    return found


async def login(
    api: Api, name: str, password: str = PASSWORD, **more: str
) -> tuple[int, dict[str, Any]]:
    """(status, answer)."""
    body = {"name": name, "password": password, **more}
    status, found = await api("POST", "/api/v1/auth/login", body, token="")
    assert isinstance(found, dict)
    return status, found


async def me(api: Api, tokens: dict[str, Any]) -> int:
    """Whether its access token is taken, as a status."""
    status, _ = await api("GET", "/api/v1/auth/me", token=tokens["access_token"])
    return status
