"""The whole product on one machine, in the order things need each other:

data directory and lock, Valkey, PostgreSQL, schema, ledger, PowerMTA stand-in, API, gateway.
They end in the opposite order: the gateway drains first, while everything it needs is there.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from control.app import serve
from control.embedded.servers.account import private_directory
from control.embedded.servers.datadir import STACK_FILE, Addresses, DataDir
from control.embedded.servers.error import LocalPartError
from control.embedded.servers.localserver import LocalServer
from control.embedded.servers.ports import RememberedPort
from control.embedded.servers.postgres import LocalPostgres
from control.embedded.servers.valkey import LocalValkey
from control.embedded.stack import effective
from control.embedded.stack.child import BACKOFF, HEALTHY, Child, warn
from control.embedded.stack.demotenants import PASSWORDS
from control.embedded.stack.options import Options
from control.embedded.stack.seed import seed
from control.embedded.stack.setup import prepare
from control.embedded.stack.standin import StandIn
from control.embedded.stack.toml import to_toml
from control.ledger.clock import Follower
from control.ledger.status import LedgerState
from control.parts import Parts, open_parts
from control.plan.rows import tenants
from control.problem import RefusedError
from control.store.files import write_private
from control.store.migrate import migrate
from control.store.refusal import UNREACHABLE, no_database
from policy.model import Address
from policy.plan import Generation
from settings.load import SettingsError
from settings.model import Settings
from settings.tls import control_problems, start_problems

REGISTERED = 20.0
"""Seconds for every gateway worker to run the current generation after `ready`."""


@dataclass(frozen=True)
class Running:
    """A stack that takes mail."""

    addresses: Addresses
    core: Parts
    token: str
    gateway: Child
    standin: StandIn | None

    async def can_send(self) -> bool:
        """Whether the ledger is open and the gateway knows it."""
        try:
            status = await self.core.opening.status()
            if status.state is not LedgerState.OPEN:
                return False
            timeout = aiohttp.ClientTimeout(total=2.0)
            admin = self.core.settings.gateway
            host = f"[{admin.admin_host}]" if ":" in admin.admin_host else admin.admin_host
            url = f"http://{host}:{admin.admin_port}/readyz"
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as found:
                return found.status == 200
        except (aiohttp.ClientError, *UNREACHABLE):
            return False


@asynccontextmanager
async def stack(options: Options) -> AsyncIterator[Running]:
    """Start everything; end it on leaving. Raises LocalPartError, RefusedError, SettingsError."""
    settings = effective.base(options)
    if problems := [*start_problems(settings), *control_problems(settings.control)]:
        raise SettingsError(problems)
    data = DataDir(options.data_dir.absolute())
    async with AsyncExitStack() as entered:
        data.create()
        data.lock.acquire()
        entered.callback(data.lock.release)
        log, pmta_dir, ports = data.root / "log", data.root / "pmta", data.root / "ports"
        for directory in (log, pmta_dir, ports, pmta_dir / "keys"):
            private_directory(directory)
        file, config, keys = data.root / STACK_FILE, pmta_dir / "sendgate.conf", pmta_dir / "keys"
        arguments = ["-m", "gateway", "--config", str(file)]
        gateway = Child("gateway", arguments, directory=log, marker=file)
        await gateway.clear()
        standin = await _standin(options, pmta_dir, log, ports, config)
        smtp_port = RememberedPort(ports / "smtp.port", options.smtp_port, "--smtp-port").resolve()
        api_port = RememberedPort(ports / "api.port", options.api_port, "--api-port").resolve()
        valkey, postgres = await _stores(entered, settings, data)
        settings = effective.effective(
            settings,
            options,
            root=data.root,
            smtp_port=smtp_port,
            api_port=api_port,
            admin_port=RememberedPort(ports / "admin.port", 0).resolve(),
            valkey=valkey,
            postgres=postgres,
            pmta_config=config,
            pmta_keys=keys if standin else None,
            reload_url=standin.reload_url if standin else None,
            accounting=standin.accounting_file if standin else None,
        )
        write_private(file, to_toml(settings))
        try:
            await migrate(settings.database.url)
        except OSError as error:
            raise no_database(settings.database.url, error) from error
        followers: list[Follower] = [standin.follow] if standin else []
        movable = valkey is not None
        core = await entered.enter_async_context(
            open_parts(settings, movable_clock=movable, followers=followers)
        )
        await core.opening.open_first()
        if options.pmta is not None:
            await _no_demo_tenants(core, data.root)
        if standin is not None:
            await _start_standin(entered, core, standin, config)
        address = standin.address if standin else options.pmta
        assert address is not None
        token = await prepare(core, data.token_file, address)
        if options.demo_tenants and standin is not None:
            await seed(core)
        url = await entered.enter_async_context(serve(core))
        entered.push_async_callback(gateway.stop)
        await gateway.start()
        await _registered(core, settings)
        addresses = _addresses(gateway, url, data, address, settings)
        data.write(addresses)
        here = asyncio.current_task()
        if here is not None and here.cancelling():
            # Told to end, and what was under way then swallowed it (`settings.tasks`).
            raise asyncio.CancelledError
        yield Running(addresses, core, token, gateway, standin)


async def _standin(
    options: Options, directory: Path, log: Path, ports: Path, config: Path
) -> StandIn | None:
    if options.pmta is not None:
        return None
    # A left-over stand-in sits on the ports asked for; it has to go before they are looked at.
    await StandIn(directory, log, config, 0, 0).child.clear()
    smtp = RememberedPort(
        ports / "pmta.port", options.standin_port, "--standin-port, or name yours with --pmta"
    ).resolve()
    return StandIn(
        directory, log, config, smtp, RememberedPort(ports / "pmta-http.port", 0).resolve()
    )


async def _stores(
    entered: AsyncExitStack, settings: Settings, data: DataDir
) -> tuple[str | None, str | None]:
    """(URL of the embedded Valkey, of the embedded PostgreSQL); None where the user has one."""
    servers: list[LocalServer | None] = [
        LocalValkey(data.valkey) if effective.own_ledger(settings) else None,
        LocalPostgres(data.postgres) if effective.own_database(settings) else None,
    ]
    for server in servers:
        if server is not None:
            entered.push_async_callback(server.stop)
    await asyncio.gather(*(server.start() for server in servers if server is not None))
    for server in servers:
        if server is not None:
            task = asyncio.create_task(_keep(server))
            entered.callback(task.cancel)
    first, second = (server.url if server else None for server in servers)
    return first, second


async def _keep(server: LocalServer) -> None:
    """Start an embedded server again when it ends by itself, for as long as it takes: its data is
    on disk, and what keeps it from starting (a full disk) ends some time."""
    deaths = 0
    while True:
        born = time.monotonic()
        warn(await server.wait_failed())
        deaths = 0 if time.monotonic() - born > HEALTHY else deaths
        said = ""
        while True:
            await asyncio.sleep(BACKOFF[min(deaths, len(BACKOFF) - 1)])
            deaths += 1
            try:
                await server.restart()
            except (LocalPartError, OSError) as error:
                # The end of its log, which follows, is another one at each attempt.
                text = f"cannot start the embedded {server.name} again: {error}"
                if (first := text.partition("\n")[0]) != said:
                    said = first
                    warn(f"{text}\nsendgate: it is tried again every {BACKOFF[-1]:g} s")
                continue
            warn(f"the embedded {server.name} runs again, pid {server.pid}")
            break


async def _no_demo_tenants(core: Parts, root: Path) -> None:
    """Raises RefusedError where an earlier run left the demo's: their logins are public."""
    if found := [t.name for t in await tenants(core.pool, list(PASSWORDS))]:
        raise RefusedError(
            f"{root} holds the demo tenants {', '.join(found)}: they would enter a real PowerMTA; "
            "use another --data-dir"
        )


async def _start_standin(
    entered: AsyncExitStack, core: Parts, standin: StandIn, config: Path
) -> None:
    generation = await core.publisher.current() or Generation(number=0, created=0.0)
    config.write_text(await core.publisher.config_text(generation), encoding="utf-8")
    entered.push_async_callback(standin.child.stop)
    await standin.child.start()
    await core.clock.tell()
    standin.child.started = core.clock.tell


async def _registered(core: Parts, settings: Settings) -> None:
    """Wait until the gateway's workers run the current generation."""
    number = await core.admin.number()
    deadline = asyncio.get_running_loop().time() + REGISTERED
    while True:
        running = [n for n in (await core.admin.workers()).values() if n >= number]
        if len(running) >= settings.gateway.workers:
            return
        if asyncio.get_running_loop().time() >= deadline:
            status = await core.opening.status()
            # A ledger that lost its counts keeps the gateway closed, which is no fault of it.
            if status.state is LedgerState.OPEN:
                warn(f"gateway workers do not run generation {number} yet")
            return
        await asyncio.sleep(0.02)


def _addresses(
    gateway: Child, url: str, data: DataDir, pmta: Address, settings: Settings
) -> Addresses:
    return Addresses(
        smtp=gateway.ready.get("smtp", "").split(",")[0],
        api=url,
        token_file=str(data.token_file),
        pmta=str(pmta),
        valkey=settings.ledger.url,
        postgres=settings.database.url,
    )
