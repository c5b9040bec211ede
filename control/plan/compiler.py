"""Compiles in a transaction: the next generation, and PowerMTA's configuration for it.

Owns: when all rows are read, and when those that were touched since the last generation are
enough. All are after a change of settings or version, and when somebody asks for it (`whole`).
"""

import hashlib
import socket
from datetime import datetime

import msgspec

from control.plan import rows, touched
from control.plan.beside import Beside, beside_of
from control.plan.compile import Compiled, TenantTerms, compile_generation
from control.plan.increment import increment, reaches_powermta, read_touched
from control.plan.latest import Latest, Memory, basis_of, last_of
from control.plan.stored import Last, Stamp, put_together
from control.plan.touched import EVERYTHING, Touched
from control.pmta.config import KEYS, pmta_config
from control.pmta.fileset import FileSet
from control.pmta.generator.terms import Terms
from control.pmta.generator.text import ConfigValueError, fits
from control.problem import FieldProblem, RefusedError
from control.store.database import Connection
from policy.address import normal_domain
from policy.number import count
from policy.plan import BadGenerationError, Generation, encode
from settings.model import Settings
from settings.statements import statements

_SQL = statements(__package__, "generation")


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A generation that may be published."""

    generation: Generation
    beside: Beside
    text: str
    """PowerMTA's configuration."""
    pmta_digest: str
    alters_powermta: bool
    """Whether the last generation's text was another one."""
    reaches_powermta: bool
    """Whether a server's may be: false where nothing was touched that is in any."""
    adds: bool
    """Whether PowerMTA must know something before gateways do. Else (a rate) it may follow."""
    keys: set[str] | None
    """Tenants whose DKIM keys may be new; None: all."""
    before: tuple[Generation, Beside] | None
    """The last generation; None: everything was made anew."""

    def latest(self, last: Last) -> Latest:
        """As it is remembered."""
        return Latest(last=last, generation=self.generation, beside=self.beside, text=self.text)


class Compiler:
    """Of one control process."""

    def __init__(self, settings: Settings, system_host: str) -> None:
        self._settings = settings
        self._system_host = system_host
        self.basis = basis_of(settings)
        self.memory = Memory()

    async def make(
        self, connection: Connection, now: datetime, ledger: int, *, whole: bool = False
    ) -> Made:
        """The generation after the last one, and after `ledger`, the number that the ledger runs.
        What it takes up is noted no more. Raises RefusedError with every problem."""
        last = await last_of(connection)
        found = await touched.take(connection)
        latest = None
        if last is not None and last.basis == self.basis and not whole:
            latest = await self.memory.latest(connection, last)
        if latest is None or found.everything:
            latest, found = None, EVERYTHING
        number = 1 + max(0 if last is None else last.number, ledger)
        compiled = await self._compiled(connection, latest, found, now.timestamp(), number)
        _refuse(compiled.problems)
        beside = await beside_of(connection, None if latest is None else latest.beside, found)
        text = None if latest is None else latest.text
        reaches = text is None or (
            latest is not None
            and (
                beside != latest.beside
                or reaches_powermta(latest.generation, compiled.generation, found)
            )
        )
        if text is None or reaches:
            try:
                text = self.text(compiled.generation, beside)
            except ConfigValueError as error:
                _refuse([str(error)])
                raise
        digest = hashlib.sha256(text.encode()).hexdigest()
        return Made(
            generation=compiled.generation,
            beside=beside,
            text=text,
            pmta_digest=digest,
            alters_powermta=digest != await self._digest_before(connection, last, beside),
            reaches_powermta=reaches,
            adds=latest is None or _more(latest, compiled.generation, beside),
            keys=None if latest is None or latest.text is None else found.domains,
            before=(latest.generation, latest.beside) if latest and latest.beside else None,
        )

    def stamp(self, made: Made, created: datetime, who: str) -> Stamp:
        """What stands beside it."""
        return Stamp(
            number=made.generation.number,
            created=created,
            who=who,
            basis=self.basis,
            pmta_digest=made.pmta_digest,
        )

    async def differs(self, connection: Connection, last: Last, now: float) -> bool:
        """Whether what changes made of the last generation, with what is touched and not
        published, is not what all rows make. The connection sees one state of all."""
        if last.basis != self.basis:
            return False
        latest = await self.memory.latest(connection, last)
        found = await touched.look(connection)
        if found.everything:
            return False
        step = await self._compiled(connection, latest, found, now, last.number)
        whole = await self._compiled(connection, None, EVERYTHING, now, last.number)
        return encode(step.generation) != encode(whole.generation)

    def text(self, generation: Generation, beside: Beside) -> str:
        """PowerMTA's configuration for a generation, of all servers in one. Raises
        ConfigValueError."""
        control = self._settings.control
        # A wall that nobody moves would hold back what the next stage allows.
        moved = control.pmta_config and control.pmta_reload_url
        wall = control.pmta_wall if moved else 0.0
        terms = self._terms(beside, keys=control.pmta_keys, wall=wall)
        return pmta_config(generation, terms).whole()

    def files(self, generation: Generation, beside: Beside, server: str) -> FileSet:
        """One server's files, as its agent is offered them. Raises ConfigValueError."""
        control = self._settings.control
        keys = KEYS if control.pmta_keys else ""
        terms = self._terms(beside, keys=keys, wall=control.pmta_wall)
        return pmta_config(generation, terms, server)

    def _terms(self, beside: Beside, *, keys: str, wall: float) -> Terms:
        control = self._settings.control
        return Terms(
            gateways=control.gateway_networks,
            accounting=control.pmta_accounting,
            system_host=self._system_host,
            keys=keys,
            selectors=beside.selectors,
            own=beside.own,
            bounces=control.pmta_bounces,
            complaints=control.pmta_complaints,
            wall=wall,
            rollups=control.pmta_rollups,
            backoff=control.pmta_backoff,
            categories=control.pmta_categories,
            webhook=control.pmta_webhook,
            webhook_headers=control.pmta_webhook_headers,
            monitors=control.pmta_monitors,
        )

    async def _compiled(
        self,
        connection: Connection,
        latest: Latest | None,
        found: Touched,
        created: float,
        number: int,
    ) -> Compiled:
        warmup, hold = self._settings.warmup, self._settings.hold
        if latest is not None:
            terms = TenantTerms(warmup=warmup, hold=hold, created=created)
            read = await read_touched(connection, latest.generation, found)
            return increment(latest.generation, found, read, terms, number=number)
        return compile_generation(
            await rows.read(connection),
            warmup,
            hold,
            number=number,
            created=created,
            ledger=self._settings.ledger.name,
        )

    async def _digest_before(
        self, connection: Connection, last: Last | None, beside: Beside
    ) -> str:
        if last is not None and last.pmta_digest is not None:
            return last.pmta_digest
        before = Generation(number=0, created=0.0)
        if last is not None:
            try:
                encoded = await connection.fetchval(_SQL["encoded"], last.number, last.digest)
                before = await put_together(connection, encoded)
            except BadGenerationError:
                # Unknown: PowerMTA is handed the new one.
                return ""
        return hashlib.sha256(self.text(before, beside).encode()).hexdigest()


def _more(latest: Latest, after: Generation, beside: Beside) -> bool:
    before = {} if latest.beside is None else latest.beside.selectors
    signs = beside.selectors.items() <= before.items()
    return not signs or not _known(after) <= _known(latest.generation)


def _known(generation: Generation) -> set[tuple[str, ...]]:
    """What PowerMTA is told of VirtualMTAs and of what each signs."""
    found: set[tuple[str, ...]] = {(v.name, v.ip, v.host_name, v.server) for v in generation.vmtas}
    for pool in generation.pools:
        found |= {("member", pool.name, member) for member in pool.members}
        if pool.overflow is not None:
            found.add(("overflow", pool.name, pool.overflow))
    domains = {(t.name, *pair) for t in generation.tenants for pair in t.domains.items()}
    return found | domains


def _refuse(problems: list[str]) -> None:
    if problems:
        title = problems[0]
        if len(problems) > 1:
            title = f"{count(len(problems), 'problem')}; nothing was changed"
        errors = [FieldProblem("", text) for text in problems]
        raise RefusedError(title, errors=errors, alone=_ALONE)


_ALONE = (
    "the plan of all tenants has problems with this change, or had them before: nothing was "
    "changed; ask who sees all tenants"
)


def machine_name() -> str:
    """The machine's full name, or `localhost` where it has none PowerMTA could use."""
    host = socket.gethostname()
    # A look-up may take seconds where no name server answers: not needed for a full name.
    name = normal_domain(host if "." in host else socket.getfqdn())
    return name if name is not None and fits(name) else "localhost"
