"""The DNS records a sending domain needs, as text for the operator. Pure.

SPF is one `include:` per pool that stands for all its IPs (`spf.py`), since any VirtualMTA of the
pool may carry the domain. It is below the pool's first domain and every domain of the pool includes
it: when the pool grows, what is there changes and the domains' own records stay as they are.
"""

import ipaddress
from typing import Literal

import msgspec

from control.sources.spf import lines, name_of

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


def records(
    domain: str,
    *,
    pool: str,
    first_domain: str,
    ips: list[str],
    hosts: list[tuple[str, str]],
    selector: str,
    public: str,
    other: Record | None = None,
) -> list[Record]:
    """In the order in which they are to be published. `first_domain`: of the pool; `ips`: every IP
    that may carry the domain, overflow pools included, the newest last; `hosts`: (IP, host name) of
    the same; `other`: of a DKIM key that takes over, or did lately."""
    include = name_of(pool, first_domain)
    found = [
        Record(name, kind, value, f"SPF: {'every IP' if name == include else 'IPs'} of pool {pool}")
        for name, kind, value in lines(include, ips)
    ]
    found += [
        Record(domain, "TXT", f"v=spf1 include:{include} ~all", "SPF: who may send for it"),
        dkim_record(selector, domain, public),
        *([] if other is None else [other]),
        Record(
            f"_dmarc.{domain}",
            "TXT",
            f"v=DMARC1; p=none; rua=mailto:dmarc@{domain}",
            "DMARC: a start; raise p= once the reports are clean",
        ),
    ]
    for ip, host in sorted(hosts):
        found += [address_record(ip, host), pointer_record(ip, host)]
    return found


def address_record(ip: str, host: str) -> Record:
    """That leads from an IP's host name to it."""
    kind = "A" if ipaddress.ip_address(ip).version == 4 else "AAAA"
    return Record(host, kind, ip, "the IP's name")


def pointer_record(ip: str, host: str) -> Record:
    """That leads from an IP to its host name."""
    name = ipaddress.ip_address(ip).reverse_pointer
    return Record(name, "PTR", f"{host}.", "set by whoever gave you the IP")


def dkim_name(selector: str, domain: str) -> str:
    """Where the public key of a selector stands (RFC 6376 3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"


def dkim_record(
    selector: str, domain: str, public: str, why: str = "DKIM: the public key of this selector"
) -> Record:
    """The record of a key; `public` is its `p=`."""
    return Record(dkim_name(selector, domain), "TXT", f"v=DKIM1; k=rsa; p={public}", why)


def marked(before: list[Record], after: list[Record]) -> list[Record]:
    """`after`, each with what became of it since `before`."""
    old = {(r.name, r.type, r.value) for r in before}
    names = {(r.name, r.type) for r in before}
    found = []
    for record in after:
        change: Literal["", "new", "changed"] = "new"
        if (record.name, record.type, record.value) in old:
            change = ""
        elif (record.name, record.type) in names:
            change = "changed"
        found.append(msgspec.structs.replace(record, change=change))
    return found


def zone_text(record: Record) -> str:
    """One line of a zone file; long TXT values are split as RFC 1035 demands."""
    value = record.value
    if record.type == "TXT":
        chunks = [value[i : i + _CHUNK] for i in range(0, len(value), _CHUNK)]
        value = " ".join(f'"{chunk}"' for chunk in chunks)
    return f"{record.name}. IN {record.type} {value}"
