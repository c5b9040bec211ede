"""Parts that are kept up to date: one look a second for all who watch, none for nobody."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from control.app import runner_of
from control.console.live import AGAIN
from control.console.open import EVERY
from control.console.sampler import Sampler
from control.parts import Parts
from control.problem import RefusedError
from tests.support.control.browsing import Browser
from tests.support.control.core import Api
from tests.support.control.people import joined

STREAM = "/live/now"


@asynccontextmanager
async def watching(browser: Browser) -> AsyncIterator[aiohttp.ClientResponse]:
    """The stream, open."""
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    async with browser.api.session.get(
        browser.api.url + STREAM, headers={"Cookie": cookie, "Accept": "text/event-stream"}
    ) as answer:
        yield answer


async def message(answer: aiohttp.ClientResponse) -> str:
    """The next one; empty: the stream ended."""
    lines = []
    async with asyncio.timeout(20):
        while (line := await answer.content.readline()) not in (b"\n", b""):
            assert line.startswith(b"data: ")
            lines.append(line[6:].decode())
    return "".join(lines)


async def test_a_viewer_is_sent_what_a_reload_would_show(api: Api, core: Parts) -> None:
    await joined(core, api, "anna")
    browser = Browser(api)
    await browser.sign_in("anna")
    async with watching(browser) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert "Content-Encoding" not in answer.headers
        first, second = await message(answer), await message(answer)
    assert "Mail of the last minute" in first
    assert first.partition("</time>")[0] != second.partition("</time>")[0], "another look"
    shown = (await browser.get("/")).text
    assert second.split("</p>", 1)[1].strip() in shown


async def test_who_is_not_signed_in_gets_no_stream(api: Api) -> None:
    async with watching(Browser(api)) as answer:
        assert answer.content_type != "text/event-stream"
        assert "Mail of the last minute" not in await answer.text()


@pytest.mark.parametrize("how", ["disabled", "another role", "signed out", "removed"])
async def test_a_stream_ends_within_seconds_of_its_session(api: Api, core: Parts, how: str) -> None:
    await joined(core, api, "anna", "operator")
    browser, other = Browser(api), Browser(api)
    await joined(core, api, "ben")
    await browser.sign_in("anna")
    await other.sign_in("ben")
    change: dict[str, tuple[str, str, Any]] = {
        "disabled": ("PATCH", "", {"disabled": True}),
        "another role": ("PATCH", "", {"role": "viewer"}),
        "signed out": ("DELETE", "/sessions", None),
        "removed": ("DELETE", "", None),
    }
    method, path, body = change[how]
    async with watching(browser) as answer, watching(other) as still:
        assert await message(answer)
        assert await message(still)
        status, said = await api(method, f"/api/v2/users/anna{path}", body)
        assert status < 300, said
        async with asyncio.timeout(AGAIN + 3 * EVERY):
            while await message(answer):
                pass
        assert await message(still), "of nobody else"


async def test_a_page_that_was_left_open_does_not_keep_its_session(
    api: Api, core: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control.console.live.AGAIN", 0.0)
    await joined(core, api, "anna")
    browser = Browser(api)
    await browser.sign_in("anna")
    async with watching(browser) as answer:
        assert await message(answer)
        await core.pool.execute("UPDATE session SET seen = now() - interval '59 minutes'")
        assert await message(answer)
        assert await message(answer)
    async with watching(browser) as answer:
        assert await message(answer), "nor does a stream that its browser opens again"
        await core.pool.execute("UPDATE session SET seen = seen - interval '2 minutes'")
        async with asyncio.timeout(10):
            while await message(answer):
                pass
    assert (await browser.get("/")).to.startswith("/sign-in")


async def test_a_stream_whose_session_cannot_be_looked_at_ends_and_says_nothing_else(
    api: Api, core: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would be a page of its own has no place behind the head of the stream."""
    await joined(core, api, "anna")
    browser = Browser(api)
    await browser.sign_in("anna")

    async def away(cookie: str, *, used: bool = True) -> None:
        raise ConnectionRefusedError("PostgreSQL is away")

    async with watching(browser) as answer:
        assert await message(answer)
        monkeypatch.setattr("control.console.live.AGAIN", 0.0)
        monkeypatch.setattr(core.gate.browsers, "holder", away)
        async with asyncio.timeout(10):
            while await message(answer):
                pass


async def test_streams_end_with_the_process(core: Parts, api: Api) -> None:
    await joined(core, api, "anna")
    runner = runner_of(core)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    api.url = f"http://{host}:{port}"
    browser = Browser(api)
    await browser.sign_in("anna")
    async with watching(browser) as answer:
        assert await message(answer)
        began = time.monotonic()
        await runner.cleanup()
        assert time.monotonic() - began < 10, "no viewer keeps it from ending"
        async with asyncio.timeout(10):
            while await message(answer):
                pass


class Looks:
    """Counts those that are taken."""

    def __init__(self) -> None:
        self.taken = 0

    async def __call__(self) -> int:
        self.taken += 1
        return self.taken


async def some(sampler: Sampler[int], many: int) -> list[int]:
    """So many samples."""
    found: list[int] = []
    async for one in sampler.watch():
        found.append(one)
        if len(found) == many:
            break
    return found


async def test_fifty_viewers_cost_the_looks_of_one() -> None:
    looks = Looks()
    sampler = Sampler(looks, every=0.05, most=100)
    found = await asyncio.gather(*(some(sampler, 4) for _ in range(50)))
    assert all(one == found[0] for one in found)
    assert looks.taken <= 6


async def test_nobody_watches_and_nothing_is_looked_at() -> None:
    looks = Looks()
    sampler = Sampler(looks, every=0.01, most=100)
    await some(sampler, 2)
    async with asyncio.timeout(5):
        while sampler.watching:
            await asyncio.sleep(0.01)
    before = looks.taken
    await asyncio.sleep(0.1)
    assert (looks.taken, sampler.watching) == (before, 0)
    assert await some(sampler, 1), "and begins again"


async def test_a_slow_viewer_misses_some_and_nothing_queues_up() -> None:
    looks = Looks()
    sampler = Sampler(looks, every=0.01, most=100)
    seen = []
    async for one in sampler.watch():
        seen.append(one)
        if len(seen) == 3:
            break
        await asyncio.sleep(0.1)
    assert seen[2] - seen[0] > 4, "the latest, each time"


async def test_one_viewer_too_many_is_told() -> None:
    sampler = Sampler(Looks(), every=0.01, most=1)
    first = sampler.watch()
    await anext(first)
    with pytest.raises(RefusedError, match="console_viewers"):
        await anext(sampler.watch())
    await first.aclose()  # type: ignore[attr-defined]
    assert await some(sampler, 1)


async def test_a_look_that_fails_is_the_end_of_its_viewers_with_its_error() -> None:
    async def broken() -> int:
        raise ZeroDivisionError

    sampler = Sampler(broken, every=0.01, most=5)
    async with asyncio.timeout(5):
        with pytest.raises(ZeroDivisionError):
            await anext(sampler.watch())
    assert sampler.watching == 0
