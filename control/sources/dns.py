"""The DNS records a sending domain needs, as text for the operator. Pure.

SPF is one `include:` per pool that stands for all its IPs (`spf.py`), since any VirtualMTA of the
pool may carry the domain. It is below the pool's first domain and every domain of the pool includes
it: when the pool grows, what is there changes and the domains' own records stay as they are.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from control.sources.spf import lines, name_of, reverse

_CHUNK = 255
"""Octets in one string of a TXT record (RFC 1035 3.3.14)."""


class Record(msgspec.Struct, frozen=True):
    """One record to publish; `why` is for people."""

    name: str
    type: str
    value: str
    why: str
    change: Literal["", "new", "changed"] = ""
    """What the change that was just made did to it; `changed`: replace what is published."""


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """What all domains of a pool have to publish alike: with 5,000 IPs 15,000 records, so they are
    made once for all of them."""

    include: str
    """Where the SPF record of the pool stands."""
    spf: list[Record]
    hosts: list[Record]


def common(pool: str, first_domain: str, ips: list[str], hosts: list[tuple[str, str]]) -> Common:
    """`first_domain`: of the pool; `ips`: every IP that may carry its domains, overflow pools
    included, the newest last; `hosts`: (IP, host name) of the same."""
    include = name_of(pool, first_domain)
    spf = [
        Record(name, kind, value, f"SPF: {'every IP' if name == include else 'IPs'} of pool {pool}")
        for name, kind, value in lines(include, ips)
    ]
    named = [
        record
        for ip, host in sorted(hosts)
        for record in (address_record(ip, host), pointer_record(ip, host))
    ]
    return Common(include=include, spf=spf, hosts=named)


def own(
    domain: str, shared: Common, *, selector: str, public: str, other: Record | None = None
) -> list[Record]:
    """What a domain alone has to publish. `other`: of a DKIM key that takes over, or did lately."""
    include = f"v=spf1 include:{shared.include} ~all"
    return [
        Record(domain, "TXT", include, "SPF: who may send for it"),
        dkim_record(selector, domain, public),
        *([] if other is None else [other]),
        Record(
            f"_dmarc.{domain}",
            "TXT",
            f"v=DMARC1; p=none; rua=mailto:dmarc@{domain}",
            "DMARC: a start; raise p= once the reports are clean",
        ),
    ]


def records(alone: list[Record], shared: Common) -> list[Record]:
    """All that a domain needs, in the order in which it is to be published. `alone`: its `own`."""
    return [*shared.spf, *alone, *shared.hosts]


def address_record(ip: str, host: str) -> Record:
    """That leads from an IP's host name to it."""
    kind = "AAAA" if ":" in ip else "A"
    return Record(host, kind, ip, "the IP's name")


def pointer_record(ip: str, host: str) -> Record:
    """That leads from an IP to its host name."""
    return Record(f"{reverse(ip)}.arpa", "PTR", f"{host}.", "set by whoever gave you the IP")


def dkim_name(selector: str, domain: str) -> str:
    """Where the public key of a selector stands (RFC 6376 3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"


def dkim_record(
    selector: str, domain: str, public: str, why: str = "DKIM: the public key of this selector"
) -> Record:
    """The record of a key; `public` is its `p=`."""
    return Record(dkim_name(selector, domain), "TXT", f"v=DKIM1; k=rsa; p={public}", why)


class Before:
    """What was to be published before a change."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._values = {(r.name, r.type, r.value) for r in records}
        self._names = {(name, kind) for name, kind, _ in self._values}

    def marked(self, after: Iterable[Record]) -> list[Record]:
        """`after`, each with what became of it since."""
        return [
            record
            if (record.name, record.type, record.value) in self._values
            else msgspec.structs.replace(
                record, change="changed" if (record.name, record.type) in self._names else "new"
            )
            for record in after
        ]


def zone_text(record: Record) -> str:
    """One line of a zone file; long TXT values are split as RFC 1035 demands."""
    value = record.value
    if record.type == "TXT":
        chunks = [value[i : i + _CHUNK] for i in range(0, len(value), _CHUNK)]
        value = " ".join(f'"{chunk}"' for chunk in chunks)
    return f"{record.name}. IN {record.type} {value}"
