"""PowerMTA servers whose agents bring versions into force, as a change meets them: what must be
known there is offered and waited for ahead of the plan, with all that was there before; what went
follows it.

Rule: PowerMTA knows a VirtualMTA for as long as any gateway names it. So what a plan adds is in
force at every server it concerns before the plan is published, or nothing is changed and the
version before is offered again; what only goes is offered when no gateway names it any more; what
is neither (a rate) is offered behind the plan and holds nothing up. A server whose files stay as
they are is not asked at all: pausing an IP must work while PowerMTA or its agent is down.
Failure: an offer whose change is gone (a control process that was killed) is found by `settle`: it
was compared with no plan that was committed.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from control import kinds
from control.plan.awaiting import Waiting
from control.plan.beside import Beside
from control.plan.compiler import Made
from control.plan.offered import Offered
from control.pmta import desired, speaking
from control.pmta.desired import Desired
from control.pmta.fileset import FileSet
from control.pmta.generator.text import ConfigValueError
from control.pmta.generator.virtualmta import key_file
from control.pmta.known import Fact, facts, key_names, told, virtual_mtas
from control.pmta.offering import Bell
from control.pmta.running import known_to_run, version_run
from control.pmta.staged import staged
from control.pmta.version import NewVersion, Version, is_of, read, renewed, withdraw, write
from control.problem import RefusedError
from control.store.database import Connection
from control.store.refusal import UNREACHABLE
from policy.isotime import milliseconds_of
from policy.plan import Generation
from settings.control import Control
from settings.statements import statements

log = logging.getLogger(__name__)

_ROWS = statements(__package__, "rows")

Files = Callable[[Generation, Beside, str], FileSet]
"""A server's files for a generation. Raises ConfigValueError."""


class Ahead(msgspec.Struct, frozen=True, kw_only=True):
    """What was done ahead of a plan."""

    offered: list[Offered] = []
    same: dict[str, int] = {}
    """Servers whose files stay as they are, and the offer that has them."""


class Agents:
    """Of one control process. `clock`: real seconds of the machine."""

    def __init__(
        self,
        pool: Any,
        files: Files,
        settings: Control,
        bell: Bell,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pool = pool
        self._files = files
        self._settings = settings
        self.bell = bell
        self._clock = clock
        self.waiting = Waiting(pool, settings, bell, clock)

    async def servers(self, connection: Connection = None) -> list[str]:
        """Those that have an agent which asks for its configuration."""
        return await speaking.servers(connection or self._pool)

    async def ahead(self, connection: Connection, made: Made, now: datetime, who: str) -> Ahead:
        """Offer what gateways will name, each server's, and wait until all run it. `connection`:
        the change's, which alone sees its domains. Raises RefusedError, with what was wanted before
        offered again.

        What is only read is read by it: a second connection, wanted while all there are wait for
        the lock of publishers, does not come before they give up."""
        if not made.reaches_powermta:
            return Ahead()
        new: list[tuple[NewVersion, Desired | None, bool]] = []
        lacks: dict[str, str] = {}
        same: dict[str, int] = {}
        strange = await desired.unsettled(connection)
        for server in await self.servers(connection):
            files = await self.files(made.generation, made.beside, server)
            wanted, version = await self.wanted(server, connection)
            if wanted is not None and wanted.held:
                # It has all that gateways name (`holding.note_kept`), and the rest waits.
                continue
            needs = facts(files)
            wants = facts(version.fileset) if version else frozenset[Fact]()
            has = wants
            if server in strange or (wanted is not None and wanted.instead):
                # Offered for a change that is gone, put back, or behind its plan: what it
                # has more than PowerMTA is known to run, gateways must not name yet.
                has &= await known_to_run(connection, server)
            sealed = await self.sealed(connection, files)
            lacking = (needs - has) | renewed(sealed, version)
            if wanted is not None and is_of(version, files, sealed):
                same[server] = wanted.offer
            if wanted is not None and wanted.instead:
                # It was put back, and has all that gateways name: what else the plan before
                # had more than that version is not this change's.
                lacking = virtual_mtas(lacking) | (lacking - await self._before(made, server))
            if not lacking:
                continue
            # Gateways go by the plan before until they have the new one, some by an earlier one.
            base = version
            if wanted is not None and wanted.settled is None:
                base = await version_run(connection, server) or version
            adds = files if base is None else await asyncio.to_thread(staged, files, base.fileset)
            lacks[server] = told(lacking)
            version_of = NewVersion(
                server=server,
                fileset=adds,
                sealed=sealed,
                generation=made.generation.number,
                who=who,
                why=f"new: {lacks[server]}",
                at=milliseconds_of(now),
            )
            new.append((version_of, wanted, adds is not files))
        await self.waiting.heard(connection, lacks)
        offered: list[Offered] = []
        try:
            for version_of, wanted, more in new:
                offered.append(await self._new(version_of, wanted, more=more))
            self.bell.ring()
            await self.waiting.until(offered, connection)
        except BaseException as error:
            await asyncio.shield(self.take_back(offered, error))
            raise
        return Ahead(offered=offered, same=same)

    async def take_back(self, offered: list[Offered], error: BaseException | None = None) -> None:
        """What was wanted before is offered again. What cannot be written down now is found by
        `settle`."""
        if not offered:
            return
        why = error.line() if isinstance(error, RefusedError) else "its change was not made"
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                for one in offered:
                    before = one.before and self._stamped(one.before)
                    await desired.put_back(connection, before, one.server, one.offer)
                    await withdraw(connection, one.version, why)
        except UNREACHABLE as away:
            log.warning("PowerMTA has what a refused change would have brought: %s", away)
        self.bell.ring()

    async def stand(self, connection: Connection, ahead: Ahead) -> None:
        """Before the plan is published, in its transaction: what was offered still is, and stays so
        until the commit. Raises RefusedError."""
        for one in ahead.offered:
            if not await desired.stands(connection, one.server, one.offer):
                raise RefusedError(
                    f"{one.server} was offered another version meanwhile, by another change: "
                    "nothing was changed; try again",
                    kind=kinds.BUSY,
                )

    async def published(self, connection: Connection, made: Made, ahead: Ahead) -> None:
        """In the plan's own transaction: what was offered for it is right for it, and so is
        everything where PowerMTA has nothing new to know. What has more is right for it and the
        plan before, and compared again when the gateways have it."""
        number = made.generation.number
        offers = {one.server: (one.offer, number - one.more) for one in ahead.offered}
        same = {server: (offer, number) for server, offer in ahead.same.items()}
        for server, (offer, plan) in {**same, **offers}.items():
            await desired.settle(connection, server, plan, offer)
        if not made.reaches_powermta:
            await desired.carry(connection, number)

    async def all_of(self, connection: Connection, generation: Generation) -> bool:
        """Whether each server that has VirtualMTAs has an agent for its configuration."""
        found = set(await self.servers(connection))
        return bool(found) and {v.server for v in generation.vmtas} <= found

    async def unsettled(self) -> bool:
        """Whether a server's version was not compared with the last plan."""
        return bool(await desired.unsettled(self._pool))

    async def settle(
        self,
        connection: Connection,
        generation: Generation,
        beside: Beside,
        *,
        late: str,
        who: str,
    ) -> str:
        """Offer what the last plan says where something else is wanted, and wait for nobody.
        `late`: gateways that do not run that plan; with them, what goes stays. Under the lock of
        publishers. '' or what keeps PowerMTA waiting. Raises RefusedError."""
        said = ""
        made = {}
        held = {one.server: one.offer for one in await desired.held(connection)}
        for server in await desired.unsettled(connection):
            if server in held:
                await desired.settle(connection, server, generation.number, held[server])
                continue
            files = await self.files(generation, beside, server)
            # Of all before the first is written: keys are of no one server.
            made[server] = files, await self.sealed(connection, files)
        for server, (files, sealed) in made.items():
            wanted, version = await self.wanted(server, connection)
            if wanted is not None and is_of(version, files, sealed):
                await desired.settle(connection, server, generation.number, wanted.offer)
                continue
            goes = facts(version.fileset) - facts(files) if version else frozenset()
            # Of an offer whose change is gone, too: it has all that was there before it.
            if late and goes:
                said = f"PowerMTA keeps what went until {late} let go of it"
                continue
            new = NewVersion(
                server=server,
                fileset=files,
                sealed=sealed,
                generation=generation.number,
                who=who,
                why=f"gone: {told(goes)}" if goes else "as the plan says",
                at=round(generation.created * 1000),
            )
            number = await write(connection, new, self._settings.pmta_versions_kept)
            await desired.abandon(connection, wanted)
            settled = Desired(
                server=server,
                version=number,
                settled=generation.number,
                who=new.who,
            )
            await self.offer(connection, settled)
        return said

    async def offer(
        self, connection: Connection, wanted: Desired, *, overwrite: bool = False
    ) -> int:
        """Its number. To write over what somebody changed by hand is asked for each time: what is
        offered again does not."""
        return await desired.offer(connection, self._stamped(wanted, overwrite=overwrite))

    def _stamped(self, wanted: Desired, *, overwrite: bool = False) -> Desired:
        now = round(self._clock() * 1000)
        return msgspec.structs.replace(wanted, overwrite=overwrite, at=now)

    async def files(self, generation: Generation, beside: Beside, server: str) -> FileSet:
        """Off the event loop: thousands of VirtualMTAs take a while. Raises RefusedError."""
        try:
            return await asyncio.to_thread(self._files, generation, beside, server)
        except ConfigValueError as error:
            raise RefusedError(str(error)) from error

    async def _before(self, made: Made, server: str) -> frozenset[Fact]:
        """What PowerMTA had to know by the last plan; by this one, where nobody knows that."""
        generation, beside = made.before or (made.generation, made.beside)
        return facts(await self.files(generation, beside, server))

    async def sealed(self, connection: Connection, files: FileSet) -> dict[str, bytes]:
        """Keys that no version had, by file."""
        names = key_names(files)
        rows = await connection.fetch(_ROWS["sealed"], names) if names else []
        return {key_file(row["domain"], row["dkim_selector"]): row["dkim_private"] for row in rows}

    async def wanted(
        self, server: str, connection: Connection = None
    ) -> tuple[Desired | None, Version | None]:
        """What it is to run, and that with its files."""
        from_ = connection or self._pool
        found = await desired.desired(from_, server)
        return found, None if found is None else await read(from_, server, found.version)

    async def _new(self, new: NewVersion, before: Desired | None, *, more: bool) -> Offered:
        """Committed at once: the agent asks another connection, or another control node."""
        async with self._pool.acquire() as connection, connection.transaction():
            number = await write(connection, new, self._settings.pmta_versions_kept)
            await desired.abandon(connection, before)
            wanted = Desired(server=new.server, version=number, who=new.who)
            offer = await self.offer(connection, wanted)
        return Offered(
            server=new.server,
            version=number,
            digest=new.fileset.digest,
            offer=offer,
            before=before,
            more=more,
        )
