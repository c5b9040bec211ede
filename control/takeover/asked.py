"""What is asked of a takeover: files, whose they are, and what becomes of keys."""

from typing import Annotated, ClassVar

import msgspec

from control.values.lines import Lines
from control.values.name import PRINTED
from control.values.reason import ReasonText
from policy.model import Name


class GivenFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file, by the name it has on PowerMTA's host."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=4096), PRINTED]
    text: Annotated[Lines, msgspec.Meta(max_length=8_000_000)]


class TakeoverAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A configuration with what it includes, and whose it is."""

    of_lines: ClassVar[tuple[str, ...]] = ("files", "keys")
    """Fields that hold whole files."""

    files: Annotated[list[GivenFile], msgspec.Meta(min_length=1, max_length=5000)]
    main: Annotated[list[str], msgspec.Meta(min_length=1, max_length=5000)]
    """Names of the files that no other includes, in their order."""
    tenant: Name | None = None
    """Whose everything is that `of` does not give to another."""
    of: dict[str, Name] = {}
    """Pool, or VirtualMTA in no pool, to tenant."""
    server: Name | None = None
    """PowerMTA server; null: the only one."""
    keys: dict[str, Lines] = {}
    """Private DKIM keys, PEM, by the file names that the configuration has."""
    new_keys: bool = False
    """A domain whose key is not given gets a new one; else it is refused."""
    leave_refused: bool = False
    """Take the rest over although something was refused."""
    reason: ReasonText = ""
