"""PowerMTA servers as they are given."""

from typing import Annotated

import msgspec

from policy.model import Address, Name


class ServerAddresses(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server and where it takes mail, best first."""

    name: Name
    addresses: Annotated[tuple[Address, ...], msgspec.Meta(min_length=1)]
