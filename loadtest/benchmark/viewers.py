"""People who watch the console's first page: each an open stream of server-sent events.

    python -m loadtest.benchmark.viewers URL COOKIE COUNT

A process of its own, so that what a browser does with what it gets is on nobody's account; prints
`ready` when every stream has had its first sample, and the samples of all when it is ended.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp

STREAM = "/live/now"
PASSWORD = "a long pass phrase"  # noqa: S105 - of a stack that lives for a minute


async def signed_in(url: str, folder: Path) -> str:
    """The cookie of an admin who was added for it, by the token of the stack in `folder`. Raises
    RuntimeError."""
    token = (folder / "admin-token").read_text().strip()
    async with aiohttp.ClientSession(url) as session:

        async def ask(path: str, **given: object) -> dict[str, object]:
            given["headers"] = {"Authorization": f"Bearer {token}"}
            async with session.post(path, json=given.pop("body"), **given) as answer:  # type: ignore[arg-type]
                found: dict[str, object] = await answer.json()
                if answer.status >= 400:
                    raise RuntimeError(f"{path}: {answer.status} {found}")
                return found

        made = await ask("/api/v2/users", body={"name": "watcher", "role": "admin"})
        view = made["view"]
        assert isinstance(view, dict)
        await ask("/api/v1/auth/link", body={"link": view["link"], "password": PASSWORD})
        form = {"name": "watcher", "password": PASSWORD, "code": ""}
        headers = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
        async with session.post(
            "/sign-in", data=form, headers=headers, allow_redirects=False
        ) as answer:
            if answer.status != 303:
                raise RuntimeError(f"nobody can sign in: {answer.status}")
            return answer.headers["Set-Cookie"].partition(";")[0]


@contextlib.contextmanager
def watching(url: str, cookie: str, count: int) -> Iterator[list[int]]:
    """So many, until left; how many samples they had is put into the list then. Raises RuntimeError
    where they do not get to see anything."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, url, cookie, str(count)], stdout=subprocess.PIPE, text=True
    )
    seen: list[int] = []
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the viewers see nothing")
        yield seen
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=30)
    seen.append(int(said))


class _Viewers:
    def __init__(self, count: int) -> None:
        self.samples = 0
        self.waiting = count
        self.all = asyncio.Event()

    async def watch(self, session: aiohttp.ClientSession) -> None:
        async with session.get(STREAM) as answer:
            answer.raise_for_status()
            first = True
            async for line in answer.content:
                if line == b"\n":
                    self.samples += 1
                    if first:
                        first, self.waiting = False, self.waiting - 1
                    if not self.waiting:
                        self.all.set()


async def _main(url: str, cookie: str, count: int) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    viewers = _Viewers(count)
    async with aiohttp.ClientSession(
        url,
        headers={"Cookie": cookie},
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None),
        read_bufsize=1 << 20,
    ) as session:
        tasks = [asyncio.create_task(viewers.watch(session)) for _ in range(count)]
        first = asyncio.create_task(viewers.all.wait())
        await asyncio.wait([first, *tasks], return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            os._exit(1)
        print("ready", flush=True)
        await ended.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    print(viewers.samples)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
