"""The command lines of one transaction towards PowerMTA, for what its EHLO offers."""

from gateway.message import Message
from gateway.relay.parcel import Parcel
from policy.reply import Reply


def parcel(message: Message, head: bytes, envelope: str, extensions: frozenset[str]) -> Parcel:
    """`head` is stamped; `envelope` goes into ENVID where DSN is offered, so that PowerMTA's
    records name our attempt even if a header is lost."""
    sender = message.sender
    mail = b"MAIL FROM:<%b>" % sender.address
    if "SIZE" in extensions:
        mail += b" SIZE=%d" % (len(head) + len(message.body))
    if sender.body8 and "8BITMIME" in extensions:
        mail += b" BODY=8BITMIME"
    if sender.utf8:
        mail += b" SMTPUTF8"
    dsn = "DSN" in extensions
    if dsn:
        if sender.ret:
            mail += b" RET=" + sender.ret
        mail += b" ENVID=" + envelope.encode("ascii")
    rcpts = []
    for recipient in message.recipients:
        rcpt = b"RCPT TO:<%b>" % recipient.address
        if dsn and recipient.notify:
            rcpt += b" NOTIFY=" + recipient.notify
        if dsn and recipient.orcpt:
            rcpt += b" ORCPT=" + recipient.orcpt
        rcpts.append(rcpt + b"\r\n")
    return Parcel(message.id, mail + b"\r\n", tuple(rcpts), head, message.body)


def unsupported(message: Message, extensions: frozenset[str]) -> Reply | None:
    """Why this server cannot take the message at all (RFC 6531 section 3.5)."""
    if message.sender.utf8 and "SMTPUTF8" not in extensions:
        return Reply(550, "5.6.7", "the mail server does not take internationalized addresses")
    return None
