"""Posted accounting: every shape, on the disk before it is answered, and each record once."""

import asyncio
import base64
import dataclasses
import gzip
import hashlib
import hmac
import io
import json
import time
from typing import Any

import msgspec
import pytest

from control.accounting.inbox import TRIES
from control.parts import Parts
from control.store.change import Act
from control.users.token import new_token, put
from policy.limits import DAY
from tests.support.control.core import Api, api_of

PATH = "/api/v2/powermta/accounting"


async def taken(core: Parts) -> None:
    """Until nothing waits."""
    async with asyncio.timeout(20):
        while (await core.intake.inbox.state()).waiting:
            await asyncio.sleep(0.01)


def record(kind: str = "d", message: str = "abcdefgh12", **fields: str) -> dict[str, str]:
    day = int(time.time() * 1000) // DAY
    logged = time.strftime("%Y-%m-%d %H:%M:%S+0000", time.gmtime(day * DAY // 1000))
    named = {
        "type": kind,
        "timeLogged": logged,
        "rcpt": "anna@gmail.com",
        "orig": "news@acme.test",
        "dsnStatus": "2.0.0 (success)",
        "dsnDiag": "smtp;250 2.0.0 OK",
        "vmta": "v1",
        "envId": f"{day}-{message}.1",
    }
    return named | fields


def csv(*records: dict[str, str], end: str = "\r\n", bom: bool = False) -> bytes:
    names = list(dict.fromkeys(name for one in records for name in one))
    names.sort(key=lambda name: name != "type")
    lines = [",".join(names), *(",".join(one.get(n, "") for n in names) for one in records)]
    return (("\ufeff" if bom else "") + "".join(line + end for line in lines)).encode()


def lines(*records: Any) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in records)


async def kinds(core: Parts) -> dict[str, tuple[int, int]]:
    """Type to (records that counted, repeated ones)."""
    rows = await core.pool.fetch(
        "SELECT kind, sum(records)::bigint AS n, sum(repeated)::bigint AS again "
        "FROM accounting_kind GROUP BY kind"
    )
    return {row["kind"]: (row["n"], row["again"]) for row in rows}


async def send(
    api: Api, body: bytes | io.BytesIO, path: str = PATH, **headers: str
) -> tuple[int, Any]:
    given = {"Authorization": f"Bearer {'sgt_' + 't' * 40}"} | headers
    async with api.session.post(api.url + path, data=body, headers=given) as response:
        return response.status, msgspec.json.decode(await response.read())


SHAPES = {
    "lines": lines(record(), record("b")),
    "an array": json.dumps([record(), record("b")]).encode(),
    "an array over lines": json.dumps([record(), record("b")], indent=2).encode(),
    "CSV": csv(record(), record("b")),
    "CSV with a mark and LF": csv(record(), record("b"), end="\n", bom=True),
    "packed": gzip.compress(lines(record(), record("b"))),
    "packed CSV": gzip.compress(csv(record(), record("b"))),
    "renamed": lines(
        *(
            {
                {"rcpt": "recipient", "envId": "env_id", "timeLogged": "time_logged"}.get(k, k): v
                for k, v in one.items()
            }
            for one in (record(), record("bounce"))
        ),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.usefixtures("working")
async def test_every_shape_counts_the_same_records(core: Parts, api: Api, shape: str) -> None:
    status, answer = await send(api, SHAPES[shape])
    assert status == 200, answer
    await taken(core)
    assert await kinds(core) == {"d": (1, 0), "b": (1, 0)}
    # And in every other shape: they are the same records.
    for other in SHAPES.values():
        assert (await send(api, other))[0] == 200
    await taken(core)
    assert await kinds(core) == {"d": (1, len(SHAPES)), "b": (1, len(SHAPES))}


@pytest.mark.usefixtures("working")
async def test_twins_of_one_batch_are_two_and_the_batch_again_is_none(
    core: Parts, api: Api
) -> None:
    for _ in range(3):
        assert (await send(api, lines(record(), record(), record(rcpt="Anna@GMAIL.com"))))[0] == 200
    await taken(core)
    assert await kinds(core) == {"d": (3, 6)}


@pytest.mark.usefixtures("working")
async def test_what_cannot_be_read_is_set_aside_and_its_neighbours_count(
    core: Parts, api: Api
) -> None:
    late = record(message="abcdefgh13", timeLogged="2124-01-01 00:00:00+0000")
    body = lines(record(), "no object", record("b"), late) + b"{broken\n" + b'{"x": 1}\n'
    assert (await send(api, body))[0] == 200
    assert (await send(api, body))[0] == 200
    await taken(core)
    assert await kinds(core) == {"d": (1, 1), "b": (1, 1)}
    status, page = await api("GET", "/api/v2/accounting/rejected")
    assert status == 200
    assert page["total"] == 4
    said = {one["why"].split(" (")[0]: one for one in page["rejected"]}
    assert set(said) == {
        "it is not a JSON object",
        "it is not JSON",
        "it has no type",
        "its time is more than a day ahead: is PowerMTA's clock right?",
    }
    assert said["it is not JSON"]["raw"] == "{broken"
    assert said["it is not JSON"]["times"] == 2
    _, look = await api("GET", "/api/v2/status")
    assert look["set_aside"] == 4
    assert any("4 accounting records could not be read" in t["what"] for t in look["troubles"])
    assert "sendgate_accounting_set_aside 4.0" in (await api("GET", "/metrics"))[1]
    # A year later it is in time. To try again makes none of them newer than it is.
    await core.pool.execute("UPDATE accounting_set_aside SET came = came - 86400000")
    old = (await core.intake.rejected.backlog()).set_aside_at
    status, answer = await api("POST", "/api/v2/accounting/rejected/again", {})
    assert (status, answer) == (200, {"taken": 0, "repeated": 0, "rejected": 4})
    assert (await api("GET", "/api/v2/accounting/rejected"))[1]["total"] == 4
    assert (await core.intake.rejected.backlog()).set_aside_at == old


@pytest.mark.usefixtures("working")
async def test_what_says_nothing_of_anybody_is_set_aside(core: Parts, api: Api) -> None:
    small = b'{"email": "not an address", "reason": "no such user"}\n{"email": "anna@gmail.com"}\n'
    small += b'{"email": "anna@gmail.com", "reason": "no", "tenant": "acme"}\n'
    assert (await send(api, b'{"type": "d"}\n' + small + lines(record())))[0] == 200
    await taken(core)
    assert await kinds(core) == {"d": (1, 0)}
    _, page = await api("GET", "/api/v2/accounting/rejected")
    assert sorted(one["why"] for one in page["rejected"]) == [
        "'not an address' is no mail address",
        "it has an email, and neither a type nor a reason",
        "it names a tenant, and its address would be everybody's: leave that out",
        "it says neither when it was, nor of whom or of which message it is",
    ]


async def test_a_batch_waits_for_a_control_process_that_was_killed(core: Parts, api: Api) -> None:
    assert (await send(api, lines(record())))[0] == 200
    state = await core.intake.inbox.state()
    assert (state.waiting, state.stuck) == (1, 0)
    task = asyncio.create_task(core.intake.inbox.run())
    await taken(core)
    task.cancel()
    assert await kinds(core) == {"d": (1, 0)}


async def test_what_is_too_large_is_refused_and_nothing_of_it_stays(core: Parts, api: Api) -> None:
    bomb = gzip.compress(b"0" * (core.settings.accounting.webhook_content + 1))
    assert len(bomb) < 100_000
    assert (await send(api, bomb))[0] == 413
    assert (await send(api, bomb, **{"Content-Encoding": "gzip"}))[0] == 413
    huge = io.BytesIO(b"{" * (core.settings.accounting.webhook_body + 1))
    assert (await send(api, huge))[0] == 413
    status, answer = await send(api, gzip.compress(b"x" * 1000)[:-9])
    assert status == 400
    assert "webhook_content" not in str(answer), "no larger bound would help"
    assert (await core.intake.inbox.state()).waiting == 0


async def test_who_may_post(core: Parts, api: Api) -> None:
    made = {}

    async def act(a: Act) -> None:
        for role in ("accounting", "scrape", "read"):
            made[role] = new_token()
            await put(a, role, made[role], role, None)

    await core.publisher.change("test", act)
    body = lines(record())

    async def status(**headers: str) -> int:
        async with api.session.post(api.url + PATH, data=body, headers=headers) as response:
            return response.status

    basic = base64.b64encode(f"pmta:{made['accounting']}".encode()).decode()
    assert await status(**{"X-API-Key": made["accounting"]}) == 200
    assert await status(Authorization=f"Bearer {made['accounting']}") == 200
    assert await status(Authorization=f"Basic {basic}") == 200
    assert await status(Authorization="Basic nonsense!") == 401
    assert await status() == 401
    assert await status(**{"X-API-Key": new_token()}) == 401
    async with api.session.post(api.url + PATH, data=body) as response:
        said = (await response.json())["detail"]
        assert "X-API-Key" in said
        assert "Basic" in said
        assert "X-Sendgate-Signature" in said
        assert response.headers["WWW-Authenticate"].startswith("Bearer, Basic")
    for role in ("scrape", "read"):
        assert await status(**{"X-API-Key": made[role]}) == 403
    # And the token for it does nothing else.
    for path in ("/api/v2/accounting", "/metrics", "/api/v2/tenants"):
        assert (await api("GET", path, token=made["accounting"]))[0] == 403


async def test_a_server_that_is_not_there_and_a_word_that_means_nothing_are_refused(
    core: Parts, api: Api
) -> None:
    body = lines(record())
    status, answer = await api("POST", f"{PATH}?server=pmtal", raw=body)
    assert status == 400
    assert "there is no PowerMTA server 'pmtal'; there are: pmta1" in str(answer)
    status, answer = await api("POST", f"{PATH}?server=pmta1&tenant=acme", raw=body)
    assert (status, "tenant: this path takes `server` alone" in str(answer)) == (400, True)
    assert (await api("POST", f"{PATH}?server=pmta1", raw=body))[0] == 200
    # Of one that was removed records still come.
    new = {"name": "old", "addresses": [{"host": "127.0.0.1", "port": 2527}]}
    assert (await api("POST", "/api/v2/servers", new))[0] == 200
    assert (await api("DELETE", "/api/v2/servers/old"))[0] == 200
    assert (await api("POST", f"{PATH}?server=old", raw=body))[0] == 200
    assert (await api("GET", "/api/v2/accounting/inbox"))[1]["waiting"] == 2


async def test_a_signed_batch_is_taken_in_time_only(core: Parts, api: Api) -> None:
    key = "k" * 32
    settings = msgspec.structs.replace(core.settings.accounting, webhook_key=key)
    core = with_accounting(core, settings)
    body = lines(record())
    now = int(time.time())

    def signed(at: int, with_key: str = key, of: bytes = body) -> dict[str, str]:
        right = hmac.new(with_key.encode(), f"{at}.".encode() + of, hashlib.sha256).hexdigest()
        return {"X-Sendgate-Timestamp": str(at), "X-Sendgate-Signature": f"sha256={right}"}

    async with api_of(core) as opened:

        async def status(headers: dict[str, str]) -> int:
            async with opened.session.post(opened.url + PATH, data=body, headers=headers) as got:
                return got.status

        assert await status(signed(now)) == 200
        # 300 s to either side; a machine that stands still for ten is none of this test's matters.
        assert await status(signed(int(time.time()) - 290)) == 200
        assert await status(signed(int(time.time()) - 302)) == 401
        assert await status(signed(int(time.time()) + 312)) == 401
        assert await status(signed(now, "other")) == 401
        assert await status(signed(now, of=b"other")) == 401
        assert await status({"X-Sendgate-Signature": "sha256=é"}) == 401
        # Without a key nothing is signed.
    assert (await api("GET", "/api/v2/accounting/inbox"))[1]["waiting"] == 2
    async with api.session.post(api.url + PATH, data=body, headers=signed(now)) as got:
        assert got.status == 401


def with_accounting(core: Parts, accounting: Any) -> Parts:
    settings = msgspec.structs.replace(core.settings, accounting=accounting)
    return dataclasses.replace(core, settings=settings)


async def test_a_full_inbox_says_when_to_come_again(core: Parts, api: Api) -> None:
    await core.pool.execute(
        "INSERT INTO accounting_batch (came, origin, server, who, size, body) "
        "VALUES (0, 'webhook', '', '', $1, '')",
        core.settings.accounting.inbox,
    )
    headers = {"Authorization": f"Bearer {'sgt_' + 't' * 40}"}
    async with api.session.post(api.url + PATH, data=lines(record()), headers=headers) as got:
        assert got.status == 503
        assert int(got.headers["Retry-After"]) > 0


@pytest.mark.usefixtures("working")
async def test_a_batch_that_fails_again_and_again_holds_up_no_other(core: Parts, api: Api) -> None:
    await core.pool.execute(
        "INSERT INTO accounting_batch (came, origin, server, who, size, body) "
        "VALUES (0, 'webhook', '', '', 1, '\\x1f8b00')"
    )
    assert (await send(api, lines(record())))[0] == 200
    async with asyncio.timeout(20):
        while (state := await core.intake.inbox.state()).waiting > state.stuck or not state.stuck:
            await asyncio.sleep(0.01)
    assert await kinds(core) == {"d": (1, 0)}
    row = await core.pool.fetchrow("SELECT tries, trouble FROM accounting_batch")
    assert row["tries"] == TRIES
    assert "InflatedError" in row["trouble"]
    _, page = await api("GET", "/api/v2/status")
    assert "1 posted batch could not be taken in, and nothing in them counts" in [
        trouble["what"] for trouble in page["troubles"]
    ]
    text = (await api("GET", "/metrics"))[1]
    assert "sendgate_accounting_inbox_given_up 1.0" in text
    assert "sendgate_accounting_inbox_age_seconds 0.0" in text, "it is not tried: it is not late"
    # After a mend it is tried again by the command that `accounting inbox` names.
    await core.pool.execute("UPDATE accounting_batch SET body = $1", lines(record("b")))
    assert (await api("POST", "/api/v2/accounting/rejected/again", {}))[0] == 200
    await taken(core)
    assert await kinds(core) == {"d": (1, 0), "b": (1, 0)}
