"""Outcomes that nobody read, and addresses that are to be forgotten while theirs are on the way."""

import asyncio
from typing import Any

import msgspec
import pytest

from control.messages.loss import Reading, loss
from control.messages.sweep import sweep
from control.parts import Parts
from gateway.ledger import outcomes
from policy.ledger.bulletin import OUTCOMES
from policy.limits import DAY
from settings.log import Log
from tests.support.control.core import Api, api_of
from tests.support.control.outcomes import count, found, read_all, reader, tell

ACME = {"name": "acme", "login": "acme-smtp", "password": "correct horse"}
ANNA = "anna@gmail.com"


async def told(core: Parts, *names: str) -> None:
    """Each in an entry of its own."""
    for name in names:
        await tell(core, {"message": name, "recipients": [ANNA, "b@dest.test"]})


async def lost(core: Parts) -> int:
    return (await loss(core.pool, core.admin.name)).recipients


async def test_what_is_trimmed_before_it_is_read_is_counted_and_said(
    api: Api, core: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    await told(core, "m1", "m2")
    await read_all(core)
    assert await lost(core) == 0
    monkeypatch.setattr(outcomes, "STREAM", 100)
    await told(core, *[f"n{n}" for n in range(350)])
    left = await core.admin.client.xlen(f"{core.admin.root}{OUTCOMES}")
    assert left < 350
    await read_all(core)
    assert await lost(core) == 2 * (352 - left) - 4
    assert await count(core) + await lost(core) == 2 * 352
    await told(core, "m3")
    await read_all(core)
    assert await count(core) + await lost(core) == 2 * 353, "what is read is not lost twice"
    status, page = await api("GET", "/api/v2/status")
    assert (status, page["outcomes_lost"]) == (200, await lost(core))  # type: ignore[index]
    wrong = [t["what"] for t in page["troubles"]]  # type: ignore[index]
    assert any("are missing in the list of messages" in what for what in wrong)
    status, text = await api("GET", "/metrics")
    assert f'sendgate_outcomes_lost{{ledger="main"}} {float(await lost(core))}' in str(text)
    await core.pool.execute("UPDATE outcome_position SET lost_at = lost_at - $1", DAY + 1)
    _, page = await api("GET", "/api/v2/status")
    wrong = [t["what"] for t in page["troubles"]]  # type: ignore[index]
    assert not any("are missing in the list" in what for what in wrong)


def test_only_what_was_told_and_not_read_by_the_end_is_lost() -> None:
    new = Reading(None, 0)
    begun, none = new.after(5, 1_000, end=True)
    assert (begun, none) == (Reading(1_000, 0), 0), "what was before anybody looked is not ours"
    behind, none = begun.after(64, 1_300, end=False)
    assert (behind, none) == (Reading(1_000, 64), 0)
    assert behind.after(36, 1_300, end=True) == (Reading(1_300, 0), 200)
    assert behind.after(300, 1_300, end=True) == (Reading(1_300, 0), 0), (
        "gateways that do not count"
    )
    assert behind.after(3, 3, end=True) == (Reading(3, 0), 0), "the ledger lost its data"


async def forget(api: Api, **body: str) -> Any:
    status, answer = await api("POST", "/api/v2/hold/forget", {"recipient": ANNA, **body})
    assert status == 202, answer
    return answer


async def test_a_forgotten_address_is_not_learned_from_what_was_on_the_way(
    api: Api, core: Parts
) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    await tell(core, {"why": f"550 {ANNA} is unknown"}, {"tenant": "globex"})
    await tell(core, {"message": "other", "recipients": ["b@dest.test"]})
    await forget(api)
    await read_all(core)
    text = await core.pool.fetchval("SELECT string_agg(o::text, ' ') FROM outcome o")
    assert "anna" not in text
    assert "b@dest.test" in text
    assert "anna" not in str(await core.pool.fetch("SELECT * FROM outcome_forgotten"))
    await tell(core, {"message": "new"}, days_ago=-1)
    await read_all(core)
    (row,) = (await found(api, to=ANNA))["messages"]
    assert row["message"] == "new", "what comes later is known again"
    await sweep(core.pool, await core.calendar(), 30 * 86_400.0)
    assert await core.pool.fetchval("SELECT count(*) FROM outcome_forgotten") > 0
    await core.pool.execute("UPDATE outcome_forgotten SET asked = asked - $1", DAY + 1)
    await sweep(core.pool, await core.calendar(), 30 * 86_400.0)
    assert await core.pool.fetchval("SELECT count(*) FROM outcome_forgotten") == 0


async def test_one_tenants_forgetting_leaves_the_others_alone(api: Api, core: Parts) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    await tell(core, {"message": "m1"}, {"message": "m2", "tenant": "globex"})
    await forget(api, tenant="acme")
    await read_all(core)
    assert [m["message"] for m in (await found(api, to=ANNA))["messages"]] == ["m2"]


async def test_forgetting_waits_for_what_is_being_read(api: Api, core: Parts) -> None:
    """The reader's rows are not there yet, and it has looked for what is forgotten already."""
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    # Else the day's table is made by this reading, and whoever forgets waits for that.
    await tell(core, {"message": "earlier", "recipients": ["b@dest.test"]})
    await read_all(core)
    await tell(core, {})
    await core.pool.execute(
        "CREATE FUNCTION stand() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END';"
        "CREATE TRIGGER stand BEFORE UPDATE OF last ON outcome_position "
        "FOR EACH ROW EXECUTE FUNCTION stand()"
    )

    async def wait(number: int, task: "asyncio.Task[Any]") -> None:
        """Until so many wait for a lock, or `task` is done."""
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        async with asyncio.timeout(20):
            while await core.pool.fetchval(waiting) < number and not task.done():
                await asyncio.sleep(0.01)

    async with core.pool.acquire() as other:
        await other.execute("SELECT pg_advisory_lock(1)")
        reading = asyncio.create_task(reader(core).step())
        await wait(1, reading)
        forgetting = asyncio.create_task(forget(api))
        await wait(2, forgetting)
        await other.execute("SELECT pg_advisory_unlock(1)")
        await asyncio.gather(reading, forgetting)
    assert await count(core) == 2
    assert (await found(api, to=ANNA))["messages"] == []


async def test_digests_of_random_keys_are_told_by_who_cannot_find_them(core: Parts) -> None:
    settings = msgspec.structs.replace(core.settings, log=Log(addresses="hashed"))
    changed = Parts(
        **{f: getattr(core, f) for f in core.__dataclass_fields__} | {"settings": settings}
    )
    async with api_of(changed) as api:
        assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
        status, answer = await api("GET", f"/api/v2/messages?to={ANNA}")
        assert (status, answer["errors"][0]["field"]) == (400, "to")  # type: ignore[index]
        assert "log.key" in answer["errors"][0]["detail"]  # type: ignore[index]
        assert any("log.key" in note for note in (await forget(api))["notes"])
