"""The configuration of looks at DNS blocklists.

As in `settings.model`: the text under a field is its manual, times are seconds.
"""

from typing import Annotated

import msgspec

from settings.dns import NameServer
from settings.hold import Seconds

Zone = Annotated[
    str, msgspec.Meta(pattern=r"^([a-z0-9_-]{1,63}\.)+[a-z0-9-]{2,63}$", max_length=200)
]


class Blocklists(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which DNS blocklists are asked every four hours whether they have our IPs and sending domains
    (`sendgate blocklist`)."""

    enabled: bool = True
    """Off: none is asked, and what is known stays as it is."""
    zones: Annotated[tuple[Zone, ...], msgspec.Meta(examples=[["zen.spamhaus.org"]])] | None = None
    """Lists of IPs. Not set: ours (`sendgate blocklist zones`)."""
    domain_zones: (
        Annotated[tuple[Zone, ...], msgspec.Meta(examples=[["dbl.spamhaus.org"]])] | None
    ) = None
    """Lists of domains. Not set: ours."""
    pausing: tuple[Zone, ...] = ()
    """Lists of IPs that warm-up pauses an IP for, until it is resumed by hand."""
    nameservers: tuple[NameServer, ...] = ()
    """IP addresses of resolvers, with `:PORT` where it is not 53 (`[IPv6]:PORT`). Empty: those of
    `dns.nameservers`, else of the system. Several lists refuse public resolvers and those of large
    hosters: one of your own is asked best."""
    timeout: Seconds = 5.0
    """Of one look-up, its repeats included; what is not answered by then is not known."""
    at_once: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 20
    """Look-ups under way in one control process."""
