"""Two who read the same thing and both change it at once: one is told that the other was first."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from control.parts import Parts
from control.tenants.leaving import Leaving
from tests.integration.control.test_conditions import MAILBOX, OWN, POOL, ask, stocked, tag_of
from tests.support.control.core import Api, Command, api_of

__all__ = ["stocked"]

TENANT = "/api/v2/tenants/acme"

CHANGES: dict[str, tuple[str, str, Callable[[int], Any]]] = {
    "tenant": ("PATCH", TENANT, lambda n: {"mailbox_spacing": n}),
    "ip": ("PATCH", "/api/v2/ips/192.0.2.10", lambda n: {"weight": 1 + n}),
    "pool": ("PATCH", POOL, lambda n: {"per_minute": n}),
    "mailbox": ("PUT", MAILBOX, lambda n: {"daily_max": 5 + n}),
    "own lines": ("PUT", OWN, lambda n: {"lines": f"max-smtp-out {n}"}),
    "user": ("PATCH", "/api/v2/users/anna", lambda n: {"mail": f"a{n}@example.com"}),
    "token": ("PATCH", "/api/v2/tokens/panel", lambda n: {"networks": [f"192.0.2.{n}/32"]}),
    "networks": ("POST", f"{TENANT}/networks", lambda n: {"network": f"198.51.100.{n}/32"}),
    "suppression": ("DELETE", "/api/v2/suppressions?address=anna@gmail.com", lambda _: None),
    "sending": ("POST", "/api/warmup/control", lambda n: {"action": "stop", "reason": f"no {n}"}),
}
ONCE = {"suppression", "sending"}
"""What there is one change of."""


@pytest.mark.parametrize("thing", CHANGES)
async def test_of_those_who_saw_the_same_one_changes_it(stocked: Api, thing: str) -> None:
    method, path, body = CHANGES[thing]
    for turn in range(1 if thing in ONCE else 4):
        seen = await tag_of(stocked, path)
        answers = await asyncio.gather(
            *(ask(stocked, method, path, body(3 * turn + n), If_Match=seen) for n in (1, 2, 3))
        )
        now = await tag_of(stocked, path)
        lost = [answer for answer in answers if answer.status >= 300]
        assert [answer.status for answer in lost] == [412, 412], answers
        assert {answer.tag for answer in lost} == {now} != {seen}


async def test_a_tenant_that_is_changed_while_it_leaves_stays(stocked: Api, core: Parts) -> None:
    assert (await ask(stocked, "DELETE", "/api/v2/domains/example.com?force=1")).status == 200
    ip = "/api/v2/ips/192.0.2.10"
    assert (await ask(stocked, "PATCH", ip, {"state": "retire"})).status == 200
    assert (await ask(stocked, "DELETE", f"{ip}?force=1")).status == 200
    assert (await ask(stocked, "POST", f"{TENANT}/pause")).status == 200
    others: list[dict[str, Any]] = [{"mailbox_spacing": 5}]

    async def workers() -> dict[str, int]:
        """Asked between its two steps."""
        if others:
            assert (await ask(stocked, "PATCH", TENANT, others.pop())).status == 200
        return {}

    leaving = Leaving(core.pool, core.publisher, core.charged, workers, answered=0.0)
    async with api_of(replace(core, leaving=leaving)) as api:
        tag = await tag_of(api, TENANT)
        found = await ask(api, "DELETE", TENANT, If_Match=tag)
        assert found.status == 412, found
        now = await ask(api, "GET", TENANT)
        assert (now.tag, now.body["leaving"], now.body["mailbox_spacing"]) == (found.tag, False, 5)
        assert (await ask(api, "DELETE", TENANT, If_Match=tag)).status == 412
        assert (await ask(api, "DELETE", TENANT, If_Match=now.tag)).status == 200
        assert (await ask(api, "GET", TENANT)).status == 404


async def test_the_command_writes_over_nothing_that_came_since_it_read(
    stocked: Api, command: Command, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lines"
    file.write_text("max-smtp-out 5\n", encoding="utf-8")
    await command("pmta", "own", "set", "vmta-192-0-2-10", str(file))
    assert (await ask(stocked, "GET", OWN)).body["lines"] == "max-smtp-out 5\n"
    monkeypatch.setattr("control.terminal.client.Client.tag", lambda *_: '"other"')
    said = await command("pmta", "own", "remove", "vmta-192-0-2-10", code=1)
    assert "not as it was" in said
    assert (await ask(stocked, "GET", OWN)).body["lines"] == "max-smtp-out 5\n"
