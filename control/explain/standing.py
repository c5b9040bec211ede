"""Parts of a look: a gateway process, mail as it is counted, what waits."""

import msgspec


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A live gateway process."""

    name: str
    kind: str
    """`worker` or `releaser`."""
    generation: int
    late: bool
    """It does not run the plan in force."""
    sessions: int
    since: str
    """When it began; empty: it has not said."""


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """Messages, as gateways count them."""

    came: int = 0
    """All that were answered, whatever the answer."""
    relayed: int = 0
    held: int = 0
    """Doubt among them."""
    released: int = 0
    """Recipients of held mail that went."""
    refused: int = 0
    """By PowerMTA, or malformed, or not allowed."""
    other: int = 0
    """Duplicates, deferrals, failures."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What one tenant has in the hold."""

    tenant: str
    messages: int
    octets: int
    most_messages: int
    most_octets: int
    share: float
    """Of the bound that is nearer."""
    oldest: str
    paused: int
    doubt: int
