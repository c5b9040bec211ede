"""An earlier plan is gone back to: where mail goes and by which terms, not what an IP may send."""

import asyncio
from typing import Any

import pytest

from control.parts import Parts
from control.store.change import Act
from control.users.token import new_token, put
from policy.plan import Generation
from tests.integration.control.test_conditions import Answer, ask
from tests.support.control.core import TOKEN, Api, Command

IP, OTHER = "192.0.2.10", "192.0.2.11"


@pytest.fixture
async def stocked(api: Api) -> Api:
    """A tenant with two pools of an IP each, and a domain in the first."""
    await made(
        api,
        ("POST", "tenants", {"name": "acme", "login": "acme", "password": "correct horse"}),
        ("POST", "domains", domain("one.example", IP)),
        ("POST", "domains", {**domain("two.example", OTHER), "pool": "fast"}),
        ("PATCH", "pools/acme", {"overflow": "fast", "per_hour": 500}),
    )
    return api


def domain(name: str, ip: str) -> dict[str, Any]:
    return {"tenant": "acme", "domain": name, "ip": ip, "quota": 100}


async def made(api: Api, *changes: tuple[str, str, Any]) -> None:
    """Each of them."""
    for method, path, body in changes:
        status, said = await api(method, f"/api/v2/{path}", body)
        assert status in (200, 201), (path, said)


async def plan(core: Parts) -> Generation:
    found = await core.publisher.current()
    assert found is not None
    return found


async def back(
    api: Api, number: int, *, dry: bool = False, token: str = TOKEN, **headers: str
) -> Answer:
    """Of what is in force now, unless a header says otherwise."""
    if not headers:
        headers = {"If_Match": (await ask(api, "GET", "/api/v2/generation")).tag}
    path = f"/api/v2/plans/{number}/rollback" + ("?dry_run=1" if dry else "")
    given = {**headers, **({"X_API_Key": token} if token != TOKEN else {})}
    return await ask(api, "POST", path, {"reason": "it was better"}, **given)


async def test_where_mail_goes_and_by_which_terms_is_as_it_was(stocked: Api, core: Parts) -> None:
    then = await plan(core)
    await made(
        stocked,
        ("POST", "domains/one.example/move", {"pool": "fast"}),
        ("POST", f"ips/{IP}/move", {"pool": "fast"}),
        ("PATCH", "pools/acme", {"overflow": None, "per_hour": 5}),
        ("PATCH", "pools/fast", {"overflow": "acme"}),
        ("PATCH", f"ips/{OTHER}", {"weight": 7, "hourly_share": 1.0}),
        ("PATCH", "tenants/acme", {"strict": True, "senders": ["x@one.example"], "per_minute": 3}),
    )
    before = await plan(core)
    dry = await back(stocked, then.number, dry=True)
    assert (dry.status, dry.body.get("dry_run")) == (200, True), dry
    assert any("one.example" in text for text in dry.body["view"]["sets"])
    assert await plan(core) == before
    done = await back(stocked, then.number)
    assert (done.status, done.body["changed"]) == (200, True), done
    after = await plan(core)
    assert after.number == before.number + 1
    for noun in ("servers", "vmtas", "pools", "tenants", "rate"):
        assert getattr(after, noun) == getattr(then, noun), noun
    assert await core.admin.current() == after, "gateways have it"
    acts = await core.pool.fetch(
        "SELECT action, reason FROM audit_log WHERE at = (SELECT max(at) FROM audit_log)"
    )
    assert {"plan.rollback", "domain.move", "ip.move", "pool.set", "ip.set", "tenant.set"} == {
        act["action"] for act in acts
    }
    again = await back(stocked, then.number)
    assert (again.status, again.body["changed"]) == (200, False)


async def test_what_an_ip_may_send_what_it_sent_and_every_pause_stay(
    stocked: Api, core: Parts
) -> None:
    then = await plan(core)
    day = (await core.admin.now())[0] // 86_400_000
    assert await core.admin.charge_bypass(await core.admin.incarnation(), IP, day, {"gmail": 40})
    await made(
        stocked,
        ("POST", f"warmup/ips/{IP}", {"action": "pause", "reason": "many bounces"}),
        ("PATCH", f"ips/{OTHER}", {"quota": 10, "ceilings": {"gmail": 3}, "weight": 2}),
        ("POST", "pools/fast/pause", None),
        ("POST", "tenants/acme/pause", None),
        ("POST", "../warmup/control", {"action": "stop"}),
    )
    before = await plan(core)
    counted = (await core.admin.usage([IP]))[1][IP]
    assert counted.relayed == 40
    done = await back(stocked, then.number)
    assert done.status == 200
    after = await plan(core)
    assert done.body["view"]["sets"] == [f"IP {OTHER}: weight"]
    for name in after.vmta:
        for field in ("state", "daily", "ceilings"):
            assert getattr(after.vmta[name], field) == getattr(before.vmta[name], field), field
    assert [p.paused for p in after.pools] == [p.paused for p in before.pools] == [False, True]
    assert (after.tenant["acme"].paused, after.stopped) == (True, before.stopped)
    assert (await core.admin.usage([IP]))[1][IP] == counted
    said = " ".join(done.body["notes"])
    assert "what may be sent" in said
    assert IP in said
    assert OTHER in said
    assert "pauses" in said


async def test_who_may_get_in_is_todays(stocked: Api, core: Parts) -> None:
    new = {"login": "second", "password": "correct horse"}
    await made(
        stocked,
        ("POST", "tenants/acme/logins", new),
        ("POST", "tenants/acme/networks", {"network": "198.51.100.0/24"}),
    )
    then = await plan(core)
    await made(
        stocked,
        ("DELETE", "tenants/acme/logins?login=second", None),
        ("DELETE", "tenants/acme/networks?network=198.51.100.0/24", None),
        ("POST", "tenants/acme/password", {"login": "acme", "password": "another horse"}),
        ("PATCH", "tenants/acme", {"strict": True}),
    )
    before = (await plan(core)).tenant["acme"]
    assert (await back(stocked, then.number)).status == 200
    after = (await plan(core)).tenant["acme"]
    assert (after.logins, after.networks) == (before.logins, before.networks)
    assert not after.strict


async def test_what_was_added_stays_and_what_was_removed_does_not_come_back(
    stocked: Api, core: Parts
) -> None:
    then = await plan(core)
    await made(
        stocked,
        ("POST", "domains", domain("three.example", "192.0.2.12")),
        ("DELETE", "domains/two.example?force=1", None),
        ("PATCH", "pools/acme", {"per_hour": 6}),
    )
    done = await back(stocked, then.number)
    assert (done.status, done.body["view"]["sets"]) == (200, ["pool acme: per_hour"])
    after = await plan(core)
    assert after.tenant["acme"].domains.keys() == {"one.example", "three.example"}
    said = done.body["view"]["stays"]
    assert any("added since" in text and "three.example" in text for text in said)
    assert any("does not come back" in text and "two.example" in text for text in said)


async def test_of_what_was_seen_and_of_two_at_once_one(stocked: Api, core: Parts) -> None:
    then = await plan(core)
    tag = (await ask(stocked, "GET", "/api/v2/generation")).tag
    await made(stocked, ("PATCH", "pools/acme", {"per_hour": 6}))
    before = await plan(core)
    assert (await back(stocked, then.number, If_Match=tag)).status == 412
    path = f"/api/v2/plans/{then.number}/rollback"
    unsaid = await ask(stocked, "POST", path, {})
    assert unsaid.status == 428
    # No GET answers under its own path.
    assert "the ETag that GET /api/v2/generation answers" in unsaid.body["fix"]
    assert await plan(core) == before
    two = await asyncio.gather(*(back(stocked, then.number) for _ in range(2)))
    assert sorted(answer.status for answer in two) in ([200, 200], [200, 412])
    assert [a.body["changed"] for a in two if a.status == 200].count(True) == 1


async def test_what_is_not_kept_is_not_earlier_or_not_for_who_asks(
    stocked: Api, core: Parts
) -> None:
    number = (await plan(core)).number
    assert (await back(stocked, 999_999)).status == 409
    assert (await back(stocked, number)).status == 409
    await core.pool.execute("DELETE FROM generation WHERE number = $1", number - 1)
    assert (await back(stocked, number - 1)).status == 404
    given = new_token()

    async def act(a: Act) -> None:
        await put(a, "hers", given, "operator")

    await core.publisher.change("test", act)
    status, _ = await stocked("POST", f"/api/v2/plans/{number}/rollback", {}, token=given)
    assert status == 403


async def test_what_is_in_the_way_keeps_all_of_it(stocked: Api, core: Parts) -> None:
    """A domain would come to a pool whose IP is gone."""
    then = await plan(core)
    await made(
        stocked,
        ("PATCH", "tenants/acme", {"strict": True}),
        ("POST", "domains/one.example/move", {"pool": "fast"}),
        ("PATCH", f"ips/{IP}", {"state": "retire"}),
        ("DELETE", f"ips/{IP}?force=1", None),
    )
    before = await plan(core)
    found = await back(stocked, then.number)
    assert (found.status, "has no IP" in found.body["detail"]) == (409, True), found
    assert await plan(core) == before
    log = "SELECT count(*) FROM audit_log WHERE action = 'plan.rollback'"
    assert await core.pool.fetchval(log) == 0


async def test_the_command_goes_back_and_shows_what_it_set(
    stocked: Api, core: Parts, command: Command
) -> None:
    then = (await plan(core)).number
    await made(stocked, ("PATCH", "pools/acme", {"per_hour": 6}))
    said = await command("plan", "rollback", str(then), "--dry-run")
    assert "pool acme: per_hour" in said
    assert (await plan(core)).pool["acme"].rate.hour == 6
    said = await command("plan", "rollback", str(then), "--reason", "too slow")
    assert f"gone back to plan {then}" in said
    assert (await plan(core)).pool["acme"].rate.hour == 500
    assert "plan.rollback" in await command("plan", "list")
    assert "not an earlier one" in await command("plan", "rollback", "999999", code=1)
