"""A double of Telegram's Bot API: strict, with its rate limit, and failing when told to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

TOKEN = "123456:ABC-def_ghi"
CHAT = "-1001234"

_KNOWN = {"chat_id", "text", "link_preview_options", "disable_notification"}


class Telegram:
    """`texts`: what the chat got. `fails`: answers given in place of the next ones."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.url = ""
        self.texts: list[str] = []
        self.fails: list[tuple[int, Any]] = []
        self.asked = 0
        self.early = 0
        """Requests that came before the wait they were told was over."""
        self.over = asyncio.Event()
        """Until then it does not answer, where it is told to hang."""
        self._until = 0.0

    def limit(self, seconds: float) -> None:
        """From now on 429, until so many seconds are over."""
        self._until = self._clock() + seconds

    async def send(self, request: web.Request) -> web.Response:
        """POST /botTOKEN/sendMessage."""
        self.asked += 1
        if request.match_info["token"] != TOKEN:
            return _error(401, "Unauthorized")
        left = self._until - self._clock()
        if left > 0:
            self.early += 1
            after = max(1, round(left + 0.5))
            description = f"Too Many Requests: retry after {after}"
            return _error(429, description, parameters={"retry_after": after})
        if self.fails:
            status, answer = self.fails.pop(0)
            if answer is None:
                await self.over.wait()
            return web.Response(status=status, text=answer or "")
        if request.content_type != "application/json":
            return _error(400, "Bad Request: message text is empty")
        body = msgspec.json.decode(await request.read())
        if unknown := set(body) - _KNOWN:
            return _error(400, f"Bad Request: {unknown}")
        if body.get("chat_id") != CHAT:
            return _error(400, "Bad Request: chat not found")
        text = body.get("text")
        if not isinstance(text, str) or not text.strip():
            return _error(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) > 2 * 4096:
            return _error(400, "Bad Request: message is too long")
        self.texts.append(text)
        return web.json_response({"ok": True, "result": {"message_id": len(self.texts)}})


def _error(status: int, description: str, **more: Any) -> web.Response:
    answer = {"ok": False, "error_code": status, "description": description, **more}
    return web.json_response(answer, status=status)


@asynccontextmanager
async def telegram() -> AsyncIterator[Telegram]:
    """Listening on a free port."""
    double = Telegram(asyncio.get_running_loop().time)
    app = web.Application()
    app.router.add_post("/bot{token}/sendMessage", double.send)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    double.url = f"http://{host}:{port}"
    try:
        yield double
    finally:
        double.over.set()
        await runner.cleanup()
