"""What a worker counts, from its start on."""

from gateway.watch.metrics import REGISTRY
from policy.model import Pool
from policy.plan import Generation
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.worker import gateway, settings_for


def _value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def _plan(number: int, *names: str) -> Generation:
    pools = tuple(
        Pool(name=f"{name}-pool", tenant=name, members=(f"vmta-{place}",))
        for place, name in enumerate(names, 1)
    )
    vmtas = [vmta(place) for place, _ in enumerate(names, 1)]
    return generation(*vmtas, number=number, tenants=tuple(map(tenant, names)), pools=pools)


async def test_what_is_counted_by_tenant_is_there_before_its_first_message(valkey_url: str) -> None:
    async with gateway(settings_for(valkey_url), _plan(1, "newcomer")) as gate:
        for outcome in ("relayed", "deferred", "doubt"):
            assert _value("sendgate_messages_total", tenant="newcomer", outcome=outcome) == 0
        assert _value("sendgate_duplicates_total", tenant="newcomer") == 0
        assert _value("sendgate_duplicates_total", tenant="successor") is None
        await gate.publish(_plan(2, "newcomer", "successor"))
        assert _value("sendgate_duplicates_total", tenant="successor") == 0


async def test_log_lines_that_were_dropped_are_counted_once(valkey_url: str) -> None:
    async with gateway(settings_for(valkey_url), generation()) as gate:
        parts = gate.worker.parts
        parts.show()
        before = _value("sendgate_log_lines_dropped_total")
        assert before is not None
        parts.log.info("much", text="x" * 2_000_000)
        parts.log.info("more", text="x" * 2_000_000)
        parts.show()
        parts.show()
        assert _value("sendgate_log_lines_dropped_total") == before + 2
