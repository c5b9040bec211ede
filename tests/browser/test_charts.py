"""What the console draws, in a browser: light and dark, on a phone, and without a script."""

from typing import TYPE_CHECKING

import pytest

from control.parts import Parts
from policy.limits import day_of
from tests.browser.accessible import barriers
from tests.browser.look import LOOKS, Look
from tests.browser.watched import Watched, watched
from tests.support.control.core import Api
from tests.support.control.people import PASSWORD, joined

if TYPE_CHECKING:
    from playwright.async_api import Browser

IP = "192.0.2.10"
PAGES = ("/", "/virtualmtas?days=30", f"/virtualmtas/{IP}?days=7", f"/ips/{IP}")


@pytest.fixture(autouse=True)
async def mail(api: Api, core: Parts) -> None:
    """Of an IP that warms up, on two days of three."""
    named = {"name": "acme", "login": "acme-smtp", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", named))[0] == 201
    source = {"tenant": "acme", "domain": "acme.test", "ip": IP}
    assert (await api("POST", "/api/v2/domains", source))[0] == 201
    await core.pool.execute(
        "INSERT INTO statistics_ip (day, tenant, ip, provider, relayed, delivered, deferred,"
        " bounced) SELECT $1::int - n, 'acme', $2, 'gmail', 40 - n, 36 - n, n / 2, 2"
        " FROM generate_series(0, 29) n WHERE n % 3 <> 1",
        *(day_of(await core.calendar()), IP),
    )
    await joined(core, api, "anna", "viewer")


async def signed_in(one: Watched) -> None:
    await one.open("/sign-in")
    await one.page.fill("#name", "anna")
    await one.page.fill("#password", PASSWORD)
    await one.page.click("main button")
    await one.page.wait_for_selector("nav")


@pytest.mark.parametrize("look", LOOKS, ids=str)
async def test_pages_draw_and_have_the_numbers_beside(
    origin: str, browser: "Browser", look: Look
) -> None:
    async with watched(browser, origin, look) as one:
        await signed_in(one)
        for path in PAGES:
            assert await one.open(path) == 200
            figures = one.page.locator("[data-chart]")
            assert await figures.count() == 1, path
            if look.scripts:
                await one.page.wait_for_selector("[data-chart] canvas")
                assert await one.page.locator("[data-chart] svg").count() == 0, path
            assert await one.page.locator("details table").first.count() == 1, path
            assert await one.width_beyond() <= 0, path
            # Without a script Now comes again by itself, which axe calls grave.
            if look.scripts or path != "/":
                assert await barriers(one) == [], path
        assert one.refused + one.said + one.outside == []


async def test_rates_go_on_while_one_looks(origin: str, browser: "Browser") -> None:
    async with watched(browser, origin) as one:
        await signed_in(one)
        await one.open("/")
        await one.page.wait_for_selector("#rates canvas")
        points = set()
        while len(points) < 3:
            points.add(await one.page.locator("#rate").get_attribute("data-point"))
            await one.page.wait_for_timeout(300)
        shown = await one.page.locator("#rates canvas").count()
        assert shown == 1
        assert one.refused + one.said + one.outside == []


async def test_a_chart_takes_no_key_and_follows_its_width(origin: str, browser: "Browser") -> None:
    async with watched(browser, origin) as one:
        await signed_in(one)
        await one.open(f"/ips/{IP}")
        await one.page.wait_for_selector("[data-chart] canvas")
        assert await one.page.locator("[data-chart] :is(a, button, input, [tabindex])").count() == 0
        await one.page.set_viewport_size({"width": 360, "height": 740})
        plot = one.page.locator("[data-chart] .uplot")
        while (box := await plot.bounding_box()) is None or box["width"] > 360:
            await one.page.wait_for_timeout(100)
        assert await one.width_beyond() <= 0
