"""Control's /metrics, through HTTP: the real ledger's state, and Prometheus' own reader."""

from prometheus_client.parser import text_string_to_metric_families

from control.parts import Parts
from tests.support.control.core import Api


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
