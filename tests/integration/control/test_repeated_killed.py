"""Control is killed between the commit of a change and its answer: whoever asks again under the
same `Idempotency-Key` gets that answer, and nothing is made twice."""

import asyncio
import contextlib
import sys

import aiohttp
import msgspec

from control.parts import Parts
from tests.integration.control.test_repeated import TENANT, post
from tests.support.control.core import SECRET, Api

CHILD = """
import asyncio, sys, msgspec
from aiohttp import web
from control.app import runner_of
from control.parts import open_parts
from control.store.once import Once
from tests.support.control.core import settings_for

async def stays(self, pool, found):
    print("committed", flush=True)
    await asyncio.Event().wait()

async def main(database, ledger, secret):
    settings = settings_for(database, ledger)
    control = msgspec.structs.replace(settings.control, secret=secret)
    settings = msgspec.structs.replace(settings, control=control)
    Once.finish = stays
    async with open_parts(settings, movable_clock=True) as parts:
        runner = runner_of(parts)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

asyncio.run(main(*msgspec.json.decode(sys.argv[1])))
"""


async def test_kill_9_between_commit_and_answer(api: Api, core: Parts) -> None:
    of = (core.settings.database.url, core.settings.ledger.url, SECRET)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CHILD, msgspec.json.encode(of).decode()),
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    port = int(await child.stdout.readline())
    there = Api(api.session, f"http://127.0.0.1:{port}", api.expected)
    asked = asyncio.create_task(post(there, "/api/v2/tenants", TENANT))
    try:
        assert await child.stdout.readline() == b"committed\n"
    finally:
        child.kill()
        await child.wait()
    with contextlib.suppress(aiohttp.ClientError):
        raise AssertionError(f"it was answered {await asked}")
    number = await core.admin.number()
    first = await post(api, "/api/v2/tenants", TENANT)
    assert first[0] == 201
    assert msgspec.json.decode(first[2])["view"]["name"] == "acme"
    assert msgspec.json.decode(first[2])["generation"] == number
    assert await post(api, "/api/v2/tenants", TENANT) == first
    assert await core.admin.number() == number
    assert await core.pool.fetchval("SELECT count(*) FROM tenant") == 1
    assert (await post(api, "/api/v2/tenants", TENANT, "other"))[0] == 409
