"""An address is taken out of what is kept of accounting: records, those set aside, batches given
up; what was written before and comes late is kept without it, and nothing counts twice."""

import asyncio
import gzip
import json
import time
import zlib
from typing import Any

import msgspec
import pytest

from control.accounting import forgetting, forgetwork
from control.accounting.door import Batch, Door
from control.accounting.fact import Fact
from control.accounting.forgetwork import ForgetWork
from control.accounting.identity import Reading
from control.accounting.inbox import TRIES
from control.accounting.payload import shares
from control.accounting.traces import FORGOTTEN
from control.intake import open_intake
from control.parts import Parts
from control.store.database import Connection
from policy.limits import DAY
from settings.log import Log
from tests.support.control.core import Api, Command

ACME = {"name": "acme", "login": "acme-smtp", "password": "correct horse"}
ANNA, BOB = "Anna@bücher.example", "bob@dest.test"
DAY_NOW = int(time.time() * 1000) // DAY


def record(rcpt: str, message: str, **fields: str) -> dict[str, str]:
    logged = time.strftime("%Y-%m-%d %H:%M:%S+0000", time.gmtime(DAY_NOW * DAY // 1000))
    named = {
        "type": "b",
        "timeLogged": logged,
        "rcpt": rcpt,
        "orig": f"bounce-{rcpt.replace('@', '=')}@news.test",
        "dsnDiag": f"smtp;550 5.1.1 <{rcpt.lower()}> is unknown",
        "vmta": "v1",
        "envId": f"{DAY_NOW}-{message}.1",
    }
    return named | fields


def facts(*records: dict[str, str], now: int = 0) -> list[Fact]:
    content = b"".join(json.dumps(one).encode() + b"\n" for one in records)
    (share,) = shares(content, 1_000)
    return Reading().facts(share.pieces, now or DAY_NOW * DAY)


async def book(core: Parts, *records: dict[str, str], door: Door | None = None) -> Any:
    batch = Batch("webhook", "pmta1", "batch 1, record 1", facts(*records), [])
    async with core.pool.acquire() as connection, connection.transaction():
        return await (door or door_of(core)).book(connection, batch, await core.calendar())


def door_of(core: Parts) -> Door:
    return core.intake.inbox._door


async def kept(core: Parts) -> str:
    """All that is kept of accounting, in the clear."""
    texts = [zlib.decompress(b) for b in await column(core, "SELECT body FROM accounting_raw")]
    texts += await column(core, "SELECT header::bytea || raw FROM accounting_set_aside")
    texts += [
        gzip.decompress(b) if b[:2] == b"\x1f\x8b" else b
        for b in await column(core, "SELECT body FROM accounting_batch")
    ]
    return b"\n".join(texts).decode("utf-8", "backslashreplace").lower()


async def column(core: Parts, query: str) -> list[bytes]:
    return [row[0] for row in await core.pool.fetch(query)]


async def asked(api: Api, **body: str) -> int:
    status, answer = await api("POST", "/api/v2/hold/forget", {"recipient": ANNA, **body})
    assert status == 202, answer
    return int(answer["accounting"])  # type: ignore[index]


def work(core: Parts) -> ForgetWork:
    return ForgetWork(core.pool, core.settings.accounting, core.calendar)


async def done(api: Api, number: int) -> Any:
    status, found = await api("GET", f"/api/v2/accounting/forgetting/{number}")
    assert status == 200
    return found


@pytest.fixture(autouse=True)
async def _tenants(api: Api) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201


async def test_it_is_taken_out_of_all_that_is_kept_and_others_stay(api: Api, core: Parts) -> None:
    for n in range(2 * forgetwork.AT_ONCE + 1):
        rows = [record(BOB, f"bbbbbbbb{n}"), record("joanna@bücher.example", f"jjjjjjjj{n}")]
        await book(core, *rows, *([record(ANNA, f"aaaaaaaa{n}")] if n % 3 == 0 else []))
    broken = json.dumps({"rcpt": ANNA, "x": 1}).encode()
    await core.pool.execute(
        "INSERT INTO accounting_set_aside (digest, came, origin, server, place, why, header, raw) "
        "VALUES ('a', 1, 'webhook', '', 'line 1', 'why', '', $1), ('b', 1, '', '', '', '', '', $2)",
        broken,
        b'{"rcpt": "bob@dest.test"',
    )
    await core.pool.execute(
        "INSERT INTO accounting_batch (came, origin, server, who, size, body, tries) "
        "VALUES (1, 'webhook', '', '', 1, $1, $2)",
        gzip.compress(json.dumps([record(ANNA, "aaaaaaax1"), record(BOB, "bbbbbbbx1")]).encode()),
        TRIES,
    )
    number = await asked(api)
    assert "anna" in (await kept(core)).replace("joanna", "")
    await work(core).step()
    text = await kept(core)
    # `joanna` is somebody else.
    assert "anna" not in text.replace("joanna", "")
    assert text.count(BOB) >= 2 * forgetwork.AT_ONCE
    assert "joanna@bücher.example" in text
    assert "bounce-joanna=bücher.example" in text
    found = await done(api, number)
    assert (found["step"], found["unread"]) == ("done", 0)
    assert found["changed"] == 3 + 1 + 1
    row = await core.pool.fetchrow("SELECT * FROM accounting_forgotten")
    assert row["spelt"] == []
    assert "anna" not in str(row).lower()
    status, listed = await api("GET", "/api/v2/accounting/forgetting")
    assert (status, listed) == (200, [found])
    # What is left of a record is a record.
    for body in await column(core, "SELECT body FROM accounting_raw"):
        for line in zlib.decompress(body).split(b"\n"):
            assert msgspec.json.decode(line)["vmta"] == "v1"


async def test_what_was_written_before_and_comes_late_is_kept_without_it(
    api: Api, core: Parts
) -> None:
    early = await book(core, record(ANNA, "aaaaaaaa1"))
    assert early.counted == 1
    number = await asked(api)
    await work(core).step()
    again = await book(core, record(ANNA, "aaaaaaaa1"))
    assert (again.counted, again.repeated) == (0, 1), "that it counted is not forgotten"
    late = await book(core, record(ANNA, "aaaaaaaa2"), record(BOB, "bbbbbbbb2"))
    assert late.counted == 2
    assert "anna" not in await kept(core)
    assert BOB in await kept(core)
    tomorrow = time.strftime("%Y-%m-%d %H:%M:%S+0000", time.gmtime(time.time() + 3600))
    await book(core, record(ANNA, "aaaaaaaa3", timeLogged=tomorrow))
    assert "anna" in await kept(core), "what is written later is known again"
    assert (await done(api, number))["step"] == "done"


async def test_what_could_not_be_read_comes_late_without_it_too(api: Api, core: Parts) -> None:
    await asked(api)
    raw = json.dumps({"rcpt": ANNA, "to": BOB}, ensure_ascii=False).encode()
    (share,) = shares(raw + b"\n", 10)
    batch = Batch("webhook", "pmta1", "batch 1", [], share.set_aside)
    for _ in range(2):
        async with core.pool.acquire() as connection, connection.transaction():
            await door_of(core).book(connection, batch, await core.calendar())
    (row,) = await core.pool.fetch("SELECT raw, times FROM accounting_set_aside")
    assert row["times"] == 2, "it is known again all the same"
    assert json.loads(row["raw"]) == {"rcpt": FORGOTTEN, "to": BOB}


async def test_whoever_books_while_it_is_asked_is_waited_for(api: Api, core: Parts) -> None:
    """A transaction that did not know of it yet, and whose records are not there yet."""
    # Its tables of the day are there: nothing else is waited for.
    await book(core, record(BOB, "bbbbbbbb1"))
    async with core.pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        batch = Batch("file", "pmta1", "a.csv", facts(record(ANNA, "aaaaaaaa1")), [])
        await door_of(core).book(other, batch, await core.calendar())
        number = await asked(api)
        looking = asyncio.create_task(work(core).step())
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        async with asyncio.timeout(20):
            while not await core.pool.fetchval(waiting) and not looking.done():
                await asyncio.sleep(0.01)
        assert (await done(api, number))["step"] == "waiting"
        await transaction.commit()
    await looking
    assert (await done(api, number))["changed"] == 1
    assert "anna" not in await kept(core)


async def test_a_killed_search_goes_on_behind_what_it_had_looked_at(
    api: Api, core: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3 * forgetwork.AT_ONCE):
        await book(core, record(ANNA, f"aaaaaaaa{n}"))
    number = await asked(api)
    whole, looks = ForgetWork._records, 0

    async def killed(self: ForgetWork, connection: Connection, *args: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise ConnectionError("killed")
        return await whole(self, connection, *args)

    monkeypatch.setattr(ForgetWork, "_records", killed)
    with pytest.raises(ConnectionError):
        await work(core).step()
    found = await done(api, number)
    assert (found["step"], found["looked"], found["changed"]) == (
        "records",
        2 * forgetwork.AT_ONCE,
        2 * forgetwork.AT_ONCE,
    )
    assert found["pieces"] == 3 * forgetwork.AT_ONCE
    row = await core.pool.fetchrow("SELECT spelt FROM accounting_forgotten")
    assert row["spelt"] != []
    await work(core).step()
    found = await done(api, number)
    assert (found["step"], found["looked"], found["changed"]) == (
        "done",
        3 * forgetwork.AT_ONCE,
        3 * forgetwork.AT_ONCE,
    )
    assert looks == 3 + 2
    assert "anna" not in await kept(core)


async def test_a_batch_that_may_still_be_taken_in_is_waited_for(api: Api, core: Parts) -> None:
    await core.pool.execute(
        "INSERT INTO accounting_batch (came, origin, server, who, size, body) "
        "VALUES (1, 'webhook', '', '', 1, $1)",
        json.dumps(record(ANNA, "aaaaaaaa1")).encode(),
    )
    number = await asked(api)
    await work(core).step()
    assert (await done(api, number))["step"] == "batches"
    taking = asyncio.create_task(core.intake.inbox.run())
    async with asyncio.timeout(20):
        while (await core.intake.inbox.state()).waiting:
            await asyncio.sleep(0.01)
    taking.cancel()
    await work(core).step()
    assert (await done(api, number))["step"] == "done"
    assert FORGOTTEN in await kept(core)
    assert "anna" not in await kept(core)


async def test_a_record_whose_address_was_taken_out_before_it_counted_does_not_count(
    api: Api, core: Parts
) -> None:
    await core.pool.execute(
        "INSERT INTO accounting_batch (came, origin, server, who, size, body, tries) "
        "VALUES (1, 'webhook', '', '', 1, $1, $2)",
        json.dumps([record(ANNA, "aaaaaaaa1"), record(BOB, "bbbbbbbb1")]).encode(),
        TRIES,
    )
    await asked(api)
    await work(core).step()
    assert (await book(core, record(ANNA, "aaaaaaaa1"))).counted == 1, "it came by a file, too"
    await core.intake.inbox.again()
    taking = asyncio.create_task(core.intake.inbox.run())
    async with asyncio.timeout(20):
        while (await core.intake.inbox.state()).waiting:
            await asyncio.sleep(0.01)
    taking.cancel()
    records = await core.pool.fetchval("SELECT sum(records)::bigint FROM accounting_kind")
    assert records == 2, "each once"


async def test_one_tenants_wish_leaves_what_is_anothers(api: Api, core: Parts) -> None:
    for tenant, ip in (("acme", "192.0.2.10"), ("globex", "192.0.2.11")):
        if tenant != "acme":
            new = {"name": tenant, "login": tenant, "password": "correct horse"}
            assert (await api("POST", "/api/v2/tenants", new))[0] == 201
        domain = {"tenant": tenant, "domain": f"{tenant}.example", "ip": ip, "vmta": f"v-{tenant}"}
        assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    rows = [
        record(ANNA, "aaaaaaaa1", vmta="v-acme", orig="o1@x.test"),
        record(ANNA, "aaaaaaaa2", vmta="v-globex", orig="o2@x.test"),
        record(ANNA, "aaaaaaaa3", vmta="v-gone", orig="o3@x.test"),
    ]
    await book(core, *rows)
    await asked(api, tenant="acme")
    await work(core).step()
    late = [one | {"envId": one["envId"].replace("aaaaaaaa", "aaaaaaab")} for one in rows]
    await book(core, *late)
    lines = (await kept(core)).split("\n")
    assert len(lines) == 6
    assert {("anna" in line, json.loads(line)["vmta"]) for line in lines} == {
        (False, "v-acme"),
        (True, "v-globex"),
        (False, "v-gone"),
    }


async def test_where_addresses_are_hashed_the_digest_is_taken_out(api: Api, core: Parts) -> None:
    log = Log(addresses="hashed", key="k" * 32)
    settings = msgspec.structs.replace(core.settings, log=log)
    intake = open_intake(settings, core.pool, core.calendar, core.naming_key)
    await book(core, record(ANNA, "aaaaaaaa1"), record(BOB, "bbbbbbbb1"), door=intake.inbox._door)
    before = json.loads((await kept(core)).split("\n")[0])["rcpt"]
    assert before.endswith("@bücher.example")
    assert "anna" not in before

    async def act(a: Any) -> int:
        return await intake.forgetting.ask(a, "Anna@xn--bcher-kva.example", None)

    await core.publisher.change("test", act)
    await work(core).step()
    text = await kept(core)
    assert before not in text
    assert text.count("@dest.test") >= 2


async def test_what_is_over_is_kept_as_long_as_records(api: Api, core: Parts) -> None:
    number = await asked(api)
    await work(core).step()
    finished = await core.pool.fetchval("SELECT finished FROM accounting_forgotten")
    await forgetting.sweep(core.pool, finished)
    assert (await done(api, number))["step"] == "done"
    await forgetting.sweep(core.pool, finished + 1)
    assert (await api("GET", f"/api/v2/accounting/forgetting/{number}"))[0] == 404


async def test_the_command_waits_for_accounting_too(
    api: Api,
    core: Parts,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", "sgt_" + "t" * 40)
    await book(core, record(ANNA, "aaaaaaaa1"))
    await core.pool.execute(
        "INSERT INTO accounting_raw (day, came, origin, server, place, records, body) "
        "SELECT day, came, origin, server, place, records, 'damaged' FROM accounting_raw"
    )
    command = Command(api, capsys)
    await command("forget", ANNA, "--no-wait")
    await core.pool.execute("UPDATE hold_request SET state = 'done'")
    said = await command("accounting", "forgetting")
    assert "waiting" in said
    number = await core.pool.fetchval("SELECT max(id) FROM accounting_forgotten")
    await work(core).step()
    found = await done(api, number)
    assert (found["changed"], found["unread"], found["looked"]) == (1, 1, 2)
    said = await command("accounting", "forgetting")
    assert "done" in said
