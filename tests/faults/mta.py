"""The PowerMTA stand-in as a process of its own: the same ports and accounting after each start."""

from pathlib import Path

import aiohttp
import msgspec

from control.pmta.generator.records import ACCT_FILE
from tests.faults.process import Served
from tests.faults.receipts import Receipts


class MtaPart:
    """A PowerMTA server to hurt."""

    name = "PowerMTA"

    def __init__(
        self, folder: Path, config: str, smtp: int, http: int, store: str = "counts"
    ) -> None:
        """`store`: what it keeps of a message (`loadtest.pmta.spool.Store`)."""
        self.accounting = folder / "accounting"
        self.accounting.mkdir()
        file = folder / "pmta.conf"
        file.write_text(config, encoding="utf-8")
        self.url = f"http://127.0.0.1:{http}"
        self._offset = 0.0
        self.receipts = Receipts(self.accounting)
        self.served = Served(
            *("-m", "loadtest.pmta", "--listen", f"127.0.0.1:{smtp}"),
            *("--http", f"127.0.0.1:{http}", "--config", str(file)),
            *("--accounting", str(self.accounting), "--store", store),
            folder=folder,
            name="pmta",
        )

    @property
    def stream(self) -> Path:
        """What accounting readers follow: the path as in its `<acct-file>`."""
        return self.accounting / ACCT_FILE

    async def start(self) -> None:
        await self.served.start()
        if self._offset:
            await self.set_clock(self._offset)

    def kill(self) -> None:
        self.served.kill()

    def freeze(self) -> None:
        self.served.freeze()

    def thaw(self) -> None:
        self.served.thaw()

    async def restart(self) -> None:
        await self.start()

    async def stop(self) -> None:
        await self.served.stop()

    async def set_clock(self, offset: float) -> None:
        """Its calendar is the machine's time plus so many seconds, after restarts too."""
        self._offset = offset
        await self._post("/clock", {"offset_seconds": offset})

    async def fault(self, **switches: object) -> None:
        """Change switches of loadtest/pmta/faults.py."""
        await self._post("/fault", switches)

    async def command(self, command: str) -> str:
        """Run a command of PowerMTA's web interface; its answer's last word."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url + "/command", data={"command": command}) as response,
        ):
            assert response.status == 200, await response.text()
            return (await response.text()).strip().strip('."').rpartition(" ")[2]

    async def _post(self, path: str, body: object) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url + path, json=body) as response,
        ):
            assert response.status == 200, await response.text()

    async def digests(self) -> dict[str, str]:
        """Recipient to the SHA-256 of what it took, without the fields it removes; needs
        `store="headers"`."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/messages", params={"limit": 100_000}) as response,
        ):
            messages = msgspec.json.decode(await response.read())
        return {rcpt: one["sha256"] for one in messages for rcpt in one["rcpts"]}
