"""What was added is taken away and moved, staged: what is in the way is counted and named."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest

from control.ledger.closed import close_ips
from control.parts import Parts
from policy.ledger_port import Reserve
from policy.limits import DAY, day_of
from tests.support.control.core import TOKEN, Api, Command, api_of
from tests.support.hold.held import hold

ACME = {"name": "acme", "login": "acme", "password": "correct horse"}
DOMAIN = {"tenant": "acme", "domain": "acme.example", "ip": "192.0.2.10", "quota": 9}
IP = "/api/v2/ips/192.0.2.10"


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    async with api_of(core) as opened:
        assert (await opened("POST", "/api/v2/tenants", ACME))[0] == 201
        assert (await opened("POST", "/api/v2/domains", {**DOMAIN, "hourly_share": 1.0}))[0] == 201
        yield opened


async def in_the_way(api: Api, path: str) -> list[str]:
    """Why it stays; that nothing was changed is seen in the audit log."""
    status, dry = await api("DELETE", f"{path}{'&' if '?' in path else '?'}dry_run=1")
    assert status == 409, dry
    again, refused = await api("DELETE", path)
    assert (again, refused["detail"]) == (409, dry["detail"])
    return [e["detail"] for e in refused.get("errors", [])] or [refused["detail"]]


async def gone(api: Api, path: str) -> Any:
    """Tried first, which changes nothing."""
    question = "&" if "?" in path else "?"
    status, tried = await api("DELETE", f"{path}{question}dry_run=1")
    assert (status, tried["dry_run"]) == (200, True), tried
    status, answer = await api("DELETE", path)
    assert status == 200, answer
    assert answer["view"] == tried["view"]
    return answer


async def audited(core: Parts, action: str) -> Any:
    """The one row of an action."""
    rows = await core.pool.fetch("SELECT * FROM audit_log WHERE action = $1", action)
    assert len(rows) == 1, action
    return rows[0]


async def test_an_ip_goes_once_it_is_retired_unused_today_and_not_the_last(
    api: Api, core: Parts
) -> None:
    reserve = Reserve(tenant="acme", pool="acme", mailbox="", providers=(("gmail", 2),))
    await core.ledger.decide([reserve])
    await hold(core.pool, "m1", state="doubt", vmta="vmta-192-0-2-10")
    found = await in_the_way(api, IP)
    assert len(found) == 4, found
    assert "it is active: `sendgate ip retire 192.0.2.10` first" in found[0]
    assert found[1].startswith("1 message is in doubt")
    assert found[2].startswith("2 recipients went through IP 192.0.2.10 since")
    assert "the only IP of pool acme, which 1 domain (acme.example) use" in found[3]
    # One after the other out of the way.
    await core.pool.execute("UPDATE held SET state = 'done'")
    assert (await api("POST", "/api/v2/domains", {**DOMAIN, "ip": "192.0.2.11"}))[0] == 201
    assert (await api("PATCH", IP, {"state": "retire"}))[0] == 200
    assert "VirtualMTA vmta-192-0-2-10" in (await in_the_way(api, IP))[0]
    answer = await gone(api, f"{IP}?force=1&reason=sold")
    assert answer["view"] == {
        "noun": "ip",
        "name": "192.0.2.10",
        "also": {"vmta": ["vmta-192-0-2-10"]},
    }
    assert (await api("GET", IP))[0] == 404
    row = await audited(core, "ip.remove")
    assert (row["subject"], row["reason"]) == ("192.0.2.10", "sold")
    config = (await api("GET", "/api/v2/powermta/config"))[1]
    assert "192.0.2.10" not in config
    assert "192.0.2.11" in config
    # Added again it has the quota that is left of today, and another number.
    assert (await api("POST", "/api/v2/domains", DOMAIN))[0] == 201
    _, shown = await api("GET", IP)
    assert (shown["id"], shown["today"][0]["relayed"]) == (3, 2)


async def to_midnight(core: Parts, days: int, seconds: int) -> None:
    """Move the calendar to so many seconds after the midnight that ends today, or a later one."""
    now, _ = await core.admin.now()
    assert await core.admin.set_clock((day_of(now) + days) * DAY + seconds * 1000)


async def test_an_ip_stays_for_as_long_as_powermta_tries_what_it_took(
    api: Api, core: Parts
) -> None:
    assert (await api("POST", "/api/v2/domains", {**DOMAIN, "ip": "192.0.2.11"}))[0] == 201
    reserve = Reserve(tenant="acme", pool="acme", mailbox="", providers=(("gmail", 1),))
    # The pool takes turns: one of two goes through each.
    await core.ledger.decide([reserve])
    await core.ledger.decide([reserve])
    assert (await api("PATCH", IP, {"state": "retire"}))[0] == 200
    granted = day_of((await core.admin.now())[0])
    for days, seconds in ((1, 5), (4, 43_195)):
        await to_midnight(core, days, seconds)
        assert "1 recipient went through IP" in (await in_the_way(api, IP))[0], (days, seconds)
    # What the ledger lost accounting may know; it has no record of IPs.
    await core.admin.client.delete(f"{core.admin.root}day:{granted}:192.0.2.10")
    assert (await api("DELETE", f"{IP}?dry_run=1"))[0] == 200
    await core.pool.execute(
        "INSERT INTO relayed VALUES ($1, 'vmta-192-0-2-10', 'gmail', 7)", granted
    )
    assert "7 recipients" in (await in_the_way(api, IP))[0]
    await to_midnight(core, 1, 0)
    await gone(api, IP)


async def test_an_ip_that_is_closed_stays_until_it_is_opened(api: Api, core: Parts) -> None:
    assert (await api("POST", "/api/v2/domains", {**DOMAIN, "ip": "192.0.2.11"}))[0] == 201
    assert (await api("PATCH", IP, {"state": "retire"}))[0] == 200
    generation = await core.admin.current()
    assert generation is not None
    day = day_of((await core.admin.now())[0])
    closed = await close_ips(core.pool, core.admin, generation, {"pmta1": "a gap"}, day)
    await core.pool.execute("UPDATE ledger SET closed = $1", msgspec.to_builtins(closed))
    found = await in_the_way(api, f"{IP}?force=1")
    assert "IP 192.0.2.10 is closed" in found[0]
    assert "sendgate ledger open --yes" in found[0]
    await core.opening.open_again("test")
    await gone(api, IP)


async def test_a_removal_needs_one_connection(api: Api, core: Parts) -> None:
    """All others may be waiting for the publish lock, which it has."""
    assert (await api("POST", "/api/v2/domains", {**DOMAIN, "ip": "192.0.2.11"}))[0] == 201
    assert (await api("PATCH", IP, {"state": "retire"}))[0] == 200
    async with AsyncExitStack() as stack:
        for _ in range(core.pool.get_max_size() - 1):
            await stack.enter_async_context(core.pool.acquire())
        async with asyncio.timeout(10):
            assert (await api("DELETE", IP))[0] == 200


async def test_an_ip_that_may_not_be_asked_after_stays(api: Api, core: Parts) -> None:
    assert (await api("POST", "/api/v2/domains", {**DOMAIN, "ip": "192.0.2.11"}))[0] == 201
    assert (await api("PATCH", IP, {"state": "retire"}))[0] == 200
    await core.admin.client.flushall()
    status, refused = await api("DELETE", IP)
    assert status == 503, "counts that are lost are not zero"
    assert (await core.pool.fetchval("SELECT count(*) FROM virtual_mta")) == 2, refused


async def test_an_ip_moves_unless_a_pool_with_domains_would_be_left_without(
    api: Api, core: Parts
) -> None:
    assert (await api("POST", "/api/v2/pools", {"tenant": "acme", "name": "slow"}))[0] == 201
    status, refused = await api("POST", f"{IP}/move", {"pool": "slow"})
    assert (status, "the only IP of pool acme" in refused["detail"]) == (409, True)
    assert (await api("POST", "/api/v2/domains", {**DOMAIN, "ip": "192.0.2.11"}))[0] == 201
    _, moved = await api("POST", f"{IP}/move", {"pool": "slow"})
    assert moved["view"]["pools"] == ["slow"]
    assert (await api("POST", f"{IP}/move", {"pool": "slow"}))[1]["changed"] is False
    await api("POST", "/api/v2/tenants", {**ACME, "name": "other", "login": "other"})
    assert (await api("POST", f"{IP}/move", {"pool": "other"}))[0] == 404
    status, wrong = await api("POST", f"{IP}/move", {"pool": "acme", "leaves": "acme"})
    assert (status, wrong["errors"][0]["field"]) == (400, "leaves")
    assert (await audited(core, "ip.move"))["before"] == {"pools": ["acme"]}


async def test_a_domain_moves_with_its_held_mail_and_goes_when_none_is_left(
    api: Api, core: Parts
) -> None:
    path = "/api/v2/domains/acme.example"
    await api("POST", "/api/v2/pools", {"tenant": "acme", "name": "fast"})
    status, refused = await api("POST", f"{path}/move", {"pool": "fast"})
    assert (status, "pool fast has no IP" in refused["detail"]) == (409, True)
    more = {**DOMAIN, "domain": "b.example", "ip": "192.0.2.11", "pool": "fast"}
    assert (await api("POST", "/api/v2/domains", more))[0] == 201
    await hold(core.pool, "m1", mailbox="news@acme.example")
    await hold(core.pool, "m2", mailbox="news@notacme.example")
    _, moved = await api("POST", f"{path}/move", {"pool": "fast"})
    assert moved["view"]["pool"] == "fast"
    assert "1 held message of it goes with it" in moved["notes"]
    assert any(r["change"] == "changed" for r in moved["view"]["records"]), "its SPF record"
    assert "1 message of it is held" in (await in_the_way(api, path))[0]
    await core.pool.execute("UPDATE held SET state = 'done'")
    answer = await gone(api, path)
    assert any("moves to b.example" in note for note in answer["notes"]), "it carried the SPF"
    assert (await api("GET", path))[0] == 404
    assert (await api("GET", IP))[0] == 200
    assert (await audited(core, "domain.remove"))["before"]["pool"] == "fast"
    assert await core.pool.fetchval("SELECT count(*) FROM sending_domain") == 1


async def test_a_domain_of_two_tenants_is_removed_by_naming_one(api: Api, core: Parts) -> None:
    await api("POST", "/api/v2/tenants", {**ACME, "name": "other", "login": "other"})
    # As an earlier version took it.
    await core.pool.execute(
        "INSERT INTO sending_domain (tenant, domain, pool, dkim_selector, dkim_public, "
        "dkim_private, created) SELECT 'other', domain, 'other', dkim_selector, dkim_public, "
        "dkim_private, created FROM sending_domain"
    )
    path = "/api/v2/domains/acme.example"
    status, refused = await api("DELETE", path)
    assert (status, refused["errors"][0]["field"]) == (400, "tenant")
    assert (await api("DELETE", f"{path}?tenant=other"))[0] == 200
    assert (await api("GET", path))[1]["tenant"] == "acme"


async def test_a_pool_from_add_to_remove(api: Api, core: Parts) -> None:
    new = {"tenant": "acme", "name": "slow", "overflow": "acme"}
    status, added = await api("POST", "/api/v2/pools", new)
    assert (status, added["view"]["overflow"], added["view"]["ips"]) == (201, "acme", [])
    assert (await api("POST", "/api/v2/pools", new))[0] == 400
    circle = {"overflow": "slow"}
    assert (await api("PATCH", "/api/v2/pools/acme", circle))[0] == 400, "it would be a circle"
    await hold(core.pool, "m1")
    found = await in_the_way(api, "/api/v2/pools/acme")
    assert [text.split(":")[0] for text in found] == [
        "it is the default pool of tenant acme",
        "1 domain (acme.example) use it",
        "1 IP (192.0.2.10) are in it",
        "1 pool (slow) overflow to it",
        "1 message is held in it",
    ]
    _, set_ = await api("PATCH", "/api/v2/pools/slow", {"overflow": None, "default": True})
    assert (set_["view"]["overflow"], set_["view"]["default"]) == (None, True)
    assert (await api("PATCH", "/api/v2/pools/slow", {"default": True}))[1]["changed"] is False
    assert (await api("DELETE", "/api/v2/domains/acme.example?force=1"))[0] == 200
    assert (await api("POST", f"{IP}/move", {"pool": "slow"}))[0] == 200
    await core.pool.execute("UPDATE held SET state = 'done'")
    await gone(api, "/api/v2/pools/acme")
    assert [p["name"] for p in (await api("GET", "/api/v2/pools"))[1]] == ["slow"]
    assert (await api("GET", "/api/v2/pools/acme"))[0] == 404
    assert (await audited(core, "pool.remove"))["before"]["tenant"] == "acme"


async def test_a_server_goes_when_no_ip_is_on_it(api: Api, core: Parts) -> None:
    await hold(core.pool, "m1", state="doubt", server="pmta1")
    found = await in_the_way(api, "/api/v2/servers/pmta1")
    assert found[0].startswith("1 IP (192.0.2.10) on it")
    assert found[1].startswith("1 message is in doubt")
    body = {"name": "pmta2", "addresses": [{"host": "127.0.0.1", "port": 2526}]}
    assert (await api("POST", "/api/v2/servers", body))[0] == 200
    assert (await api("GET", "/api/v2/servers/pmta2"))[1]["id"] == 2
    await gone(api, "/api/v2/servers/pmta2")
    assert (await api("GET", "/api/v2/servers/pmta2"))[0] == 404
    assert (await audited(core, "server.remove"))["subject"] == "pmta2"


async def test_several_logins_each_with_its_password_and_the_last_stays(
    api: Api, core: Parts
) -> None:
    path = "/api/v2/tenants/acme/logins"
    assert "no other login and no network" in (await in_the_way(api, f"{path}?login=acme"))[0]
    status, _ = await api("POST", path, {"login": "acme/two", "password": "correct horse"})
    assert status == 201
    assert (await api("POST", path, {"login": "acme/two", "password": "x"}))[0] == 409
    assert (await api("POST", path, {"login": "a b", "password": "x"}))[0] == 400
    assert [found["name"] for found in (await api("GET", path))[1]] == ["acme", "acme/two"]
    assert len(set(await core.pool.fetch("SELECT hash FROM login"))) == 2
    await gone(api, f"{path}?login=acme")
    assert (await api("DELETE", f"{path}?login=acme"))[0] == 404
    await gone(api, f"{path}?login=acme/two&force=1")
    everything = str(await core.pool.fetch("SELECT before::text, after::text FROM audit_log"))
    assert "argon2" not in everything
    assert "horse" not in everything


async def test_networks_one_by_one(api: Api, core: Parts) -> None:
    path = "/api/v2/tenants/acme/networks"
    for network in ("10.1.0.0/16", "10.2.0.0/16"):
        assert (await api("POST", path, {"network": network}))[0] == 201
    assert (await api("POST", path, {"network": "10.1.0.0/16"}))[1]["changed"] is False
    assert (await api("POST", path, {"network": "10.1.2.3/16"}))[0] == 400
    await gone(api, f"{path}?network=10.1.0.0/16")
    assert (await api("GET", path))[1] == ["10.2.0.0/16"]
    await api("DELETE", "/api/v2/tenants/acme/logins?login=acme")
    assert "no login and no other" in (await in_the_way(api, f"{path}?network=10.2.0.0/16"))[0]
    assert (await audited(core, "network.remove"))["before"] == {"network": "10.1.0.0/16"}


async def test_a_mailbox_falls_back_to_the_tenants_limits(api: Api, core: Parts) -> None:
    path = "/api/v2/tenants/acme/mailboxes/News@acme.example"
    assert (await api("DELETE", path))[0] == 404
    assert (await api("PUT", path, {"daily_max": 3}))[0] == 200
    await gone(api, path)
    assert (await api("GET", "/api/v2/tenants/acme/mailboxes"))[1] == []
    assert (await audited(core, "mailbox.remove"))["before"]["daily_max"] == 3


async def test_a_tenant_goes_with_all_that_is_its_own_when_nothing_is_held(
    api: Api, core: Parts
) -> None:
    await api("POST", "/api/v2/tenants", {**ACME, "name": "other", "login": "other"})
    await api("PUT", "/api/v2/tenants/acme/mailboxes/a@acme.example", {"spacing": 1})
    await api("POST", "/api/v2/tenants/acme/networks", {"network": "10.1.0.0/16"})
    reserve = Reserve(tenant="acme", pool="acme", mailbox="", providers=(("gmail", 2),))
    await core.ledger.decide([reserve])
    await hold(core.pool, "m1")
    await hold(core.pool, "m2")
    await hold(core.pool, "m3", state="doubt")
    await hold(core.pool, "m4", state="done")
    path = "/api/v2/tenants/acme"
    found = await in_the_way(api, path)
    assert [text.split(" ")[0] for text in found] == ["it", "1", "2", "2"]
    assert "tenant pause acme" in found[0]
    assert "in doubt" in found[1]
    assert "hold drop --tenant acme" in found[2]
    assert "through IP 192.0.2.10 since" in found[3]
    assert (await api("POST", f"{path}/pause"))[0] == 200
    await core.pool.execute("UPDATE held SET state = 'done'")
    answer = await gone(api, f"{path}?force=1")
    assert answer["view"]["also"] == {
        "mailbox": ["a@acme.example"],
        "network": ["10.1.0.0/16"],
        "login": ["acme"],
        "domain": ["acme.example"],
        "ip": ["192.0.2.10"],
        "pool": ["acme"],
    }
    assert [t["name"] for t in (await api("GET", "/api/v2/tenants"))[1]] == ["other"]
    after = (await audited(core, "tenant.remove"))["before"]
    assert (after["mailbox"], after["domain"]) == (1, ["acme.example"]), "no address is kept"
    # The name may be given again; the number is not.
    assert (await api("POST", "/api/v2/tenants", ACME))[1]["view"]["id"] == 3
    assert (await api("GET", "/api/v2/generation"))[1]["tenants"] == 2


async def test_the_commands_say_what_went_and_what_is_in_the_way(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    sendgate = Command(api, capsys)
    assert "ip retire" in await sendgate("ip", "remove", "192.0.2.10", code=1)
    await sendgate("pool", "add", "slow", "--tenant", "acme")
    await sendgate(
        "domain", "add", "--tenant", "1", "--domain", "acme.example", "--ip", "192.0.2.11"
    )
    assert "is in slow" in await sendgate("ip", "move", "1", "--pool", "slow")
    assert "uses pool slow" in await sendgate("domain", "move", "acme.example", "--pool", "slow")
    await sendgate("pool", "set", "slow", "--default")
    assert "slow" in await sendgate("pool", "show", "slow")
    await sendgate("ip", "move", "192.0.2.11", "--pool", "slow")
    assert "would be done" in await sendgate("pool", "remove", "acme", "--dry-run")
    assert "pool acme removed: done" in await sendgate("pool", "remove", "acme")
    assert "acme" not in (await sendgate("pool", "list")).split("slow")[0]
    await sendgate("login", "add", "two", "--tenant", "acme", "--password", "a long password")
    await sendgate("login", "password", "two", "--tenant", "acme", "--password", "another password")
    assert "two" in await sendgate("login", "list", "--tenant", "acme")
    await sendgate("login", "remove", "two", "--tenant", "acme")
    await sendgate("network", "add", "10.0.0.0/8", "--tenant", "acme")
    assert "10.0.0.0/8" in await sendgate("network", "list", "--tenant", "acme")
    await sendgate("network", "remove", "10.0.0.0/8", "--tenant", "acme")
    await sendgate("mailbox", "set", "a@acme.example", "--tenant", "acme", "--max", "1")
    await sendgate("mailbox", "remove", "a@acme.example", "--tenant", "acme")
    await sendgate("server", "set", "pmta2", "127.0.0.1:26")
    assert "127.0.0.1:26" in await sendgate("server", "show", "pmta2")
    await sendgate("server", "remove", "pmta2")
    await sendgate("ip", "retire", "192.0.2.10")
    await sendgate("ip", "remove", "192.0.2.10", "--reason", "sold")
    await sendgate("domain", "remove", "acme.example")
    await sendgate("tenant", "pause", "acme")
    assert "with it: ip 192.0.2.11" in await sendgate("tenant", "remove", "1")
