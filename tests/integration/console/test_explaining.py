"""The page Explain: why a message waits, what became of others, whether one would go now."""

from typing import cast, get_args

import pytest

from control.console.binding import Of, binding
from control.console.visit import Visit
from control.held.reason import WaitReason
from control.parts import Parts
from tests.support.control.browsing import Browser
from tests.support.control.core import Api
from tests.support.control.people import joined
from tests.support.hold.held import hold


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    """An operator, with a tenant whose mail waits."""
    await joined(core, api, "anna", "operator")
    new = {"name": "acme", "login": "acme", "password": "correct horse", "strict": True}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    domain = {"tenant": "acme", "domain": "acme.example", "ip": "192.0.2.10"}
    assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    browser = Browser(api)
    await browser.sign_in("anna")
    return browser


async def waits(core: Parts, name: str = "1aaaa", **more: object) -> None:
    """A message of the tenant's that waits."""
    its = {"tenant": "acme", "pool": "acme", "mailbox": "news@acme.example", **more}
    await hold(core.pool, name, **its)


@pytest.mark.parametrize(
    ("reason", "to"),
    [
        ("mailbox_spacing", "/mailboxes/news%40acme.example?tenant=acme"),
        ("ip_quota", "/tenants/acme#pools"),
        ("tenant_paused", "/tenants/acme"),
        ("server_away", "/powermta"),
        ("failed", "/held?message=1aaaa"),
        ("stopped", "/"),
        ("suppressions_unknown", "/suppressions?tenant=acme"),
    ],
)
async def test_why_a_message_waits_leads_to_what_binds_it(
    anna: Browser, core: Parts, reason: str, to: str
) -> None:
    await waits(core, reason=reason, detail="as a test has it", recipient="to@acme.example")
    seen = await anna.get("/explain?q=1aaaa")
    assert f"waits: {reason}: as a test has it" in seen.words
    assert f'What binds: <a href="{to}">' in seen.text
    assert "What would change it" in seen.words or reason == "suppressions_unknown"


def test_every_word_that_mail_waits_for_leads_somewhere() -> None:
    class Sees:
        def may(self, *_: str) -> bool:
            return True

    of = Of("acme", "pool", "a@acme.example")
    lost = [word for word in get_args(WaitReason) if not binding(cast(Visit, Sees()), word, of)]
    assert lost == []


async def test_a_paused_campaign_is_what_binds(anna: Browser, core: Parts, api: Api) -> None:
    await waits(core, campaign="c1", reason="ip_quota")
    await core.pool.execute("UPDATE tenant SET paused_campaigns = '{c1}' WHERE name = 'acme'")
    seen = await anna.get("/explain?q=1aaaa")
    assert "campaign c1 is paused" in seen.words
    assert 'href="/held?tenant=acme&amp;campaign=c1"' in seen.text


async def test_an_address_has_what_was_told_and_what_waits(anna: Browser, core: Parts) -> None:
    await waits(core, recipient="to@gmail.com", reason="ip_quota")
    body = {"address": "to@gmail.com", "tenant": "acme", "reason": "complaint", "note": "she did"}
    assert (await anna.api("POST", "/api/v2/suppressions", body))[0] == 200
    seen = await anna.get("/explain?q=to@gmail.com")
    assert seen.status == 200
    assert "to@gmail.com acme held now held" in seen.words
    assert "complaint , of tenant acme" in seen.words
    assert "she did" in seen.words
    assert 'href="/explain?q=1aaaa"' in seen.text
    none = await anna.get("/explain?q=nobody@gmail.com")
    assert "Gateways told nothing of it" in none.words


async def test_what_is_no_address_and_what_nobody_knows_is_said(anna: Browser) -> None:
    assert "is not a mail address" in (await anna.get("/explain?q=a@@@")).words
    assert "neither the hold nor the accounting" in (await anna.get("/explain?q=9zzzz")).words
    assert (await anna.get("/explain")).status == 200


async def test_whether_one_would_go_now_with_every_candidate(anna: Browser, api: Api) -> None:
    ask = "/explain?would=1&tenant=acme&from=news@acme.example&to=you@gmail.com&size=1000"
    seen = await anna.get(ask)
    assert "goes goes now through" in seen.words
    assert 'href="/ips/192.0.2.10"' in seen.text
    paused = await api("POST", "/api/v2/tenants/acme/pause")
    assert paused[0] == 200
    seen = await anna.get(ask)
    assert "waits" in seen.words
    assert 'What binds: <a href="/tenants/acme">' in seen.text
    assert "sendgate tenant resume" in seen.words


async def test_a_question_that_cannot_be_asked_keeps_what_was_typed(anna: Browser) -> None:
    seen = await anna.get("/explain?would=1&tenant=acme&from=nonsense&to=you@gmail.com")
    assert "is not an address" in seen.words
    assert 'value="nonsense"' in seen.text
    assert 'aria-invalid="true"' in seen.text
    nobody = await anna.get("/explain?would=1&tenant=nobody&from=a@b.c&to=you@gmail.com")
    assert "nobody" in nobody.words
    refused = await anna.get("/explain?would=1&tenant=acme&from=a@other.example&to=you@gmail.com")
    assert "is strict" in refused.words


async def test_who_is_of_one_tenant_asks_of_that_alone(api: Api, core: Parts) -> None:
    for name in ("acme", "zzother"):
        new = {"name": name, "login": name, "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", new))[0] == 201
        await hold(*(core.pool, f"1{name}"), tenant=name, pool=name, recipient="x@gmail.com")
    await joined(core, api, "ben", "viewer", ("acme",))
    browser = Browser(api)
    await browser.sign_in("ben")
    seen = await browser.get("/explain?q=x@gmail.com")
    assert ("1acme" in seen.text, "1zzother" in seen.text) == (True, False)
    assert "neither the hold" in (await browser.get("/explain?q=1zzother")).words
    theirs = "/explain?would=1&tenant=zzother&from=a@zzother.example&to=you@gmail.com"
    assert (await browser.get(theirs)).status == 404
