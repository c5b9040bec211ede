"""The configuration of learning which mailbox provider a domain is hosted at.

As in `settings.model`: the text under a field is its manual, times are seconds.
"""

from typing import Annotated

import msgspec

from settings.hold import Seconds


class Providers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Recipient domains that are in no table of ours: whose servers take their mail."""

    domains: Annotated[int, msgspec.Meta(ge=1_000, le=1_000_000)] = 100_000
    """Domains that are known; beyond it those without mail for longest are forgotten."""
    lookups: bool = True
    """Ask DNS for their MX records. Off, PowerMTA's records alone tell (dsnMta)."""
    nameservers: tuple[str, ...] = ()
    """IP addresses, with `:PORT` where it is not 53; empty: those of the system."""
    timeout: Seconds = 5.0
    """Of one look-up."""
    at_once: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 10
    """Look-ups under way."""
    per_second: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 20
    """Look-ups begun in a second."""
    least: Annotated[float, msgspec.Meta(ge=60, le=604_800)] = 3_600.0
    """An answer is kept for its TTL, and no shorter than this (1 h)."""
    most: Annotated[float, msgspec.Meta(ge=3_600, le=2_592_000)] = 604_800.0
    """And no longer (7 days)."""
