"""A web monitor of PowerMTA's that answers as a test says."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def web_monitor(
    command: Callable[[web.Request], Awaitable[web.Response]],
) -> AsyncIterator[str]:
    """The URL of its commands."""
    app = web.Application()
    app.router.add_post("/command", command)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/command"
    finally:
        await runner.cleanup()
