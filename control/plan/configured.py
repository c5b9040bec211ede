"""PowerMTA's configuration as it is looked at: what a server runs, is to run, and what the plan
makes of it now; the versions there were."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec

from control.plan.publish import Publisher
from control.pmta import server as servers
from control.pmta.config import tenant_file
from control.pmta.desired import desired
from control.pmta.difference import differences
from control.pmta.fileset import MAIN, FileSet
from control.pmta.grammar.parse import parse
from control.pmta.standing import Standing, standings
from control.pmta.version import VersionView, read, versions
from control.pmta.warning import warming_of, warnings
from control.problem import RefusedError, bad, missing, quoted
from control.values.part import Part, Slice
from policy.model import UNLIMITED
from policy.plan import Generation
from settings.control import Control

PLAN, RUNNING, DESIRED = "plan", "running", "desired"
"""Words for a configuration besides the number of a version."""


class StandingView(msgspec.Struct, frozen=True, kw_only=True):
    """What one PowerMTA server runs, as its agent said last."""

    server: str
    agent: str
    heard: float
    """Seconds since the agent was heard of."""
    desired: int
    """The version it is to run; 0: none was offered yet."""
    running: int
    """The version in force; 0: none of ours, or unknown."""
    state: str
    """`running`, `failed`, `changed`, `none`; `waiting`: what it is to run is not in force yet;
    `silent`: the agent is not heard of."""
    right: bool
    """Whether it runs what the plan says, and nothing is wrong."""
    settled: bool
    """Whether what it is to run was compared with the last plan."""
    troubles: list[str]


class DifferenceView(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """What changes on a server from one configuration to another."""

    server: str
    from_: str
    to: str
    files: dict[str, str]
    """Unified diffs; a file that stays as it is, is left out."""


class Validated(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a server's configuration, as the plan makes it."""

    server: str
    problems: list[str]
    """It would not be published so."""
    warnings: list[str]


class Configured:
    """`clock`: real seconds of the machine."""

    def __init__(
        self,
        pool: Any,
        publisher: Publisher,
        settings: Control,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pool = pool
        self._publisher = publisher
        self._settings = settings
        self._clock = clock

    async def known(self, server: str | None) -> str:
        """A server that is there; None: the only one. Raises RefusedError."""
        found = await servers.names(self._pool)
        if server is None:
            if len(found) == 1:
                return found[0]
            raise bad("server", f"there are {len(found)} PowerMTA servers: say which")
        if server not in found:
            raise missing("PowerMTA server", server)
        return server

    async def planned(self, server: str) -> FileSet:
        """What the last plan makes of it by the settings of now. Raises RefusedError."""
        async with self._publisher.last("none") as basis:
            if basis is None:
                raise RefusedError("nothing has been published yet", status=404)
        return await self._publisher.agents.files(basis.generation, basis.beside, server)

    async def text(self, server: str | None, tenant: str | None, file: str | None) -> str:
        """The configuration of a server, or a file of it, or a tenant's. Raises RefusedError."""
        found = await self.planned(await self.known(server))
        if tenant is not None:
            generation = await self._publisher.current()
            if generation is None or tenant not in generation.tenant:
                raise missing("tenant", tenant)
            if file is not None:
                raise bad("file", "a tenant has one file: ask for either")
            return found.files.get(tenant_file(tenant), "")
        if file is None:
            return found.whole()
        if file not in found.files:
            names = ", ".join(found.files)
            raise RefusedError(f"there is no file {quoted(file)}, there are {names}", status=404)
        return found.files[file]

    async def fileset(self, server: str, which: str) -> FileSet:
        """`which`: a number, `running`, `desired` or `plan`. Raises RefusedError."""
        if which == PLAN:
            return await self.planned(server)
        if which.isascii() and which.isdigit() and len(which) < 19:
            number = int(which)
        elif which == DESIRED:
            wanted = await desired(self._pool, server)
            number = 0 if wanted is None else wanted.version
        elif which == RUNNING:
            found = await standings(self._pool, [server])
            number = found[0].said.running if found and found[0].said else 0
        else:
            raise RefusedError(
                f"{quoted(which)} is neither a version's number nor {RUNNING}, {DESIRED} or {PLAN}",
                status=400,
            )
        version = await read(self._pool, server, number)
        if version is None:
            named = f"version {number}" if number else f"a version that is {which}"
            raise missing(f"{named} of PowerMTA server", server)
        return version.fileset

    async def difference(self, server: str | None, from_: str, to: str) -> DifferenceView:
        """Raises RefusedError."""
        name = await self.known(server)
        before, after = await self.fileset(name, from_), await self.fileset(name, to)
        # Off the event loop: thousands of VirtualMTAs take a while.
        files = await asyncio.to_thread(differences, before, after)
        return DifferenceView(server=name, from_=from_, to=to, files=files)

    async def validated(self, server: str | None) -> list[Validated]:
        """Of one server, or of all."""
        names = await servers.names(self._pool) if server is None else [await self.known(server)]
        found = []
        for name in names:
            problems: list[str] = []
            warned: list[str] = []
            try:
                files = await self.planned(name)
                generation = await self._publisher.current()
                rollups = self._settings.pmta_rollups
                if generation is not None:
                    # A second of reading with 5,000 VirtualMTAs, for which nobody else waits.
                    warned = await asyncio.to_thread(_warned, files, generation, rollups=rollups)
            except RefusedError as error:
                problems = [error.line()]
            found.append(Validated(server=name, problems=problems, warnings=warned))
        return found

    async def versions(self, server: str | None, part: Part) -> Slice[VersionView]:
        """Raises RefusedError."""
        name = None if server is None else await self.known(server)
        return await versions(self._pool, name, part)

    async def standing(self, server: str | None = None) -> list[StandingView]:
        """Of the servers that have an agent which asks for its configuration. Raises
        RefusedError."""
        wanted = None if server is None else [await self.known(server)]
        now = round(self._clock() * 1000)
        current = await self._publisher.current()
        number = 0 if current is None else current.number
        return [self._view(one, now, number) for one in await standings(self._pool, wanted)]

    def _view(self, one: Standing, now: int, generation: int) -> StandingView:
        bound = self._settings.pmta_agent_silent
        state: str = "none" if one.said is None else one.said.state
        if one.silent(now, bound):
            state = "silent"
        elif state in ("none", "running") and one.version and not one.runs:
            state = "waiting"
        troubles = one.troubles(now, bound)
        settled = one.settled == generation
        return StandingView(
            server=one.server,
            agent=one.agent,
            heard=max(0, now - one.heard) / 1000,
            desired=one.version,
            running=0 if one.said is None else one.said.running,
            state=state,
            right=state == "running" and settled and not troubles,
            settled=settled,
            troubles=troubles,
        )


_ON_PURPOSE = {MAIN, "sources.conf", "providers.conf"}
"""Files of ours alone, whose gateways may name VirtualMTAs and whose roll-ups are the ones."""


def _warned(found: FileSet, generation: Generation, *, rollups: bool) -> list[str]:
    """What PowerMTA takes and nobody hardly wants, in what settings and own lines say."""
    warm = [v for v in generation.vmtas if v.daily != UNLIMITED]
    names = {v.name for v in warm}
    pools = {p.name for p in generation.pools if names & set(p.members)}
    warming = warming_of(names | pools, (v.ip for v in warm))
    files = [
        parse(name, {name: text}, lambda *_: ()).file
        for name, text in found.files.items()
        if name not in _ON_PURPOSE
    ]
    found_ = warnings(files, warming, rollups=rollups)
    return [f"{one.place}, {one.text}: {one.why}" for one in found_]
