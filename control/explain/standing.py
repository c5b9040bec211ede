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


def mail_of(counted: list[dict[str, int]]) -> Mail:
    """Of the outcomes of several processes."""
    sums: dict[str, int] = {}
    for one in counted:
        for name, n in one.items():
            sums[name] = sums.get(name, 0) + n
    released = sums.pop("released", 0)
    held = sums.get("held", 0) + sums.get("doubt", 0)
    refused = sums.get("refused", 0) + sums.get("rejected", 0)
    came, relayed = sum(sums.values()), sums.get("relayed", 0)
    return Mail(
        came=came,
        relayed=relayed,
        held=held,
        released=released,
        refused=refused,
        other=came - relayed - held - refused,
    )


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
