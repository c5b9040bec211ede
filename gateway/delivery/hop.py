"""The command lines of one transaction towards PowerMTA, for what its EHLO offers.

Rules: nothing is converted but the domain of an address, for bodies and headers are signed. A
message that needs what a hop does not offer is not sent to it: an internationalized one is refused
(RFC 6531 section 3.2), where the hop did say what it offers; 8-bit content is held (RFC 6152
section 3), for PowerMTA has 8BITMIME, and a hop without it is somebody's mistake in between.
"""

import re

from gateway.message.message import Message, Recipient
from gateway.relay.parcel import Parcel
from policy.address import normal_domain
from policy.outcome import Asked, Failed, Scope
from policy.reply import Reply

_ABOVE_ASCII = re.compile(r"[^\x00-\x7f]")


def parcel(message: Message, head: bytes, envelope: str, extensions: frozenset[str]) -> Parcel:
    """`head` is stamped; `envelope` goes into ENVID where DSN is offered, so that PowerMTA's
    records name our attempt even if a header is lost. Only of what is not `unsendable`."""
    sender = message.sender
    # The flag alone asks for nothing that plain SMTP has not (RFC 6531 section 3.2).
    plain = sender.utf8 and "SMTPUTF8" not in extensions
    mail = b"MAIL FROM:<%b>" % (in_ascii(sender.address) if plain else sender.address)
    if "SIZE" in extensions:
        mail += b" SIZE=%d" % (len(head) + len(message.body))
    if sender.body8 and "8BITMIME" in extensions:
        mail += b" BODY=8BITMIME"
    if sender.utf8 and not plain:
        mail += b" SMTPUTF8"
    dsn = "DSN" in extensions
    if dsn:
        if sender.ret:
            mail += b" RET=" + sender.ret
        mail += b" ENVID=" + envelope.encode("ascii")
    rcpts = [_rcpt(recipient, dsn=dsn, plain=plain) for recipient in message.recipients]
    return Parcel(message.id, mail + b"\r\n", tuple(rcpts), head, message.body)


def _rcpt(recipient: Recipient, *, dsn: bool, plain: bool) -> bytes:
    rcpt = b"RCPT TO:<%b>" % (in_ascii(recipient.address) if plain else recipient.address)
    if dsn and recipient.notify:
        rcpt += b" NOTIFY=" + recipient.notify
    if dsn and recipient.orcpt:
        orcpt = recipient.orcpt
        rcpt += b" ORCPT=" + (_spelt(orcpt) if plain and not orcpt.isascii() else orcpt)
    return rcpt + b"\r\n"


def unsendable(message: Message, head: bytes, extensions: frozenset[str]) -> Reply | Failed | None:
    """Why a hop that offers this cannot have the message, if so. `head` is stamped."""
    if message.sender.utf8 and "SMTPUTF8" not in extensions and _international(message, head):
        if extensions:
            return Reply(550, "5.6.7", "the mail server does not take internationalized mail")
        # It knows HELO only, or said so in some trouble: that is not known to last.
        return _not_asked("SMTPUTF8 is needed, and the hop does not say what it offers")
    if "8BITMIME" not in extensions and not (head.isascii() and message.body.isascii()):
        return _not_asked("the content has 8-bit octets, and the hop does not offer 8BITMIME")
    return None


def _international(message: Message, head: bytes) -> bool:
    """Whether it needs SMTPUTF8 (RFC 6531 section 3.2): by a local part or by its header. A domain
    has a form in ASCII."""
    if not head.isascii() or not in_ascii(message.sender.address).isascii():
        return True
    return not all(in_ascii(recipient.address).isascii() for recipient in message.recipients)


def in_ascii(address: bytes) -> bytes:
    """An address with its domain in A-labels, where it has others (RFC 5891 section 4.4)."""
    if address.isascii():
        return address
    local, at, domain = address.rpartition(b"@")
    normal = normal_domain(domain.decode())
    return address if normal is None else local + at + normal.encode()


def _spelt(orcpt: bytes) -> bytes:
    """An ORCPT of type utf-8 for a hop without SMTPUTF8 (RFC 6533 section 3)."""
    return _ABOVE_ASCII.sub(lambda found: rf"\x{{{ord(found[0]):X}}}", orcpt.decode()).encode()


def _not_asked(why: str) -> Failed:
    return Failed(why, Scope.MESSAGE, asked=Asked.SESSION)
