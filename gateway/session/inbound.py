"""The mail transaction of one client session: MAIL, RCPT, and the octets after DATA.

Owns: the envelope being built, reading the content within its bounds. Not here: the dialogue
around it (`session.listener`), the fate of a complete message (`delivery.transaction`).
Rule: nothing is accepted, charged or sent before the final dot; a client that goes away earlier
leaves nothing behind.
"""

import asyncio

from gateway.message.headers import split
from gateway.message.message import Message, Recipient, Sender
from gateway.message.outcomes import SUPPRESSED, counted
from gateway.message.routing import allowed
from gateway.message.trace import client_name, received
from gateway.session.admission import Share
from gateway.session.datareader import DataReader
from gateway.session.envelope import parse_mail, parse_rcpt
from gateway.session.service import Service
from policy import reply
from policy.address import mailbox_of, normal_local
from policy.model import Profile, Tenant
from policy.reply import Reply
from policy.suppression import Known

_ENDLESS = 4
"""Times the largest message after which a message without an end is cut off."""
_MEMORY_PATIENCE = 10.0
"""Seconds a reader waits for room before its message is refused."""


class ContentLostError(Exception):
    """The content did not come to its end; `reply` is what to say before closing, if anything."""

    def __init__(self, answer: Reply | None) -> None:
        super().__init__(str(answer) if answer else "the client went away")
        self.reply = answer


class Inbound:
    """One session's transactions, one after the other."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._settings = service.settings
        self._postmaster = service.settings.postmaster.encode()
        self.sender: Sender | None = None
        self.recipients: list[Recipient] = []
        self.suppressed: list[Recipient] = []
        """Taken, and sent nothing."""
        self._names: set[bytes] = set()
        self._tenant_id = 0
        """Of the tenant at MAIL."""
        self.count = 0
        self.handling = False
        """A whole message is on its way: its client must hear what becomes of it."""
        self.patience = 0.0
        """Loop time by which the next piece of content must be here."""
        self._reader: DataReader | None = None
        self._share: Share | None = None
        self._deadline = 0.0

    def reset(self) -> None:
        """RSET, EHLO, or the end of a transaction."""
        self.sender = None
        self.recipients = []
        self.suppressed = []
        if self._names:
            self._names = set()

    def mail(self, argument: bytes, tenant: str, *, esmtp: bool) -> Reply:
        if self.sender is not None:
            return reply.NESTED_MAIL
        sender = parse_mail(argument, esmtp=esmtp, max_size=self._service.max_message_size)
        if isinstance(sender, Reply):
            return sender
        known = self._service.tenant(tenant)
        self._tenant_id = 0 if known is None else known.id
        if known is not None and known.senders and sender.address:
            identity = mailbox_of(sender.address.decode())
            if identity is None or not allowed(known, identity):
                return Reply(550, "5.7.1", "this login may not use that sender address")
        self.sender = sender
        return reply.SENDER_OK

    def rcpt(self, argument: bytes, tenant: str, *, esmtp: bool) -> Reply:
        if self.sender is None:
            return reply.BAD_SEQUENCE_MAIL
        recipient = parse_rcpt(
            argument, esmtp=esmtp, utf8=self.sender.utf8, postmaster=self._postmaster
        )
        if isinstance(recipient, Reply):
            return recipient
        if self.recipients and self._named(recipient):
            # One copy and one charge, whatever the client's lists have twice; the first stands.
            return reply.RECIPIENT_OK
        known = self._service.tenant(tenant)
        taken = len(self.recipients) + len(self.suppressed)
        if taken >= (known.max_recipients if known else 1):
            return reply.TOO_MANY_RECIPIENTS
        if state := self._service.suppressed(tenant, recipient):
            return self._suppress(known, tenant, recipient, state)
        self.recipients.append(recipient)
        return reply.RECIPIENT_OK

    def _suppress(
        self, known: Tenant | None, tenant: str, recipient: Recipient, state: Known
    ) -> Reply:
        if state == "unknown":
            SUPPRESSED.labels("unknown").inc()
            return reply.trouble("which recipients are suppressed is not known yet, try again")
        if known is not None and known.suppressed == "accept" and known.profile is Profile.MAILWIZZ:
            SUPPRESSED.labels("accepted").inc()
            if _name(recipient) not in [_name(one) for one in self.suppressed]:
                self.suppressed.append(recipient)
            return reply.RECIPIENT_OK
        SUPPRESSED.labels("refused").inc()
        log = self._service.log
        address = log.address(recipient.address)
        log.info("recipient_suppressed", tenant=tenant, recipient=address, reason=state)
        return Reply(550, "5.7.1", f"recipient is suppressed: {state}")

    def _named(self, recipient: Recipient) -> bool:
        """Whether the transaction has it already. Most have one recipient, and no need to ask."""
        names = self._names
        if len(names) < len(self.recipients):
            names.update([_name(known) for known in self.recipients[len(names) :]])
        return _name(recipient) in names

    def data(self, argument: bytes) -> Reply:
        """GO_AHEAD when content may come."""
        if self.sender is None:
            return reply.BAD_SEQUENCE_MAIL
        if not self.recipients and not self.suppressed:
            return reply.BAD_SEQUENCE_RCPT
        return reply.syntax("syntax: DATA") if argument.strip() else reply.GO_AHEAD

    # Content

    @property
    def receiving(self) -> bool:
        """The client was told to send content, and its end is not here."""
        return self._reader is not None

    def begin(self, now: float) -> None:
        """Content comes. `now` is loop time."""
        self._reader = DataReader(self._service.max_message_size, self._settings.max_line_length)
        self._share = self._service.memory.share()
        self._deadline = now + self._settings.message_timeout
        self.patience = min(now + self._settings.data_timeout, self._deadline)

    def has_room(self, octets: int) -> bool:
        """Takes the room, if there is any; a message that is thrown away needs none."""
        assert self._reader is not None
        assert self._share is not None
        return self._reader.dropping or self._share.take_now(octets)

    async def wait_for_room(self, octets: int) -> None:
        """As `has_room`, but waits; without room in time the rest of the message is dropped."""
        assert self._reader is not None
        assert self._share is not None
        patience = min(_MEMORY_PATIENCE, self._deadline - asyncio.get_running_loop().time())
        if not await self._share.take(octets, patience):
            self._reader.drop(Reply(452, "4.3.1", "no memory for the message now, try again"))

    def fill(self, block: bytes, now: float) -> bytes | None:
        """None while the end is not here, else what came after it. `now` is loop time. Raises
        ContentLostError."""
        reader, share = self._reader, self._share
        assert reader is not None
        assert share is not None
        rest = reader.feed(block)
        if reader.dropping:
            share.release()
        if rest is None:
            if reader.size > self._settings.max_message_size * _ENDLESS:
                raise ContentLostError(reply.too_big(self._settings.max_message_size))
            self.patience = min(now + self._settings.data_timeout, self._deadline)
        return rest

    def refusal(self, tenant: str, peer: str) -> Reply | None:
        """Why the whole content is refused, if it is."""
        assert self._reader is not None
        refusal = self._reader.refusal or self._reader.problem()
        if refusal is not None:
            self._rejected(refusal, self._reader, tenant, peer)
        return refusal

    def complete(self, tenant: str, peer: str, hello: str, transmission: str) -> Message:
        """The message, which is on its way from here until `done`. `hello`: how its client named
        itself; `transmission`: how it came (RFC 3848)."""
        assert self._reader is not None
        message = self._message(self._reader, tenant, peer)
        known = self._service.tenant(tenant)
        if known is not None and known.profile.value in self._settings.received:
            message.received = received(
                client=client_name(hello, peer) if self._settings.received_client else "",
                hostname=self._service.hostname,
                transmission=transmission,
                utf8=message.sender.utf8,
                message=message.id,
                at=self._service.wall_clock(),
            )
        self._reader = None
        self.handling = True
        return message

    def done(self) -> None:
        """The transaction is over, however it ended."""
        self.handling = False
        self._reader = None
        if self._share is not None:
            self._share.release()
            self._share = None
            self.count += 1
        self.reset()

    def _rejected(self, refusal: Reply, reader: DataReader, tenant: str, peer: str) -> None:
        counted(tenant, "rejected").inc()
        said = {"outcome": "rejected", "reply": str(refusal)}
        self._service.log.message({"tenant": tenant, "peer": peer, "size": reader.size, **said})

    def _message(self, reader: DataReader, tenant: str, peer: str) -> Message:
        assert self.sender is not None
        head, body = split(reader.take())
        return Message(
            id=self._service.ids.message(self._service.wall_clock()),
            tenant=tenant,
            sender=self.sender,
            recipients=tuple(self.recipients),
            suppressed=tuple(self.suppressed),
            head=head,
            body=body,
            peer=peer,
            tenant_id=self._tenant_id,
        )


def _name(recipient: Recipient) -> bytes:
    """Equal for two spellings of one address: the domain without case and with A-labels, the local
    part as it is (RFC 5321 section 2.4)."""
    return normal_local(recipient.address.rpartition(b"@")[0]) + b"@" + recipient.domain.encode()
