"""A message on its way to PowerMTA, fresh from a client or out of the hold."""

import msgspec

from gateway.message.message import Message
from policy.ledger_port import Reserve


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """What every attempt of one message has in common."""

    message: Message
    head: bytes
    """Header block without the fields we strip, dot-stuffed."""
    pool: str
    mailbox: str
    providers: tuple[tuple[str, int], ...]
    campaign: str
    """Safe as an x-job; empty: none."""
    key: str
    """Digest of the duplicate key; empty: none."""
    bulk: bool = False
    """Of a campaign, or marked so in its header."""
    message_id: str = ""
    """As its header has it; empty for one out of the hold."""
    held: bool = False

    def reserve(self, attempt: int, away: tuple[str, ...], broken: tuple[str, ...]) -> Reserve:
        """What the ledger is asked for this attempt."""
        return Reserve(
            tenant=self.message.tenant,
            pool=self.pool,
            mailbox=self.mailbox,
            providers=self.providers,
            away=away,
            broken=broken,
            key=self.key,
            owner=self.message.id,
            attempt=attempt,
            held=self.held,
        )
