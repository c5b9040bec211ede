"""An IP leaves in stages: it sends no more, its queue empties as the agent counts, then it goes.
Queued mail is never left to bounce."""

import asyncio
from typing import Any

import msgspec
import pytest

from control.parts import Parts
from control.pmta.offer import APPLIED, Applied
from policy.ledger_port import Reserve
from tests.support.control.core import Api
from tests.support.control.pmtahost import Host
from tests.support.control.pmtaservers import add, api, core, host, settings, token

__all__ = ["api", "core", "host", "settings", "token"]

IP, VMTA = "/api/v2/ips/192.0.2.10", "vmta-192-0-2-10"


@pytest.fixture
async def used(api: Api, core: Parts, host: Host) -> Host:
    """An IP that sent today, beside another."""
    assert (await add(api, "192.0.2.10", "acme.example", hourly_share=1.0))[0] == 201
    assert (await add(api, "192.0.2.11", "acme.example"))[0] == 201
    reserve = Reserve(tenant="acme", pool="acme", mailbox="", providers=(("gmail", 1),))
    await core.ledger.decide([reserve, reserve])
    return host


async def counted(host: Host, **queued: int) -> list[str]:
    """What the agent counts; which VirtualMTAs it is to count from now on."""
    assert host.running is not None
    said = Applied(
        agent="host1",
        server="pmta1",
        state="running",
        running=host.running.version,
        digest=host.running.digest,
        queued={name.replace("_", "-"): count for name, count in queued.items()},
    )
    status, answer = await host.api("POST", APPLIED, msgspec.to_builtins(said), token=host.token)
    assert status == 200
    asked: list[str] = answer["queues"]
    return asked


async def earlier(core: Parts, seconds: float) -> None:
    """The empty queue was first seen so much earlier."""
    moved = "UPDATE pmta_drained SET since = since - $1 RETURNING vmta"
    assert await core.pool.fetchval(moved, round(seconds * 1000)) == VMTA


async def removed(api: Api, force: str = "") -> tuple[int, str]:
    status, answer = await api("DELETE", f"{IP}?dry_run=1{force}")
    return status, str(answer.get("detail", "")) + str(answer.get("errors", ""))


async def test_an_ip_is_retired_drained_and_then_removed(api: Api, core: Parts, used: Host) -> None:
    assert await counted(used) == [], "what sends is not counted"
    assert (await api("PATCH", IP, {"state": "retire"}))[0] == 200
    assert await counted(used) == [VMTA]
    # Not counted yet: until PowerMTA gives up at the latest.
    status, why = await removed(api)
    assert (status, "may still have mail queued" in why) == (409, True), why
    # Queued: with the count, whatever is asked.
    await counted(used, vmta_192_0_2_10=7)
    for force in ("", "&force=1"):
        status, why = await removed(api, force)
        assert status == 409
        assert "7 recipients are queued at PowerMTA for VirtualMTA vmta-192-0-2-10" in why
    # Empty: not at once, for something may be on its way.
    await counted(used, vmta_192_0_2_10=0)
    status, why = await removed(api)
    assert (status, "may still have mail queued" in why) == (409, True), why
    await earlier(core, 599)
    assert (await removed(api))[0] == 409
    await earlier(core, 2)
    assert (await removed(api))[0] == 200
    status, answer = await api("DELETE", IP)
    assert status == 200, answer
    async with asyncio.timeout(10):
        while VMTA in used.running.known if used.running else True:
            await asyncio.sleep(0.02)
    assert await core.pool.fetchval("SELECT count(*) FROM pmta_drained") == 0


@pytest.mark.parametrize(
    "counts", [{"vmta_192_0_2_10": 1}, {}, {"vmta_192_0_2_11": 0}], ids=["full", "unknown", "other"]
)
async def test_it_begins_anew_when_a_count_says_otherwise_or_nothing(
    api: Api, core: Parts, used: Host, counts: dict[str, int]
) -> None:
    assert (await api("PATCH", IP, {"state": "retire"}))[0] == 200
    await counted(used, vmta_192_0_2_10=0)
    await earlier(core, 700)
    assert (await removed(api))[0] == 200
    await counted(used, **counts)
    assert (await removed(api))[0] == 409
    await counted(used, vmta_192_0_2_10=0)
    assert (await removed(api))[0] == 409


async def test_what_sent_again_meanwhile_is_not_known_to_be_empty(
    api: Api, core: Parts, used: Host
) -> None:
    assert (await api("PATCH", IP, {"state": "pause"}))[0] == 200
    await counted(used, vmta_192_0_2_10=0)
    await earlier(core, 700)
    assert (await api("PATCH", IP, {"state": "resume"}))[0] == 200
    assert (await api("PATCH", IP, {"state": "retire"}))[0] == 200
    assert (await removed(api))[0] == 409


async def test_an_agent_that_fell_silent_says_nothing_of_now(
    api: Api, core: Parts, used: Host
) -> None:
    assert (await api("PATCH", IP, {"state": "retire"}))[0] == 200
    await counted(used, vmta_192_0_2_10=0)
    await earlier(core, 700)
    await used.stop()
    silent = round(core.settings.control.pmta_agent_silent * 1000) + 1000
    await core.pool.execute("UPDATE pmta_agent SET heard = heard - $1", silent)
    assert (await removed(api))[0] == 409
    # Nor does its count stand in the way of an operator who looked.
    await core.pool.execute(
        "UPDATE pmta_agent SET body = jsonb_set(body, '{queued}', $1)", {VMTA: 7}
    )
    assert (await removed(api, "&force=1"))[0] == 200


async def test_counts_of_another_server_or_nobody_change_nothing(
    api: Api, core: Parts, used: Host
) -> None:
    assert (await api("PATCH", IP, {"state": "retire"}))[0] == 200
    await counted(used, vmta_192_0_2_10=0, nobody=0)
    rows: list[Any] = await core.pool.fetch("SELECT vmta FROM pmta_drained")
    assert [row["vmta"] for row in rows] == [VMTA]
