"""Sending domains with the DNS records they need."""

import msgspec

from control.plan.rows import DomainRow, Rows, VmtaRow
from control.problem import missing
from control.sources.dns import Record, marked, records


class DomainView(msgspec.Struct, frozen=True, kw_only=True):
    """A sending domain."""

    id: int = 0
    tenant: str
    domain: str
    pool: str
    vmtas: list[str]
    """VirtualMTAs that may carry it, overflow pools included."""
    dkim_selector: str
    records: list[Record]
    also: list[Record] = []
    """Records of the tenant's other domains that the change made new or different."""


def domain_views(rows: Rows, tenant: str | None = None) -> list[DomainView]:
    """The domains of one tenant, or of all."""
    return [_view(rows, d) for d in rows.domains if tenant in (None, d.tenant)]


def domain_view(rows: Rows, tenant: str | None, domain: str) -> DomainView:
    """One domain. Raises RefusedError; `tenant` None takes the first that has it."""
    for row in rows.domains:
        if row.domain == domain and tenant in (None, row.tenant):
            return _view(rows, row)
    raise missing("domain", domain)


def domain_changed(before: Rows, after: Rows, tenant: str, domain: str) -> DomainView:
    """One domain after a change, its records marked, with what changed at its siblings."""
    old = [r for view in domain_views(before, tenant) for r in view.records]
    view = domain_view(after, tenant, domain)
    own = marked(old, view.records)
    seen = {(r.name, r.type) for r in own}
    also: list[Record] = []
    for sibling in domain_views(after, tenant):
        for record in marked(old, sibling.records):
            if record.change and (record.name, record.type) not in seen:
                seen.add((record.name, record.type))
                also.append(record)
    return msgspec.structs.replace(view, records=own, also=also)


def _view(rows: Rows, row: DomainRow) -> DomainView:
    carriers = _carriers(rows, row.pool)
    return DomainView(
        id=row.id,
        tenant=row.tenant,
        domain=row.domain,
        pool=row.pool,
        vmtas=[v.name for v in carriers],
        dkim_selector=row.dkim_selector,
        records=records(
            row.domain,
            pool=row.pool,
            first_domain=row.first_domain or row.domain,
            ips=[v.ip for v in sorted(carriers, key=lambda v: (v.created, v.name))],
            hosts=[(v.ip, v.host_name) for v in carriers],
            selector=row.dkim_selector,
            public=row.dkim_public,
        ),
    )


def _carriers(rows: Rows, pool: str) -> list[VmtaRow]:
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
