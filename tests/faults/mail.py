"""The messages of the load: each with a number of its own in recipient and headers.

Two of three carry MailWizz's campaign and subscriber ids (a duplicate key), one has neither, as a
confirmation or a password reset has.
"""

import hashlib
from collections.abc import Iterator

import msgspec

SENDER = "bounce@acme.test"
FROM = "news@acme.test"
CAMPAIGN = "cp482ptq10cd5"

DOMAINS = (
    "company.example", "gmail.com", "outlook.com", "orange.fr", "yahoo.com",
    "company.example", "gmx.de", "company.example",
)  # fmt: skip
_BODY = "Bonjour,\r\n\r\nmerci de votre fidélité.\r\n..und ein Punkt am Anfang.\r\n" * 4


class Mail(msgspec.Struct, frozen=True):
    """One message to one recipient, to more, or to one more that PowerMTA refuses at RCPT."""

    number: int
    domain: str
    keyed: bool
    lines: int = 0
    """Lines of 66 octets behind the usual text, of no pattern."""
    divided: bool = False
    deferred: bool = False
    """One recipient more, whom PowerMTA never takes and never refuses for good."""
    others: int = 0
    """Recipients besides."""
    bounces: bool = False
    """PowerMTA takes it, and it comes back."""

    @property
    def recipient(self) -> str:
        return f"{'bounce+' if self.bounces else 'u'}{self.number}@{self.domain}"

    @property
    def recipients(self) -> list[str]:
        """Of the envelope."""
        refused = [f"refuse+{self.number}@{self.domain}"] if self.divided else []
        later = [f"defer+{self.number}@{self.domain}"] if self.deferred else []
        others = [f"u{self.number}.{other}@{self.domain}" for other in range(self.others)]
        return [self.recipient, *others, *later, *refused]

    def content(self) -> bytes:
        """Header block and body, dot-stuffed, with the final dot."""
        head = [
            f"Message-ID: <m{self.number}@acme.test>",
            f"X-Test-Id: {self.number}",
            f"From: Acme <{FROM}>",
            f"To: <{self.recipient}>",
            "Subject: Soldes",
        ]
        if self.keyed:
            subscriber = f"su{self.number:011d}"
            link = f"https://mw.acme.test/lists/li/unsubscribe/{subscriber}/{CAMPAIGN}"
            head += [
                f"Feedback-ID: {CAMPAIGN}:{subscriber}:li00000000001:cu00000000001",
                f"List-Unsubscribe: <{link}>",
                "Precedence: bulk",
            ]
        text = "\r\n".join(head) + "\r\n\r\n" + _BODY + "".join(self._more())
        return text.encode() + b".\r\n"

    def digest(self) -> str:
        """SHA-256 of the content as its reader gets it: dots unstuffed, without the final one."""
        content = self.content().removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
        return hashlib.sha256(content).hexdigest()

    def _more(self) -> Iterator[str]:
        for line in range(self.lines):
            yield hashlib.sha256(f"{self.number} {line}".encode()).hexdigest() + "\r\n"


def mail(number: int) -> Mail:
    """The message of that number: domains and kinds mixed, the same in every run."""
    return Mail(number, DOMAINS[number % len(DOMAINS)], number % 3 != 0)


def twin(number: int) -> Mail:
    """Two numbers share a message: copies with one duplicate key, on their way together."""
    return msgspec.structs.replace(mail((number + 1) // 2), keyed=True)


def keyed(number: int) -> Mail:
    """Each has a duplicate key: a client that hears nothing sends it again."""
    return msgspec.structs.replace(mail(number), keyed=True)


def several(number: int) -> Mail:
    """Each has three recipients and a duplicate key."""
    return msgspec.structs.replace(mail(number), keyed=True, others=2)


def sizes(number: int) -> Mail:
    """Four small messages, then one of 2 MB."""
    return msgspec.structs.replace(mail(number), lines=0 if number % 5 else 32_000)


def bouncing(number: int) -> Mail:
    """One of five comes back."""
    return msgspec.structs.replace(mail(number), bounces=number % 5 == 0)


def parted(number: int) -> Mail:
    """Three of four part: some go, one is refused, one waits, or both."""
    one = msgspec.structs.replace(mail(number), keyed=False, others=number % 2)
    return msgspec.structs.replace(one, divided=number % 4 > 1, deferred=number % 4 in (1, 3))


def divided(number: int) -> Mail:
    """Two of three name a second recipient, which PowerMTA refuses; none has a duplicate key."""
    return msgspec.structs.replace(mail(number), keyed=False, divided=number % 3 != 0)
