"""A token that is bound to networks, behind a real nginx with the installed configuration and
behind a real HAProxy: it is good from where the proxy saw its client, whatever the client says."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import aiohttp
import pytest

from control.app import runner_of
from control.embedded.servers import ports
from tests.conftest import CreateDatabase
from tests.integration.control.test_nginx import NGINX, Front, client, listening
from tests.support.control.core import api_of, build, control_core, settings_for

INSIDE, OUTSIDE, PROXY = "127.0.0.2", "127.0.0.3", "127.0.0.1"
PATH = "/api/v2/tenants"
LIES: tuple[dict[str, str], ...] = (
    {},
    {"X-Forwarded-For": INSIDE},
    {"X-Forwarded-For": f"{INSIDE}, {PROXY}"},
    {"X-Forwarded-For": f"{INSIDE}:4711"},
    {"x-forwarded-for": INSIDE, "Forwarded": f"for={INSIDE}", "X-Real-IP": INSIDE},
    {"X-Forwarded-For": ",".join([INSIDE] * 30)},
    {"Connection": "X-Forwarded-For", "X-Forwarded-For": INSIDE},
)


@contextlib.asynccontextmanager
async def nginx(folder: Path, port: int) -> AsyncIterator[str]:
    front = Front(folder, port)
    async with front.serving():
        yield front.url


@contextlib.asynccontextmanager
async def haproxy(folder: Path, port: int) -> AsyncIterator[str]:
    """It puts a line of its own behind what a client wrote."""
    mine = ports.choose()
    file = folder / "haproxy.cfg"
    file.write_text(
        "defaults\n  mode http\n  option forwardfor\n  timeout connect 5s\n  timeout client 30s\n"
        f"  timeout server 30s\nlisten front\n  bind 127.0.0.1:{mine}\n"
        f"  server control 127.0.0.1:{port}\n"
    )
    process = await asyncio.create_subprocess_exec("haproxy", "-db", "-f", str(file))
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", mine)
                except OSError:
                    assert process.returncode is None
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    break
        yield f"http://127.0.0.1:{mine}"
    finally:
        process.terminate()
        await process.wait()


Proxy = Callable[[Path, int], AbstractAsyncContextManager[str]]


@pytest.mark.parametrize(
    "proxy",
    [
        pytest.param(nginx, marks=pytest.mark.skipif(NGINX is None, reason="no nginx here")),
        pytest.param(
            haproxy,
            marks=pytest.mark.skipif(shutil.which("haproxy") is None, reason="no haproxy here"),
        ),
    ],
)
@pytest.mark.parametrize("known", [True, False], ids=["proxy known", "proxy not known"])
async def test_a_token_is_good_from_where_the_proxy_saw_its_client(
    create_database: CreateDatabase, valkey_url: str, tmp_path: Path, proxy: Proxy, known: bool
) -> None:
    url = await create_database("control", build)
    settings = settings_for(url, valkey_url, proxy_networks=(PROXY,) if known else ())
    async with control_core(settings) as core, api_of(core) as api:
        bound = {"name": "panel", "scope": "read", "networks": [f"{INSIDE}/32"]}
        status, made = await api("POST", "/api/v2/tokens", bound)
        assert (status, isinstance(made, dict)) == (201, True)
        bearer = {"Authorization": f"Bearer {made['token']}"}  # type: ignore[index,call-overload]
        async with (
            listening(runner_of(core)) as port,
            proxy(tmp_path, port) as front,
            client(INSIDE) as inside,
            client(OUTSIDE) as outside,
        ):
            for lie in LIES:
                # A proxy that control does not know is where all come from: nobody gets in.
                for session, wanted in ((inside, 200 if known else 401), (outside, 401)):
                    assert await asked(session, front, bearer | lie) == wanted, lie
            straight = f"http://127.0.0.1:{port}"
            for lie in LIES:
                assert await asked(outside, straight, bearer | lie) == 401, "past the proxy"
            assert await asked(inside, straight, bearer) == 200


async def asked(session: aiohttp.ClientSession, front: str, headers: dict[str, str]) -> int:
    async with session.get(front + PATH, headers=headers) as answer:
        return answer.status
