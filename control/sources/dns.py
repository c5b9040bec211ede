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
) -> list[Record]:
    """In the order in which they are to be published. `first_domain`: of the pool; `ips`: every IP
    that may carry the domain, overflow pools included, the newest last; `hosts`: (IP, host name) of
    the same."""
    include = name_of(pool, first_domain)
    found = [
        Record(name, kind, value, f"SPF: {'every IP' if name == include else 'IPs'} of pool {pool}")
        for name, kind, value in lines(include, ips)
    ]
    found += [
        Record(domain, "TXT", f"v=spf1 include:{include} ~all", "SPF: who may send for it"),
        Record(
            f"{selector}._domainkey.{domain}",
            "TXT",
            f"v=DKIM1; k=rsa; p={public}",
            "DKIM: the public key of this selector",
        ),
        Record(
            f"_dmarc.{domain}",
            "TXT",
            f"v=DMARC1; p=none; rua=mailto:dmarc@{domain}",
            "DMARC: a start; raise p= once the reports are clean",
        ),
    ]
    for ip, host in sorted(hosts):
        address = ipaddress.ip_address(ip)
        found.append(Record(host, "A" if address.version == 4 else "AAAA", ip, "the IP's name"))
        found.append(
            Record(address.reverse_pointer, "PTR", f"{host}.", "set by whoever gave you the IP")
        )
    return found


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
