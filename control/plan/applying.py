"""PowerMTA's configuration brought into force by hand: what the plan says, or an older version.

Rule: one server first, the others only when it runs there; what is not taken is put back to what
was wanted before, and the answer says which server, which step, and what PowerMTA said. Nobody is
held up meanwhile: the lock of publishers is held for the writing alone, and a change that comes in
between ends the wait.
"""

import asyncio
import logging
from datetime import datetime
from typing import Any

import msgspec

from control.plan.brought import Apply, Brought, BroughtView, Rollback
from control.plan.holding import named_by
from control.plan.offered import Offered, must_stay, removed
from control.plan.publish import Basis, Publisher
from control.pmta import desired
from control.pmta.desired import Desired
from control.pmta.known import Fact, facts, unsigned, virtual_mtas
from control.pmta.standing import Standing, standings
from control.pmta.version import NewVersion, is_of, read, sealed_keys, withdraw, write
from control.problem import RefusedError, bad, counted, missing
from control.store.change import Act
from policy.isotime import milliseconds_of
from settings.control import Control

log = logging.getLogger(__name__)

AFTERWARDS = (
    "it stays so until `sendgate pmta apply`: quotas, keys and whatever else changes wait there, "
    "and a change that needs a VirtualMTA which that version lacks is refused"
)


class Applying:
    """Of one control process."""

    def __init__(self, pool: Any, publisher: Publisher, settings: Control) -> None:
        self._pool = pool
        self._publisher = publisher
        self._agents = publisher.agents
        self._settings = settings

    async def apply(self, who: str, wanted: Apply, *, dry: bool = False) -> BroughtView:
        """Raises RefusedError."""
        names = await self._order(wanted.server)
        ends = "would end" if dry else "ends"
        notes = [
            f"this {ends} a rollback: {one.server} {one.instead.removeprefix('it ')}"
            for one in await desired.held(self._pool)
            if one.server in names
        ]
        found = []
        for part in (names[:1], names[1:]):
            steps = [await self._step(who, wanted, name, dry) for name in part]
            found += [brought for brought, _ in steps]
            await self._until_in_force([offered for _, offered in steps if offered is not None])
        return BroughtView(servers=found, dry_run=dry, notes=notes)

    async def rollback(self, who: str, wanted: Rollback, *, dry: bool = False) -> BroughtView:
        """Raises RefusedError; also where gateways name what that version has not."""
        await self._order(wanted.server)
        now, here = await self._publisher.now(), (wanted.server, wanted.version)
        async with self._publisher.last() as basis:
            basis = _published(basis)
            standing = await _standing(basis, wanted.server)
            version = await read(basis.connection, wanted.server, wanted.version)
            if version is None:
                raise missing(f"version {wanted.version} of PowerMTA server", wanted.server)
            has = facts(version.fileset)
            if lacking := named_by(basis.generation, wanted.server) - has:
                named = counted(sorted(fact[1] for fact in lacking), "VirtualMTA")
                raise RefusedError(
                    f"version {wanted.version} lacks {named} that gateways name, or has another "
                    "address for it: mail would be refused; remove those IPs first, or choose a "
                    "newer version (`sendgate pmta versions`)"
                )
            before, at_present = await self._agents.wanted(wanted.server, basis.connection)
            present = facts(at_present.fileset) if at_present else frozenset()
            await self._nobody_names(basis, virtual_mtas(present - has))
            # A DKIM key that was replaced is gone some day, and an agent could not be given it.
            await sealed_keys(basis.connection, list(version.keys))
            notes = [AFTERWARDS, *await self._unsigned(basis, wanted, present, has)]
            number = 0 if before is None else before.version
            held = before is not None and before.held
            runs = number == wanted.version and standing.runs and held
            brought = Brought(
                server=wanted.server, version=wanted.version, before=number, changed=not runs
            )
            if dry or not brought.changed:
                return BroughtView(servers=[brought], dry_run=dry, notes=notes)
            at = now.strftime("%Y-%m-%d %H:%M")
            instead = f"it was put back to version {wanted.version} by {who} at {at} UTC"
            if wanted.reason:
                instead += f" ({wanted.reason})"
            instead = "; ".join([instead, *notes[1:]])
            for note in notes[1:]:
                log.warning("%s is put back to version %d: %s", *here, note)
            new = Desired(
                server=wanted.server,
                version=wanted.version,
                settled=basis.last.number,
                instead=instead,
                held=True,
                who=who,
            )
            offered = await self._offer(basis, new, version.digest, before)
            act = Act(basis.connection, now, who)
            what = ({"version": number}, {"version": wanted.version})
            await act.audit("pmta.rollback", wanted.server, *what, reason=wanted.reason)
        await self._until_in_force([offered])
        for note in notes[1:]:
            log.warning("%s runs version %d: %s", *here, note)
        return BroughtView(servers=[brought], dry_run=False, notes=notes)

    async def _unsigned(
        self, basis: Basis, wanted: Rollback, present: frozenset[Fact], has: frozenset[Fact]
    ) -> list[str]:
        """What mail goes out otherwise signed than by the plan (`present`, where that makes no
        configuration)."""
        try:
            files = await self._agents.files(basis.generation, basis.beside, wanted.server)
            present = await asyncio.to_thread(facts, files)
        except RefusedError as error:
            log.warning("%s: what the plan signs is not known: %s", wanted.server, error)
        lacks, other = unsigned(present, has)
        found = []
        if lacks:
            found.append(
                f"mail of {counted(lacks, 'domain')} is not signed (DKIM) while version "
                f"{wanted.version} is in force, which has no key for it"
            )
        if other:
            found.append(
                f"mail of {counted(other, 'domain')} is signed (DKIM) with a former key while "
                f"version {wanted.version} is in force: its record has to be in DNS"
            )
        return found

    async def _order(self, server: str | None) -> list[str]:
        """Servers with an agent, the canary first. Raises RefusedError."""
        names = await self._agents.servers()
        if server is not None:
            if server not in names:
                raise RefusedError(
                    f"no agent asks for the configuration of PowerMTA server {server}: set "
                    "`configuration` in its agent.toml, and start it"
                )
            return [server]
        if not names:
            raise RefusedError(
                "no agent asks for a configuration: set `configuration` in agent.toml on "
                "PowerMTA's host, and start the agent"
            )
        first = self._settings.pmta_canary
        if first and first not in names:
            raise bad("control.pmta_canary", f"no agent asks for the configuration of {first}")
        return sorted(names, key=lambda name: (name != first, name))

    async def _step(
        self, who: str, wanted: Apply, server: str, dry: bool
    ) -> tuple[Brought, Offered | None]:
        now = await self._publisher.now()
        async with self._publisher.last() as basis:
            basis = _published(basis)
            standing = await _standing(basis, server)
            files = await self._agents.files(basis.generation, basis.beside, server)
            before, version = await self._agents.wanted(server, basis.connection)
            sealed = await self._agents.sealed(basis.connection, files)
            same = is_of(version, files, sealed)
            number = version.version if version is not None else 0
            if same and standing.runs and not wanted.overwrite:
                brought = Brought(server=server, version=number, before=number, changed=False)
                if not dry and before is not None:
                    if before.held:
                        await self._released(basis, who, now, before, wanted.reason)
                    number = basis.last.number
                    await desired.settle(basis.connection, server, number, before.offer)
                return brought, None
            goes = facts(version.fileset) - facts(files) if version else frozenset()
            await self._nobody_names(basis, goes)
            if dry:
                offer = number if same else 0
                would = Brought(
                    server=server,
                    version=offer,
                    before=number,
                    changed=True,
                    by_hand=standing.by_hand,
                )
                return would, None
            brought_by = wanted.reason or "pmta apply"
            if not same:
                new = NewVersion(
                    server=server,
                    fileset=files,
                    sealed=sealed,
                    generation=basis.last.number,
                    who=who,
                    why=brought_by,
                    at=milliseconds_of(now),
                )
                kept = self._settings.pmta_versions_kept
                number = await write(basis.connection, new, kept)
            offered = await self._offer(
                basis,
                Desired(
                    server=server,
                    version=number,
                    overwrite=wanted.overwrite,
                    settled=basis.last.number,
                    who=who,
                ),
                files.digest,
                before,
            )
            act = Act(basis.connection, now, who)
            was = {"version": 0 if before is None else before.version}
            is_ = {"version": number, "overwrite": wanted.overwrite}
            await act.audit("pmta.apply", server, was, is_, reason=wanted.reason)
        self._agents.bell.ring()
        return Brought(server=server, version=number, before=was["version"], changed=True), offered

    async def _released(
        self, basis: Basis, who: str, now: datetime, held: Desired, reason: str
    ) -> None:
        """What it was put back to is what the plan says by now."""
        await desired.release(basis.connection, held.server, held.offer)
        was = {"version": held.version, "held": True}
        act = Act(basis.connection, now, who)
        await act.audit("pmta.apply", held.server, was, {**was, "held": False}, reason=reason)

    async def _nobody_names(self, basis: Basis, goes: frozenset[Fact]) -> None:
        """Raises RefusedError where a gateway runs an older plan than what is to go."""
        if goes and (late := await self._publisher.late_in_words(basis.last)):
            raise must_stay(goes, late)

    async def _offer(
        self, basis: Basis, wanted: Desired, digest: str, before: Desired | None
    ) -> Offered:
        offer = await self._agents.offer(basis.connection, wanted, overwrite=wanted.overwrite)
        return Offered(
            server=wanted.server,
            version=wanted.version,
            digest=digest,
            offer=offer,
            before=before,
        )

    async def _until_in_force(self, offered: list[Offered]) -> None:
        """Raises RefusedError, with what was wanted before offered again."""
        self._agents.bell.ring()
        try:
            await self._agents.waiting.until(offered)
        except RefusedError as error:
            async with self._publisher.last() as basis:
                for one in offered:
                    await self._put_back(_published(basis), one, error)
            self._agents.bell.ring()
            raise

    async def _put_back(self, basis: Basis, one: Offered, error: RefusedError) -> None:
        """Where it runs what it was offered, or another change came between, it stays."""
        now = await desired.desired(basis.connection, one.server)
        if now is None or now.offer != one.offer or one.before is None:
            return
        if (await _standing(basis, one.server)).runs:
            return
        if one.before.version == one.version:
            return
        former_version = await read(basis.connection, one.server, one.before.version)
        has = facts(former_version.fileset) if former_version else frozenset()
        if named_by(basis.generation, one.server) - has:
            # Gateways name more than it had by now.
            return
        rolled = f"{one.before.instead}; " if one.before.held else ""
        await withdraw(basis.connection, one.version, str(error))
        former = msgspec.structs.replace(
            one.before,
            settled=basis.last.number,
            instead=f"{rolled}version {one.version} was not taken: {error}",
        )
        await self._agents.offer(basis.connection, former)


async def _standing(basis: Basis, server: str) -> Standing:
    """Raises RefusedError for one that was there when this began."""
    for one in await standings(basis.connection, [server]):
        return one
    raise removed(server)


def _published(basis: Basis | None) -> Basis:
    if basis is None:
        raise RefusedError("nothing has been published yet", status=404)
    return basis
