"""PowerMTA's host as control sees it: an agent that speaks the contract over real HTTP, strictly,
and does what the test tells it to."""

import asyncio
from typing import Any

import msgspec

from control.pmta.fileset import MAIN, FileSet
from control.pmta.known import key_names, names
from control.pmta.offer import APPLIED, OFFER, Applied, Offer
from settings.tasks import cancel
from tests.support.control.core import Api


class Host:
    """One server. `problem`: (step, text) with which it fails what it is offered; `deaf`: it
    fetches and says nothing; `changed`: files were changed by hand."""

    def __init__(self, api: Api, token: str, server: str = "pmta1") -> None:
        self.api = api
        self.token = token
        self.server = server
        self.tag = ""
        self.running: Offer | None = None
        self.problem: tuple[str, str] | None = None
        self.deaf = False
        self.changed = False
        self.offers: list[Offer] = []
        self._task: asyncio.Task[None] | None = None

    async def fetch(self, wait: float = 0.0) -> Offer | None:
        """One request; what is wrong with an answer is an error here."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if self.tag:
            headers["If-None-Match"] = self.tag
        query = {"server": self.server, "agent": "host1", "wait": f"{wait:g}"}
        async with self.api.session.get(
            self.api.url + OFFER, params=query, headers=headers
        ) as response:
            body = await response.read()
            assert response.headers["Cache-Control"] == "no-store"
            if response.status == 304:
                assert not body
                return None
            assert response.status == 200, body
            tag = response.headers["ETag"]
        assert tag != self.tag, "an offer that was looked at is not given again"
        offer = msgspec.json.decode(body, type=Offer, strict=True)
        files = FileSet(offer.files)
        assert files.digest == offer.digest
        assert MAIN in offer.files
        assert set(key_names(files)) <= offer.keys.keys()
        assert set(names(files)) == set(offer.known)
        assert all("PRIVATE KEY" in pem for pem in offer.keys.values())
        self.tag = tag
        self.offers.append(offer)
        return offer

    async def say(self, **fields: Any) -> None:
        """What it says of itself, to which `fields` are put."""
        running = self.running
        said: dict[str, Any] = {
            "agent": "host1",
            "server": self.server,
            "state": "none" if running is None else "running",
            "running": 0 if running is None else running.version,
            "digest": "" if running is None else running.digest,
            **fields,
        }
        status, answer = await self.api(
            "POST", APPLIED, msgspec.to_builtins(Applied(**said)), token=self.token
        )
        assert status == 200, answer

    async def bring(self, offer: Offer) -> None:
        """Into force, or not, and say so."""
        if self.deaf:
            return
        if self.changed and not offer.overwrite:
            drift = [f"{MAIN} was changed by hand"]
            await self.say(state="changed", tried=offer.version, drift=drift, digest="x")
            return
        runs = self.running is not None and self.running.version == offer.version
        if self.problem is not None and not runs:
            step, problem = self.problem
            await self.say(state="failed", tried=offer.version, step=step, problem=problem)
            return
        self.running, self.changed = offer, False
        await self.say(tried=offer.version)

    async def once(self, wait: float = 5.0) -> Offer | None:
        """Fetch and bring into force."""
        offer = await self.fetch(wait)
        if offer is not None:
            await self.bring(offer)
        return offer

    async def _run(self) -> None:
        while True:
            await self.once()

    def start(self) -> None:
        """Until `stop`."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            if self._task.done():
                self._task.result()
            await cancel([self._task])
            self._task = None
