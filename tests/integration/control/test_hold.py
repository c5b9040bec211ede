"""Looking into the hold queue through the API: sums, messages, one message, events."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest

from control.held.held import promised
from control.parts import Parts
from tests.support.control.core import Api, api_of
from tests.support.hold.held import MIDNIGHT, content, hold, receipt

TENANTS = ("acme", "globex")


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    async with api_of(core) as opened:
        for name in TENANTS:
            body = {"name": name, "login": f"{name}-smtp", "password": "correct horse"}
            assert (await opened("POST", "/api/v2/tenants", body))[0] == 201
        yield opened


async def ids(api: Api, **query: str) -> list[str]:
    """The messages that match."""
    status, page = await api("GET", f"/api/v2/hold/messages?{urlencode(query)}")
    assert status == 200, page
    assert isinstance(page, dict)
    return [m["id"] for m in page["messages"]]


async def test_the_sums_come_first(api: Api, core: Parts) -> None:
    _, empty = await api("GET", "/api/v2/hold")
    assert (empty["all"]["messages"], empty["parts"]) == (0, [])
    soon = (await core.admin.now())[0] + 60_000
    later = {"until": soon + 60_000}
    await hold(core.pool, "m1", size=10, **later)
    await hold(core.pool, "m2", size=20, provider="yahoo", arrived=MIDNIGHT - 60_000, **later)
    await hold(core.pool, "m3", waiting=True, due=soon, reason="failed", until=0)
    await hold(core.pool, "m4", paused=True, until=1, tenant="globex", pool="globex")
    await hold(core.pool, "m5", state="doubt", reason="ip_quota")
    await hold(core.pool, "m6", state="done", size=10_000)
    _, found = await api("GET", "/api/v2/hold")
    every = found["all"]
    assert (every["messages"], every["octets"], every["paused"]) == (5, 3030, 1)
    assert every["oldest"] == "2026-02-15T23:59:00Z"
    assert every["next"] == promised(soon), "neither what is paused nor what is in doubt"
    counts = {(p["by"], p["name"]): p["messages"] for p in found["parts"]}
    assert counts == {
        ("tenant", "acme"): 4,
        ("tenant", "globex"): 1,
        ("pool", "acme"): 4,
        ("pool", "globex"): 1,
        ("campaign", "camp01"): 1,
        ("provider", "gmail"): 4,
        ("provider", "yahoo"): 1,
        ("reason", "ip_quota"): 4,
        ("reason", "failed"): 1,
        ("state", "held"): 4,
        ("state", "doubt"): 1,
    }
    _, ended = await api("GET", "/api/v2/hold?state=done,refused")
    assert ended["all"]["messages"] == 1
    status, problem = await api("GET", "/api/v2/hold?state=tombstone")
    assert (status, problem["errors"][0]["field"]) == (400, "state")


async def test_messages_come_in_pages_by_arrival_each_once(api: Api, core: Parts) -> None:
    for number in range(7):
        # Several of one millisecond: the id decides.
        await hold(core.pool, f"m{number}", arrived=MIDNIGHT + number // 3)
    seen: list[str] = []
    after = ""
    while True:
        query = urlencode({"limit": "2", **({"after": after} if after else {})})
        _, page = await api("GET", f"/api/v2/hold/messages?{query}")
        seen += [m["id"] for m in page["messages"]]
        after = page["after"]
        if not after:
            break
    assert seen == [f"m{n}" for n in range(7)]
    for wrong in ("limit=x", "limit=1001", "after=x", "after=1.x'"):
        assert (await api("GET", f"/api/v2/hold/messages?{wrong}"))[0] == 400, wrong


async def test_every_filter_that_is_given_must_match(api: Api, core: Parts) -> None:
    await hold(core.pool, "m1")
    await hold(core.pool, "m2", campaign="camp02")
    await hold(core.pool, "m3", tenant="globex", pool="globex")
    await hold(core.pool, "m4", reason="failed", recipient="bob@gmail.com")
    await hold(core.pool, "m5x1", body="m5", recipient="eve@gmail.com")
    await hold(core.pool, "m5x2", body="m5", recipient="eve@yahoo.com")
    assert await ids(api, tenant="globex") == ["m3"]
    assert await ids(api, campaign="camp01", tenant="acme") == ["m1", "m4", "m5x1", "m5x2"]
    assert await ids(api, reason="failed") == ["m4"]
    assert await ids(api, reason="failed", campaign="camp02") == []
    assert await ids(api, message="m5") == ["m5x1", "m5x2"]
    assert await ids(api, message="m5x2") == ["m5x2"]
    assert await ids(api, message="20500-m5x2aaaaa.3") == [], "the envelope id of another"
    assert await ids(api, recipient="eve@gmail.com", message="m5") == ["m5x1"]
    assert (await api("GET", "/api/v2/hold?tenant=nobody"))[0] == 404
    for wrong, field in (
        ("recipient=nobody", "recipient"),
        ("campaign=", "campaign"),
        ("message=probe-1", "message"),
        ("reason=a%00b", "reason"),
        ("recipient=a%00b%40gmail.com", "recipient"),
    ):
        status, problem = await api("GET", f"/api/v2/hold?{wrong}")
        assert (status, problem["errors"][0]["field"]) == (400, field), wrong


async def test_a_recipient_is_found_in_any_language(api: Api, core: Parts) -> None:
    for stored, asked in (
        ("Anna@gmail.com", "Anna@GMAIL.com"),
        ("Anna@GMail.Com", "Anna@gmail.com"),
        ("jürgen@bücher.example", "jürgen@bücher.example"),
        ("jürgen@bücher.example", "jürgen@Bücher.Example"),
        ("jürgen@bücher.example", "jürgen@xn--bcher-kva.example"),
        ("jürgen@xn--bcher-kva.example", "jürgen@bücher.example"),
        ("محمد@مثال.إختبار", "محمد@مثال.إختبار"),
        ("دعم@xn--mgbh0fb.xn--kgbechtv", "دعم@مثال.إختبار"),
        ("用户@例子.广告", "用户@例子.广告"),
        ("o'brien\"@gmail.com", "o'brien\"@gmail.com"),
        ("back\\slash@gmail.com", "back\\slash@gmail.com"),
    ):
        await hold(core.pool, "m1", recipient=stored)
        _, page = await api("GET", f"/api/v2/hold/messages?{urlencode({'recipient': asked})}")
        assert [m["recipient"] for m in page["messages"]] == [stored], asked
        await core.pool.execute("TRUNCATE held")


async def test_a_recipient_is_never_another(api: Api, core: Parts) -> None:
    for number, stored in enumerate(
        (b"Anna@gmail.com", b"xanna@gmail.com", b"anna@gmail.com.x.example", b"anna@\xff", b"a@b@c")
    ):
        await hold(core.pool, f"m{number}", recipient=stored)
    await hold(core.pool, "m8", recipient="e\u0301ve@gmail.com")
    for asked in ("anna@gmail.com", "%@gmail.com", "_nna@gmail.com", "éve@gmail.com"):
        assert await ids(api, recipient=asked) == [], asked
    _, page = await api("GET", "/api/v2/hold/messages?message=m3")
    assert page["messages"][0]["recipient"] == "anna@\\xff", "what is no UTF-8 stays visible"


async def test_a_filter_is_a_value_whatever_it_looks_like(api: Api, core: Parts) -> None:
    await hold(core.pool, "m1")
    for text in (
        "x' OR '1'='1",
        "x'; DROP TABLE held; --",
        "$1",
        "%",
        "m_",
        '"m1"',
        "m1\\",
        "NULL",
    ):
        for field in ("campaign", "message"):
            assert await ids(api, **{field: text}) == [], (field, text)
        await hold(core.pool, "m2", campaign=text)
        assert await ids(api, campaign=text) == ["m2"]
        await core.pool.execute("DELETE FROM held WHERE id = 'm2'")
    assert await ids(api) == ["m1"]


async def test_one_message_with_all_its_recipients_and_never_its_words(
    api: Api, core: Parts
) -> None:
    for n in range(1, 13):
        await hold(core.pool, f"m1x{n}", body="m1", recipient=f"r{n}@gmail.com", key="abc")
    await hold(core.pool, "m1x13", body="m1", tenant="globex", pool="globex")
    await content(core.pool, "m1")
    await core.pool.execute("UPDATE held SET state = 'done', ending = 'relayed' WHERE id = 'm1x2'")
    for asked in ("m1", "m1x1"):
        status, found = await api("GET", f"/api/v2/hold/messages/{asked}")
        assert status == 200
        assert (found["held"]["id"], found["held"]["message"], found["key"]) == (
            "m1x1",
            "m1",
            "abc",
        )
    assert [r["recipient"] for r in found["recipients"]] == [
        f"r{n}@gmail.com" for n in range(1, 13)
    ]
    assert found["recipients"][1]["ending"] == "relayed"
    assert found["content"]["sender"] == "bounce@acme.example"
    assert (found["content"]["body_8bit"], found["content"]["smtputf8"]) == (True, True)
    assert "secret" not in str(found)
    _, other = await api("GET", "/api/v2/hold/messages/m1x13")
    assert [r["id"] for r in other["recipients"]] == ["m1x13"], "another tenant's"
    assert (await api("GET", "/api/v2/hold/messages/m1x13?tenant=acme"))[0] == 404
    assert (await api("GET", "/api/v2/hold/messages/m2"))[0] == 404


async def test_a_message_is_found_on_whatever_day_it_came(api: Api, core: Parts) -> None:
    for bucket in (20_500, 20_501, 20_530):
        await hold(core.pool, f"m{bucket}", bucket=bucket)
    await hold(core.pool, "gone", state="tombstone")
    _, found = await api("GET", "/api/v2/hold/messages/m20530")
    assert found["held"]["id"] == "m20530"
    assert found["content"] is None
    assert (await api("GET", "/api/v2/hold/messages/gone"))[0] == 404


async def test_events_are_soft_or_internal_and_come_after_the_last_seen(
    api: Api, core: Parts
) -> None:
    for number, tenant in enumerate(("acme", "globex", "acme")):
        await core.pool.execute(
            "INSERT INTO hold_event (at, tenant, message, kind, class, message_id, mailbox, sender,"
            " recipient, campaign, detail) VALUES ($1, $2, $3, 'expired', 'soft', '<m@x>', 'a@b',"
            " 'b@c', $4, 'c', 'waited 30 days')",
            *(await core.calendar(), tenant, f"m{number}", "دعم@مثال.إختبار".encode()),
        )
    _, first = await api("GET", "/api/v2/hold/events?limit=2")
    assert [e["message"] for e in first] == ["m0", "m1"]
    assert (first[0]["class"], first[0]["recipient"]) == ("soft", "دعم@مثال.إختبار")
    _, rest = await api("GET", f"/api/v2/hold/events?after={first[-1]['id']}")
    assert [e["message"] for e in rest] == ["m2"]
    _, own = await api("GET", "/api/v2/hold/events?tenant=globex")
    assert [e["message"] for e in own] == ["m1"]
    assert (await api("GET", "/api/v2/hold/events?after=-1"))[0] == 400


async def explained(api: Api, message: str, query: str = "") -> Any:
    status, found = await api("GET", f"/api/v2/explain/{message}{query}")
    assert status == 200, found
    return found


async def test_a_waiting_message_is_explained(api: Api, core: Parts) -> None:
    await hold(core.pool, "old", arrived=MIDNIGHT - 5)
    await hold(core.pool, "older", arrived=MIDNIGHT - 9)
    await hold(core.pool, "reset", arrived=MIDNIGHT + 9, bulk=False)
    await hold(core.pool, "stopped", arrived=MIDNIGHT - 9, paused=True)
    await hold(core.pool, "yahoo", arrived=MIDNIGHT - 9, provider="yahoo")
    await hold(core.pool, "mine")
    found = await explained(api, "mine")
    assert (found["found"], found["before"]) == ("waits", 3)
    assert "the daily quota of vmta-1 is used up (50 of 50)" in found["sentence"]
    assert "that ended 2026-02-17T00:00:00Z" in found["sentence"]
    assert "sendgate ip set IP --quota" in found["change"]
    assert "hold resume --message stopped" in (await explained(api, "stopped"))["change"]
    order = {"action": "pause", "tenant": "acme", "campaign": "camp01"}
    await api("POST", "/api/v2/hold/requests", order)
    paused = await explained(api, "mine")
    assert "campaign camp01 is paused" in paused["sentence"]
    assert "--tenant acme --campaign camp01" in paused["change"]
    await hold(
        core.pool,
        "unsure",
        state="doubt",
        reason="duplicate",
        server="pmta1",
        behind="old",
        attempt=4,
    )
    doubt = await explained(api, "unsure")
    assert "behind old" in doubt["sentence"]
    assert "may have been sent" in doubt["sentence"]
    assert "hold settle --message unsure --delivered" in doubt["change"]
    due = {"waiting": True, "due": MIDNIGHT + 60_000}
    await hold(
        core.pool, "tried", reason="failed", detail="421 4.3.2 busy", until=0, campaign="", **due
    )
    tried = await explained(api, "tried")
    assert "failed: 421 4.3.2 busy; that ended 2026-02-16T00:01:00Z" in tried["sentence"]
    await hold(core.pool, "away", state="claimed", attempt=2)
    assert "is being sent this moment" in (await explained(api, "away"))["sentence"]


async def test_an_ended_message_is_explained_with_its_proofs(api: Api, core: Parts) -> None:
    ended = {"state": "done", "ending": "relayed", "verdict": "250 2.0.0 OK", "attempt": 2}
    names = {"vmta": "vmta-1", "server": "pmta1", "envelope": "20500-message0001.2"}
    await hold(core.pool, "message0001", **ended, **names)
    await receipt(core.pool, "message0001", attempt=2, kinds="rtd")
    await receipt(core.pool, "message0002", attempt=2)
    for asked in ("message0001", "20500-message0001.2-abc"):
        found = await explained(api, asked)
        assert found["found"] == "ended"
        for part in ("relayed", "vmta-1", "pmta1", "20500-message0001.2", "250 2.0.0 OK"):
            assert part in found["sentence"]
        assert [(e["attempt"], e["kinds"]) for e in found["proofs"]] == [(2, "rtd")]
        assert "delivered" in found["proofs"][0]["means"]


async def test_a_message_that_was_never_held_is_known_by_its_receipts(
    api: Api, core: Parts
) -> None:
    await receipt(core.pool, "message0001", kinds="r")
    found = await explained(api, "20500-message0001.1")
    assert found["found"] == "sent"
    for part in ("sent live on 2026-02-16", "attempt 1", "pmta1", "PowerMTA took it"):
        assert part in found["sentence"]
    nowhere = await explained(api, "message0009")
    assert nowhere["found"] == "unknown"
    assert "only the gateway's log has it" in nowhere["sentence"]
    hidden = await explained(api, "message0001", "?tenant=acme")
    assert hidden["found"] == "unknown", "a receipt does not say whose it is"
