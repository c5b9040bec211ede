"""Undoing an order for held mail, by the API, the command and the page."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from control.parts import Parts
from tests.support.control.browsing import Browser
from tests.support.control.core import Api, Command, api_of
from tests.support.control.people import joined
from tests.support.hold.held import hold

REQUESTS = "/api/v2/hold/requests"


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    async with api_of(core) as opened:
        for name in ("acme", "globex"):
            body = {"name": name, "login": f"{name}-smtp", "password": "correct horse"}
            assert (await opened("POST", "/api/v2/tenants", body))[0] == 201
        for name in ("one", "two"):
            await hold(core.pool, name)
        yield opened


async def dropped(api: Api, **more: Any) -> dict[str, Any]:
    body = {"action": "drop", "tenant": "acme", "confirm": True, **more}
    status, found = await api("POST", REQUESTS, body)
    assert status == 202, found
    return dict(found["request"])


async def opened(core: Parts, number: int, seconds: int = 300) -> None:
    """As a releaser leaves it that marked all there is."""
    await core.pool.execute(
        "UPDATE hold_request SET state = 'open', changed = 2, "
        "until = (extract(epoch FROM now()) + $2) * 1000 WHERE id = $1",
        *(number, seconds),
    )


async def test_an_order_has_the_time_of_the_settings_or_its_own(api: Api, core: Parts) -> None:
    assert (await dropped(api))["undo"] == core.settings.hold.undo == 300
    assert (await dropped(api, undo=0))["undo"] == 0
    assert (await dropped(api, undo=86_400))["undo"] == 86_400
    status, found = await api("POST", REQUESTS, {"action": "pause", "tenant": "acme"})
    assert (status, found["request"]["undo"]) == (202, 0)
    for wrong in ({"undo": 86_401}, {"undo": -1}, {"action": "pause", "undo": 5}):
        body = {"action": "release", "tenant": "acme", **wrong}
        status, problem = await api("POST", REQUESTS, body)
        assert (status, [e["field"] for e in problem["errors"]]) == (400, ["undo"]), wrong


async def test_it_is_undone_once_and_audited(api: Api, core: Parts) -> None:
    number = (await dropped(api))["id"]
    await opened(core, number)
    path = f"{REQUESTS}/{number}/undo"
    for _ in range(2):
        status, found = await api("POST", path)
        assert (status, found["state"]) == (202, "undoing")
    audits = await core.pool.fetch("SELECT * FROM audit_log WHERE action = 'hold.undo'")
    assert len(audits) == 1, "asked twice it is one change"
    assert (audits[0]["subject"], audits[0]["tenant"]) == (f"request={number}", "acme")
    assert audits[0]["after"] == {"request": number, "action": "drop", "changed": 2}
    await core.pool.execute("UPDATE hold_request SET state = 'undone', undone = 2")
    status, found = await api("POST", path)
    assert (status, found["state"], found["undone"]) == (202, "undone", 2)


async def test_what_cannot_be_undone_says_why(api: Api, core: Parts) -> None:
    never = (await dropped(api, undo=0))["id"]
    late = (await dropped(api))["id"]
    await opened(core, late, -1)
    ending = (await dropped(api))["id"]
    await core.pool.execute("UPDATE hold_request SET state = 'ending' WHERE id = $1", ending)
    for number, why in (
        (never, "cannot be undone"),
        (late, "cannot be undone any more: its 300 s are over"),
        (ending, "cannot be undone any more"),
    ):
        status, problem = await api("POST", f"{REQUESTS}/{number}/undo")
        assert (status, why in problem["detail"]) == (409, True), problem
    assert (await api("POST", f"{REQUESTS}/{late}/undo?tenant=globex"))[0] == 404
    assert (await api("POST", f"{REQUESTS}/999/undo"))[0] == 404
    assert (await api("POST", f"{REQUESTS}/x/undo"))[0] == 400
    assert not await core.pool.fetchval("SELECT count(*) FROM audit_log WHERE action = 'hold.undo'")


async def test_what_is_being_dropped_is_counted_apart(api: Api, core: Parts) -> None:
    await hold(core.pool, "three", paused=True, reason="dropping")
    for action, matching in (("drop", 2), ("release", 2), ("pause", 2), ("resume", 0)):
        status, found = await api(
            "POST", f"{REQUESTS}?dry_run=1", {"action": action, "tenant": "acme"}
        )
        assert (status, found["matching"]) == (202, matching), action
        assert any("1 are being dropped already" in note for note in found["notes"])
    _, found = await api("POST", "/api/v2/hold/forget?dry_run=1", {"recipient": "anna@gmail.com"})
    assert found["matching"] == 3


async def test_the_command_tells_how_to_undo_it_and_does(
    api: Api, core: Parts, command: Command
) -> None:
    said = await command("hold", "drop", "--tenant", "acme", "--yes", "--undo", "60", "--no-wait")
    assert "drop: request 1, 2 messages match now" in said
    await opened(core, 1, 60)
    assert "open" in await command("hold", "requests")
    assert "is being undone" in await command("hold", "undo", "1", "--no-wait")
    await core.pool.execute("UPDATE hold_request SET state = 'undone', undone = 1")
    said = await command("hold", "undo", "1")
    assert "request 1, drop: 1 message put back; 1 went, or ended otherwise, before" in said
    said = await command("hold", "undo", "7", code=1)
    assert "request 7" in said


async def test_what_waits_is_counted_by_campaign_and_whose(api: Api, core: Parts) -> None:
    await hold(core.pool, "three", tenant="globex", pool="globex")
    await hold(core.pool, "four", campaign="")
    _, found = await api("GET", "/api/v2/hold")
    campaigns = [
        (part["tenant"], part["name"], part["messages"])
        for part in found["parts"]
        if part["by"] == "campaign"
    ]
    assert campaigns == [("acme", "camp01", 2), ("acme", "", 1), ("globex", "camp01", 1)]
    assert found["all"]["messages"] == 4
    assert {p["tenant"] for p in found["parts"] if p["by"] != "campaign"} == {""}


async def test_the_page_undoes_what_it_asked_for(api: Api, core: Parts) -> None:
    await joined(core, api, "anna", "operator")
    anna = Browser(api)
    await anna.sign_in("anna")
    form = {"do": "order", "action": "drop", "tenant": "acme", "sure": "1"}
    assert (await anna.post("/held", form)).status == 303
    await opened(core, 1)
    page = await anna.at_once("/held")
    assert "It can be undone below, 300 s from when it was done." in page.words
    page = await anna.get("/held")
    assert "done, can be undone" in page.words
    assert 'name="request" value="1"' in page.text
    done = await anna.post("/held", {"do": "undo", "request": "1"})
    assert (done.status, done.to) == (303, "/held")
    page = await anna.at_once("/held")
    assert "Request 1 is being undone" in page.words
    assert 'name="request" value="1"' not in page.text
    await core.pool.execute("UPDATE hold_request SET state = 'done'")
    late = await anna.post("/held", {"do": "undo", "request": "1"})
    assert (late.status, "cannot be undone any more" in late.words) == (409, True)
