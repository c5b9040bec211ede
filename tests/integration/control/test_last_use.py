"""When a login was last used: what gateways told is written down, and changes no plan."""

from control.parts import Parts
from control.tenants.lastuse import LastUse
from policy.ledger.bulletin import LOGINS
from tests.support.control.core import Api

NOON = 4_097_995_200_000
"""After any login was made."""


async def test_the_last_use_of_a_login_is_shown_and_never_goes_back(api: Api, core: Parts) -> None:
    new = {"name": "acme", "login": "one", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    path = "/api/v2/tenants/acme/logins"
    await api("POST", path, {"login": "two", "password": "correct horse"})
    key = f"{core.admin.root}{LOGINS}"
    await core.admin.client.hset(  # type: ignore[misc]
        key, mapping={"one": NOON, "gone": NOON}
    )
    number = await core.admin.number()
    last_use = LastUse(core.pool, core.admin)
    await last_use.note()
    assert [(f["name"], f["used"]) for f in (await api("GET", path))[1]] == [
        ("one", "2099-11-10T12:00:00Z"),
        ("two", None),
    ]
    assert not await core.admin.client.exists(key)
    assert await core.pool.fetchval("SELECT count(*) FROM plan_touched WHERE kind <> 'all'") == 0
    assert await core.admin.number() == number
    await core.admin.client.hset(key, mapping={"one": NOON - 1})  # type: ignore[misc]
    await last_use.note()
    assert await core.admin.client.exists(key), "once a minute will do"
    await LastUse(core.pool, core.admin).note()
    assert (await api("GET", path))[1][0]["used"] == "2099-11-10T12:00:00Z"
