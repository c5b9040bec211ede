"""The mail transaction of one client session: MAIL, RCPT, and the octets after DATA.

Owns: the envelope being built, reading the content within its bounds. Not here: the dialogue
around it (`gateway.listener`), the fate of a complete message (`gateway.transaction`).
Rule: nothing is accepted, charged or sent before the final dot; a client that goes away earlier
leaves nothing behind.
"""

import asyncio
from collections.abc import Callable

from gateway import metrics
from gateway.admission import Share
from gateway.datareader import DataReader
from gateway.envelope import Message, Recipient, Sender, parse_mail, parse_rcpt
from gateway.headers import split
from gateway.linereader import LineReader
from gateway.routing import allowed
from gateway.service import Service
from policy import reply
from policy.address import mailbox_of
from policy.reply import Reply

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
        self.sender: Sender | None = None
        self.recipients: list[Recipient] = []
        self.count = 0
        self.handling = False
        """A whole message is on its way: its client must hear what becomes of it."""

    def reset(self) -> None:
        """RSET, EHLO, or the end of a transaction."""
        self.sender = None
        self.recipients = []

    def mail(self, argument: bytes, tenant: str, *, esmtp: bool) -> Reply:
        if self.sender is not None:
            return reply.NESTED_MAIL
        sender = parse_mail(argument, esmtp=esmtp, max_size=self._service.max_message_size)
        if isinstance(sender, Reply):
            return sender
        known = self._service.tenant(tenant)
        if known is not None and known.senders and sender.address:
            identity = mailbox_of(sender.address.decode())
            if identity is None or not allowed(known, identity):
                return Reply(550, "5.7.1", "this login may not use that sender address")
        self.sender = sender
        return reply.SENDER_OK

    def rcpt(self, argument: bytes, tenant: str, *, esmtp: bool) -> Reply:
        if self.sender is None:
            return reply.BAD_SEQUENCE_MAIL
        known = self._service.tenant(tenant)
        if len(self.recipients) >= (known.max_recipients if known else 1):
            return reply.TOO_MANY_RECIPIENTS
        recipient = parse_rcpt(argument, esmtp=esmtp, utf8=self.sender.utf8)
        if isinstance(recipient, Reply):
            return recipient
        self.recipients.append(recipient)
        return reply.RECIPIENT_OK

    def data(self, argument: bytes) -> Reply:
        """GO_AHEAD when content may come."""
        if self.sender is None:
            return reply.BAD_SEQUENCE_MAIL
        if not self.recipients:
            return reply.BAD_SEQUENCE_RCPT
        return reply.syntax("syntax: DATA") if argument.strip() else reply.GO_AHEAD

    async def receive(
        self, lines: LineReader, tenant: str, peer: str, acknowledge: Callable[[], None]
    ) -> Reply:
        """Read the content, hand the message on, answer. Raises ContentLostError.

        `acknowledge` is called when more has to come (see `gateway.quickack`)."""
        reader = DataReader(self._service.max_message_size, self._settings.max_line_length)
        share = self._service.memory.share()
        try:
            try:
                await self._read(lines, reader, share, acknowledge)
            except TimeoutError:
                raise ContentLostError(reply.IDLE) from None
            refusal = reader.refusal or reader.problem()
            if refusal is not None:
                return self._rejected(refusal, reader, tenant, peer)
            self.handling = True
            return await self._service.handle(self._complete(reader, tenant, peer))
        finally:
            self.handling = False
            share.release()
            self.count += 1
            self.reset()

    async def _read(
        self,
        lines: LineReader,
        reader: DataReader,
        share: Share,
        acknowledge: Callable[[], None],
    ) -> None:
        """To the final dot; `share` grows with what is kept. Raises TimeoutError."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._settings.message_timeout
        while not reader.done:
            block = await lines.block(
                self._settings.data_timeout, deadline, tail=reader.tail, more=acknowledge
            )
            if not block:
                raise ContentLostError(None)
            patience = min(_MEMORY_PATIENCE, deadline - clock())
            if not reader.dropping and not await share.take(len(block), patience):
                reader.drop(Reply(452, "4.3.1", "no memory for the message now, try again"))
            if reader.dropping:
                share.release()
            rest = reader.feed(block)
            if rest is not None:
                lines.put_back(rest)
            elif reader.size > self._settings.max_message_size * _ENDLESS:
                raise ContentLostError(reply.too_big(self._settings.max_message_size))
            elif not lines.buffered:
                acknowledge()

    def _rejected(self, refusal: Reply, reader: DataReader, tenant: str, peer: str) -> Reply:
        metrics.messages_of(tenant, "rejected").inc()
        self._service.log.info(
            "message", tenant=tenant, peer=peer, size=reader.size, outcome="rejected",
            reply=str(refusal),
        )  # fmt: skip
        return refusal

    def _complete(self, reader: DataReader, tenant: str, peer: str) -> Message:
        assert self.sender is not None
        head, body = split(reader.take())
        return Message(
            id=self._service.ids.message(self._service.wall_clock()),
            tenant=tenant,
            sender=self.sender,
            recipients=tuple(self.recipients),
            head=head,
            body=body,
            peer=peer,
        )
