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
