"""A tenant's name that is given again: what was the former tenant's is not the next one's."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from control.parts import Parts
from control.store.change import Act
from control.tenants.lastuse import LastUse
from control.users.token import new_token, put
from policy.duplicate import KeyFields, identify
from policy.ledger.bulletin import LOGINS
from tests.support.control.core import TOKEN, Api, api_of
from tests.support.control.outcomes import found, read_all, tell
from tests.support.hold.held import hold

ACME = {"name": "acme", "login": "acme", "password": "correct horse"}
SENT, ENDED = "0" * 26 + "a", "0" * 26 + "b"
EVENT = (
    "INSERT INTO hold_event (at, tenant, message, kind, class, message_id, mailbox, sender, "
    "recipient, campaign, detail) VALUES ($1, 'acme', $2, 'expired', 'soft', '', '', '', "
    "'anna@gmail.com', '', '')"
)


async def leave_traces(core: Parts, sent: str, ended: str) -> None:
    """As gateways and releasers do: one message sent, one that ended in the hold, told as an event,
    and an order that was carried out."""
    now = await core.calendar()
    await tell(core, {"message": sent})
    await read_all(core)
    await hold(core.pool, ended, state="refused", ending="expired", arrived=now, since=now)
    await core.pool.execute(EVENT, now, ended)
    await core.pool.execute(
        "INSERT INTO hold_request (at, who, action, tenant, state) "
        "VALUES (to_timestamp($1 / 1000.0), 'test', 'release', 'acme', 'done')",
        now,
    )


async def of_acme(core: Parts) -> str:
    """A token of the tenant that has the name now."""
    made = new_token()

    async def act(a: Act) -> None:
        await put(a, "acme's", made, "operator", "acme")

    await core.publisher.change("test", act)
    return made


async def remove(api: Api) -> None:
    """In its two steps."""
    assert (await api("POST", "/api/v2/tenants/acme/pause"))[0] == 200
    status, answer = await api("DELETE", "/api/v2/tenants/acme")
    assert status == 200, answer


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    """The former tenant is gone, and the next one has its name."""
    async with api_of(core) as opened:
        assert (await opened("POST", "/api/v2/tenants", ACME))[0] == 201
        await leave_traces(core, SENT, ENDED)
        await remove(opened)
        await asyncio.sleep(0.002)  # times are whole milliseconds
        assert (await opened("POST", "/api/v2/tenants", ACME))[0] == 201
        yield opened


LISTS = {
    "/api/v2/messages": "messages",
    "/api/v2/messages?to=anna@gmail.com": "messages",
    "/api/v2/hold/messages?state=refused,done": "messages",
    "/api/v2/hold/events": "",
    "/api/v2/hold/requests": "",
}


async def seen(api: Api, path: str, token: str = TOKEN) -> list[Any]:
    """What a list shows."""
    status, answer = await api("GET", path, token=token)
    assert status == 200, answer
    field = LISTS[path.replace("tenant=acme", "").rstrip("?&")]
    return list(answer[field] if field else answer)


async def test_what_ended_before_a_tenant_was_made_is_not_its(api: Api, core: Parts) -> None:
    token = await of_acme(core)
    for path in LISTS:
        assert await seen(api, path, token) == [], path
        assert await seen(api, path + ("&" if "?" in path else "?") + "tenant=acme") == [], path
        assert await seen(api, path) != [], "who sees all tenants sees former ones, too"
    status, counted = await api("GET", "/api/v2/hold?state=refused,done", token=token)
    assert (status, counted["all"]["messages"]) == (200, 0)
    assert (await api("GET", f"/api/v2/hold/messages/{ENDED}", token=token))[0] == 404
    assert (await api("GET", f"/api/v2/hold/messages/{ENDED}"))[0] == 200
    assert (await api("GET", "/api/v2/hold/requests/1", token=token))[0] == 404
    for name in (SENT, ENDED):
        status, fate = await api("GET", f"/api/v2/explain/{name}", token=token)
        assert (status, fate["found"]) == (200, "unknown")
        assert (await found(api, message=name))["messages"], "it is there"


async def test_what_comes_after_is_its(api: Api, core: Parts) -> None:
    await leave_traces(core, "0" * 26 + "c", "0" * 26 + "d")
    token = await of_acme(core)
    for path in LISTS:
        # The search by recipient finds what was sent and what ended in the hold.
        expected = 2 if "to=" in path else 1
        assert len(await seen(api, path, token)) == expected, path
        assert len(await seen(api, path)) == 2 * expected
    status, counted = await api("GET", "/api/v2/hold?state=refused,done", token=token)
    assert (status, counted["all"]["messages"]) == (200, 1)


async def test_an_order_that_waits_keeps_the_name_from_being_given_again(
    api: Api, core: Parts
) -> None:
    order = {"tenant": "acme", "action": "drop", "confirm": True}
    assert (await api("POST", "/api/v2/hold/requests", order))[0] == 202
    await remove(api)
    status, answer = await api("POST", "/api/v2/tenants", ACME)
    assert status == 409
    assert "1 orders about held mail of a former tenant" in answer["detail"]
    await core.pool.execute("UPDATE hold_request SET state = 'done'")
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201


async def test_the_use_of_a_former_login_is_not_the_next_ones(api: Api, core: Parts) -> None:
    key = f"{core.admin.root}{LOGINS}"
    made = await core.pool.fetchval("SELECT created FROM login WHERE name = 'acme'")
    at = round(made.timestamp() * 1000)
    for told, used in ((at - 1, None), (at + 1, "seen")):
        await core.admin.client.hset(key, mapping={"acme": told})  # type: ignore[misc]
        await LastUse(core.pool, core.admin).note()
        found = (await api("GET", "/api/v2/tenants/acme/logins"))[1][0]["used"]
        assert (found is None) == (used is None)


async def test_the_next_tenants_mail_is_told_from_copies_of_the_former_ones(
    api: Api, core: Parts
) -> None:
    async def key() -> str:
        plan = await core.admin.current()
        assert plan is not None
        fields = KeyFields(feedback_id=b"qw123er456ty7:zx098cv765bn4:li123456:cu1")
        acme = plan.tenant["acme"]
        return identify(acme.duplicates, acme.key_scope, [b"anna@gmail.com"], fields, bytes).key

    former = await key()
    await remove(api)
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    assert await key() != former
    # One that was there before the upgrade keeps what is in flight.
    await core.pool.execute("UPDATE tenant SET keyed_by_id = false")
    change = {"max_recipients": 7}
    assert (await api("PATCH", "/api/v2/tenants/acme", change))[0] == 200
    assert await key() == "f221049517e47655c92bbe58a06c86b5"
