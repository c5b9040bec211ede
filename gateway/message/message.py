"""A message as a client handed it over: who sends it, who gets it, its octets."""

import msgspec


class Sender(msgspec.Struct, frozen=True):
    """An accepted MAIL command. `address` is empty for the null sender."""

    address: bytes
    size: int = 0
    body8: bool = False
    utf8: bool = False
    ret: bytes = b""
    envid: bytes = b""
    """The client's own envelope id in xtext; ours takes its place towards PowerMTA."""


class Recipient(msgspec.Struct, frozen=True):
    """An accepted RCPT command. `domain` is lower case with A-labels."""

    address: bytes
    domain: str
    notify: bytes = b""
    orcpt: bytes = b""


class Message(msgspec.Struct):
    """A complete message on its way. `head` (less a BOM in front) and `body` are as they came,
    dot-stuffed."""

    id: str
    tenant: str
    sender: Sender
    recipients: tuple[Recipient, ...]
    head: bytes
    body: bytes
    peer: str
    suppressed: tuple[Recipient, ...] = ()
    """Its recipients, beside `recipients`, that get nothing."""
    received: bytes = b""
    """A Received field of our own, for its tenant; goes on top."""
    tenant_id: int = 0
    """Which tenant of that name it began for (`policy.model.Tenant.id`)."""

    @property
    def size(self) -> int:
        return len(self.head) + len(self.body)
