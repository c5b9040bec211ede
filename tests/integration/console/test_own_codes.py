"""Codes of an app, set up and switched off on the page of one's own account."""

import base64
import re
import time
from html import unescape

import pytest
import segno

from control.parts import Parts
from control.users.totp import STEP, code_at
from tests.support.control.browsing import Browser, Seen, acting
from tests.support.control.core import Api
from tests.support.control.people import PASSWORD, joined

RECOVERY = re.compile(r"[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}")


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    await joined(core, api, "anna", "viewer")
    browser = Browser(api)
    assert (await browser.sign_in("anna")).status == 303
    return browser


async def act(anna: Browser, do: str, **form: str) -> Seen:
    return await anna.post("/account", {"do": do, **form})


def shown(page: Seen, at: str) -> str:
    """What stands in the code element of that id; empty: it is not there."""
    found = re.search(f'<code id="{at}">([^<]*)</code>', page.text)
    return unescape(found[1]) if found else ""


def code(secret: str, later: int = 0) -> str:
    """Of the app, so many steps from now: each is good once."""
    return code_at(base64.b32decode(secret), int(time.time()) // STEP + later)


async def test_codes_are_set_up_kept_and_wanted(anna: Browser, api: Api, core: Parts) -> None:
    assert "Set up codes" in (await anna.get("/account")).words
    refused = await act(anna, "codes", password="not this one")
    assert (refused.status, shown(refused, "secret")) == (401, "")
    offered = await act(anna, "codes", password=PASSWORD)
    secret = shown(offered, "secret")
    assert (offered.status, len(base64.b32decode(secret))) == (200, 20)
    assert acting(offered.text) == [], "the policy of pages takes no style and no script of it"
    assert offered.headers["Cache-Control"] == "no-store"
    again = await anna.get("/account")
    assert (secret in again.text, "<svg" in again.text) == (False, False), "shown once"
    wrong = await act(anna, "confirm", code="000000")
    assert (wrong.status, "is the device" in wrong.words) == (401, True)
    assert 'id="confirm-code-said"' in wrong.text
    on = await act(anna, "confirm", code=f" {code(secret)[:3]} {code(secret)[3:]} ")
    kept = RECOVERY.findall(shown(on, "recovery"))
    assert (on.status, len(set(kept))) == (200, 10)
    page = await anna.get("/account")
    assert not RECOVERY.search(page.text), "shown once"
    assert "Signing in wants a code" in page.words
    assert (
        await core.pool.fetchval("SELECT count(*) FROM audit_log WHERE action = 'user.codes'") == 1
    )
    other = Browser(api)
    assert (await other.sign_in("anna")).status == 401
    assert (await other.sign_in("anna", code=kept[0])).status == 303


async def test_codes_are_switched_off_with_the_password_and_one_of_them(
    anna: Browser, api: Api
) -> None:
    secret = shown(await act(anna, "codes", password=PASSWORD), "secret")
    kept = RECOVERY.findall(shown(await act(anna, "confirm", code=code(secret)), "recovery"))
    for password, given in (("not this one", kept[0]), (PASSWORD, "AAAA-AAAA-AAAA-AAAA")):
        refused = await act(anna, "codes_off", password=password, code=given)
        assert refused.status == 401
        assert "Signing in wants a code" in (await anna.get("/account")).words
    off = await act(anna, "codes_off", password=PASSWORD, code=kept[1])
    assert (off.status, off.to) == (303, "/account")
    assert "Set up codes" in (await anna.get("/account")).words
    assert (await Browser(api).sign_in("anna")).status == 303


async def test_another_secret_takes_the_place_of_one_that_was_lost(anna: Browser) -> None:
    first = shown(await act(anna, "codes", password=PASSWORD), "secret")
    second = shown(await act(anna, "codes", password=PASSWORD), "secret")
    assert first != second
    assert (await act(anna, "confirm", code=code(first))).status == 401
    assert (await act(anna, "confirm", code=code(second))).status == 200


async def test_the_code_is_read_as_what_an_app_wants(anna: Browser) -> None:
    offered = await act(anna, "codes", password=PASSWORD)
    secret = shown(offered, "secret")
    uri = (
        f"otpauth://totp/Sendgate:anna?secret={secret}&issuer=Sendgate"
        "&algorithm=SHA1&digits=6&period=30"
    )
    drawn = segno.make(uri, error="m", micro=False)
    [path] = re.findall(r'<path stroke="#000" d="([^"]*)"', offered.text)
    assert drawn_rows(path) == [[bool(bit) for bit in row] for row in drawn.matrix]


def drawn_rows(path: str) -> list[list[bool]]:
    """Which modules of a code are dark, of the lines that are drawn (SVG 2, 9.3), without the
    border of four."""
    found: dict[tuple[int, int], bool] = {}
    x, y = 0.0, 0.0
    for what, given in re.findall(r"([Mmh])([^Mmh]+)", path):
        numbers = [float(n) for n in re.findall(r"-?\d*\.?\d+", given)]
        if what == "h":
            for at in range(int(numbers[0])):
                found[int(y - 0.5) - 4, int(x) + at - 4] = True
            x += numbers[0]
        else:
            x, y = (numbers[0], numbers[1]) if what == "M" else (x + numbers[0], y + numbers[1])
    size = 1 + max(row for row, _ in found)
    return [[found.get((row, column), False) for column in range(size)] for row in range(size)]
