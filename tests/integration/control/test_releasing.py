"""A server whose agent is gone for good is waited for no more, when somebody says so."""

import pytest

from control.parts import Parts
from tests.support.control.core import TOKEN, Api, Command
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
)

__all__ = ["api", "core", "host", "settings", "token"]


@pytest.fixture
def command(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    return Command(api, capsys)


async def test_an_agent_that_is_gone_is_waited_for_no_more(
    api: Api, core: Parts, host: Host, command: Command
) -> None:
    assert (await add(api, "192.0.2.10", "example.com"))[0] == 201
    await until_right(api)
    said = await command("server", "release", "pmta1", code=1)
    assert "take `configuration` out of its agent.toml or stop it" in said
    await host.stop()
    await core.pool.execute("UPDATE pmta_agent SET heard = heard - 1000000")
    troubles = (await standing(api))["troubles"]
    assert "its second wall stays where it is" in str(troubles)
    assert (await add(api, "192.0.2.11", "two.example"))[0] == 503
    said = await command("server", "release", "pmta1", "--dry-run")
    assert "server pmta1 released from its agent: would be done" in said
    assert (await add(api, "192.0.2.11", "two.example"))[0] == 503
    said = await command("server", "release", "pmta1", "--reason", "moved house")
    assert "`sendgate pmta config --server pmta1`" in said
    assert (await add(api, "192.0.2.11", "two.example"))[0] == 201
    assert "no agent asks" in await command("pmta", "status")
    assert "does not exist" in await command("server", "release", "pmta1", code=1)
    row = await core.pool.fetchrow("SELECT * FROM audit_log WHERE action = 'pmta.release'")
    assert (row["subject"], row["reason"], row["before"]["agent"]) == (
        "pmta1",
        "moved house",
        "host1",
    )
    # An agent that asks again is one again, and is offered what the plan says.
    assert await host.fetch() is None
    await core.publisher.reconcile()
    host.start()
    await until_right(api)


async def test_the_last_ip_of_a_pool_says_what_will_be_held(api: Api, command: Command) -> None:
    for ip in ("192.0.2.10", "192.0.2.11"):
        assert (await add(api, ip, "example.com"))[0] == 201
    assert "no other IP" not in await command("ip", "retire", "192.0.2.10", "--dry-run")
    assert "no other IP" not in await command("ip", "retire", "192.0.2.10")
    for more in (["--dry-run"], []):
        said = await command("ip", "retire", "192.0.2.11", *more)
        assert "pool acme has no other IP that sends: its mail is held until it has one" in said
        assert "(0 messages wait now)" in said
