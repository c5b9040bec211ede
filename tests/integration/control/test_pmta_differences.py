"""What changes at PowerMTA when an operator, or warm-up, changes something: no more than that."""

from typing import Any

import pytest

from control.parts import Parts
from tests.support.control.core import Api
from tests.support.control.pmtahost import Host
from tests.support.control.pmtaservers import (
    add,
    api,
    core,
    host,
    settings,
    token,
    until_right,
    versions,
)

__all__ = ["api", "core", "host", "settings", "token"]

IP = "/api/v2/ips/192.0.2.10"


@pytest.fixture
async def warming(api: Api, host: Host) -> Host:
    """Two IPs, the first one on the warm-up plan."""
    assert (await add(api, "192.0.2.10", "acme.example", quota="plan"))[0] == 201
    assert (await add(api, "192.0.2.11", "acme.example"))[0] == 201
    await until_right(api)
    return host


async def newest(api: Api) -> int:
    return int((await versions(api))[0]["version"])


async def changed(api: Api, before: int) -> dict[str, list[str]]:
    """File to the lines that went and came since a version."""
    await until_right(api)
    query = f"server=pmta1&from={before}&to=running"
    status, found = await api("GET", f"/api/v2/powermta/diff?{query}")
    assert status == 200, found
    shown: Any = found
    return {
        file: [
            line
            for line in text.splitlines()
            if line[:1] in ("+", "-") and not line.startswith(("+++", "---"))
        ]
        for file, text in shown["files"].items()
    }


async def by_hand(api: Api, action: str, **more: Any) -> None:
    body = {"action": action, "reason": "because", **more}
    status, answer = await api("POST", "/api/v2/warmup/ips/192.0.2.10", body)
    assert status == 200, answer


async def test_a_domain_brings_its_key_and_nothing_else(api: Api, warming: Host) -> None:
    before = await newest(api)
    assert (await add(api, "192.0.2.10", "more.example", quota=None))[0] == 201
    found = await changed(api, before)
    assert list(found) == ["tenant-acme.conf"]
    assert len(found["tenant-acme.conf"]) == 2, "it may leave by both IPs"
    for line in found["tenant-acme.conf"]:
        assert line.startswith("+    domain-key ")
        assert ",more.example,{keys}/more.example." in line
    assert any(name.startswith("more.example.") for name in warming.running.keys)  # type: ignore[union-attr]


async def test_a_provider_one_stage_back_lowers_its_wall_alone(api: Api, warming: Host) -> None:
    await by_hand(api, "advance")
    await until_right(api)
    before = await newest(api)
    await by_hand(api, "resume", provider="gmail", stage=1)
    found = await changed(api, before)
    assert list(found) == ["tenant-acme.conf"]
    gone, come = found["tenant-acme.conf"]
    assert gone.startswith("-        max-msg-rate ")
    assert come.startswith("+        max-msg-rate ")
    ceilings = [int(line.split()[-1].removesuffix("/d")) for line in (gone, come)]
    assert ceilings[0] == 4 * ceilings[1], "200 and 50 a day: the same share of each"


async def test_an_ip_that_leaves_stays_at_powermta_until_it_is_removed(
    api: Api, core: Parts, warming: Host
) -> None:
    before = await newest(api)
    assert (await api("PATCH", IP, {"state": "retire"}))[0] == 200
    assert await changed(api, before) == {}
    assert (await api("DELETE", IP))[0] == 200
    found = await changed(api, before)
    assert list(found) == ["tenant-acme.conf"]
    lines = found["tenant-acme.conf"]
    assert "-<virtual-mta vmta-192-0-2-10>" in lines
    assert "-    virtual-mta vmta-192-0-2-10" in lines
    assert not any(line.startswith("+") and line != "+" for line in lines)
