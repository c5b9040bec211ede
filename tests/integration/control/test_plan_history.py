"""Plans that were published: which, when, by whom, why, and what each changed."""

from typing import Any

import pytest

from control.parts import Parts
from tests.support.control.core import TOKEN, Api, Command

ACME = {"name": "acme", "login": "acme", "password": "correct horse"}
DOMAIN = {"tenant": "acme", "domain": "mail1.acme.example", "ip": "192.0.2.10", "quota": 50}


async def get(api: Api, path: str) -> Any:
    status, answer = await api("GET", path)
    assert status == 200, answer
    return answer


async def test_each_plan_says_who_made_it_why_and_what_it_changed(
    api: Api, core: Parts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await core.admin.number()
    await api("POST", "/api/v2/tenants", ACME)
    await api("POST", "/api/v2/domains", DOMAIN)
    change = {"weight": 2, "reason": "it is the better one"}
    assert (await api("PATCH", "/api/v2/ips/192.0.2.10", change))[0] == 200
    assert (await api("POST", "/api/v2/generation"))[0] == 200
    number = await core.admin.number()
    page = await get(api, "/api/v2/plans")
    assert [p["number"] for p in page["plans"]] == list(range(number, 0, -1))
    assert page["before"] is None
    acts = [[(a["action"], a["subject"], a["reason"]) for a in p["acts"]] for p in page["plans"]]
    assert acts[1] == [("ip.set", "192.0.2.10", "it is the better one")]
    assert acts[3] == [("tenant.add", "acme", "")]
    assert {p["who"] for p in page["plans"]} == {"test"}
    part = await get(api, "/api/v2/plans?limit=2")
    assert (len(part["plans"]), part["before"]) == (2, number - 1)
    part = await get(api, f"/api/v2/plans?limit=2&before={part['before']}")
    assert [p["number"] for p in part["plans"]] == [number - 2, number - 3]

    added = await get(api, f"/api/v2/plans/{first + 2}")
    assert added["against"] == first + 1
    assert "1 VirtualMTA (vmta-192-0-2-10) added" in added["changes"]
    assert "1 domain (acme/mail1.acme.example) added" in added["changes"]
    assert added["counts"]["VirtualMTA"] == {"total": 1, "added": 1, "changed": 0, "removed": 0}
    assert added["counts"]["tenant"] == {"total": 1, "added": 0, "changed": 0, "removed": 0}
    changed = await get(api, f"/api/v2/plans/{first + 3}")
    assert changed["changes"] == ["1 VirtualMTA (vmta-192-0-2-10) changed"]
    again = await get(api, f"/api/v2/plans/{number}")
    assert again["changes"] == ["nothing but its number and its time"]
    oldest = await get(api, f"/api/v2/plans/{page['plans'][-1]['number']}")
    assert oldest["against"] is None
    assert (await api("GET", "/api/v2/plans/999"))[0] == 404
    # Any two, in either direction.
    far = await get(api, f"/api/v2/plans/{number}?against={first}")
    assert (far["against"], far["counts"]["tenant"]["added"]) == (first, 1)
    back = await get(api, f"/api/v2/plans/{first}?against={number}")
    assert "1 domain (acme/mail1.acme.example) removed" in back["changes"]
    status, gone = await api("GET", f"/api/v2/plans/{number}?against=999")
    assert (status, gone["detail"][:8]) == (404, "plan 999")  # type: ignore[index]
    assert (await api("GET", "/api/v2/plans/x"))[1]["errors"][0]["field"] == "plan"  # type: ignore[index]

    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    sendgate = Command(api, capsys)
    said = await sendgate("plan", "show", str(first + 3))
    assert "for ip.set 192.0.2.10: it is the better one" in said
    far = await sendgate("plan", "show", str(number), "--against", str(first))
    assert f"what it changed against plan {first}:" in far
    assert "1 VirtualMTA (vmta-192-0-2-10) changed" in said
    assert f"more: --before {number - 1}" in await sendgate("plan", "list", "--limit", "2")
    assert "does not exist" in await sendgate("plan", "show", "999", code=1)


async def test_a_plan_of_another_version_says_that_it_cannot_be_read(api: Api, core: Parts) -> None:
    await api("POST", "/api/v2/tenants", ACME)
    number = await core.admin.number()
    await core.pool.execute("UPDATE generation SET encoded = 'x' WHERE number = $1", number)
    found = await get(api, f"/api/v2/plans/{number}")
    assert found["changes"] == ["another version made it: what it changed cannot be read"]
    assert found["counts"] == {}


async def test_addresses_of_mailboxes_are_counted_and_not_listed(api: Api, core: Parts) -> None:
    await api("POST", "/api/v2/tenants", ACME)
    path = "/api/v2/tenants/acme/mailboxes/anna@acme.example"
    assert (await api("PUT", path, {"spacing": 1}))[0] == 200
    found = await get(api, f"/api/v2/plans/{await core.admin.number()}")
    assert found["changes"] == ["1 of mailbox added"]
