"""A sending domain as it is looked for in DNS: what has to be published of it."""

from typing import Literal

import msgspec

from control.plan.rows import Rows
from control.problem import missing
from control.sources.dns import Record
from control.sources.domainview import carriers, domain_view
from control.sources.spf import name_of

Role = Literal["signing", "next", "former"]


class PublicKey(msgspec.Struct, frozen=True):
    """One that has to be found in DNS."""

    selector: str
    public: str
    """Base64 of its SubjectPublicKeyInfo, as in `p=`."""
    role: Role


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a check compares with."""

    tenant: str
    domain: str
    include: str
    """Where the SPF record of its pool stands."""
    hosts: list[tuple[str, str]]
    """IP and host name of every VirtualMTA that may carry it."""
    keys: list[PublicKey]
    records: list[Record]

    def of(self, *types: str, below: str = "") -> list[Record]:
        """The records of these types, at or below a name."""
        return [
            r
            for r in self.records
            if r.type in types and (not below or r.name == below or r.name.endswith(f".{below}"))
        ]


def subject_of(rows: Rows, tenant: str | None, name: str) -> Subject:
    """Raises RefusedError (404); `tenant` None takes the first that has the domain."""
    view = domain_view(rows, tenant, name)
    for row in rows.domains:
        if (row.tenant, row.domain) == (view.tenant, view.domain):
            keys = [PublicKey(row.dkim_selector, row.dkim_public, "signing")]
            if (other := row.rotation) is not None:
                role: Role = "next" if other.switched is None else "former"
                keys.append(PublicKey(other.selector, other.public, role))
            return Subject(
                tenant=row.tenant,
                domain=row.domain,
                include=name_of(row.pool, row.first_domain or row.domain),
                hosts=sorted((v.ip, v.host_name) for v in carriers(rows, row.pool)),
                keys=keys,
                records=view.records,
            )
    raise missing("domain", name)
