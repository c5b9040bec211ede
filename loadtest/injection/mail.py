"""The messages an injector sends: one body, and a header of its own for each number.

Rule: a number makes a message once, with MailWizz's ids or without; ready for the wire, dots
stuffed, its end included.
"""

from loadtest.newsletter import newsletter

_CAMPAIGN_HEADER = (
    "Feedback-ID: %(campaign)s:%(subscriber)s:bz9list0001xy:bz9cust0001xy\r\n"
    "List-Unsubscribe: <https://mw.bench.example/lists/bz9list0001xy/unsubscribe/%(subscriber)s/"
    "%(campaign)s/unsubscribe-direct>\r\n"
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    "X-Mw-Campaign-Uid: %(campaign)s\r\n"
    "X-Mw-Subscriber-Uid: %(subscriber)s\r\n"
    "Precedence: bulk\r\n"
)
_HEADER = (
    "From: La Gazette <%(sender)s>\r\n"
    "To: <%(recipient)s>\r\n"
    "Subject: La Gazette du jeudi\r\n"
    "Date: Sun, 22 Nov 2026 09:00:00 +0000\r\n"
    "Message-ID: <%(number)d.%(run)s@bench.example>\r\n"
)


class Mail:
    """Envelopes and contents by number."""

    def __init__(
        self,
        size: int,
        run: str,
        *,
        campaign: bool,
        domain: str = "bench.example",
        senders: int = 1,
        destinations: tuple[str, ...] = ("dest.example",),
    ) -> None:
        """`size`: octets of a whole message, about. `run`: letters and digits that no other run
        has, so that nothing is taken for a duplicate of an earlier one. So many `senders` of
        `domain` take turns, and so do the recipients' domains."""
        if not (run.isascii() and run.isalnum()):
            raise ValueError(f"run {run!r}: letters and digits")
        header, _, body = newsletter(size).partition(b"\r\n\r\n")
        kinds = header[header.index(b"MIME-Version") :] if b"MIME-Version" in header else b""
        self._rest = (kinds + b"\r\n\r\n" + body).replace(b"\r\n.", b"\r\n..") + b".\r\n"
        self._run = run
        self._domain = domain
        self._senders = senders
        self._destinations = destinations
        # 13 letters and digits, as MailWizz makes them.
        self._campaign = f"c{run:0>12}"[:13]
        self._text = (_CAMPAIGN_HEADER if campaign else "") + _HEADER

    def recipient(self, number: int) -> str:
        """Always another."""
        return f"s{number}@{self._destinations[number % len(self._destinations)]}"

    def sender(self, number: int) -> str:
        """One of `senders`."""
        which = number % self._senders
        return f"news{which or ''}@{self._domain}"

    def envelope(self, number: int) -> tuple[bytes, bytes]:
        """The MAIL and RCPT commands."""
        sender, recipient = self.sender(number), self.recipient(number)
        return f"MAIL FROM:<{sender}>\r\n".encode(), f"RCPT TO:<{recipient}>\r\n".encode()

    def content(self, number: int) -> bytes:
        """What follows 354, the final dot included."""
        fields = {
            "campaign": self._campaign,
            "subscriber": f"s{number:012d}",
            "sender": self.sender(number),
            "recipient": self.recipient(number),
            "number": number,
            "run": self._run,
        }
        return (self._text % fields).encode() + self._rest
