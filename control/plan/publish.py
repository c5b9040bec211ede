"""A change: one transaction, one generation, in force on every live gateway when it returns.

Order, under one lock across all control nodes: change the rows, compile, hand PowerMTA its
configuration (it must know a VirtualMTA before a gateway names it), put the generation into the
ledger, commit, wait for the workers.
Failure: problems roll everything back. Should the commit itself fail after the ledger has the
generation, `reconcile` publishes what the rows say, under a higher number.
"""

import hashlib
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import asyncpg
import msgspec
from redis.exceptions import RedisError

from control.plan.compile import compile_generation
from control.plan.hours import REACH, RENEW
from control.plan.rows import read
from control.pmta.config import ConfigValueError, fits, key_file, pmta_config
from control.pmta.dkim import Seal
from control.pmta.handover import Handover
from control.problem import FieldProblem, RefusedError
from control.store.change import Act
from control.store.database import Connection
from policy.address import normal_domain
from policy.ledger.admin import LedgerAdmin
from policy.plan import Generation, decode, encode
from settings.model import Settings
from settings.statements import statements

PUBLISH_LOCK = 0x5E4D_6A7E_0002
"""PostgreSQL advisory lock of all publishers."""

NEXT_STEP = (
    "PowerMTA's configuration changed: write it with `sendgate pmta config --output FILE` and load "
    "it into PowerMTA before mail uses what is new (or set control.pmta_config and "
    "control.pmta_reload_url)"
)

T = TypeVar("T")
_GENERATION = statements(__package__, "generation")
_ROWS = statements(__package__, "rows")


class Done(msgspec.Struct, Generic[T], frozen=True):
    """A change that was made, or (`dry`) one that could be."""

    result: T
    generation: int
    late: list[str]
    """Workers that do not run the generation yet."""
    dry: bool = False
    notes: list[str] = []
    changed: bool = True
    """False: everything was as asked for, and nothing was published."""


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
        self._system_host = control.system_host_name or machine_name()
        self._seal = Seal(control.secret)

    async def now(self) -> datetime:
        """Calendar time by the clock seam, which is the ledger's. Raises RefusedError."""
        try:
            milliseconds, _ = await self._admin.now()
        except (RedisError, OSError) as error:
            raise RefusedError(
                f"the ledger does not answer ({error}): nothing was changed", status=503
            ) from error
        return datetime.fromtimestamp(milliseconds / 1000, UTC)

    async def change(
        self, who: str, act: Callable[[Act], Awaitable[T]], *, dry: bool = False
    ) -> Done[T]:
        """Run `act` and publish the outcome; `dry` compiles it and rolls it back.

        Raises RefusedError with every problem; nothing was changed then."""
        now = await self.now()
        async with self._pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            committed = False
            try:
                await self._lock(connection)
                acting = Act(connection, now, who)
                result = await act(acting)
                if acting.unchanged and not acting.audited:
                    number = await self._admin.number()
                    notes = acting.unchanged
                    return Done(result, number, [], dry=dry, notes=notes, changed=False)
                # Deferred checks would otherwise fail the commit, when it is too late.
                await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
                generation = await self._compile(connection, now)
                if not self._handover.reloads and await self._alters_powermta(
                    connection, generation
                ):
                    acting.note(NEXT_STEP)
                if dry:
                    return Done(result, generation.number, [], dry=True, notes=acting.notes)
                await self._publish(connection, generation, now, who)
                await transaction.commit()
                committed = True
            finally:
                if not committed:
                    await transaction.rollback()
        late = await self._late(generation.number)
        return Done(result, generation.number, late, notes=acting.notes)

    async def reconcile(self, who: str = "control") -> int | None:
        """Publish what the rows say when the ledger runs something else, or sending hours would
        soon be out of date. Returns the number, or None when there was nothing to do."""
        async with self._pool.acquire() as connection:
            last = await connection.fetchrow(_GENERATION["last"])
        current = await self._admin.current()
        if current is not None and last is not None and last["number"] == current.number:
            now = (await self.now()).timestamp()
            ends = current.created + REACH
            # Sending hours know their zone for a time only (`control.plan.hours`).
            if ends - now >= RENEW or not any(t.window for t in current.tenants):
                return None
        return (await self.change(who, _nothing)).generation

    async def current(self) -> Generation | None:
        """The last generation as PostgreSQL has it."""
        async with self._pool.acquire() as connection:
            last = await connection.fetchrow(_GENERATION["last"])
        return None if last is None else decode(last["encoded"])

    async def config_text(self, generation: Generation, connection: Connection = None) -> str:
        """PowerMTA's configuration for a generation. Raises ConfigValueError."""
        keys = await (connection or self._pool).fetch(_ROWS["keys"])
        return pmta_config(
            generation,
            gateways=self._settings.control.gateway_networks,
            accounting=self._settings.control.pmta_accounting,
            system_host=self._system_host,
            keys=self._settings.control.pmta_keys,
            selectors={(row["tenant"], row["domain"]): row["dkim_selector"] for row in keys},
            bounces=self._settings.control.pmta_bounces,
            complaints=self._settings.control.pmta_complaints,
        )

    async def key_files(self, connection: Connection = None) -> dict[str, bytes]:
        """Name to PEM of every DKIM key file; empty where PowerMTA is not to sign.

        Raises RefusedError when control.secret does not open a key."""
        if not self._settings.control.pmta_keys:
            return {}
        keys = await (connection or self._pool).fetch(_ROWS["keys"])
        return {
            key_file(row["domain"], row["dkim_selector"]): self._seal.open(row["dkim_private"])
            for row in keys
        }

    async def _lock(self, connection: Connection) -> None:
        try:
            await connection.execute(_GENERATION["lock"], PUBLISH_LOCK)
        except (asyncpg.QueryCanceledError, TimeoutError) as error:
            raise RefusedError(
                f"another change was being published for {self._settings.database.timeout:g} s: "
                "nothing was changed; try again",
                status=503,
            ) from error

    async def _alters_powermta(self, connection: Connection, generation: Generation) -> bool:
        last = await connection.fetchrow(_GENERATION["last"])
        before = Generation(number=0, created=0.0) if last is None else decode(last["encoded"])
        old = await self.config_text(before, connection)
        return old != await self.config_text(generation, connection)

    async def _compile(self, connection: Connection, now: datetime) -> Generation:
        last = await connection.fetchrow(_GENERATION["last"])
        number = 1 + max(0 if last is None else last["number"], await self._ledger_number())
        compiled = compile_generation(
            await read(connection),
            self._settings.warmup,
            self._settings.hold,
            number=number,
            created=now.timestamp(),
            ledger=self._settings.ledger.name,
        )
        found = compiled.problems
        if not found:
            # Nothing is made of a plan that may not be used: rendering one whose pools overflow in
            # a circle never ended, with the publishing lock held.
            try:
                await self.config_text(compiled.generation, connection)
            except ConfigValueError as error:
                found = [str(error)]
        if found:
            title = found[0] if len(found) == 1 else f"{len(found)} problems; nothing was changed"
            raise RefusedError(title, errors=[FieldProblem("", text) for text in found])
        return compiled.generation

    async def _ledger_number(self) -> int:
        try:
            return await self._admin.number()
        except (RedisError, OSError) as error:
            raise RefusedError(
                f"the ledger does not answer ({error}): nothing was changed", status=503
            ) from error

    async def _publish(
        self, connection: Connection, generation: Generation, now: datetime, who: str
    ) -> None:
        text = await self.config_text(generation, connection)
        await self._handover.put(text, await self.key_files(connection))
        data = encode(generation)
        digest = hashlib.sha256(data).hexdigest()
        await connection.execute(_GENERATION["add"], generation.number, data, digest, now, who)
        try:
            in_force = await self._admin.publish(generation)
        except (RedisError, OSError) as error:
            in_force = await self._published(generation.number, error)
        if in_force != generation.number:
            raise RefusedError(
                f"the ledger runs generation {in_force} of another control plane; "
                "give each its own ledger.name",
            )

    async def _published(self, number: int, lost: Exception) -> int:
        """Whether a publish without a reply took place. Raises RefusedError when it did not, or
        when nobody knows: then the rows as they were are published again by `reconcile`."""
        try:
            in_force = await self._admin.number()
        except (RedisError, OSError):
            raise RefusedError(
                f"the ledger does not answer ({lost}): nothing was changed here; should it have "
                f"taken generation {number}, the plan before is put back within seconds",
                status=503,
            ) from lost
        if in_force < number:
            raise RefusedError(
                f"the ledger did not take the generation ({lost}): nothing was changed",
                status=503,
            ) from lost
        return in_force

    async def _late(self, number: int) -> list[str]:
        """Gateway workers that do not run the generation yet. The change is made: trouble here
        is no refusal."""
        try:
            return sorted(await self._admin.wait_for(number, self._settings.control.publish_wait))
        except (RedisError, OSError) as error:
            return [f"unknown, the ledger does not answer ({error})"]


def machine_name() -> str:
    """The machine's full name, or `localhost` where it has none PowerMTA could use."""
    host = socket.gethostname()
    # A look-up may take seconds where no name server answers: not needed for a full name.
    name = normal_domain(host if "." in host else socket.getfqdn())
    return name if name is not None and fits(name) else "localhost"


async def _nothing(_: Act) -> None:
    """A change of nothing: publishes the rows as they are."""
