"""A change: one transaction, one generation, in force on every live gateway when it returns.

Order, under one lock across all control nodes: change the rows, compile, hand PowerMTA its
configuration (it must know a VirtualMTA before a gateway names it), by its agents and wait for
them, or as one file, put the generation into the ledger, commit, wait for the workers. A change
that only takes something away hands it over last, when no gateway names it any more.
Failure: problems roll everything back, at PowerMTA, too; what it could not be told then, it is told
by `reconcile`. Should the commit itself fail after the ledger has the generation, `reconcile`
publishes what the rows say, under a higher number.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime
from functools import partial
from typing import Any, Literal

import msgspec
from redis.exceptions import RedisError

from control.plan.agents import Agents, Ahead
from control.plan.beside import Beside, beside
from control.plan.comparing import Comparison
from control.plan.compiler import Compiler, machine_name
from control.plan.done import NEXT_STEP, Change, Done, T, nothing
from control.plan.holding import note_kept
from control.plan.hours import REACH, RENEW
from control.plan.latest import last_of
from control.plan.ledger import UnknownOutcomeError, ledger_number, ledger_time, put_into
from control.plan.powermta import PowerMta, key_names
from control.plan.stored import Last, store
from control.plan.turn import Turn
from control.pmta.dkim import Seal
from control.pmta.generator.virtualmta import key_file
from control.pmta.handover import Handover
from control.pmta.offering import Bell
from control.problem import RefusedError, counted
from control.store.change import Act
from control.store.database import Connection
from control.store.once import settle
from policy.division import Divider
from policy.ledger.admin import LedgerAdmin
from policy.plan import Generation
from settings.model import Settings
from settings.statements import statements

log = logging.getLogger(__name__)

_ROWS = statements(__package__, "rows")

Lock = Literal["wait", "try", "none"]


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """The last plan, for who holds the lock."""

    connection: Connection
    last: Last
    generation: Generation
    beside: Beside
    text: str | None


class Publisher:
    """The one door through which rows change and generations are made."""

    def __init__(self, pool: Any, admin: LedgerAdmin, settings: Settings) -> None:
        self._pool = pool
        self._admin = admin
        self._settings = settings
        control = settings.control
        self._handover = Handover(
            control.pmta_config,
            control.pmta_reload_url,
            api_key=control.pmta_api_key,
            keys=control.pmta_keys,
        )
        self._divider = Divider()
        self._turn = Turn(settings.database.timeout)
        self._powermta = PowerMta(self._handover, partial(self.late, wait=0.0))
        self._seal = Seal(control.secret, control.secrets_before)
        self._compiler = Compiler(settings, control.system_host_name or machine_name())
        self.agents = Agents(pool, self._compiler.files, control, Bell())
        self._comparison = Comparison(self._compiler, self.now)

    async def now(self) -> datetime:
        """Calendar time by the clock seam, which is the ledger's. Raises RefusedError."""
        return await ledger_time(self._admin)

    async def change(
        self, who: str, act: Change[T], *, dry: bool = False, whole: bool = False
    ) -> Done[T]:
        """Run `act` and publish the outcome; `dry` compiles it and rolls it back; `whole` compiles
        all rows, not only those that were touched.

        Raises RefusedError with every problem; nothing was changed then."""
        now = await self.now()
        async with self._turn.here(), self._pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            committed, told, former, ahead = False, False, None, Ahead()
            try:
                await self._turn.everywhere(connection)
                acting = Act(connection, now, who)
                before = await last_of(connection)
                signed = await self._signed(connection, before)
                result = await act(acting)
                if acting.unchanged and not acting.audited:
                    number = await self._admin.number()
                    notes = acting.unchanged
                    return Done(result, number, [], dry=dry, notes=notes, changed=False)
                # Deferred checks would otherwise fail the commit, when it is too late.
                await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
                made = await self._compiler.make(
                    connection, now, await ledger_number(self._admin), whole=whole
                )
                number = made.generation.number
                if made.alters_powermta and not await self.told_by_itself(
                    connection, made.generation
                ):
                    acting.note(NEXT_STEP)
                await note_kept(self.agents, acting, made, self._compiler.memory, before)
                done = Done(
                    *(result, number, []),
                    dry=dry,
                    notes=acting.notes,
                    differences=acting.differences,
                )
                if dry:
                    return done
                await settle(connection, done)
                ahead = await self.agents.ahead(connection, made, now, who)
                if made.adds:
                    keys = await self.key_files(connection, made.keys)
                    former = await self._powermta.put(made.text, keys)
                await self.agents.stand(connection, ahead)
                division = self._divider.divide(made.generation)
                stamp = self._compiler.stamp(made, now, who)
                kept = self._settings.control.generations_kept
                last = await store(connection, division, stamp, kept)
                told = True
                await put_into(self._admin, made.generation, division, afresh=whole)
                # In force: should the commit fail, gateways name it until the next publishing.
                there, former, ahead = ahead, None, Ahead()
                await self.agents.published(connection, made, there)
                signing = await key_names(connection, made.beside.selectors)
                await transaction.commit()
                committed = True
            except BaseException as error:
                known = isinstance(error, RefusedError)
                if told and (not known or isinstance(error, UnknownOutcomeError)):
                    # The ledger may have it, when somebody ended us, too.
                    former, ahead, self._powermta.behind = None, Ahead(), True
                raise
            finally:
                if not committed:
                    if former is not None:
                        await self._powermta.take_back(former)
                    await transaction.rollback()
                    # Behind it: the transaction may have locked what was offered.
                    if ahead.offered:
                        await self.agents.take_back(ahead.offered)
        self._compiler.memory.put(made.latest(last))
        if signed and (said := self._powermta.lose(signed, signing)):
            acting.note(said)
        late = await self.late(number)
        if made.alters_powermta and not made.adds:
            self._powermta.behind = True
        behind = self._powermta.behind or await self.agents.unsettled()
        if behind and (said := await self._follow(who)):
            acting.note(said)
        return msgspec.structs.replace(done, late=late)

    async def _follow(self, who: str) -> str:
        """What PowerMTA is to have of the last generation, when no gateway names more; '' or what
        keeps it waiting. Left to who has the lock: a change that was made is not to wait for it."""
        async with self.last("try") as basis:
            if basis is None:
                return ""
            number = basis.last.number
            text = basis.text or self._compiler.text(basis.generation, basis.beside)
            named = await self.late_in_words(basis.last)
            said = await self._powermta.follow(number, text)
            settled = await self.agents.settle(
                *(basis.connection, basis.generation, basis.beside), late=named, who=who
            )
        self.agents.bell.ring()
        return said or settled

    @asynccontextmanager
    async def last(self, lock: Lock = "wait") -> AsyncIterator[Basis | None]:
        """The last plan, in a transaction that holds the lock of publishers (`none`: without it);
        None before the first, or (`try`) while somebody else has the lock. Raises RefusedError."""
        turn = self._turn.here() if lock == "wait" else nullcontext()
        async with turn, self._pool.acquire() as connection, connection.transaction():
            if lock == "wait":
                await self._turn.everywhere(connection)
            free = lock != "try" or await self._turn.free(connection)
            last = await last_of(connection) if free else None
            if last is None:
                yield None
                return
            latest = await self._compiler.memory.latest(connection, last)
            known = latest.beside
            yield Basis(
                connection=connection,
                last=last,
                generation=latest.generation,
                beside=await beside(connection) if known is None else known,
                text=latest.text,
            )

    async def _signed(self, connection: Connection, last: Last | None) -> set[str]:
        """The key files PowerMTA has by that plan; empty where it is not to sign."""
        if not self._settings.control.pmta_keys or last is None:
            return set()
        known = self._compiler.memory.beside(last) or await beside(connection)
        return await key_names(connection, known.selectors)

    async def reconcile(self, who: str = "control") -> int | None:
        """Publish what the rows say when the ledger runs something else, or sending hours would
        soon be out of date. Returns the number, or None when there was nothing to do."""
        ledger, wrong, hours = await self._admin.number(), False, False
        async with self._pool.acquire() as connection:
            last = await last_of(connection)
            if last is not None and not await self._compiler.memory.readable(connection, last):
                wrong = True
            elif last is not None and last.number == ledger:
                wrong = await self._comparison.wrong(connection, last)
                wrong = wrong or await self._lost(last)
                hours = await self._out_of_hours(connection, last)
        if last is not None and last.number == ledger and not wrong and not hours:
            behind = self._powermta.behind or await self.agents.unsettled()
            if behind and (said := await self._follow(who)):
                log.warning("%s", said)
            return None
        return (await self.change(who, nothing, whole=wrong)).generation

    async def current(self, connection: Connection = None) -> Generation | None:
        """The last generation as PostgreSQL has it. `connection`: of who has one already."""
        if connection is None:
            async with self._pool.acquire(clean=True) as own:
                return await self.current(own)
        last = await last_of(connection)
        if last is None:
            return None
        return (await self._compiler.memory.latest(connection, last)).generation

    async def _out_of_hours(self, connection: Connection, last: Last) -> bool:
        """Sending hours know their zone for a time only (`control.plan.hours`)."""
        current = (await self._compiler.memory.latest(connection, last)).generation
        if not any(t.window for t in current.tenants):
            return False
        return current.created + REACH - (await self.now()).timestamp() < RENEW

    async def _lost(self, last: Last) -> bool:
        """Parts of the plan the ledger runs: gateways that need them keep the plan they have."""
        whole = await self._admin.whole()
        if not whole:
            log.error("the ledger lost parts of generation %d: published again, whole", last.number)
        return not whole

    async def config_text(self, generation: Generation) -> str:
        """PowerMTA's configuration for a generation. Raises ConfigValueError."""
        async with self._pool.acquire() as connection:
            return self._compiler.text(generation, await beside(connection))

    async def key_files(
        self, connection: Connection = None, tenants: set[str] | None = None
    ) -> dict[str, bytes]:
        """Name to PEM of the DKIM key files of some tenants; empty where PowerMTA is not to sign.

        Raises RefusedError when control.secret does not open a key."""
        if not self._settings.control.pmta_keys:
            return {}
        keys = await (connection or self._pool).fetch(_ROWS["keys"], tenants)
        return {
            key_file(row["domain"], row["dkim_selector"]): self._seal.open(row["dkim_private"])
            for row in keys
        }

    async def told_by_itself(self, connection: Connection, generation: Generation) -> bool:
        """Whether nobody has to carry the configuration to PowerMTA."""
        return self._handover.reloads or await self.agents.all_of(connection, generation)

    async def late_in_words(self, last: Last | None) -> str:
        """Gateways that do not run that plan now; '': all do."""
        late = [] if last is None else await self.late(last.number, wait=0.0)
        return counted(late, "gateway worker") if late else ""

    async def late(self, number: int, wait: float | None = None) -> list[str]:
        """Gateway workers that do not run the generation yet. The change is made: trouble here
        is no refusal. `wait`: seconds, else control.publish_wait."""
        wait = self._settings.control.publish_wait if wait is None else wait
        try:
            return sorted(await self._admin.wait_for(number, wait))
        except (RedisError, OSError) as error:
            log.warning("who runs generation %d nobody knows: %s", number, error)
            return ["unknown, the ledger does not answer"]
