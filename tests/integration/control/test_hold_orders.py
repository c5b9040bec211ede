"""Asking the releasers: what is written down, what is not, and what the answer says."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from control.parts import Parts
from tests.support.control.core import (
    Api,
    Command,
    api_of,
)
from tests.support.hold.held import hold

REQUESTS = "/api/v2/hold/requests"


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    async with api_of(core) as opened:
        for name in ("acme", "globex"):
            body = {"name": name, "login": f"{name}-smtp", "password": "correct horse"}
            assert (await opened("POST", "/api/v2/tenants", body))[0] == 201
        yield opened


async def asked(api: Api, action: str, query: str = "", **order: object) -> Any:
    """The answer to an order that is taken."""
    status, found = await api("POST", REQUESTS + query, {"action": action, **order})
    assert status == 202, found
    return found


async def everything(core: Parts) -> tuple[Any, ...]:
    """What an order may change."""
    return (
        await core.pool.fetchval("SELECT count(*) FROM hold_request"),
        await core.pool.fetchval("SELECT count(*) FROM audit_log"),
        await core.pool.fetch("SELECT name, paused_campaigns FROM tenant ORDER BY name"),
        await core.pool.fetch("SELECT id, state, paused FROM held ORDER BY id"),
        await core.admin.number(),
    )


async def a_few(core: Parts) -> None:
    """Each kind of row of one campaign, and one of another tenant."""
    await hold(core.pool, "held1")
    await hold(core.pool, "held2")
    await hold(core.pool, "paused", paused=True)
    await hold(core.pool, "doubt", state="doubt", reason="ip_quota")
    await hold(core.pool, "claimed", state="claimed")
    await hold(core.pool, "done", state="done")
    await hold(core.pool, "other", tenant="globex", pool="globex")


async def test_an_order_is_counted_first_and_changes_nothing_dry(api: Api, core: Parts) -> None:
    await a_few(core)
    before = await everything(core)
    for action, more, matching in (
        ("pause", {}, 2),
        ("resume", {}, 1),
        ("release", {}, 2),
        ("drop", {}, 3),
        ("settle", {"outcome": "delivered"}, 1),
        ("settle", {"outcome": "absent"}, 1),
    ):
        order = {"tenant": "acme", "campaign": "camp01", **more}
        found = await asked(api, action, "?dry_run=1", **order)
        assert (found["matching"], found["dry_run"], found["request"]["id"]) == (matching, True, 0)
        assert any("1 are being sent this moment" in note for note in found["notes"])
        hint = any("hold settle --delivered" in note for note in found["notes"])
        assert hint == (action in ("release", "drop"))
        assert found["request"]["outcome"] == more.get("outcome", "")
    assert await everything(core) == before


async def test_an_order_is_a_row_and_an_audit_line_and_moves_no_mail(api: Api, core: Parts) -> None:
    await a_few(core)
    before = await everything(core)
    found = await asked(api, "drop", tenant="acme", reason="ip_quota", confirm=True)
    row = dict(await core.pool.fetchrow("SELECT * FROM hold_request"))
    assert row["id"] == found["request"]["id"]
    assert (row["action"], row["tenant"], row["reason"], row["outcome"], row["state"]) == (
        *("drop", "acme", "ip_quota", "", "waiting"),
    )
    assert (row["campaign"], row["recipient"], row["message"]) == (None, None, None)
    assert (row["who"], row["changed"]) == ("test", 0)
    audit = await core.pool.fetchrow("SELECT * FROM audit_log ORDER BY id DESC LIMIT 1")
    assert (audit["action"], audit["who"]) == ("hold.drop", "test")
    assert audit["subject"] == "tenant=acme reason=ip_quota"
    assert audit["after"]["matching"] == 3
    after = await everything(core)
    assert after[2:] == before[2:], "no mail, no campaign, no generation"


async def test_an_order_without_a_filter_or_a_needed_word_is_refused(api: Api, core: Parts) -> None:
    await a_few(core)
    before = await everything(core)
    for body, field in (
        ({"action": "drop", "confirm": True}, "tenant"),
        ({"action": "pause"}, "tenant"),
        ({"action": "drop", "tenant": "acme"}, "confirm"),
        ({"action": "drop", "tenant": "", "confirm": True}, "tenant"),
        ({"action": "pause", "campaign": "camp01"}, "tenant"),
        *(({"action": a, "tenant": "acme", "force": True}, "force") for a in ("pause", "release")),
        ({"action": "drop", "tenant": "acme", "confirm": True, "force": True}, "force"),
        ({"action": "settle", "tenant": "acme"}, "outcome"),
        ({"action": "settle", "tenant": "acme", "outcome": "gone"}, "outcome"),
        ({"action": "settle", "outcome": "absent"}, "tenant"),
        ({"action": "drop", "tenant": "acme", "confirm": True, "outcome": "absent"}, "outcome"),
        ({"action": "release", "recipient": "nobody"}, "recipient"),
        ({"action": "shred", "tenant": "acme"}, "action"),
        ({"action": "release", "tenants": "acme"}, "tenants"),
        ({"action": "release", "tenant": 7.5}, "tenant"),
    ):
        status, problem = await api("POST", REQUESTS, body)
        assert status == 400, body
        assert field in {e["field"] for e in problem["errors"]}, problem
    for nobody in ("nobody", 7):
        assert (await api("POST", REQUESTS, {"action": "release", "tenant": nobody}))[0] == 404
    assert await everything(core) == before


async def test_filters_are_kept_in_their_one_spelling(api: Api, core: Parts) -> None:
    await hold(core.pool, "message0001", recipient="jürgen@bücher.example")
    found = await asked(
        api, "release", recipient="jürgen@Bücher.Example", message="20500-message0001.2-abc"
    )
    assert found["request"]["recipient"] == "jürgen@xn--bcher-kva.example"
    assert found["request"]["message"] == "message0001"
    audited = await core.pool.fetch("SELECT subject, after::text FROM audit_log")
    assert "jürgen" not in str(audited), "the log outlives the mail"
    hostile = "x'; DROP TABLE hold_request; --"
    found = await asked(api, "release", campaign=hostile, reason="failed")
    assert (found["request"]["campaign"], found["matching"]) == (hostile, 0)
    assert await core.pool.fetchval("SELECT count(*) FROM hold_request") == 2


async def test_a_message_that_is_not_held_is_said_to_be_none(core: Parts, command: Command) -> None:
    await a_few(core)
    before = await everything(core)
    for words in (("settle", "--absent"), ("release",), ("drop", "--yes"), ("drop",), ("pause",)):
        for name in ("nosuch", "done"):
            for more in (("--no-wait",), ("--dry-run",)):
                said = await command("hold", *words, "--message", name, *more, code=1)
                assert f"no message {name} is held" in said
    assert await everything(core) == before
    # It is there, and nothing is to be done with it.
    assert "settle: 0 messages" in await command(
        "hold", "settle", "--absent", "--message", "held1", "--dry-run"
    )


async def test_a_paused_campaign_is_paused_for_new_mail_too(api: Api, core: Parts) -> None:
    await a_few(core)

    async def paused() -> dict[str, tuple[str, ...]]:
        generation = await core.admin.current()
        assert generation is not None
        return {t.name: t.paused_campaigns for t in generation.tenants}

    found = await asked(api, "pause", tenant="acme", campaign="camp01")
    assert found["matching"] == 2
    assert await paused() == {"acme": ("camp01",), "globex": ()}
    assert found["generation"] == await core.admin.number()
    again = await asked(api, "pause", tenant="acme", campaign="camp01")
    assert any("is paused already" in note for note in again["notes"])
    _, shown = await api("GET", "/api/v2/tenants/acme")
    assert shown["paused_campaigns"] == ["camp01"]
    actions = await core.pool.fetch("SELECT action FROM audit_log ORDER BY id DESC LIMIT 3")
    assert [a["action"] for a in actions] == ["hold.pause", "hold.pause", "campaign.pause"]
    dropped = await asked(api, "drop", tenant="acme", campaign="camp02", confirm=True)
    assert dropped["generation"] is None
    narrow = await asked(api, "pause", tenant="acme", campaign="camp03", recipient="a@b.example")
    assert narrow["generation"] is None, "one recipient's mail is not the campaign"
    await asked(api, "resume", "?dry_run=1", tenant="acme", campaign="camp01")
    assert (await paused())["acme"] == ("camp01",)
    await asked(api, "resume", tenant="acme", campaign="camp01")
    assert await paused() == {"acme": (), "globex": ()}


async def test_forgetting_leaves_the_address_nowhere_in_the_clear(api: Api, core: Parts) -> None:
    who = "دعم@مثال.إختبار"
    await hold(core.pool, "m1", recipient=who)
    await hold(core.pool, "m2", recipient=who, state="doubt", reason="ip_quota")
    await hold(core.pool, "m3", recipient=who, tenant="globex", pool="globex")
    earlier = await asked(api, "release", recipient=who)
    await core.pool.execute("UPDATE hold_request SET state = 'done'")
    _, dry = await api("POST", "/api/v2/hold/forget?dry_run=1", {"recipient": who})
    assert dry["matching"] == 3
    status, found = await api("POST", "/api/v2/hold/forget", {"recipient": who, "tenant": "acme"})
    assert status == 202
    assert found["matching"] == 2, "mail in doubt, too; of this tenant"
    row = await core.pool.fetchrow("SELECT * FROM hold_request ORDER BY id DESC LIMIT 1")
    assert (row["action"], row["tenant"], row["force"]) == ("forget", "acme", True)
    assert row["recipient"] == "دعم@xn--mgbh0fb.xn--kgbechtv", "what the releaser looks for"
    assert (await api("GET", f"{REQUESTS}/{earlier['request']['id']}"))[1]["recipient"] != ""
    await api("POST", "/api/v2/hold/forget", {"recipient": who})
    kept = await core.pool.fetch("SELECT recipient FROM hold_request WHERE action <> 'forget'")
    assert [k["recipient"] for k in kept] == [""]
    listed = str(await api("GET", REQUESTS)) + str(found)
    audits = await core.pool.fetch("SELECT subject, after::text FROM audit_log")
    for text in (listed, str(audits)):
        assert "دعم" not in text
    subjects = {a["subject"] for a in audits if a["subject"].startswith("address:")}
    assert len(subjects) == 1, "the same address, the same digest"
    for wrong in ({"tenant": "acme"}, {"recipient": "x"}, {"recipient": who, "campaign": "c"}):
        assert (await api("POST", "/api/v2/hold/forget", wrong))[0] == 400, wrong


async def test_requests_are_listed_newest_first_and_by_tenant(api: Api, core: Parts) -> None:
    for tenant in ("acme", "globex", "acme"):
        await asked(api, "release", tenant=tenant)
    _, every = await api("GET", REQUESTS)
    assert [r["tenant"] for r in every] == ["acme", "globex", "acme"]
    assert [r["id"] for r in every] == sorted((r["id"] for r in every), reverse=True)
    _, page = await api("GET", f"{REQUESTS}?limit=1&before={every[0]['id']}")
    assert [r["id"] for r in page] == [every[1]["id"]]
    _, own = await api("GET", f"{REQUESTS}?tenant=globex")
    assert [r["tenant"] for r in own] == ["globex"]
    assert (await api("GET", f"{REQUESTS}/999"))[0] == 404
    assert (await api("GET", f"{REQUESTS}/x"))[0] == 400
    assert (await api("GET", f"{REQUESTS}/1?wait=11"))[0] == 400


async def test_a_question_with_wait_is_answered_when_there_is_news(api: Api, core: Parts) -> None:
    number = (await asked(api, "release", tenant="acme"))["request"]["id"]
    question = asyncio.create_task(api("GET", f"{REQUESTS}/{number}?wait=10"))
    await core.pool.execute("UPDATE hold_request SET state = 'running', changed = 7")
    _, news = await asyncio.wait_for(question, 15)
    assert (news["state"], news["changed"]) == ("running", 7)
    question = asyncio.create_task(api("GET", f"{REQUESTS}/{number}?wait=10&seen=7"))
    await core.pool.execute("UPDATE hold_request SET state = 'done', finished = at")
    _, news = await asyncio.wait_for(question, 15)
    assert news["state"] == "done"


async def test_the_command_watches_a_request_until_it_is_done(
    core: Parts, command: Command
) -> None:
    await a_few(core)

    async def releaser(*steps: str) -> None:
        # Stands for a gateway's: takes the request and reports.
        for step in steps:
            while not await core.pool.fetchval(
                f"UPDATE hold_request SET state = {step} WHERE state IN ('waiting', 'running') "
                "RETURNING id"
            ):
                await asyncio.sleep(0.01)

    working = asyncio.create_task(releaser("'running', changed = 1", "'done', changed = 2"))
    said = await command("hold", "release", "--tenant", "acme")
    await working
    assert "2 messages match now" in said
    assert said.splitlines()[-1] == "2 messages released"
    late = await command("hold", "release", "--tenant", "acme", "--timeout", "0.3", code=1)
    assert "is waiting after 0.3 s, 0 messages changed so far" in late
    await releaser("'done'")
    working = asyncio.create_task(releaser("'failed', error = 'disk full'"))
    failed = await command("hold", "resume", "--tenant", "acme", code=1)
    await working
    assert "failed after 0 messages: disk full" in failed


async def test_the_command_asks_before_mail_is_gone(core: Parts, command: Command) -> None:
    await a_few(core)
    assert "say --yes" in await command("hold", "drop", "--tenant", "acme", code=1)
    dry = await command("hold", "drop", "--tenant", "acme", "--dry-run")
    assert "drop: 3 messages (dry run, nothing was changed)" in dry
    assert await core.pool.fetchval("SELECT count(*) FROM hold_request") == 0
    for words in (
        ("hold", "drop", "--yes"),
        ("hold", "pause", "--campaign", ""),
        ("hold", "list", "--reason", ""),
        ("hold", "list", "--recipient", "\udcff@x.example"),
        ("forget", "\udcff@x.example"),
        ("explain", "--message", "m", "--to", "a@b.example"),
        ("explain", "--tenant", "acme"),
    ):
        await command(*words, code=2)
    asked_for = ("hold", "drop", "--tenant", "acme", "--yes", "--no-wait", "--json")
    assert '"state": "waiting"' in await command(*asked_for)
    needs = await command("hold", "pause", "--campaign", "camp01", code=2)
    assert "tenant: is missing" in needs


async def test_the_command_settles_doubt_by_one_word_and_no_other(
    core: Parts, command: Command
) -> None:
    await a_few(core)
    settle = ("hold", "settle", "--tenant", "acme")
    before = await everything(core)
    for words in (settle, (*settle, "--delivered", "--absent")):
        said = await command(*words, code=2)
        assert said == (
            "sendgate: hold settle: say what became of it, --delivered or --absent "
            "(see `sendgate hold settle --help`)\n"
        )
    said = await command("hold", "settle", "--absent", code=2)
    assert said.startswith("sendgate: hold settle: name what is meant with --tenant"), said
    assert said.count("\n") == 1
    said = await command(*settle, "--absent", "--dry-run")
    assert "settle: 1 message (dry run, nothing was changed)" in said
    dry = json.loads(await command(*settle, "--delivered", "--dry-run", "--json"))
    assert (dry["matching"], dry["dry_run"], dry["request"]["outcome"]) == (1, True, "delivered")
    assert await everything(core) == before, "asked for nothing"
    asked_for = json.loads(await command(*settle, "--absent", "--no-wait", "--json"))
    request = asked_for["request"]
    assert (request["action"], request["outcome"], request["state"]) == (
        *("settle", "absent", "waiting"),
    )
    row = await core.pool.fetchrow("SELECT action, outcome, tenant FROM hold_request")
    assert tuple(row) == ("settle", "absent", "acme")
    audit = await core.pool.fetchrow("SELECT * FROM audit_log ORDER BY id DESC LIMIT 1")
    assert (audit["action"], audit["subject"]) == ("hold.settle", "tenant=acme")
    assert audit["after"]["outcome"] == "absent"


async def test_the_command_shows_addresses_as_they_are(core: Parts, command: Command) -> None:
    await hold(core.pool, "m1", recipient="دعم@مثال.إختبار")
    assert "1 message, " in await command("hold", "list")
    words = ("hold", "list", "--messages", "--recipient", "دعم@مثال.إختبار")
    assert "دعم@مثال.إختبار" in await command(*words)
    assert "دعم@مثال.إختبار" in await command("hold", "show", "m1", "--json")
    assert "دعم@مثال.إختبار" in await command("hold", "show", "m1")
    assert "to change that" in await command("explain", "--message", "m1")
    assert "[]" in await command("hold", "events", "--json")
    await command("forget", "دعم@مثال.إختبار", "--no-wait")
    assert "(forgotten)" in await command("hold", "requests", "--json")
    await command("hold", "settle", "--tenant", "acme", "--absent", "--no-wait")
    shown = await command("hold", "requests")
    assert "outcome" in shown
    assert "absent" in shown
    assert "force" not in shown
    await command("hold", "events")
