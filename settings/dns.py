"""The configuration of looks at DNS: what is published of our sending domains.

As in `settings.model`: the text under a field is its manual, times are seconds.
"""

from typing import Annotated

import msgspec

from settings.hold import Seconds

NameServer = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^([0-9]+(\.[0-9]+){3}|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$|^[0-9A-Fa-f]*:[0-9A-Fa-f:.]+$"
    ),
]


class Dns(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of DNS about our own sending domains (`sendgate domain check`)."""

    nameservers: tuple[NameServer, ...] = ()
    """IP addresses of resolvers, with `:PORT` where it is not 53 (`[IPv6]:PORT`); empty: those of
    the system."""
    timeout: Seconds = 5.0
    """Of one look-up, its repeats included; what is not answered by then is not known."""
    at_once: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 20
    """Look-ups under way in one control process."""
    deadline: Annotated[float, msgspec.Meta(ge=1, le=50)] = 30.0
    """Of the check of one domain; what was not asked by then is not known. The command waits a
    minute for its answer."""
