"""Sending domains with the DNS records they need."""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from control.plan.page import Page
from control.plan.rows import DomainRow, RotationRow, Rows, VmtaRow, domains, of_domain, of_tenants
from control.pmta.dkim import Seal
from control.problem import missing
from control.sources import domain, moving
from control.sources.dns import Before, Common, Record, common, dkim_record, own, records
from control.sources.domain import NewDomain
from control.store.change import Act
from control.store.database import Connection
from control.values.ip import IpText
from control.values.query import FoundText
from control.values.wanted import meant
from policy.isotime import instant
from settings.model import Warmup

NOTHING_SIGNS = (
    "nothing signs with this DKIM key yet: control.pmta_keys is not set (the folder of the key "
    "files as PowerMTA sees it)"
)


class DkimRotation(msgspec.Struct, frozen=True, kw_only=True):
    """A DKIM key that is being replaced."""

    stage: Literal["waiting", "seen", "signing"]
    """waiting: not every resolver shows the new key; seen: all do, and it signs soon; signing: the
    new one signs, and the former one and its record stay for a while."""
    selector: str
    """Of the other key: the new one until it signs, then the former one."""
    began: str
    """ISO time."""
    seen: str | None
    """Since when all resolvers show the new key."""
    switched: str | None
    """When the new key began to sign."""
    said: str
    """What the last look at DNS found."""


class DomainView(msgspec.Struct, frozen=True, kw_only=True):
    """A sending domain."""

    id: int = 0
    tenant: str
    domain: str
    pool: str
    vmtas: list[str]
    """VirtualMTAs that may carry it, overflow pools included."""
    dkim_selector: str
    """Of the key that signs."""
    rotation: DkimRotation | None = None
    """null: its key is not being replaced."""
    records: list[Record]
    also: list[Record] = []
    """Records of the tenant's other domains that the change made new or different."""


class DomainQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every one that is given must match."""

    ip: Annotated[IpText | None, meant("Only those that this IP may carry.")] = None
    containing: Annotated[FoundText | None, meant("Only with this in the name.")] = None


def domain_views(rows: Rows, tenant: str | None = None) -> list[DomainView]:
    """The domains of one tenant, or of all."""
    views = _Views(rows)
    return [views.of(d) for d in rows.domains if tenant in (None, d.tenant)]


def domain_view(rows: Rows, tenant: str | None, name: str) -> DomainView:
    """One domain. Raises RefusedError; `tenant` None takes the first that has it."""
    for row in rows.domains:
        if row.domain == name and tenant in (None, row.tenant):
            return _Views(rows).of(row)
    raise missing("domain", name)


async def domain_shown(connection: Connection, tenant: str | None, name: str) -> DomainView:
    """As `domain_view`, with the rows that it needs."""
    return domain_view(await of_domain(connection, tenant, name), tenant, name)


async def domain_page(connection: Connection, tenant: str | None, page: Page) -> list[DomainView]:
    """A part of the domains of one tenant, or of all."""
    wanted = await domains(connection, None if tenant is None else [tenant], page=page)
    found = await of_tenants(connection, {d.tenant for d in wanted})
    return domain_views(msgspec.structs.replace(found, domains=wanted))


def domain_changed(before: Rows, after: Rows, tenant: str, name: str) -> DomainView:
    """One domain after a change, its records marked, with what changed at its siblings."""
    known = Before(_Views(before).records(tenant))
    views = _Views(after)
    row = next((d for d in after.domains if (d.tenant, d.domain) == (tenant, name)), None)
    if row is None:
        raise missing("domain", name)
    view = views.of(row)
    its = known.marked(view.records)
    seen = {(r.name, r.type) for r in its}
    also: list[Record] = []
    for record in known.marked(views.records(tenant)):
        if record.change and (record.name, record.type) not in seen:
            seen.add((record.name, record.type))
            also.append(record)
    return msgspec.structs.replace(view, records=its, also=also)


async def added(act: Act, new: NewDomain, *, seal: Seal, warmup: Warmup, signs: bool) -> DomainView:
    """Add a domain or one more IP to it, and the domain as it is then. Raises RefusedError."""
    before = await of_tenants(act.connection, [new.tenant])
    name = await domain.add(act, new, seal=seal, warmup=warmup)
    if not signs and name not in {d.domain for d in before.domains}:
        act.note(NOTHING_SIGNS)
    return domain_changed(before, await of_tenants(act.connection, [new.tenant]), new.tenant, name)


async def moved(act: Act, tenant: str | None, name: str, move: moving.DomainMove) -> DomainView:
    """Let a domain use another pool, and the domain as it is then. Raises RefusedError."""
    before = await of_domain(act.connection, tenant, name)
    owner = await moving.move_domain(act, tenant, name, move)
    return domain_changed(before, await of_tenants(act.connection, [owner]), owner, name)


class _Views:
    """Domains of some rows; what those of a pool have in common is made once."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._pools: dict[tuple[str, str], tuple[list[str], Common]] = {}

    def of(self, row: DomainRow) -> DomainView:
        """A domain."""
        vmtas, shared = self._pool(row)
        return DomainView(
            id=row.id,
            tenant=row.tenant,
            domain=row.domain,
            pool=row.pool,
            vmtas=vmtas,
            dkim_selector=row.dkim_selector,
            rotation=_rotation(row.rotation),
            records=records(_own(row, shared), shared),
        )

    def records(self, tenant: str) -> Iterator[Record]:
        """All that a tenant has to publish, each once."""
        told: set[int] = set()
        for row in self._rows.domains:
            if row.tenant != tenant:
                continue
            _, shared = self._pool(row)
            first = id(shared) not in told
            told.add(id(shared))
            yield from shared.spf if first else ()
            yield from _own(row, shared)
            yield from shared.hosts if first else ()

    def _pool(self, row: DomainRow) -> tuple[list[str], Common]:
        key = row.pool, row.first_domain or row.domain
        if key not in self._pools:
            vmtas = carriers(self._rows, row.pool)
            ips = [v.ip for v in sorted(vmtas, key=lambda v: (v.created, v.name))]
            found = common(*key, ips, [(v.ip, v.host_name) for v in vmtas])
            self._pools[key] = [v.name for v in vmtas], found
        return self._pools[key]


def _own(row: DomainRow, shared: Common) -> list[Record]:
    return own(
        row.domain,
        shared,
        selector=row.dkim_selector,
        public=row.dkim_public,
        other=_other(row),
    )


def _rotation(row: RotationRow | None) -> DkimRotation | None:
    if row is None:
        return None
    return DkimRotation(
        stage="signing" if row.switched is not None else "waiting" if row.seen is None else "seen",
        selector=row.selector,
        began=instant(row.began),
        seen=None if row.seen is None else instant(row.seen),
        switched=None if row.switched is None else instant(row.switched),
        said=row.said,
    )


def _other(row: DomainRow) -> Record | None:
    if row.rotation is None:
        return None
    why = "DKIM: the key that takes over; leave the other one, too"
    if row.rotation.switched is not None:
        why = "DKIM: the former key; leave it until it is told that it can go"
    return dkim_record(row.rotation.selector, row.domain, row.rotation.public, why)


def carriers(rows: Rows, pool: str) -> list[VmtaRow]:
    """The VirtualMTAs of a pool and of those its mail overflows to."""
    pools = {p.name: p for p in rows.pools}
    names: set[str] = set()
    seen: set[str] = set()
    step: str | None = pool
    while step is not None and step in pools and step not in seen:
        seen.add(step)
        names |= set(pools[step].members)
        step = pools[step].overflow
    return [v for v in rows.vmtas if v.name in names]
