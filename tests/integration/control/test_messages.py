"""What became of messages: from gateways through the ledger into the table, each once; searched by
recipient; forgotten."""

import asyncio
from typing import Any

import msgspec
import pytest

from control.messages.sweep import sweep
from control.parts import Parts
from gateway.ledger import outcomes
from gateway.ledger.outcomes import Outcomes, entries
from gateway.watch.log import Log as GatewayLog
from policy.ledger.connection import connect
from policy.limits import day_of
from settings.log import Log
from settings.tasks import cancel
from tests.support.control.core import Api, Command, api_of
from tests.support.control.outcomes import count, found, reader, tell
from tests.support.hold.held import hold

ACME = {"name": "acme", "login": "acme-smtp", "password": "correct horse"}


async def test_a_message_is_found_by_recipient_live_or_held(
    api: Api, core: Parts, command: Command
) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    await tell(
        core,
        {"reply": "250 2.0.0 OK", "vmta": "v1", "server": "pmta1", "envelope": "20500-message0.1"},
        {"outcome": "held", "reason": "ip_quota", "recipients": ["anna@gmail.com", "b@x.example"]},
        {"recipients": ["jürgen@BÜCHER.example"], "tenant": "globex"},
    )
    await hold(core.pool, "message1", state="doubt")
    while await reader(core).step():
        pass
    page = await found(api, to="anna@gmail.com")
    assert sorted((m["message"], m["outcome"], m["waits"]) for m in page["messages"]) == [
        ("message0", "relayed", ""),
        ("message1", "held", "doubt"),
    ]
    assert page["before"] is None
    [other] = (await found(api, to="jürgen@xn--bcher-kva.example"))["messages"]
    assert (other["tenant"], other["recipient"]) == ("globex", "jürgen@xn--bcher-kva.example")
    assert (await found(api, to="Anna@gmail.com"))["messages"] == [], "local parts keep their case"
    assert len((await found(api, tenant="acme"))["messages"]) == 3
    assert (await found(api, to="anna@gmail.com", since="2999-01-01"))["messages"] == []
    said = await command("message", "list", "--to", "anna@gmail.com")
    assert "250 2.0.0 OK" in said
    assert "doubt" in said
    assert "relayed" in await command("explain", "--message", "20500-message0.1")
    await command("message", "list", "--to", "nobody", code=2)
    assert (await api("GET", "/api/v2/messages?since=soon"))[0] == 400
    assert (await api("GET", "/api/v2/messages?tenant=nobody"))[0] == 404


async def test_each_is_once_whoever_reads_and_whatever_breaks_between(core: Parts) -> None:
    await tell(core, *[{"message": f"m{n}"} for n in range(500)])
    one, two = reader(core), reader(core)
    await asyncio.gather(one.step(), two.step(), reader(core).step())
    while await one.step():
        pass
    assert await count(core) == 500
    assert await core.pool.fetchval("SELECT count(DISTINCT message) FROM outcome") == 500
    await tell(core, {"message": "later"})
    await two.step()
    await one.step()
    assert await count(core) == 501


async def test_a_transaction_that_is_undone_leaves_the_position_too(core: Parts) -> None:
    await tell(core, {"message": "m1"})
    await core.pool.execute("ALTER TABLE outcome ADD CONSTRAINT refuse CHECK (message <> 'm1')")
    with pytest.raises(Exception, match="refuse"):
        await reader(core).step()
    assert await count(core) == 0
    await core.pool.execute("ALTER TABLE outcome DROP CONSTRAINT refuse")
    await reader(core).step()
    assert await count(core) == 1
    await reader(core).step()
    assert await count(core) == 1


async def test_days_that_are_over_are_dropped_whole(core: Parts) -> None:
    await tell(core, {"message": "old"}, days_ago=3)
    await tell(core, {"message": "new"})
    await reader(core).step()
    await sweep(core.pool, await core.calendar(), 3 * 86_400.0)
    assert await count(core) == 2
    await sweep(core.pool, await core.calendar(), 1 * 86_400.0)
    assert await core.pool.fetchval("SELECT message FROM outcome") == "new"
    today = day_of((await core.admin.now())[0])
    assert await core.pool.fetchval("SELECT to_regclass($1)::text", f"outcome_{today - 3}") is None


async def test_a_forgotten_address_is_in_no_outcome(api: Api, core: Parts) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    await tell(core, {"why": "550 anna@gmail.com is unknown"}, {"recipients": ["b@x.example"]})
    await reader(core).step()
    for query, left in (("?dry_run=1", 1), ("", 0)):
        body = {"recipient": "anna@gmail.com"}
        assert (await api("POST", f"/api/v2/hold/forget{query}", body))[0] == 202
        assert len((await found(api, to="anna@gmail.com"))["messages"]) == left
    text = await core.pool.fetchval("SELECT string_agg(o::text, ' ') FROM outcome o")
    assert "anna" not in text
    assert "b@x.example" in text


async def test_where_gateways_write_digests_the_search_does(core: Parts) -> None:
    key = "k" * 32
    hashes = Log(addresses="hashed", key=key)
    log = GatewayLog(addresses="hashed", key=key)
    await tell(core, {"recipients": [log.address(b"anna@gmail.com")]})
    await reader(core).step()
    assert "anna" not in await core.pool.fetchval("SELECT recipient FROM outcome")
    for used, status in ((hashes, 200), (Log(addresses="hashed"), 400)):
        settings = msgspec.structs.replace(core.settings, log=used)
        changed = Parts(
            **{f: getattr(core, f) for f in core.__dataclass_fields__} | {"settings": settings}
        )
        async with api_of(changed) as api:
            got, page = await api("GET", "/api/v2/messages?to=anna@gmail.com")
            assert got == status
            assert status == 400 or len(page["messages"]) == 1  # type: ignore[index]


async def test_queue_entry_and_stream_are_bounded_and_loss_is_counted(
    valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "QUEUE", 3)
    monkeypatch.setattr(outcomes, "STREAM", 2)
    monkeypatch.setattr(outcomes, "ENTRY", 200)
    dropped = outcomes._DROPPED
    before = dropped.total
    fields: dict[str, Any] = {
        "message": "m" * 100,
        "tenant": "t",
        "recipients": ["a@b.c"],
        "outcome": "relayed",
        "reply": "x" * 10_000,
    }
    client = connect(valkey_url)
    heard = Outcomes(client, "main", GatewayLog(), now=lambda: 1)
    for _ in range(5):
        heard.hear(fields)
    heard.hear({"tenant": "t", "outcome": "rejected", "peer": "192.0.2.1"})
    assert dropped.total == before + 2
    assert all(len(entry) < 600 for entry in entries([(1, fields, ["a@b.c"])] * 3))
    for _ in range(60):
        heard.hear(fields)
        await heard.flush()
    length = await client.xlen(heard._key)
    assert 0 < length <= 102, "Valkey cuts by whole nodes of 100"
    await client.aclose()
    away = Outcomes(connect("redis://127.0.0.1:1/0"), "main", GatewayLog(), now=lambda: 1)
    before = dropped.total
    away.hear(fields)
    await away.flush()
    assert dropped.total == before + 1


async def test_a_day_that_the_database_lost_is_made_again(core: Parts) -> None:
    """As after a failover to a standby that had not heard of it."""
    reading = reader(core)
    await tell(core, {})
    assert not await reading.step()
    now, _ = await core.admin.now()
    await core.pool.execute(f"DROP TABLE outcome_{day_of(now)}")
    await tell(core, {"message": "later"})
    running = asyncio.create_task(reading.run())
    try:
        async with asyncio.timeout(20):
            while await count(core) == 0:
                await asyncio.sleep(0.05)
    finally:
        await cancel([running])
