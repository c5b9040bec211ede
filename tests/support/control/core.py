"""A control plane on real servers, for tests that go through its doors."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import aiohttp.web
import msgspec
import pytest

from control.app import routes, runner_of
from control.cli.main import run
from control.parts import Parts, open_parts
from control.plan.rows import Rows, read
from control.pmta import server
from control.pmta.dkim import new_secret
from control.pmta.server import ServerAddresses
from control.store.change import Act
from control.store.migrate import migrate
from control.users.token import put
from policy.model import Address
from settings.control import Control
from settings.ledger import Ledger
from settings.model import Database, Settings
from tests.support.control.problems import Expected

TOKEN = "sgt_" + "t" * 40
SECRET = new_secret()
UNBOUND = dict.fromkeys(("rate_requests", "rate_costly", "rate_address"), 0)


async def build(url: str) -> None:
    """The database tests start from: this version's schema."""
    await migrate(url)


def settings_for(
    postgres_url: str, valkey_url: str, *, single: bool = False, **control: object
) -> Settings:
    """Settings for one test; workers do not exist, so nothing waits for them."""
    return Settings(
        database=Database(url=postgres_url, connections=4),
        ledger=Ledger(url=valkey_url, timeout=1.0, budget=1.0, single=single),
        # Tests ask in seconds what nobody asks in a minute.
        control=Control(port=0, publish_wait=0.2, **{"secret": SECRET, **UNBOUND, **control}),  # type: ignore[arg-type]
    )


@asynccontextmanager
async def control_core(settings: Settings, *, movable: bool = True) -> AsyncIterator[Parts]:
    """Open, with a token and one PowerMTA server."""
    async with open_parts(settings, movable_clock=movable) as core:
        await core.opening.open_first()

        async def act(a: Act) -> None:
            await put(a, "test", TOKEN)
            address = Address(host="127.0.0.1", port=2525)
            await server.put(a, ServerAddresses(name="pmta1", addresses=(address,)))

        await core.publisher.change("test", act)
        yield core


async def all_rows(core: Parts) -> Rows:
    """All rows of the plan, in one view."""
    async with core.view() as connection:
        return await read(connection)


class Api:
    """A client of the application, through real HTTP."""

    def __init__(self, session: aiohttp.ClientSession, url: str, expected: Expected) -> None:
        self.session = session
        self.url = url
        self.expected = expected

    async def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str = TOKEN,
        raw: bytes | io.BytesIO = b"",
        match: str = "",
    ) -> tuple[int, object]:
        """(status, JSON or text); `match`: its `If-Match`."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"If-Match": match} if match else {}
        data = raw or (None if body is None else msgspec.json.encode(body))
        async with self.session.request(
            method, self.url + path, data=data, headers=headers
        ) as response:
            payload = await response.read()
            found = payload.decode() if "json" not in response.content_type else None
            if found is None and payload:
                found = msgspec.json.decode(payload)
            self.expected.check(method, path, response.status, response.content_type, found)
            return response.status, found


class Command:
    """The `sendgate` command at one API; SENDGATE_TOKEN is set by the test."""

    def __init__(self, api: Api, capsys: pytest.CaptureFixture[str]) -> None:
        self.api = api
        self.capsys = capsys

    async def __call__(self, *words: str, code: int = 0) -> str:
        """What it prints; of a failure what it says on standard error, where that is anything."""
        found = await asyncio.to_thread(run, ["--url", self.api.url, *words])
        out, error = self.capsys.readouterr()
        assert found == code, error or out
        return (error or out) if code else out


@asynccontextmanager
async def api_of(core: Parts) -> AsyncIterator[Api]:
    """The application of `core`, listening on a free port."""
    runner = runner_of(core)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with aiohttp.ClientSession() as session:
            yield Api(session, f"http://{host}:{port}", Expected(routes(core)))
    finally:
        await runner.cleanup()
