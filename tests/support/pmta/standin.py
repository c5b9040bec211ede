"""The PowerMTA stand-in for tests: in the test's own loop, or as a process of its own."""

import asyncio
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from loadtest.pmta.options import Address, Options
from loadtest.pmta.spool import Store
from loadtest.pmta.standin import Standin

ANY_PORT = Address("127.0.0.1", 0)
NO_FAULTS: dict[str, Any] = {
    **dict.fromkeys(("greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "dot")),
    **dict.fromkeys(("slots", "mails", "size")),
    "reply_delay": 0,
    "freeze": False,
    "unknown_vmta": [],
}


class Received(msgspec.Struct, kw_only=True):
    """One message taken; `raw` and `content` are bytes, None unless everything is stored."""

    id: int
    time: float
    vmta: str
    pool: str
    source_ip: str
    mail_from: str
    rcpts: list[str]
    envid: str
    jobid: str
    message_id: str
    size: int
    discarded: list[str]
    duplicate_virtual_mta_header: bool
    header_names: list[str]
    sha256: str
    raw: bytes | None
    content: bytes | None


class StandInClient:
    """What a test asks a running stand-in over HTTP."""

    def __init__(self, smtp: list[Address], http: Address) -> None:
        self.smtp_addresses = smtp
        self.host, self.smtp_port = smtp[0]
        self.http_port = http.port
        self.url = f"http://{http.host}:{http.port}"
        self._http = aiohttp.ClientSession(self.url)

    async def messages(self, **where: str | int) -> list[Received]:
        """Messages taken: ``vmta=``, ``rcpt=``, ``offset=``, ``limit=``."""
        body = await self._get("/messages", **where)
        return msgspec.json.decode(body, type=list[Received])

    async def report(self, **query: str) -> dict[str, Any]:
        """The report; ``by="envid"`` for the messages counted by envId."""
        return msgspec.json.decode(await self._get("/report", **query), type=dict[str, Any])

    async def fault(self, **switches: Any) -> None:
        """Change these switches, leave the others (loadtest/pmta/faults.py)."""
        await self._post("/fault", msgspec.json.encode(switches))

    async def command(self, command: str) -> str:
        """Run one web command. Raises ValueError with PowerMTA's text when it is refused."""
        async with self._http.post("/command", data={"command": command}) as response:
            text = (await response.text()).strip()
        if response.status != 200:
            raise ValueError(text)
        return text

    async def set_clock(self, offset_seconds: float) -> None:
        """Move its calendar to the machine's time plus so many seconds."""
        await self._post("/clock", msgspec.json.encode({"offset_seconds": offset_seconds}))

    async def release(self) -> int:
        """Attempt what waits (``queued@``, ``transient@``) now; how many recipients."""
        body = await self._post("/release")
        return msgspec.json.decode(body, type=dict[str, int])["released"]

    async def reset(self) -> None:
        """Forget messages and counts, switch every fault off."""
        await self.fault(**NO_FAULTS)
        await self._post("/reset")

    async def until_messages(self, count: int, timeout: float = 10.0) -> list[Received]:
        """The messages, once there are at least `count`; TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            # Asked over HTTP, as for a process of its own: there is no event to wait for.
            while (await self.report())["totals"]["messages"] < count:
                await asyncio.sleep(0.005)
        return await self.messages()

    async def close(self) -> None:
        """Close the HTTP session."""
        await self._http.close()

    async def _get(self, path: str, **query: str | int) -> bytes:
        async with self._http.get(path, params=query) as response:
            return await _body(response)

    async def _post(self, path: str, body: bytes = b"") -> bytes:
        async with self._http.post(path, data=body) as response:
            return await _body(response)


class StandIn(StandInClient):
    """A stand-in in this loop: ``async with StandIn.start(config=…) as pmta: …``."""

    _standin: Standin

    @classmethod
    def start(
        cls,
        config: Path | str | None = None,
        accounting: Path | None = None,
        *,
        store: str = "all",
        listeners: int = 1,
        **options: Any,
    ) -> "_Starting":
        """To be entered or awaited (then `stop` it); `options` are fields of Options."""
        return _Starting(
            Options(
                listen=(ANY_PORT,) * listeners,
                http=ANY_PORT,
                config=Path(config) if config is not None else None,
                accounting=accounting,
                store=Store(store),
                **options,
            )
        )

    async def stop(self) -> None:
        """End it: listeners, sessions, accounting file."""
        await self.close()
        await self._standin.__aexit__(None, None, None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()


class _Starting:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._started: StandIn

    def __await__(self) -> Any:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> StandIn:
        standin = await Standin(self._options).__aenter__()
        self._started = StandIn(standin.smtp, standin.http)
        self._started._standin = standin
        return self._started

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._started.stop()


class StandInProcess(StandInClient):
    """A stand-in in its own process, for kill, SIGSTOP and benchmarks.

    ``pmta = await StandInProcess.run("--store", "counts")`` … ``await pmta.stop()``; ports are
    free ones unless `arguments` name them.
    """

    process: asyncio.subprocess.Process

    @classmethod
    async def run(cls, *arguments: str, timeout: float = 20.0) -> Self:
        """Start it and wait for its ``ready`` line. Raises RuntimeError with what it said."""
        for option in ("--listen", "--http"):
            if option not in arguments:
                arguments = (*arguments, option, "127.0.0.1:0")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "loadtest.pmta",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        async with asyncio.timeout(timeout):
            ready = (await process.stdout.readline()).decode()
            if not ready.startswith("ready "):
                said = (await process.communicate())[1].decode()
                raise RuntimeError(f"stand-in ended with {process.returncode}: {said.strip()}")
        found: dict[str, list[Address]] = {}
        for word in ready.split()[1:]:
            name, _, address = word.partition("=")
            host, _, port = address.rpartition(":")
            found.setdefault(name, []).append(Address(host, int(port)))
        client = cls(found["smtp"], found["http"][0])
        client.process = process
        return client

    async def stop(self, timeout: float = 10.0) -> int:
        """SIGTERM, and its exit status; SIGKILL when it does not end in time."""
        await self.close()
        if self.process.returncode is None:
            self.process.terminate()
        try:
            async with asyncio.timeout(timeout):
                await self.process.communicate()
        except TimeoutError:
            self.process.kill()
            await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = await response.read()
    if response.status != 200:
        raise ValueError(f"{response.status}: {body.decode(errors='replace').strip()}")
    return body
