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
    """What is asked of DNS about our own sending domains (`sendgate domain check`), and when a new
    DKIM key takes over (`sendgate domain rotate`)."""

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
    rotation_seen: Annotated[float, msgspec.Meta(ge=0, le=2_592_000)] = 3_600.0
    """For which every resolver has to have shown a new DKIM key before it signs (1 h): longer than
    others may remember that it was not there."""
    rotation_patience: Annotated[float, msgspec.Meta(ge=300, le=7_776_000)] = 259_200.0
    """After which a new key that does not sign yet is an alert (3 days)."""
    rotation_kept: Annotated[float, msgspec.Meta(ge=86_400, le=7_776_000)] = 604_800.0
    """For which the former key and its record stay once the new one signs (7 days): mail that is
    queued, or verified late, is signed with it. Above the 4.5 days for which PowerMTA tries."""
