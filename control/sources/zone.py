"""The DNS records of a sending domain as text for a zone file. Pure.

Rule: what is below the domain is a record, and what another zone has to have (PTR records, the SPF
record of a pool whose first domain is another one) is a comment: a server refuses a zone with
records that are none of it.
"""

from collections.abc import Iterable, Sequence

from control.sources.dns import Record, zone_text

TTL = 3600
"""Seconds: an hour until a change is seen everywhere."""
_SOA = "1 7200 900 1209600 300"
"""Serial, refresh, retry, expire, and for how long an absence is remembered: short, as records are
about to be added."""


def zone_file(
    origin: str, records: Iterable[Record], name_servers: Sequence[str] = (), *, only: str = ""
) -> str:
    """Records at and below `origin`, and the others as comments. `name_servers`: a whole zone, with
    SOA and NS; without any, lines for a zone that is there. `only`: nothing but this type."""
    lines = [f"$TTL {TTL}"]
    if name_servers:
        first = name_servers[0].rstrip(".")
        lines.append(f"{origin}. IN SOA {first}. hostmaster.{origin}. {_SOA}")
        lines += [f"{origin}. IN NS {name.rstrip('.')}." for name in name_servers]
    elsewhere = []
    for record in records:
        inside = record.name == origin or record.name.endswith(f".{origin}")
        if only and record.type != only:
            continue
        if inside:
            lines += [f"; {record.why}", zone_text(record)]
        elif not only:
            elsewhere += [f"; {record.why}", f"; {zone_text(record)}"]
    if elsewhere:
        lines += ["; In other zones than this:", *elsewhere]
    return "\n".join(lines) + "\n"
