"""The messages themselves, as MailWizz writes them: each to a subscriber of a tenant's campaign."""

from loadtest.laboratory.traffic import Traffic
from loadtest.newsletter import newsletter

_HEADER = (
    "From: La Gazette <{sender}>\r\n"
    "To: <{recipient}>\r\n"
    "Subject: La Gazette du jeudi\r\n"
    "Date: Sun, 22 Nov 2026 09:00:00 +0000\r\n"
    "Message-ID: <{number}@laboratory.example>\r\n"
    "Feedback-ID: {campaign}:{subscriber}:bz9list0001xy:bz9cust0001xy\r\n"
    "List-Unsubscribe: <https://mw.laboratory.example/lists/bz9list0001xy/unsubscribe/"
    "{subscriber}/{campaign}/unsubscribe-direct>\r\n"
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    "X-Mw-Campaign-Uid: {campaign}\r\n"
    "X-Mw-Subscriber-Uid: {subscriber}\r\n"
    "Precedence: bulk\r\n"
)


class Letters:
    """Envelopes and contents by number, ready for the wire: dots stuffed, the end included."""

    def __init__(self, traffic: Traffic, size: int) -> None:
        """`size`: octets of a whole message, about."""
        header, _, body = newsletter(size).partition(b"\r\n\r\n")
        kinds = header[header.index(b"MIME-Version") :] if b"MIME-Version" in header else b""
        self._rest = (kinds + b"\r\n\r\n" + body).replace(b"\r\n.", b"\r\n..") + b".\r\n"
        self._traffic = traffic

    def envelope(self, number: int) -> tuple[bytes, bytes]:
        """The MAIL and RCPT commands."""
        sender, recipient = self._traffic.sender(number), self._traffic.recipient(number)
        return f"MAIL FROM:<{sender}>\r\n".encode(), f"RCPT TO:<{recipient}>\r\n".encode()

    def content(self, number: int) -> bytes:
        """What follows 354."""
        sender = self._traffic.sender(number)
        # 13 letters and digits, as MailWizz makes them.
        text = _HEADER.format(
            sender=sender,
            recipient=self._traffic.recipient(number),
            number=number,
            campaign=f"c{sum(sender.partition('@')[2].encode()):012d}",
            subscriber=f"s{number:012d}",
        )
        return text.encode() + self._rest
