"""What is asked of PowerMTA's configuration by hand, and what was brought into force."""

from typing import Annotated

import msgspec

from policy.model import Name

VersionNumber = Annotated[int, msgspec.Meta(ge=1, le=10**18 - 1)]
Reason = Annotated[str, msgspec.Meta(max_length=500)]


class Apply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bring what the plan says into force."""

    server: Name | None = None
    """This one alone; null: all, one of them first."""
    overwrite: bool = False
    """Write over files that were changed by hand."""
    reason: Reason = ""


class Rollback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bring an older version into force."""

    server: Name
    version: VersionNumber
    reason: Reason = ""


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """One server, and what it runs now (or, with `dry_run`, would be offered)."""

    server: str
    version: int
    """0, with `dry_run`: a new one."""
    before: int
    """It was to run this; 0: nothing."""
    changed: bool
    """False: it runs that already, and was not asked."""
    by_hand: list[str] = []
    """What was changed by hand there: with `overwrite` it is written over, else nothing is done."""


class BroughtView(msgspec.Struct, frozen=True, kw_only=True):
    """What was brought into force."""

    servers: list[Brought]
    dry_run: bool
    notes: list[str]
