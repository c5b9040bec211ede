"""What another site's page, or what stands in our own, can make a reader's browser do: nothing."""

import re

import pytest

from control.console.headers import POLICY
from control.parts import Parts
from tests.support.control.browsing import Browser
from tests.support.control.core import Api
from tests.support.control.people import PASSWORD, joined

MUTE = {"do": "mute", "key": "a:b"}


async def muted(core: Parts) -> bool:
    """Whether the form was done."""
    return bool(
        await core.pool.fetchval("SELECT count(*) FROM audit_log WHERE action = 'alert.mute'")
    )


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    """An admin who is signed in."""
    await joined(core, api, "anna")
    browser = Browser(api)
    await browser.sign_in("anna")
    return browser


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        ("https://evil.example", None),
        ("https://evil.example", "cross-site"),
        ("https://evil.example", "same-origin"),
        ("null", None),
        ("null", "same-origin"),
        ("OURS", "cross-site"),
        ("OURS", "same-site"),
        ("OURS", "none"),
        (None, "cross-site"),
        (None, None),
        ("OURS.evil.example", None),
        ("http://user@OURS", None),
    ],
)
async def test_a_form_of_another_page_is_refused(
    anna: Browser, core: Parts, api: Api, origin: str | None, site: str | None
) -> None:
    if origin is not None:
        origin = origin.replace("http://user@OURS", f"http://u@{api.url[7:]}").replace(
            "OURS", api.url
        )
    headers = {} if site is None else {"Sec-Fetch-Site": site}
    refused = await anna.post("/alerts", MUTE, origin=origin, **headers)
    assert refused.status == 403
    assert "nothing was done" in refused.words
    assert not await muted(core)
    for path, form in (("/sign-out", {}), ("/sign-in", {"name": "anna", "password": PASSWORD})):
        assert (await anna.post(path, form, origin=origin, **headers)).status == 403
    assert (await anna.get("/")).status == 200, "still signed in"


async def test_a_form_of_ours_is_taken_by_either_word_of_the_browser(
    anna: Browser, core: Parts, api: Api
) -> None:
    assert (await anna.post("/alerts", MUTE, origin=api.url)).status == 303
    fetch = {"Sec-Fetch-Site": "same-origin"}
    assert (await anna.post("/alerts", MUTE, origin=None, **fetch)).status == 303
    assert (await anna.post("/alerts", MUTE)).status == 303
    assert await muted(core)


async def test_a_form_is_a_form(anna: Browser, api: Api) -> None:
    """A body that a page may send anywhere without asking is none of ours."""
    headers = {"Origin": api.url, "Cookie": f"__Host-sendgate={anna.cookies['__Host-sendgate']}"}
    for kind in ("text/plain", "application/json", "multipart/form-data; boundary=x"):
        async with api.session.post(
            f"{api.url}/alerts", data=b"do=mute&key=a:b", headers={**headers, "Content-Type": kind}
        ) as answer:
            assert answer.status == 415, kind


async def test_no_get_changes_anything(anna: Browser, core: Parts) -> None:
    assert (await anna.get("/alerts?do=mute&key=a:b")).status == 200
    assert not await muted(core)
    assert (await anna.get("/sign-out")).status == 405
    assert (await anna.get("/")).status == 200


PATHS = (
    *("/", "/ips", "/virtualmtas", "/held", "/reputation", "/alerts", "/jobs", "/jobs/dns"),
    *("/audit", "/users", "/users/anna", "/tokens", "/programs", "/account"),
    *("/sign-in", "/sign-in/link", "/nowhere"),
)


@pytest.mark.parametrize("path", [*PATHS, "/ips/192.0.2.99"])
async def test_every_page_runs_what_we_serve_and_nothing_that_stands_in_it(
    anna: Browser, path: str
) -> None:
    seen = await anna.get(path)
    assert seen.headers["Content-Security-Policy"] == POLICY
    assert seen.headers["X-Content-Type-Options"] == "nosniff"
    assert seen.headers["Referrer-Policy"] == "same-origin"
    assert seen.headers["Cache-Control"] == "no-store"
    assert seen.headers["Content-Type"] == "text/html; charset=utf-8"
    text = seen.text.lower()
    assert "<style" not in text
    assert " style=" not in text
    assert not re.search(r"<[^>]*\son\w+\s*=", text)
    # Three on each page, and two for one that draws.
    assert re.findall(r"<script[^>]*>([^<]*)</script>", text) in ([""] * 3, [""] * 5)
    assert "javascript:" not in text
    assert "hx-on" not in text


async def test_files_have_their_digest_in_their_name_and_are_kept(anna: Browser, api: Api) -> None:
    page = await anna.get("/alerts")
    names = [part.split('"')[0] for part in page.text.split('"/static/')[1:]]
    assert len(names) >= 4
    for name in names:
        async with api.session.get(f"{api.url}/static/{name}") as answer:
            assert answer.status == 200
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert answer.headers["Content-Security-Policy"] == POLICY
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    digest, _, name = names[0].partition("/")
    other = "0" * len(digest)
    for path in (f"{other}/{name}", f"{digest}/../app.py", f"{digest}/vendor/VENDOR.toml"):
        assert (await anna.get(f"/static/{path}")).status == 404


async def test_who_asks_for_no_page_gets_none(api: Api) -> None:
    """Programs that mistype a path of the API read its problems as before."""
    status, found = await api("GET", "/nowhere")
    assert (status, isinstance(found, dict)) == (404, True)
    async with api.session.get(f"{api.url}/api/nowhere", headers={"Accept": "text/html"}) as answer:
        assert answer.content_type == "application/problem+json"
