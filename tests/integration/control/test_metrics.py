"""Control's /metrics, through HTTP: the real ledger's state, and Prometheus' own reader."""

import dataclasses
import socket

import aiohttp
import aiohttp.web
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from control.app import runner_of
from control.parts import Parts
from tests.support.control.core import TOKEN, Api


async def look(api: Api) -> dict[str, float]:
    status, text = await api("GET", "/metrics")
    assert status == 200
    families = text_string_to_metric_families(str(text))
    return {sample.name: sample.value for family in families for sample in family.samples}


async def test_a_lost_ledger_is_not_open_and_a_token_is_needed(api: Api, core: Parts) -> None:
    assert (await api("GET", "/metrics", token=""))[0] == 401
    found = await look(api)
    assert found["sendgate_ledger_open"] == 1
    assert found["sendgate_ledger_closed_ips"] == 0
    assert found["sendgate_published_generation"] >= 1
    assert found["sendgate_workers"] == 0
    await core.admin.client.flushdb()
    assert (await look(api))["sendgate_ledger_open"] == 0


class Peers:
    """A control plane that knows some networks, and who asks it."""

    def __init__(self, core: Parts, *networks: str) -> None:
        control = msgspec.structs.replace(core.settings.control, metrics_networks=networks)
        settings = msgspec.structs.replace(core.settings, control=control)
        self._core = dataclasses.replace(core, settings=settings)

    async def asks(
        self, host: str, path: str = "/metrics", *, dual: bool = False, **headers: str
    ) -> int:
        """The status that `host` gets; `dual`: of a listener that names IPv4 nodes in IPv6."""
        family = socket.AF_INET6 if dual else socket.AF_INET
        listen = "::" if dual else "127.0.0.1"
        door = socket.create_server((listen, 0), family=family, dualstack_ipv6=dual)
        runner = runner_of(self._core)
        await runner.setup()
        try:
            await aiohttp.web.SockSite(runner, door).start()
            port = runner.addresses[0][1]
            source = aiohttp.TCPConnector(local_addr=(host, 0))
            named = f"[{host}]" if ":" in host else "127.0.0.1"
            async with (
                aiohttp.ClientSession(connector=source, headers=headers) as session,
                session.get(f"http://{named}:{port}{path}") as response,
            ):
                await response.read()
                return response.status
        finally:
            await runner.cleanup()


async def test_a_network_reads_metrics_without_a_token_and_nothing_else(core: Parts) -> None:
    peers = Peers(core, "127.0.0.8/29")
    assert await peers.asks("127.0.0.9") == 200
    assert await peers.asks("127.0.0.1") == 401
    assert await peers.asks("127.0.0.9", "/api/v2/tenants") == 401
    assert await Peers(core).asks("127.0.0.9") == 401, "none is let in by default"
    # One that is given is looked at.
    assert await peers.asks("127.0.0.9", Authorization="Bearer wrong") == 401
    assert await peers.asks("127.0.0.1", Authorization=f"Bearer {TOKEN}") == 200


async def test_an_ipv4_peer_of_an_ipv6_listener_is_in_ipv4_networks(core: Parts) -> None:
    for network in ("127.0.0.8/29", "::ffff:127.0.0.8/125"):
        peers = Peers(core, network)
        assert await peers.asks("127.0.0.9", dual=True) == 200, network
        assert await peers.asks("127.0.0.1", dual=True) == 401, network
    assert await Peers(core, "::1/128").asks("::1", dual=True) == 200
    assert await Peers(core, "::/0").asks("127.0.0.9", dual=True) == 401, "it is an IPv4 node"


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
async def test_no_header_makes_a_peer_another_one(core: Parts, header: str) -> None:
    """Behind a proxy the proxy is who connects."""
    value = "for=127.0.0.9" if header == "Forwarded" else "127.0.0.9"
    assert await Peers(core, "127.0.0.9/32").asks("127.0.0.1", **{header: value}) == 401
    assert await Peers(core, "127.0.0.1/32").asks("127.0.0.1", **{header: value}) == 200


async def test_ips_are_counted_by_the_names_that_dashboards_have(api: Api) -> None:
    new = {"name": "acme", "login": "acme", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    source = {"tenant": "acme", "domain": "acme.test", "ip": "192.0.2.10"}
    assert (await api("POST", "/api/v2/domains", source))[0] == 201
    _, text = await api("GET", "/metrics")
    lines = str(text).splitlines()
    for line in (
        'email_engine_ips_total{status="warming"} 1.0',
        'email_engine_ips_total{status="paused"} 0.0',
        'email_engine_warmup_quota{ip="192.0.2.10"} 50.0',
        'email_engine_warmup_sent{ip="192.0.2.10"} 0.0',
        'email_engine_queue_size{queue="default"} 0.0',
        'email_engine_queue_size{queue="hold"} 0.0',
        'email_engine_health_check{service="postgresql"} 1.0',
        'email_engine_health_check{service="valkey"} 1.0',
        'email_engine_health_check{service="gateway"} 0.0',
    ):
        assert line in lines, line
    assert "# TYPE email_engine_ips_total gauge" in lines
