"""What is put to the test: `sendgate up` before a stand-in of our own, in a throw-away folder.

Rule: as in production, with the times that a compressed day makes shorter (`[product]` of the
scenario). Its calendar and the stand-in's move together.
Failure: StackError with what did not start, and the last it said.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import aiohttp

from loadtest.benchmark import processes
from loadtest.benchmark.processes import Usage
from loadtest.laboratory.api import Api
from loadtest.laboratory.scenario import Scenario

_START = 120.0
_END = 90.0
STANDIN = "pmta stand-in"
SENDGATE = str(Path(sys.executable).with_name("sendgate"))


class StackError(Exception):
    """A part did not start or did not answer."""


class Stack:
    """A stack that runs."""

    def __init__(
        self, folder: Path, api: Api, smtp: tuple[str, int], http: str, pids: tuple[int, int]
    ) -> None:
        self.folder = folder
        self.api = api
        self.smtp = smtp
        self.accounting = folder / "accounting"
        self._http = http
        self._product, self._standin = pids

    async def move(self, moment: str) -> float:
        """Move the calendar to an ISO time, everywhere it is kept; the offset in seconds."""
        # The stand-in first: held mail goes with the ledger's turn of the day, and a receipt of the
        # day before its grant would be of no day of ours.
        ahead = datetime.fromisoformat(moment).timestamp() - time.time()
        await self._tell("/clock", {"offset_seconds": ahead})
        view = await self.api.post("/api/v2/clock", {"set": moment})
        return float(view["offset_seconds"])

    async def accounting_token(self) -> str:
        """A token of one who posts PowerMTA's records."""
        words = ("token", "add", "laboratory", "--role", "accounting", "--json")
        process = await asyncio.create_subprocess_exec(
            *(SENDGATE, *words, "--data-dir", str(self.folder / "data")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, errors = await process.communicate()
        if process.returncode:
            raise StackError(f"sendgate {' '.join(words)}: {errors.decode().strip()}")
        return str(json.loads(said)["token"])

    async def retry(self) -> None:
        """Let the stand-in attempt all that waits there."""
        await self._tell("/release", None)

    async def _tell(self, path: str, body: object) -> None:
        timeout = aiohttp.ClientTimeout(total=30)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(f"{self._http}{path}", json=body) as answer,
        ):
            if answer.status != 200:
                raise StackError(f"the stand-in: {await answer.text()}")

    def usage(self) -> dict[str, Usage]:
        """By name of a process: what it uses."""
        found = processes.usage(self._product)
        # One that is ending has no command line any more.
        found.pop("", None)
        return found | {STANDIN: processes.usage(self._standin).get("python", Usage())}


@contextlib.asynccontextmanager
async def stack(scenario: Scenario, keep: Path | None = None) -> AsyncIterator[Stack]:
    """Until left. `keep`: a folder that stays, in place of one that goes."""
    folder = Path(tempfile.mkdtemp(prefix="sendgate-laboratory-")) if keep is None else keep
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "accounting").mkdir(exist_ok=True)
    data, config = folder / "data", folder / "pmta.conf"
    # Its accounting is set up once, before the product has written anything.
    config.write_text(f"<acct-file {_accounting_file(folder)}>\n</acct-file>\n", "utf-8")
    try:
        async with contextlib.AsyncExitStack() as entered:
            standin, said = await _started(
                entered, folder, "standin",
                *(sys.executable, "-m", "loadtest.pmta", "--listen", "127.0.0.1:0"),
                *("--http", "127.0.0.1:0", "--config", str(config)),
                *("--accounting", str(folder / "accounting"), "--store", "counts"),
                *("--max-sessions", "400"),
            )  # fmt: skip
            pmta, http = said["smtp"], f"http://{said['http']}"
            file = _configured(folder, scenario, http, config)
            product, where = await _started(
                entered, folder, "product",
                *(SENDGATE, "up", "--no-demo", "--data-dir", str(data), "--config", str(file)),
                *("--pmta", pmta, "--smtp-port", "0", "--api-port", "0"),
                *("--workers", str(scenario.product.workers)),
            )  # fmt: skip
            token = (data / "admin-token").read_text(encoding="ascii").strip()
            api = await entered.enter_async_context(Api(where["api"], token))
            host, _, port = where["smtp"].rpartition(":")
            yield Stack(folder, api, (host, int(port)), http, (product.pid, standin.pid))
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


async def _started(
    entered: contextlib.AsyncExitStack, folder: Path, name: str, *command: str
) -> tuple[asyncio.subprocess.Process, dict[str, str]]:
    """(the process, what its ready line says)."""
    log = folder / f"{name}.log"
    with log.open("ab") as errors:
        # A group of its own: Ctrl-C is for us, and we end it in order.
        process = await asyncio.create_subprocess_exec(
            *command,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            env=_environment(),
        )
    entered.push_async_callback(_end, process)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START):
            line = (await process.stdout.readline()).decode()
    except TimeoutError as error:
        raise StackError(f"{name} was not ready in {_START:.0f} s\n{_last(log)}") from error
    if not line.startswith("ready"):
        raise StackError(f"{name} did not start: {line.strip()}\n{_last(log)}")
    reader = asyncio.create_task(_drained(process.stdout))
    entered.callback(reader.cancel)
    return process, dict(word.split("=", 1) for word in line.split()[1:])


def _environment() -> dict[str, str]:
    """Ours, without what would name another stack."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SENDGATE_") and name not in ("REDIS_URL", "DATABASE_URL")
    }


async def _drained(stream: asyncio.StreamReader) -> None:
    while await stream.read(65_536):
        pass


def _last(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_END):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _toml(value: object) -> str:
    """As TOML has it: a table within a line has other signs than JSON's."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


def _accounting_file(folder: Path) -> Path:
    return folder / "accounting" / "sendgate.csv"


def _configured(folder: Path, scenario: Scenario, http: str, config: Path) -> Path:
    """The product's configuration file. Whatever is not here is its default."""
    product, limits = scenario.product, scenario.limits
    sections: dict[str, dict[str, object]] = {
        "control": {
            "pmta_config": str(config),
            "pmta_reload_url": f"{http}/command",
            "pmta_accounting": str(folder / "accounting"),
            # It sets up 100,000 mailboxes, and asks every second of a moved clock.
            **dict.fromkeys(("rate_requests", "rate_costly", "rate_address"), 0),
        },
        "hold": {
            "releasers": product.releasers,
            "poll": product.poll,
            "sweep": product.sweep,
            "mailbox_look": max(1.0, product.sweep),
        },
        "warmup": {"hourly_share": scenario.plan.hourly_share},
        "relay": {"gateways": 1},
    }
    if limits.per_minute is not None:
        sections["warmup"]["global_minute_limit"] = limits.per_minute
    if limits.per_hour is not None:
        sections["warmup"]["global_hourly_limit"] = limits.per_hour
    for field, span in (("provider_minute_limits", "minute"), ("provider_hourly_limits", "hour")):
        limited = {
            name: most
            for name, one in scenario.providers.items()
            if (most := getattr(one, f"per_{span}")) is not None
        }
        if limited:
            sections["warmup"][field] = limited
    lines = []
    for name, fields in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{field} = {_toml(value)}" for field, value in fields.items()]
    lines += [
        "[[accounting.streams]]",
        'server = "pmta1"',
        f"path = {json.dumps(str(_accounting_file(folder)))}",
    ]
    file = folder / "sendgate.toml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file
