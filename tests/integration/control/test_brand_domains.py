"""Brand domains: a tenant's list of what nobody sends from."""

from typing import Any

import pytest

from tests.support.control.core import TOKEN, Api, Command

ACME = {
    "name": "acme",
    "login": "acme",
    "password": "correct horse",
    "brand_domains": ["ACME.test", "bücher.example"],
}
SOURCE: dict[str, Any] = {"tenant": "acme", "ip": "192.0.2.10"}


@pytest.fixture(autouse=True)
async def _acme(api: Api) -> None:
    status, added = await api("POST", "/api/v2/tenants", ACME)
    assert status == 201, added


async def brand(api: Api, *domains: str) -> tuple[int, Any]:
    return await api("PATCH", "/api/v2/tenants/acme", {"brand_domains": list(domains)})


async def test_a_brand_domain_is_refused_as_a_sending_domain_and_one_below_it_is_not(
    api: Api,
) -> None:
    for domain in ("acme.test", "Acme.Test.", "xn--bcher-kva.example"):
        status, refused = await api("POST", "/api/v2/domains", {**SOURCE, "domain": domain})
        assert (status, refused["errors"][0]["field"]) == (400, "domain"), refused
    assert "is a brand domain of tenant acme: send from another one" in str(refused)
    assert "sendgate tenant set acme --brand-domain" in str(refused)
    assert (await api("GET", "/api/v2/ips"))[1] == [], "nothing of it is there"
    for number, domain in enumerate(("mail.acme.test", "acme-news.test")):
        new = {**SOURCE, "domain": domain, "ip": f"192.0.2.{number + 20}"}
        assert (await api("POST", "/api/v2/domains", new))[0] == 201
    # It is this tenant's list.
    other = {"name": "globex", "login": "globex", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", other))[0] == 201
    new = {"tenant": "globex", "domain": "acme.test", "ip": "192.0.2.30"}
    assert (await api("POST", "/api/v2/domains", new))[0] == 201


async def test_the_list_is_shown_audited_and_replaced(api: Api) -> None:
    shown = (await api("GET", "/api/v2/tenants/acme"))[1]
    assert shown["brand_domains"] == ["acme.test", "xn--bcher-kva.example"]
    assert (await brand(api, "bücher.example", "acme.test"))[1]["changed"] is False
    status, changed = await brand(api, "shop.test")
    assert (status, changed["view"]["brand_domains"]) == (200, ["shop.test"])
    audit = (await api("GET", "/api/v2/audit"))[1]["entries"]
    (entry,) = (row for row in audit if row["action"] == "tenant.set")
    assert entry["before"] == {"brand_domains": ["acme.test", "xn--bcher-kva.example"]}
    assert entry["after"] == {"brand_domains": ["shop.test"]}
    assert (await api("POST", "/api/v2/domains", {**SOURCE, "domain": "acme.test"}))[0] == 201


@pytest.mark.parametrize("wrong", ["brand", "a b.test", "192.0.2.1", "@acme.test", "x" * 70 + ".a"])
async def test_what_is_no_domain_is_refused(api: Api, wrong: str) -> None:
    status, refused = await brand(api, "shop.test", wrong)
    assert status == 400, refused
    assert refused["errors"][0]["field"].startswith("brand_domains"), refused


async def test_what_mail_is_sent_from_is_no_brand_domain(api: Api) -> None:
    assert (await api("POST", "/api/v2/domains", {**SOURCE, "domain": "news.test"}))[0] == 201
    status, refused = await brand(api, "acme.test", "news.test")
    assert (status, refused["errors"][0]["field"]) == (409, "brand_domains")
    assert "`sendgate domain remove news.test`" in str(refused)
    assert (await api("GET", "/api/v2/tenants/acme"))[1]["brand_domains"] == [
        "acme.test",
        "xn--bcher-kva.example",
    ]


async def test_the_command_sets_shows_and_empties_it(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    sendgate = Command(api, capsys)
    names = ("--brand-domain", "acme.test", "--brand-domain", "acme.example")
    await sendgate("tenant", "set", "acme", *names)
    assert "acme.example" in await sendgate("tenant", "show", "acme")
    source = ("--tenant", "acme", "--domain", "acme.example", "--ip", "192.0.2.10")
    assert "is a brand domain of tenant acme" in await sendgate("domain", "add", *source, code=2)
    await sendgate("tenant", "set", "acme", "--no-brand-domains")
    await sendgate("domain", "add", *source)
