"""The API: tokens, strict bodies, problems, and the answers people act on."""

import io
import re
from typing import Any

import pytest

from control.api import openapi
from control.app import application, routes
from control.parts import Parts
from policy.ledger.bulletin import CIRCUITS, OpenCircuit, encode
from policy.ledger_port import Reserve
from tests.conftest import CreateDatabase
from tests.support.control.core import TOKEN, Api, api_of, build, control_core, settings_for

ACME = {"name": "acme", "login": "acme-smtp", "password": "correct horse"}
DOMAIN = {"tenant": "acme", "domain": "example.com", "ip": "192.0.2.10", "quota": 3}


async def test_without_a_token_only_health_and_the_description_answer(
    api: Api, core: Parts
) -> None:
    for route in routes(core):
        path = re.sub(r"\{\w+\}", "x", route.path)
        status, _ = await api(route.method, path, token="")
        assert (status == 401) == (not route.public), route
        if not route.public:
            assert (await api(route.method, path, token=TOKEN + "x"))[0] == 401
    assert (await api("GET", openapi.PATH, token=""))[0] == 200


async def test_the_description_names_exactly_the_routes_there_are(api: Api, core: Parts) -> None:
    _, described = await api("GET", openapi.PATH)
    assert isinstance(described, dict)
    said = {(m.upper(), path) for path, ms in described["paths"].items() for m in ms}
    answered = application(core).router.routes()
    served = {
        (r.method, r.resource.canonical)
        for r in answered
        if r.method != "HEAD"
        and r.resource
        # The same door, as users' forwarders write it.
        and not r.resource.canonical.endswith("/")
    }
    assert said == served
    references: list[str] = []
    _references(described, references)
    there = {
        f"#/components/{kind}/{name}"
        for kind, ones in described["components"].items()
        for name in ones
    }
    assert set(references) <= there


def _references(node: Any, found: list[str]) -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                found.append(value)
            _references(value, found)
    elif isinstance(node, list):
        for value in node:
            _references(value, found)


async def test_every_field_problem_is_listed(api: Api) -> None:
    status, problem = await api(
        "POST", "/api/v2/tenants", {"name": "a b", "pasword": "x", "profile": "other"}
    )
    assert status == 400
    assert isinstance(problem, dict)
    assert {e["field"] for e in problem["errors"]} == {
        "name",
        "pasword",
        "profile",
        "login",
        "password",
    }
    assert (await api("POST", "/api/v2/tenants", raw=b"{"))[0] == 400
    assert (await api("GET", "/api/v2/tenants?tennant=x"))[0] == 400
    assert (await api("GET", "/nowhere"))[0] == 404
    assert (await api("DELETE", "/api/v2/tenants"))[0] == 405
    assert (await api("POST", "/api/v2/tenants", raw=io.BytesIO(b"x" * 10_485_761)))[0] == 413


async def test_what_is_taken_is_refused_with_its_field(api: Api) -> None:
    async def refused(path: str, body: dict[str, object]) -> str:
        status, problem = await api("POST", path, body)
        assert status == 409, problem
        [error] = problem["errors"]
        return str(error["field"])

    globex = {"name": "globex", "login": "globex", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", {**ACME, "networks": ["10.0.0.0/8"]}))[0] == 201
    assert (await api("POST", "/api/v2/tenants", globex))[0] == 201
    login = {"login": "acme-smtp", "password": "correct horse"}
    path = "/api/v2/tenants/globex"
    assert await refused("/api/v2/tenants", ACME) == "name"
    assert await refused("/api/v2/tenants", {**ACME, "name": "initech"}) == "login"
    networks = {**ACME, "name": "initech", "login": "initech", "networks": ["10.0.0.0/8"]}
    assert await refused("/api/v2/tenants", networks) == "networks"
    assert await refused(f"{path}/logins", login) == "login"
    assert await refused(f"{path}/networks", {"network": "10.0.0.0/8"}) == "network"


async def test_a_tenant_from_add_to_password_and_never_a_hash(api: Api, core: Parts) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    status, problem = await api("POST", "/api/v2/tenants", ACME)
    assert (status, problem["detail"]) == (409, "name: tenant acme exists already")
    before = await core.pool.fetchval("SELECT hash FROM login")
    body = {"login": "acme-smtp", "password": "another horse"}
    status, answer = await api("POST", "/api/v2/tenants/acme/password", body)
    assert status == 200
    assert await core.pool.fetchval("SELECT hash FROM login") != before
    status, paused = await api("POST", "/api/v2/tenants/acme/pause")
    assert paused["view"]["paused"] is True
    everything = str(await api("GET", "/api/v2/tenants")) + str(answer)
    everything += str(await core.pool.fetch("SELECT before::text, after::text FROM audit_log"))
    assert "argon2" not in everything
    assert "horse" not in everything


async def test_explain_does_not_say_goes_now_while_a_circuit_is_open(api: Api, core: Parts) -> None:
    await api("POST", "/api/v2/tenants", ACME)
    await api("POST", "/api/v2/domains", DOMAIN)
    question = {"tenant": "acme", "from": "news@example.com", "to": "x@gmail.com"}
    client, root = core.admin.client, core.admin.root
    seconds, _ = await client.time()  # type: ignore[misc]
    for process in ("worker-1", "worker-2", "releaser-1"):
        await client.zadd(f"{root}workers", {process: seconds})
    resting = OpenCircuit("server", "pmta1", "open", "pmta:25: greeting: 554 no service", 8.0)
    for process in ("worker-1", "gone-long-ago"):
        await client.hset(f"{root}{CIRCUITS}", process, encode([resting]))  # type: ignore[misc]
    _, found = await api("POST", "/api/v2/explain", question)
    assert (found["decision"], found["limit"]) == ("defer", "server_away")
    said = "the circuit of server pmta1 is open in 1 of 3 processes (pmta:25: greeting: 554"
    assert said in found["sentence"]
    assert found["candidates"][0]["skipped"].startswith(said)
    assert "sendgate server circuits" in found["change"]
    _, shown = await api("GET", "/api/v2/circuits")
    assert shown["processes"] == 3
    assert [(c["process"], c["name"], c["state"]) for c in shown["circuits"]] == [
        ("worker-1", "pmta1", "open")
    ]
    await client.hdel(f"{root}{CIRCUITS}", "worker-1")  # type: ignore[misc]
    _, found = await api("POST", "/api/v2/explain", question)
    assert (found["decision"], found["candidates"][0]["skipped"]) == ("relay", "")


async def test_quota_counts_and_explain_names_what_binds(api: Api, core: Parts) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    status, added = await api("POST", "/api/v2/domains", DOMAIN)
    assert status == 201
    assert {r["type"] for r in added["view"]["records"]} == {"TXT", "A", "PTR"}
    question = {"tenant": "acme", "from": "news@example.com", "to": "x@gmail.com"}
    _, found = await api("POST", "/api/v2/explain", question)
    assert (found["decision"], found["vmta"]) == ("relay", "vmta-192-0-2-10")
    reserve = Reserve(tenant="acme", pool="acme", mailbox="", providers=(("gmail", 1),))
    await core.ledger.decide([reserve])
    _, found = await api("POST", "/api/v2/explain", question)
    assert (found["decision"], found["limit"]) == ("defer", "ip_pace"), "a fifth of 3 is below 1"
    await api("PATCH", "/api/v2/ips/192.0.2.10", {"hourly_share": 1.0})
    await core.ledger.decide([reserve, reserve])
    _, found = await api("POST", "/api/v2/explain", question)
    assert (found["decision"], found["limit"]) == ("defer", "ip_quota")
    assert found["candidates"][0]["skipped"].startswith("the daily quota of vmta-192-0-2-10")
    assert "quota" in found["change"]
    _, rows = await api("GET", "/api/v2/quota")
    assert [(r["provider"], r["quota"], r["relayed"], r["left"]) for r in rows] == [
        ("*", 3, 3, 0),
        ("gmail", "unlimited", 3, 0),
    ]
    for path in ("/api/v2/ips/192.0.2.10", "/api/v1/ips/vmta-192-0-2-10"):
        _, shown = await api("GET", path)
        assert (shown["quota"], shown["today"][0]["left"]) == (3, 0)


async def test_the_clock_moves_forward_and_a_day_opens_the_quota(api: Api, core: Parts) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    await api("POST", "/api/v2/domains", {**DOMAIN, "hourly_share": 1.0})
    reserve = Reserve(tenant="acme", pool="acme", mailbox="", providers=(("other", 3),))
    await core.ledger.decide([reserve])
    assert (await api("GET", "/api/v2/quota"))[1][0]["left"] == 0
    status, moved = await api("POST", "/api/v2/clock", {"advance": "1d"})
    assert status == 200
    assert moved["offset_seconds"] == pytest.approx(86_400, abs=1.0)
    assert (await api("GET", "/api/v2/quota"))[1][0]["left"] == 3
    assert (await api("POST", "/api/v2/clock", {"set": "2020-01-01"}))[0] == 409
    assert (await api("POST", "/api/v2/clock", {}))[0] == 400
    assert (await api("POST", "/api/v2/clock", {"advance": "1 day"}))[0] == 400


async def test_the_clock_of_a_stack_that_is_not_embedded_stays(
    create_database: CreateDatabase, valkey_url: str
) -> None:
    url = await create_database("control", build)
    async with (
        control_core(settings_for(url, valkey_url), movable=False) as core,
        api_of(core) as api,
    ):
        assert (await api("POST", "/api/v2/clock", {"advance": "1d"}))[0] == 409


async def test_ready_only_while_the_ledger_is_open(api: Api, core: Parts) -> None:
    assert (await api("GET", "/readyz", token=""))[0] == 200
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    await core.admin.client.flushall()
    status, health = await api("GET", "/readyz", token="")
    assert status == 503
    assert "lost" in health["problems"][0]
    for method, path, body in (
        ("GET", "/api/v2/quota", None),
        ("POST", "/api/v2/explain", {"tenant": "acme", "from": "a@b.example", "to": "x@y.example"}),
    ):
        status, refused = await api(method, path, body)
        assert status == 503, "room in a closed ledger is no room"
        assert "sendgate ledger open" in refused["detail"]
    assert (await api("GET", "/healthz", token=""))[0] == 200
    assert (await api("POST", "/api/v2/ledger", {"confirm": False}))[0] == 400
    assert (await api("POST", "/api/v2/ledger", {"confirm": True}))[0] == 200
    assert (await api("GET", "/readyz", token=""))[0] == 200


async def test_spf_stands_once_a_pool_and_what_a_change_altered_is_marked(api: Api) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    _, first = await api("POST", "/api/v2/domains", DOMAIN)
    assert {r["change"] for r in first["view"]["records"]} == {"new"}
    _, second = await api(
        "POST", "/api/v2/domains", {**DOMAIN, "domain": "a.example", "quota": None}
    )
    records = {(r["name"], r["type"]): r for r in second["view"]["records"]}
    assert records["a.example", "TXT"]["value"] == "v=spf1 include:_spf-acme.example.com ~all"
    assert records["_spf-acme.example.com", "TXT"]["change"] == "", "nothing to publish again"
    assert second["view"]["also"] == []
    more = {"tenant": "acme", "domain": "a.example", "ip": "192.0.2.11", "pool": "acme"}
    _, third = await api("POST", "/api/v2/domains", more)
    changed = [r for r in third["view"]["records"] if r["change"] == "changed"]
    assert [r["name"] for r in changed] == ["_spf-acme.example.com"]
    assert changed[0]["value"] == "v=spf1 ip4:192.0.2.10 ip4:192.0.2.11 -all"
    other = {"tenant": "acme", "domain": "b.example", "ip": "192.0.2.12", "pool": "spare"}
    await api("POST", "/api/v2/domains", other)
    over = {"tenant": "acme", "domain": "b.example", "ip": "192.0.2.13", "overflow": "acme"}
    _, fourth = await api("POST", "/api/v2/domains", over)
    assert [r["change"] for r in fourth["view"]["records"] if "_spf" in r["name"]] == ["changed"]
    long = {**DOMAIN, "domain": ".".join(["a" * 60, "b" * 60, "c" * 60, "example"])}
    status, refused = await api("POST", "/api/v2/domains", long)
    assert status == 400
    assert refused["detail"].startswith("domain: aaaa")
    assert "at most 160" in refused["detail"]
    grown = {"tenant": "acme", "domain": "a.example", "ip": "192.0.2.14"}
    _, fifth = await api("POST", "/api/v2/domains", grown)
    assert [(r["name"], r["change"]) for r in fifth["view"]["also"]] == [
        ("_spf-spare.b.example", "changed")
    ], "the sibling whose mail may overflow to the new IP"


async def test_the_terms_of_a_tenant(api: Api, core: Parts) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    terms = {
        "strict": True,
        "senders": ["News@Bücher.example", "b.example"],
        "max_recipients": 7,
        "mailbox": "envelope",
        "mailbox_max": 50,
        "mailbox_spacing": 2.5,
        "per_minute": 10,
        "per_hour": 100,
        "weight": 2.5,
        "mailbox_minute": 3,
        "mailbox_hour": 30,
        "hours": "22:00-06:00",
        "zone": "Europe/Paris",
        "profile": "mta",
        "networks": ["10.1.0.0/16"],
    }
    status, changed = await api("PATCH", "/api/v2/tenants/acme", terms)
    assert status == 200, changed
    view = changed["view"]
    assert (view["hours"], view["zone"]) == ("22:00-06:00", "Europe/Paris")
    generation = await core.admin.current()
    assert generation is not None
    tenant = generation.tenants[0]
    assert tenant.strict
    assert tenant.senders == ("b.example", "news@xn--bcher-kva.example")
    assert (tenant.max_recipients, tenant.mailbox, tenant.profile) == (7, "envelope", "mta")
    assert (tenant.mailbox_default.daily_max, tenant.mailbox_default.spacing) == (50, 2.5)
    assert (tenant.rate.minute, tenant.rate.hour, tenant.weight) == (10, 100, 2.5)
    box = tenant.mailbox_default.rate
    assert (box.minute, box.hour) == (3, 30)
    assert tenant.networks == ("10.1.0.0/16",)
    assert tenant.window is not None
    assert (tenant.window.start, tenant.window.length) == (22 * 3600, 8 * 3600)
    assert {offset for _, offset in tenant.window.offsets} == {3600, 7200}
    number = changed["generation"]
    _, again = await api("PATCH", "/api/v2/tenants/acme", terms)
    assert (again["changed"], again["generation"]) == (False, number), "nothing to publish"
    off = {"hours": None, "senders": [], "per_hour": None, "mailbox_max": None, "networks": []}
    _, changed = await api("PATCH", "/api/v2/tenants/acme", off)
    assert changed["view"]["hours"] == ""
    generation = await core.admin.current()
    assert generation is not None
    assert generation.tenants[0].window is None
    for wrong, field in (
        ({"hours": "09:00-17:00"}, "zone"),
        ({"weight": 0}, "weight"),
        ({"weight": 101}, "weight"),
        ({"hours": "9-17", "zone": "Europe/Paris"}, "hours"),
        ({"hours": "09:00-09:00", "zone": "Europe/Paris"}, "hours"),
        ({"hours": "09:00-17:00", "zone": "Europe/Pariss"}, "zone"),
        ({"hours": "09:00-17:00", "zone": "../etc"}, "zone"),
        ({"zone": "Europe/Paris"}, "zone"),
        ({"senders": ["a b"]}, "senders"),
        ({"networks": ["10.0.0.1/8"]}, "networks"),
        ({"mailbox": "to"}, "mailbox"),
    ):
        status, problem = await api("PATCH", "/api/v2/tenants/acme", wrong)
        assert (status, problem["errors"][0]["field"]) == (400, field), wrong
    assert (
        "10.0.0.0/8" in (await api("PATCH", "/api/v2/tenants/acme", wrong_network()))[1]["detail"]
    )
    assert (await api("PATCH", "/api/v2/tenants/none", {"strict": True}))[0] == 404


def wrong_network() -> dict[str, list[str]]:
    return {"networks": ["10.0.0.1/8"]}


async def test_a_mailbox_has_limits_of_its_own(api: Api, core: Parts) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    path = "/api/v2/tenants/acme/mailboxes"
    status, changed = await api("PUT", f"{path}/News@Example.com", {"daily_max": 3})
    assert status == 200, changed
    await api("PUT", f"{path}/news@example.com", {"spacing": 1.5})
    _, listed = await api("GET", path)
    assert [(m["address"], m["daily_max"], m["spacing"]) for m in listed] == [
        ("news@example.com", 3, 1.5)
    ]
    generation = await core.admin.current()
    assert generation is not None
    assert generation.tenants[0].mailboxes["news@example.com"].daily_max == 3
    assert (await api("PUT", f"{path}/nobody", {"daily_max": 3}))[0] == 400
    assert (await api("PUT", path.replace("acme", "none") + "/a@b.example", {}))[0] == 404


async def test_what_is_paused_already_is_not_published_again(api: Api) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    await api("POST", "/api/v2/domains", DOMAIN)
    for path, method, body in (
        ("/api/v2/tenants/acme/pause", "POST", None),
        ("/api/v2/pools/acme/pause", "POST", None),
        ("/api/v2/ips/192.0.2.10", "PATCH", {"state": "pause"}),
    ):
        status, first = await api(method, path, body)
        assert (status, first["changed"]) == (200, True), first
        _, again = await api(method, path, body)
        assert (again["changed"], again["generation"]) == (False, first["generation"])
        assert "already" in again["notes"][0]
    _, shown = await api("POST", "/api/v2/pools/acme/resume")
    assert shown["view"]["paused"] is False
    assert (await api("POST", "/api/v2/pools/none/pause"))[0] == 404


async def test_sending_hours_are_renewed_before_they_run_out(api: Api, core: Parts) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    await api("POST", "/api/v2/clock", {"advance": "331d"})
    assert await core.publisher.reconcile() is None, "nobody has sending hours"
    hours = {"hours": "09:00-17:00", "zone": "Europe/Paris"}
    await api("PATCH", "/api/v2/tenants/acme", hours)
    await api("POST", "/api/v2/clock", {"advance": "329d"})
    assert await core.publisher.reconcile() is None
    await api("POST", "/api/v2/clock", {"advance": "2d"})
    assert await core.publisher.reconcile() is not None
    assert await core.publisher.reconcile() is None


async def test_names_are_read_in_every_spelling_and_mistakes_are_said_in_words(api: Api) -> None:
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
    await api(
        "POST", "/api/v2/domains", {**DOMAIN, "domain": "bücher.example", "ip": "2001:db8::1"}
    )
    _, shown = await api("GET", "/api/v2/domains/Bücher.example")
    assert shown["domain"] == "xn--bcher-kva.example"
    _, shown = await api("GET", "/api/v2/ips/2001:0db8:0::1")
    assert shown["ip"] == "2001:db8::1"
    for method, path, body, status, says in (
        ("GET", "/api/v2/ips/abc", None, 400, "'abc' is not an IP address"),
        ("GET", "/api/v2/ips/192.0.2.99", None, 404, "does not exist"),
        ("GET", "/api/v2/quota?tenant=nobody", None, 404, "tenant nobody does not exist"),
        ("GET", "/api/v2/ips?tenant=nobody", None, 404, "tenant nobody does not exist"),
        ("GET", "/api/v2/domains?tenant=nobody", None, 404, "tenant nobody does not exist"),
        ("POST", "/api/v2/tenants", {**ACME, "name": "a b"}, 400, "1 to 64 letters, digits"),
        ("POST", "/api/v2/tenants", {**ACME, "name": "b", "login": "a b"}, 400, "blanks"),
        ("POST", "/api/v2/tenants", {**ACME, "name": "ACME", "login": "b"}, 409, "tenant ACME"),
        ("POST", "/api/v2/domains", {**DOMAIN, "vmta": "Acme"}, 400, "--vmta"),
        ("POST", "/api/v2/domains", {**DOMAIN, "pool": "ACME"}, 400, "--pool"),
        ("POST", "/api/v2/domains", {**DOMAIN, "vmta": "sendgate-system"}, 400, "--vmta"),
    ):
        found, problem = await api(method, path, body)
        text = str(problem)
        assert (found, says in text) == (status, True), (path, body, problem)
        assert "regex" not in text


async def test_a_flag_that_is_neither_yes_nor_no_changes_nothing(api: Api) -> None:
    """Who writes `dry_run=True` wants nothing changed; it was taken as no, and the change made."""
    new = {"name": "acme", "login": "acme", "password": "correct horse"}
    for text in ("True", "y", "2"):
        status, answer = await api("POST", f"/api/v2/tenants?dry_run={text}", new)
        assert (status, "dry_run" in str(answer)) == (400, True)
    assert (await api("GET", "/api/v2/tenants/acme"))[0] == 404
    assert (await api("POST", "/api/v2/tenants?dry_run=1", new))[0] == 201
    assert (await api("GET", "/api/v2/tenants/acme"))[0] == 404
    assert (await api("POST", "/api/v2/tenants?dry_run=no", new))[0] == 201
    assert (await api("GET", "/api/v2/tenants/acme"))[0] == 200
