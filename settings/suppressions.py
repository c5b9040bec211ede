"""The configuration of suppressed recipients.

As in `settings.model`: the text under a field is its manual, times are seconds, sizes octets.
"""

from typing import Annotated, Literal

import msgspec


class Suppressions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Recipients that get no mail any more: kept in PostgreSQL, looked up by gateways in a file."""

    enforced: Literal["auto", "always", "never"] = "auto"
    """Whether gateways refuse them. `auto`: where the gateway has PostgreSQL for its hold
    (`hold.enabled`); `always`: it reads them from there without a hold, too. A gateway that never
    read them, and has no file of an earlier start (`gateway.state_dir`), defers recipients with 451
    until it did."""
    poll: Annotated[float, msgspec.Meta(ge=0.1, le=60)] = 1.0
    """Between two looks of a node for what changed; between two of a worker at the node's file."""
    changes: Annotated[int, msgspec.Meta(ge=100, le=1_000_000)] = 20_000
    """Changes that a node keeps beside its file, 24 octets each, before it writes the file anew;
    all of them are written again for each change."""
    whole: Annotated[float, msgspec.Meta(ge=60, le=604_800)] = 3600.0
    """Between two readings of the whole list, which compare it with the file."""
    most: Annotated[int, msgspec.Meta(ge=1_000, le=100_000_000)] = 10_000_000
    """Entries there may be, those of all tenants together: 24 octets each in a node's memory,
    shared by its workers."""
    ended_kept: Annotated[float, msgspec.Meta(ge=86_400, le=315_360_000)] = 7_776_000.0
    """Seconds an entry that ended or was removed can be seen (90 days), and keeps an older record
    of PowerMTA's from bringing it back."""
