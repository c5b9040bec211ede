"""VirtualMTAs at the console: what the statistics say, of the days that were chosen, of who may."""

import pytest

from control.parts import Parts
from policy.isotime import date_of
from policy.limits import day_of
from tests.support.control.browsing import Browser
from tests.support.control.core import Api
from tests.support.control.people import joined
from tests.support.control.records import book, record

HOSTILE = "<script>alert(1)</script>\u202egnp"
IP, THEIRS = "192.0.2.10", "192.0.2.20"


@pytest.fixture(autouse=True)
async def mail(api: Api, core: Parts) -> int:
    """Of two tenants, today, and a campaign with a name that is none; today."""
    for tenant, ip in (("acme", IP), ("globex", THEIRS)):
        named = {"name": tenant, "login": tenant, "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", named))[0] == 201
        source = {"tenant": tenant, "domain": f"{tenant}.test", "ip": ip, "quota": 100}
        assert (await api("POST", "/api/v2/domains", source))[0] == 201
    rows = await core.pool.fetch("SELECT host(ip) AS ip, name FROM virtual_mta")
    vmta = {row["ip"]: row["name"] for row in rows}
    today = day_of(await core.calendar())

    def sent(n: int, ip: str, rcpt: str, job: str, day: int = today) -> dict[str, str]:
        message = f"abcdef{ip[-2:]}{n:02}"
        return record("r", message, day=day, vmta=vmta[ip], rcpt=rcpt, jobId=job)

    ours = [sent(n, IP, f"u{n}@gmail.com", HOSTILE) for n in range(6)]
    old = sent(7, IP, "u@yahoo.com", "spring", today - 20)
    theirs = [sent(n, THEIRS, f"u{n}@gmx.net", "theirjob") for n in range(3)]
    await book(core, *ours, old, *theirs)
    await book(
        core,
        dict(ours[0], type="d"),
        dict(ours[1], type="b", bounceCat="bad-mailbox"),
        dict(ours[2], type="b", bounceCat="spam-related"),
        dict(ours[3], type="t", dsnStatus="4.7.0"),
        dict(theirs[0], type="d"),
    )
    return today


async def reader(api: Api, core: Parts, *tenants: str) -> Browser:
    await joined(core, api, "anna", "viewer", tenants or None)
    browser = Browser(api)
    await browser.sign_in("anna")
    return browser


async def test_each_is_listed_with_what_became_of_its_mail(api: Api, core: Parts) -> None:
    browser = await reader(api, core)
    seen = await browser.get("/virtualmtas")
    assert seen.status == 200
    assert "vmta-192-0-2-10 192.0.2.10 6 1 16.67 % 2 33.33 % 1 1 0 0 0 1 0 0 %" in seen.words
    assert "vmta-192-0-2-20 192.0.2.20 3 1" in seen.words
    assert "Sent 9 Delivered 2" in seen.words
    assert "bad-mailbox nobody there 1" in seen.words
    by = await browser.get("/virtualmtas?by=ip,provider")
    assert "vmta-192-0-2-10 192.0.2.10 gmail 6 1" in by.words
    only = await browser.get("/virtualmtas?provider=gmail")
    assert ("vmta-192-0-2-10" in only.words, "vmta-192-0-2-20" in only.words) == (True, False)


async def test_the_days_are_chosen(api: Api, core: Parts, mail: int) -> None:
    browser = await reader(api, core)
    month = await browser.get("/virtualmtas?days=30")
    assert "vmta-192-0-2-10 192.0.2.10 7 1" in month.words
    day = date_of(mail - 20)
    one = await browser.get(f"/virtualmtas?from={day}&to={day}")
    assert "vmta-192-0-2-10 192.0.2.10 1 0" in one.words
    assert f"from={day}&amp;to={day}" in one.text, "its page is of the same days"
    none = await browser.get(f"/virtualmtas?from={date_of(mail - 3)}&to={date_of(mail - 2)}")
    assert "Nothing was sent in these days." in none.words
    for wrong in ("from=yesterday", "from=2026-03-02&to=2026-03-01", "to=1066-01-01&from=999"):
        refused = await browser.get(f"/virtualmtas?{wrong}")
        assert (refused.status, "from" in refused.words) == (400, True), wrong
    assert (await browser.get("/virtualmtas?days=x&by=mailbox")).status == 200


async def test_one_has_its_providers_campaigns_and_days(api: Api, core: Parts) -> None:
    browser = await reader(api, core)
    seen = await browser.get(f"/virtualmtas/{IP}?days=30")
    assert seen.status == 200
    for row in ("gmail 6 1 16.67 %", "yahoo 1 0", "spring 1 0", "spam-related refused 1"):
        assert row in seen.words, row
    assert seen.text.count("<rect class=") == 30 * 3, "each day has its place"
    assert (await browser.get("/virtualmtas/192.0.2.99")).status == 404


async def test_names_of_others_stand_in_it_as_text(api: Api, core: Parts) -> None:
    browser = await reader(api, core)
    seen = await browser.get(f"/virtualmtas/{IP}")
    assert "<script>alert" not in seen.text
    assert '<bdi class="outside">&lt;script&gt;alert(1)' in seen.text
    assert "\u202e" not in seen.text
    shown = await browser.get("/virtualmtas?provider=%3Cscript%3Ealert(2)%3C/script%3E")
    assert "<script>alert" not in shown.text


async def test_a_tenants_user_sees_its_own(api: Api, core: Parts) -> None:
    browser = await reader(api, core, "acme")
    for path in ("/virtualmtas", "/virtualmtas?by=ip,provider", f"/virtualmtas/{IP}"):
        seen = await browser.get(path)
        assert seen.status == 200
        assert "vmta-192-0-2-10" in seen.words
        for theirs in ("vmta-192-0-2-20", THEIRS, "gmx", "theirjob"):
            assert theirs not in seen.text, (path, theirs)
    assert (await browser.get(f"/virtualmtas/{THEIRS}")).status == 404
    assert (await browser.get("/virtualmtas?tenant=globex")).status in (403, 404)
