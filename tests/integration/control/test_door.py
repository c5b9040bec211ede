"""Bad names and addresses are refused at the door, in every field, and nothing is changed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from control.api import openapi
from control.app import routes
from control.parts import Parts
from tests.conftest import CreateDatabase
from tests.support.control.core import Api, all_rows, api_of, build, control_core, settings_for

ACME = {"name": "acme", "login": "acme-smtp", "password": "correct horse"}
DOMAIN = {"tenant": "acme", "domain": "example.com", "ip": "192.0.2.10", "quota": 3}
SERVERS, TENANTS, DOMAINS = "/api/v2/servers", "/api/v2/tenants", "/api/v2/domains"


@pytest.fixture
async def core(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Parts]:
    url = await create_database("control", build)
    async with control_core(settings_for(url, valkey_url)) as opened:
        yield opened


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    async with api_of(core) as opened:
        assert (await opened("POST", TENANTS, ACME))[0] == 201
        yield opened


def tenant(**fields: Any) -> tuple[str, str, dict[str, Any]]:
    return "POST", TENANTS, {"name": "globex", "login": "g", "password": "correct horse", **fields}


def domain(**fields: Any) -> tuple[str, str, dict[str, Any]]:
    return "POST", DOMAINS, {**DOMAIN, **fields}


def server(*hosts: str, name: str = "sp") -> tuple[str, str, dict[str, Any]]:
    return "POST", SERVERS, {"name": name, "addresses": [{"host": h, "port": 25} for h in hosts]}


def terms(**fields: Any) -> tuple[str, str, dict[str, Any]]:
    return "PATCH", f"{TENANTS}/acme", fields


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (tenant(name="all"), "name"),
        (tenant(name="7"), "name"),
        (tenant(name="{default}"), "name"),
        (tenant(name="a" * 65), "name"),
        (tenant(name="a#b"), "name"),
        (tenant(login="a b"), "login"),
        (tenant(login="a\u0000"), "login"),
        (tenant(networks=["10.0.0.1/8"]), "networks"),
        (tenant(networks=["10.0.0.0/8\n"]), "networks"),
        (domain(domain="999.1.1.1"), "domain"),
        (domain(domain="a" * 64 + ".example"), "domain"),
        (domain(domain="a\u0007.example"), "domain"),
        (domain(ip="0.0.0.5"), "ip"),
        (domain(ip="224.0.0.1"), "ip"),
        (domain(ip="127.0.0.1"), "ip"),
        (domain(ip="::"), "ip"),
        (domain(ip="fe80::1%eth0"), "ip"),
        (domain(host_name="mta_1.example.com"), "host_name"),
        (domain(host_name="mta"), "host_name"),
        (domain(pool="none"), "pool"),
        (domain(vmta="by-smtp-source-ip"), "vmta"),
        (domain(vmta="12"), "vmta"),
        (server("999.1.1.1"), "addresses[0].host"),
        (server(""), "addresses"),
        (server("pmta.example", "0.0.0.0"), "addresses[1].host"),
        (server("pmta.example", "pmta.example"), "addresses"),
        (server("a b"), "addresses[0].host"),
        (server("pmta.example", name="default"), "name"),
        (terms(senders=["bad@@x"]), "senders"),
        (terms(senders=["a@x"]), "senders"),
        (terms(senders=["a.example", "x\u001b[2J.example"]), "senders"),
        (terms(networks=["0.0.0.0/33"]), "networks"),
        (("PUT", f"{TENANTS}/acme/mailboxes/bad@@x.example", {"daily_max": 1}), "address"),
        (("PATCH", "/api/v2/ips/192.0.2.10", {"reason": "a\u001b[31mred"}), "reason"),
        (("POST", f"{TENANTS}/acme/password", {"login": "a\n", "password": "x" * 20}), "login"),
    ],
)
async def test_what_is_wrong_is_refused_by_its_field_and_changes_nothing(
    api: Api, core: Parts, request_: tuple[str, str, dict[str, Any]], field: str
) -> None:
    before = await all_rows(core)
    method, path, body = request_
    status, problem = await api(method, path, body)
    assert status == 400, problem
    assert [e["field"] for e in problem["errors"]] == [field], problem
    assert await all_rows(core) == before


async def test_a_network_for_everybody_is_taken_with_a_warning(api: Api) -> None:
    status, found = await api(*tenant(networks=["0.0.0.0/0"]))
    assert status == 201
    assert any("every IPv4 address there is" in note for note in found["notes"])
    status, found = await api(*terms(networks=["::/0", "192.0.2.0/24"]))
    assert status == 200
    assert [n for n in found["notes"] if "IPv6 address there is" in n]
    assert not [n for n in found["notes"] if "192.0.2.0" in n]
    _, again = await api(*terms(networks=["::/0"]))
    assert not [n for n in again["notes"] if "IPv6" in n], "said once, when it comes"


async def test_a_name_that_is_there_already_stays(api: Api, core: Parts) -> None:
    """What an older version took: reserved now, and still changed under its name."""
    await core.pool.execute("INSERT INTO pmta_server (name, created) VALUES ($1, now())", "default")
    assert (await api(*server("192.0.2.9", name="default")))[0] == 200


async def test_the_schema_says_what_the_door_takes(core: Parts) -> None:
    schemas = openapi.document(routes(core))["components"]["schemas"]
    new = schemas["NewDomain"]["properties"]
    assert "idn-hostname" in {kind.get("format") for kind in new["domain"]["anyOf"]}
    assert {f["format"] for f in new["ip"]["anyOf"]} == {"ipv4", "ipv6"}
    assert "pattern" in str(schemas["ServerAddress"]["properties"]["host"])
    assert schemas["ServerAddress"]["properties"]["host"]["minLength"] == 1
    for field in ("login", "networks", "name"):
        text = schemas["NewTenant"]["properties"][field]
        assert "pattern" in str(text), field
    senders = schemas["TenantChange"]["properties"]["senders"]
    assert "pattern" in str(senders)
