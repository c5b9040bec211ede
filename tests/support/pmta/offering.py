"""Control's two routes for PowerMTA's configuration, strict, and versions to offer."""

import asyncio
from collections.abc import Callable
from typing import Self

import aiohttp
import msgspec
from aiohttp import web

from control.pmta.fileset import MAIN, FileSet
from control.pmta.offer import APPLIED, OFFER, Applied, Offer
from tests.support.control.core import TOKEN

WAIT = 20.0


def offer_of(version: int, *vmtas: str, **more: object) -> Offer:
    """A version with these VirtualMTAs, each with a key of its own; `text`: of another file."""
    text = more.pop("text", "")
    blocks = [
        f"<virtual-mta {name}>\n    smtp-source-host 192.0.2.{number} {name}.example\n"
        f"    domain-key s,{name}.example,{{keys}}/{name}.example.s.pem\n</virtual-mta>\n"
        for number, name in enumerate(vmtas, 1)
    ]
    files = {
        MAIN: "# first\ninclude {folder}/vmtas.conf\ninclude {folder}/more.conf\n",
        "vmtas.conf": "".join(blocks),
        "more.conf": f"# {version}\n{text}",
    }
    return msgspec.convert(
        {
            "version": version,
            "digest": FileSet(files).digest,
            "files": files,
            "keys": {f"{name}.example.s.pem": f"key of {name}\n" for name in vmtas},
            "known": list(vmtas),
            **more,
        },
        Offer,
    )


class Offering:
    """Over HTTP: what is offered to agents, and what they said. Other requests go on to `onward`,
    where there is one."""

    def __init__(self, onward: str = "") -> None:
        self.said: list[Applied] = []
        self.queues: list[str] = []
        """That are to be counted."""
        self.asked = 0
        self._onward = onward
        self._offer: Offer | None = None
        self._number = 0
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def up(self) -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_get(OFFER, self._give)
        app.router.add_post(APPLIED, self._take)
        if self._onward:
            app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def down(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def offer(self, offer: Offer) -> Offer:
        """From now on, as a new one."""
        async with self._changed:
            self._offer = offer
            self._number += 1
            self._changed.notify_all()
        return offer

    async def until(self, fits: Callable[[Applied], object], within: float = WAIT) -> Applied:
        """The first report that fits, of those that come from now on or came last."""
        at = max(0, len(self.said) - 1)
        try:
            async with asyncio.timeout(within):
                while True:
                    for report in self.said[at:]:
                        if fits(report):
                            return report
                    at = len(self.said)
                    async with self._changed:
                        await self._changed.wait_for(lambda at=at: len(self.said) > at)
        except TimeoutError:
            raise AssertionError(f"nothing said fits: {self.said[-3:]}") from None

    async def running(self, offer: Offer) -> Applied:
        """Once it runs."""
        return await self.until(
            lambda said: (
                (said.running, said.digest, said.state) == (offer.version, offer.digest, "running")
            )
        )

    async def _give(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        asked = {**request.query, "wait": ""}
        looks = asked.pop("look", "") == "1"
        assert asked == {"server": "pmta1", "agent": "host1", "wait": ""}
        self.asked += not looks
        known = request.headers.get("If-None-Match", "")
        try:
            async with asyncio.timeout(float(request.query["wait"])), self._changed:
                await self._changed.wait_for(lambda: self._offer and f'"{self._number}"' != known)
        except TimeoutError:
            pass
        if self._offer is None or f'"{self._number}"' == known:
            return web.Response(status=304)
        return web.Response(
            body=msgspec.json.encode(self._offer),
            content_type="application/json",
            headers={"ETag": f'"{self._number}"'},
        )

    async def _take(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        body = await request.read()
        said = msgspec.json.decode(body, type=Applied)
        # Nothing that the contract does not have.
        assert msgspec.json.decode(body) == msgspec.to_builtins(said)
        assert (said.agent, said.server) == ("host1", "pmta1")
        async with self._changed:
            self.said.append(said)
            self._changed.notify_all()
        return web.json_response({"queues": self.queues})

    async def _pass(self, request: web.Request) -> web.Response:
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method,
                self._onward + request.path_qs,
                data=await request.read(),
                headers={k: v for k, v in request.headers.items() if k != "Host"},
            ) as answer,
        ):
            return web.Response(
                status=answer.status, body=await answer.read(), content_type=answer.content_type
            )
