"""Everything at once, as real processes: Valkey, PostgreSQL, control, gateway, PowerMTA stand-in.

Each stack has servers, ports and files of its own, so that a scenario may kill what it likes.
"""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol, Self

import asyncpg
import msgspec

from control.embedded.servers.ports import choose
from control.embedded.stack.toml import to_toml
from control.held import request as holdrequest
from control.held.request import HoldOrder
from control.held.requestview import HoldAnswer
from control.ledger.restore import restore
from control.parts import Parts, open_parts
from control.pmta import server
from control.pmta.dkim import new_secret
from control.pmta.server import ServerAddresses
from control.sources import domain, ip
from control.sources.domain import NewDomain
from control.sources.ip import IpChange
from control.store.change import Act
from control.tenants import tenant
from control.tenants.tenant import NewTenant
from control.users.token import put
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.model import Address
from settings.accounting import Stream
from settings.control import Control
from settings.hold import Hold
from settings.ledger import Ledger
from settings.model import Database, Gateway, Listener, Relay, Settings
from tests.faults.books import Quota
from tests.faults.database import PostgresPart
from tests.faults.gate import GatePart, environment_of
from tests.faults.ledgerserver import ValkeyPart
from tests.faults.mta import MtaPart
from tests.faults.process import Served
from tests.faults.proxy import Proxy
from tests.support.control.agents import Agent
from tests.support.control.core import TOKEN

_SENDGATE = "from control.cli.main import main; raise SystemExit(main())"

PROXIED = ("pmta", "valkey", "postgres")

IPS = {"192.0.2.1": "vmta-small", "192.0.2.2": "vmta-large"}
AMPLE = 100_000
DEFAULT_QUOTAS = {
    "vmta-small": Quota(40, {"gmail": 5}),
    "vmta-large": Quota(AMPLE, {"gmail": 20}),
}
"""What binds: a small IP that is full soon, and a ceiling for one provider on a large one."""


class Stoppable(Protocol):
    """A part that may have been started."""

    async def stop(self) -> None: ...


class Stack:
    """`async with Stack(...)`: everything runs and mail can be sent."""

    def __init__(
        self,
        folder: Path,
        template: Path,
        *,
        through: tuple[str, ...] = (),
        quotas: dict[str, Quota] | None = None,
        breakage: str = "",
        feed: bool = True,
        control: bool = False,
        store: str = "counts",
        **sections: dict[str, Any],
    ) -> None:
        """`through`: which of PROXIED the product reaches by way of a proxy; without `feed` nobody
        reads PowerMTA's accounting; `control` runs from the beginning, else from when it is
        needed; `store`: what PowerMTA keeps of a message; `sections` change settings, as in
        `hold={"lease": 5.0}`."""
        self.folder = folder
        self.quotas = dict(quotas or DEFAULT_QUOTAS)
        self.postgres = PostgresPart(template, folder / "postgres")
        self.valkey = ValkeyPart(folder / "valkey")
        self.proxies: dict[str, Proxy] = {}
        self._through = through
        self._breakage = breakage
        self._feed = feed
        self._control = control
        self._store = store
        self._sections = sections
        self._secret = new_secret()
        self._ports = {name: choose() for name in ("smtp", "admin", "api", "pmta", "http")}
        self._stack = AsyncExitStack()
        self.settings: Settings
        self.settings_of_gateway: Settings
        self.gateway: GatePart
        self.control: Served
        self.pmta: MtaPart

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            servers = (self.valkey, self.postgres)
            stack.push_async_callback(_stop, servers)
            await asyncio.gather(*(part.start() for part in servers))
            targets = {
                "pmta": self._ports["pmta"],
                "valkey": self.valkey.server.port,
                "postgres": self.postgres.server.port,
            }
            for name in self._through:
                proxy = Proxy("127.0.0.1", targets[name])
                self.proxies[name] = await stack.enter_async_context(proxy)
            self.settings = self._control_settings()
            async with open_parts(self.settings, movable_clock=True) as core:
                config = await self._seed(core)
            self.pmta = MtaPart(
                self.folder, config, self._ports["pmta"], self._ports["http"], self._store
            )
            file = self.folder / "control.toml"
            file.write_text(to_toml(self._with_stream(self.settings)), encoding="utf-8")
            self.control = Served(
                *("-c", _SENDGATE, "control", "--config", str(file)),
                folder=self.folder,
                name="control",
                environment=environment_of(self._breakage),
            )
            self.settings_of_gateway = self._with_stream(self.settings)
            self.gateway = GatePart(self.folder, self.settings_of_gateway, self._breakage)
            stack.push_async_callback(_stop, (self.pmta, self.control, self.gateway))
            starts = [self.pmta.start(), self.gateway.start()]
            if self._control:
                starts.append(self.needs_control())
            # Interpreters take a second to come up: together they take one.
            await asyncio.gather(*starts)
            client = connect(self.settings.ledger.url, repeats=1)
            stack.push_async_callback(client.aclose)
            self.ledger = LedgerAdmin(client, self.settings.ledger.name)
            self._stack = stack.pop_all()
        return self

    @property
    def api(self) -> int:
        """The port of control's API."""
        return self._ports["api"]

    @property
    def lease(self) -> float:
        """Seconds after which a silent releaser counts as gone."""
        return self.settings_of_gateway.hold.lease

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def needs_control(self) -> None:
        """Start control unless it runs: mail goes without it, but it reads the accounting and
        publishes what a ledger has lost."""
        if not self.control.alive:
            await self.control.start()
            if self._feed:
                await self.accounting_is_whole()

    async def agent(self) -> Agent:
        """An agent beside PowerMTA, that runs and whose stream control has heard of: in place of a
        `feed`, whose files control reads itself."""
        async with open_parts(self.settings, movable_clock=True) as core:

            async def act(a: Act) -> None:
                await put(a, "agent", TOKEN, role="accounting")

            await core.publisher.change("test", act)
        agent = Agent(
            self.folder / "agent", f"http://127.0.0.1:{self.api}", self.pmta.stream, batch=50
        )
        self._stack.callback(agent.close)
        agent.start()
        await self.accounting_is_whole()
        return agent

    async def accounting_is_whole(self) -> None:
        """Say what is true of this PowerMTA: nothing was sent through it before its accounting was
        first looked at. The rows are older than that look here, for the parts start together."""
        link = await asyncpg.connect(self.postgres.url)
        try:
            async with asyncio.timeout(30):
                while await link.execute("UPDATE accounting_stream SET since = 0") == "UPDATE 0":
                    await asyncio.sleep(0.05)
        finally:
            await link.close()

    async def raise_quotas(self, **quotas: Quota) -> None:
        """Change quotas of VirtualMTAs (underscores for hyphens), and wait for the gateways."""
        async with open_parts(self.settings, movable_clock=True) as core:
            for name, quota in quotas.items():
                vmta = name.replace("_", "-")
                self.quotas[vmta] = quota
                await self._limit(core, _ip_of(vmta), quota)

    async def pause_tenant(self, *, paused: bool) -> None:
        """Stop the tenant's mail, or let it go on, and wait for the gateways."""
        async with open_parts(self.settings, movable_clock=True) as core:

            async def act(a: Act) -> str:
                return await tenant.set_paused(a, "acme", paused)

            await core.publisher.change("test", act)

    async def order(self, wanted: HoldOrder) -> None:
        """What `sendgate hold` asks for, and wait until the releasers have done it."""
        async with open_parts(self.settings, movable_clock=True) as core:

            async def act(a: Act) -> HoldAnswer:
                order = holdrequest.order(wanted, dry=False)
                return await holdrequest.ask(a, order, dry=False, undo=0)

            await core.publisher.change("test", act)
        open_ = "SELECT count(*) FROM hold_request WHERE state IN ('waiting', 'running')"
        async with asyncio.timeout(30):
            while await self.postgres.number(open_):
                await asyncio.sleep(0.05)

    async def restore(self) -> int:
        """What `sendgate restore` does, while gateways are stopped; messages put in doubt."""
        await self.gateway.stop()
        async with open_parts(self.settings, movable_clock=True) as core:
            done = await restore(core.pool, core.admin, who="test")
        await self.gateway.start()
        return done.in_doubt

    async def advance(self, days: float) -> None:
        """Move calendar time forward, everywhere it is kept."""
        now, _ = await self.ledger.now()
        assert await self.ledger.set_clock(now + round(days * 86_400_000)) is not None
        _, offset = await self.ledger.now()
        await self.pmta.set_clock(offset / 1000)

    async def _seed(self, core: Parts) -> str:
        """Tenant, domain and IPs; PowerMTA's configuration for them."""
        await core.opening.open_first()
        pmta = self.proxies["pmta"].port if "pmta" in self.proxies else self._ports["pmta"]

        async def act(a: Act) -> None:
            address = Address(host="127.0.0.1", port=pmta)
            await server.put(a, ServerAddresses(name="pmta1", addresses=(address,)))
            new = NewTenant(
                name="acme", login="acme", password="a-long-password", networks=("127.0.0.0/8",)
            )
            await tenant.add(a, new)
            for address_, vmta in IPS.items():
                one = NewDomain(
                    tenant="acme",
                    domain="acme.test",
                    ip=address_,
                    vmta=vmta,
                    quota=str(self.quotas[vmta].daily),
                    hourly_share=1.0,
                )
                await domain.add(a, one, seal=core.seal, warmup=core.settings.warmup)

        await core.publisher.change("test", act)
        for vmta, quota in self.quotas.items():
            await self._limit(core, _ip_of(vmta), quota)
        generation = await core.publisher.current()
        assert generation is not None
        return await core.publisher.config_text(generation)

    async def _limit(self, core: Parts, address: str, quota: Quota) -> None:
        wanted = IpChange(quota=str(quota.daily), ceilings=dict(quota.ceilings), reason="test")

        async def act(a: Act) -> str:
            return await ip.change(a, address, wanted, warmup=core.settings.warmup)

        await core.publisher.change("test", act)

    def _control_settings(self) -> Settings:
        """One file's worth, as an operator would write it. Budgets are a tenth of production's, so
        that a fault outlives them in seconds."""
        base = Settings(
            database=Database(url=self._by("postgres", self.postgres.url), connections=4),
            ledger=Ledger(
                url=self._by("valkey", self.valkey.url),
                timeout=0.5,
                budget=1.0,
                lease=2.0,
                single=True,
            ),
            control=Control(port=self._ports["api"], secret=self._secret, publish_wait=5.0),
            gateway=Gateway(
                listeners=(Listener(port=self._ports["smtp"]),),
                hostname="gateway.test",
                workers=1,
                admin_port=self._ports["admin"],
                answer_budget=5.0,
                drain=3.0,
            ),
            relay=Relay(
                hello="gateway.test",
                budget=2.5,
                connect_timeout=1.0,
                grant_lifetime=4.0,
                circuit_wait=0.3,
                circuit_wait_max=1.0,
            ),
            hold=Hold(
                commit_budget=2.0, poll=0.2, sweep=1.0, lease=5.0, retry_first=0.5, retry_most=2.0
            ),
        )
        return _changed(base, self._sections)

    def _with_stream(self, settings: Settings) -> Settings:
        if not self._feed:
            return settings
        stream = Stream(server="pmta1", path=str(self.pmta.stream))
        accounting = msgspec.structs.replace(settings.accounting, streams=(stream,), poll=0.2)
        return msgspec.structs.replace(settings, accounting=accounting)

    def _by(self, name: str, url: str) -> str:
        """The URL by way of the proxy, where there is one."""
        if name not in self.proxies:
            return url
        head, _, tail = url.rpartition(":")
        return f"{head}:{self.proxies[name].port}/{tail.partition('/')[2]}"


def _changed(settings: Settings, sections: dict[str, dict[str, Any]]) -> Settings:
    changed = {
        name: msgspec.structs.replace(getattr(settings, name), **fields)
        for name, fields in sections.items()
    }
    return msgspec.structs.replace(settings, **changed)


async def _stop(parts: Iterable[Stoppable]) -> None:
    await asyncio.gather(*(part.stop() for part in parts))


def _ip_of(vmta: str) -> str:
    return next(address for address, name in IPS.items() if name == vmta)
