"""A real nginx with the installed configuration in front of control."""

import asyncio
import contextlib
import io
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from control.api.origin import come_from
from control.app import runner_of
from control.embedded.servers import ports
from control.parts import Parts
from loadtest.certificate import self_signed
from policy.node import network
from tests.support.control.browsing import Browser
from tests.support.control.core import TOKEN, Api
from tests.support.control.people import joined
from tests.support.repository import ROOT

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="no nginx here (installed by .ci/run)")

INSTALLED = (ROOT / "deploy" / "nginx" / "sendgate.conf").read_text(encoding="utf-8")
TEN_MIB = 10 * 1024 * 1024


class Front:
    """nginx in a folder of its own, before what listens on `port`."""

    def __init__(self, folder: Path, port: int, text: str = INSTALLED) -> None:
        self.https, self.http = ports.choose(), ports.choose()
        self_signed(folder / "cert.pem", folder / "key.pem")
        for was, now in (
            ("listen 443 ssl http2", f"listen 127.0.0.1:{self.https} ssl http2"),
            ("listen 80", f"listen 127.0.0.1:{self.http}"),
            ("127.0.0.1:8000", f"127.0.0.1:{port}"),
            ("/etc/sendgate/tls/fullchain.pem", str(folder / "cert.pem")),
            ("/etc/sendgate/tls/privkey.pem", str(folder / "key.pem")),
            ("/var/log/nginx/", f"{folder}/"),
        ):
            assert was in text
            text = text.replace(was, now)
        # One of each family: the other is the same.
        text = "\n".join(line for line in text.splitlines() if "listen [::]" not in line)
        (folder / "sendgate.conf").write_text(text)
        temp = "\n".join(
            f"    {kind}_temp_path {folder}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        self.file = folder / "nginx.conf"
        self.file.write_text(
            f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
            f"events {{}}\nhttp {{\n{temp}\n    include {folder}/sendgate.conf;\n}}\n"
        )
        self.folder = folder

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.https}"

    async def run(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(str(NGINX), "-e", str(self.folder / "error.log"), "-c", str(self.file), *words),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        tested = await self.run("-t")
        _, said = await tested.communicate()
        assert tested.returncode == 0, said
        assert b"warn" not in said, said
        process = await self.run()
        try:
            async with asyncio.timeout(10):
                while True:
                    try:
                        _, writer = await asyncio.open_connection("127.0.0.1", self.https)
                    except OSError:
                        assert process.returncode is None
                        await asyncio.sleep(0.02)
                    else:
                        writer.close()
                        break
            yield
        finally:
            process.terminate()
            await process.wait()


@contextlib.asynccontextmanager
async def client(source: str = "127.0.0.1") -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=False, local_addr=(source, 0))
    async with aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(total=20)
    ) as session:
        yield session


@contextlib.asynccontextmanager
async def listening(runner: web.AppRunner) -> AsyncIterator[int]:
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class Behind:
    """An application that says what reached it."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()
        app = web.Application(client_max_size=TEN_MIB)
        app.router.add_get("/stream", self.stream)
        app.router.add_route("*", "/{path:.*}", self.said)
        self.runner = web.AppRunner(app, access_log=None)

    async def said(self, request: web.Request) -> web.Response:
        names = ("Host", "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded")
        headers: dict[str, Any] = {name: request.headers.get(name) for name in names}
        from_ = come_from(request, (network("127.0.0.1"),))
        size = len(await request.read())
        return web.json_response({**headers, "from": from_, "size": size})

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Says the second event only when the first has been heard."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: first\n\n")
        await self.heard.wait()
        await response.write(b"data: second\n\n")
        return response


async def test_control_answers_through_it(core: Parts, tmp_path: Path) -> None:
    async with listening(runner_of(core)) as port:
        front = Front(tmp_path, port)
        async with front.serving(), client() as ours, client("127.0.0.2") as other:
            bearer = {"Authorization": f"Bearer {TOKEN}"}
            async with ours.get(f"{front.url}/api/v2/tenants", headers=bearer) as answer:
                assert answer.status == 200
                assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
            for path in ("/metrics", "/api/warmup/metrics"):
                async with ours.get(front.url + path, headers=bearer) as answer:
                    assert answer.status == 200
                async with ours.get(front.url + path) as answer:
                    assert answer.status == 401
                async with other.get(front.url + path, headers=bearer) as answer:
                    assert answer.status == 403
            plain = f"http://127.0.0.1:{front.http}/api/v2/tenants?secret=1"
            async with ours.get(plain, allow_redirects=False) as answer:
                assert answer.status == 308
                assert answer.headers["Location"].startswith("https://127.0.0.1/api/v2/tenants?")
        assert "secret" not in (tmp_path / "sendgate.log").read_text()


async def test_what_reaches_control_is_what_nginx_saw(tmp_path: Path) -> None:
    async with listening(Behind().runner) as port:
        front = Front(tmp_path, port)
        async with front.serving(), client("127.0.0.3") as session:
            lies = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
            async with session.get(f"{front.url}/who", headers=lies) as answer:
                said = await answer.json()
            assert said["from"] == said["X-Forwarded-For"] == "127.0.0.3"
            assert (said["Host"], said["X-Forwarded-Proto"]) == (
                *(f"127.0.0.1:{front.https}", "https"),
            )
            assert said["Forwarded"] is None
            async with session.post(f"{front.url}/body", data=io.BytesIO(b"x" * TEN_MIB)) as answer:
                assert (await answer.json())["size"] == TEN_MIB
            async with session.post(
                f"{front.url}/body", data=io.BytesIO(b"x" * (TEN_MIB + 1))
            ) as answer:
                assert answer.status == 413


@pytest.mark.parametrize("text", [INSTALLED, INSTALLED.replace("buffering off", "buffering on")])
async def test_events_are_not_kept_back(tmp_path: Path, text: str) -> None:
    behind = Behind()
    async with listening(behind.runner) as port:
        front = Front(tmp_path, port, text)
        async with front.serving(), client() as session:
            try:
                async with asyncio.timeout(3), session.get(f"{front.url}/stream") as answer:
                    assert await answer.content.readline() == b"data: first\n"
                    behind.heard.set()
                    assert b"second" in await answer.content.read()
            except TimeoutError:
                assert text != INSTALLED, "nginx kept an event back"
            else:
                assert text == INSTALLED, "with buffers this should have waited"
            finally:
                behind.heard.set()


async def test_an_operator_signs_in_at_the_console_and_watches_it_live(
    core: Parts, api: Api, tmp_path: Path
) -> None:
    await joined(core, api, "anna")
    front = Front(tmp_path, int(api.url.rpartition(":")[2]))
    async with front.serving(), client() as session:
        browser = Browser(Api(session, front.url, api.expected))
        await browser.sign_in("anna")
        page = await browser.get("/")
        assert (page.status, "Content-Security-Policy" in page.headers) == (200, True)
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        async with (
            asyncio.timeout(20),
            session.get(f"{front.url}/live/now", headers={"Cookie": cookie}) as answer,
        ):
            assert answer.content_type == "text/event-stream"
            seen = [await answer.content.readuntil(b"\n\n") for _ in range(2)]
    assert all(b"Mail of the last minute" in one for one in seen)
