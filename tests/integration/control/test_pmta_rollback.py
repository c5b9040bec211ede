"""A rollback of PowerMTA's configuration holds until somebody applies what the plan says."""

import asyncio
import os
import subprocess
import sys
from typing import Any

import pytest

from control.parts import Parts
from tests.support.control.core import TOKEN, Api
from tests.support.control.pmtahost import Host
from tests.support.control.pmtaservers import (
    add,
    api,
    core,
    host,
    settings,
    standing,
    token,
    until_right,
    versions,
)

__all__ = ["api", "core", "host", "settings", "token"]

PATH = "/api/v2/powermta"
X, Y = "vmta-192-0-2-10", "vmta-192-0-2-11"


@pytest.fixture
async def held(api: Api, host: Host) -> int:
    """pmta1 is put back to the version before a quota was raised."""
    assert (await add(api, "192.0.2.10", "example.com"))[0] == 201
    await until_right(api)
    old = (await versions(api))[0]["version"]
    assert (await quota(api, 6))[0] == 200
    await until_right(api)
    status, brought = await api("POST", f"{PATH}/rollback", body(old))
    assert status == 200, brought
    return int(old)


def body(version: int) -> dict[str, Any]:
    return {"server": "pmta1", "version": version, "reason": "wall is wrong"}


async def quota(api: Api, number: int, *, dry: bool = False) -> tuple[int, Any]:
    path = "/api/v2/ips/192.0.2.10" + ("?dry_run=true" if dry else "")
    return await api("PATCH", path, {"quota": number})


def wall(host: Host) -> str:
    assert host.running is not None
    text = host.running.files["tenant-acme.conf"]
    return next(line.split()[1] for line in text.splitlines() if "max-smtp-msg-rate" in line)


async def test_a_quota_waits_behind_it_and_says_so(
    api: Api, core: Parts, host: Host, held: int
) -> None:
    offers, now = len(host.offers), wall(host)
    _, answer = await quota(api, 7, dry=True)
    assert f"pmta1 keeps version {held}: it was put back" in str(answer["notes"])
    status, answer = await quota(api, 7)
    assert status == 200
    assert "this change waits there until `sendgate pmta apply`" in str(answer["notes"])
    assert await core.publisher.reconcile() is None
    plan = await core.publisher.current()
    assert plan is not None
    assert [v.daily for v in plan.vmtas] == [7], "gateways go by it at once"
    one = await standing(api)
    assert (one["desired"], one["running"], one["settled"], one["right"]) == (
        held,
        held,
        True,
        False,
    )
    assert any(
        "(wall is wrong); what changes waits there until `sendgate pmta apply`" in text
        for text in one["troubles"]
    )
    assert (len(host.offers), wall(host)) == (offers, now)
    assert (await api("POST", f"{PATH}/apply", {}))[0] == 200
    await until_right(api)
    assert wall(host) != now


async def test_what_needs_a_virtualmta_that_it_lacks_is_refused(
    api: Api, core: Parts, host: Host, held: int
) -> None:
    for dry in ("?dry_run=true", ""):
        new = {"tenant": "acme", "domain": "example.com", "ip": "192.0.2.11", "quota": 5}
        status, answer = await api("POST", f"/api/v2/domains{dry}", new)
        assert status == 409, answer
        assert f"pmta1 lacks VirtualMTA {Y}" in answer["detail"]
        assert "`sendgate pmta apply` ends that" in answer["detail"]
    plan = await core.publisher.current()
    assert plan is not None
    assert [v.name for v in plan.vmtas] == [X]
    assert (await standing(api))["running"] == held
    assert (await api("POST", f"{PATH}/apply", {}))[0] == 200
    assert (await add(api, "192.0.2.11", "example.com"))[0] == 201
    assert host.running is not None
    assert Y in host.running.known


async def test_a_key_that_waits_is_named(api: Api, host: Host, held: int) -> None:
    status, answer = await add(api, "192.0.2.10", "two.example", quota=None)
    assert status == 201, answer
    assert "it does not know the key of two.example" in str(answer["notes"])
    assert host.running is not None
    assert not any("two.example" in name for name in host.running.keys)


async def test_an_ip_that_comes_again_waits_for_powermtas_word(
    api: Api, core: Parts, host: Host
) -> None:
    for ip in ("192.0.2.10", "192.0.2.11"):
        assert (await add(api, ip, "acme.example"))[0] == 201
    await until_right(api)
    old = (await versions(api))[0]["version"]
    assert (await api("PATCH", "/api/v2/ips/192.0.2.11", {"state": "retire"}))[0] == 200
    assert (await api("DELETE", "/api/v2/ips/192.0.2.11"))[0] == 200
    await until_right(api)
    assert (await api("POST", f"{PATH}/rollback", body(old)))[0] == 200
    assert host.running is not None
    assert Y in host.running.known
    await host.stop()
    await host.say(state="changed", drift=["a.conf was changed by hand"], digest="x")
    status, answer = await add(api, "192.0.2.11", "acme.example")
    assert (status, "was not heard to run version" in answer["detail"]) == (503, True)
    assert (await quota(api, 4))[0] == 200, "a quota goes down whatever PowerMTA says"
    await host.say()
    assert (await add(api, "192.0.2.11", "acme.example"))[0] == 201
    assert (await standing(api))["desired"] == old


async def test_a_version_that_is_not_taken_leaves_the_rollback(
    api: Api, core: Parts, host: Host, held: int
) -> None:
    host.problem = ("test", "no")
    assert (await api("POST", f"{PATH}/apply", {}))[0] == 409
    one = await standing(api)
    assert one["desired"] == held
    assert any("was put back" in text and "was not taken" in text for text in one["troubles"])
    host.problem = None
    assert (await quota(api, 7))[0] == 200
    assert (await standing(api))["desired"] == held


async def test_another_rollback_takes_its_place_and_apply_ends_one_to_what_the_plan_says(
    api: Api, core: Parts, host: Host, held: int
) -> None:
    assert (await api("POST", f"{PATH}/rollback", body(held + 1)))[0] == 200
    assert (await quota(api, 7))[0] == 200
    assert (await standing(api))["running"] == held + 1
    assert (await quota(api, 6))[0] == 200
    assert not (await standing(api))["right"], "it holds what the plan says, and would not follow"
    status, brought = await api("POST", f"{PATH}/apply", {})
    assert status == 200
    assert "this ends a rollback: pmta1 was put back" in str(brought["notes"])
    await until_right(api)
    assert (await quota(api, 7))[0] == 200
    await until_right(api)
    released = await core.pool.fetch(
        "SELECT after FROM audit_log WHERE action = 'pmta.apply' AND after::text LIKE '%held%'"
    )
    assert len(released) == 1


async def test_a_reader_that_has_what_it_wanted_is_no_trouble(
    api: Api, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sendgate … | head`."""
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    line = "import sys; from control.cli.main import main; sys.exit(main())"
    for words in (["pmta", "config", "--server", "pmta1"], ["pmta", "versions"], ["--help"]):
        reading, writing = os.pipe()
        os.close(reading)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", line, "--url", api.url, *words),
            stdout=writing,
            stderr=subprocess.PIPE,
        )
        os.close(writing)
        _, said = await process.communicate()
        assert said == b"", said.decode()
