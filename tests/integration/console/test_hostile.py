"""Whatever anybody outside wrote, wherever a page shows it: inert, and marked."""

import re

import pytest
from yarl import URL

from control.alerts.alert import Raised, event
from control.parts import Parts
from tests.support.control.browsing import Browser, acting
from tests.support.control.core import Api
from tests.support.control.people import joined
from tests.support.hold.held import hold

HOSTILE = (
    "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}{% raw %}"
    "\x1b[31m\u202egnp.exe\u2066\u200f javascript:alert(3) &lt;b&gt;"
)
ACTIVE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


def inert(text: str) -> None:
    """Raises AssertionError where some of it could act."""
    assert acting(text) == []
    assert "alert(2)&gt;49" not in text, "no template of a template"
    assert not ACTIVE.search(text)


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    """Signed in, with hostile words in what she looks at."""
    await joined(core, api, "anna")
    new = {"name": "acme", "login": "acme", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    await hold(
        *(core.pool, "1aaaa"),
        pool="acme",
        recipient=f"{HOSTILE}@gmail.com",
        campaign=HOSTILE,
        mailbox=f"{HOSTILE}@acme.example",
        detail=HOSTILE + "x" * 1_000_000,
        message_id=HOSTILE,
    )
    async with core.pool.acquire() as connection, connection.transaction():
        raised = Raised(key="a:b", severity="critical", what=HOSTILE * 1000, next=HOSTILE)
        await event(connection, await core.calendar(), raised)
    await core.pool.execute("UPDATE alert SET recovered = NULL")
    browser = Browser(api)
    await browser.sign_in("anna")
    return browser


@pytest.mark.parametrize("path", ["/", "/held", "/alerts"])
async def test_what_pages_show_of_others_is_inert_and_short(anna: Browser, path: str) -> None:
    seen = await anna.get(path)
    assert seen.status == 200
    inert(seen.text)
    assert len(seen.text) < 60_000, "a megabyte is cut"
    if path != "/":
        assert "\\x1b[31m\\u202egnp.exe\\u2066" in seen.text
        assert '<bdi class="outside">' in seen.text


@pytest.mark.parametrize("path", ["/", "/held", "/alerts", "/ips", "/sign-in", "/nowhere"])
async def test_a_link_that_somebody_sent_is_inert(anna: Browser, path: str) -> None:
    for name in (
        "tenant",
        "campaign",
        "reason",
        "recipient",
        "message",
        "after",
        "to",
        "ended",
        "x",
    ):
        seen = await anna.get(str(_with(path, name)))
        assert seen.headers["Content-Type"].startswith("text/html")
        inert(seen.text)


async def test_what_was_typed_comes_back_inert(anna: Browser) -> None:
    form = {"do": "order", "action": "release", "campaign": HOSTILE, "tenant": "acme"}
    inert((await anna.post("/held", form)).text)
    inert((await anna.post("/held", {**form, "action": HOSTILE})).text)
    inert((await anna.post("/alerts", {"do": "mute", "key": HOSTILE})).text)
    inert((await Browser(anna.api).sign_in(HOSTILE, HOSTILE, HOSTILE[:40])).text)


async def test_a_said_word_that_nobody_left_is_nothing(anna: Browser) -> None:
    for planted in ("!!!", "PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg", "gICA", "A" * 3000):
        anna.cookies["__Host-sendgate-said"] = planted
        seen = await anna.get("/alerts")
        assert seen.status == 200
        inert(seen.text)


def _with(path: str, name: str) -> URL:
    return URL(path).with_query({name: HOSTILE})
