"""SMTP replies: three digits, an enhanced status code, one line of text (RFC 5321, RFC 3463)."""

import re

_UNSAFE = re.compile(r"[^\x20-\x7e]+")
_MAX_TEXT = 400  # RFC 5321 4.5.3.1.5 limits a reply line to 512 octets


class Reply:
    """What a peer is told; a value, never changed. `status` is the enhanced code without a trailing
    blank, or empty."""

    __slots__ = ("_line", "code", "status", "text")

    def __init__(self, code: int, status: str, text: str) -> None:
        self.code = code
        self.status = status
        self.text = text
        self._line = b""

    @property
    def line(self) -> bytes:
        """One reply line with CRLF; whatever a peer put in the text cannot end it early."""
        # Most replies are one of a few constants, and said again and again.
        if not self._line:
            self._line = _line(self.code, self.status, self.text)
        return self._line

    @property
    def positive(self) -> bool:
        return self.code < 400

    @property
    def transient(self) -> bool:
        return 400 <= self.code < 500

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Reply)
            and self.code == other.code
            and self.status == other.status
            and self.text == other.text
        )

    def __hash__(self) -> int:
        return hash((self.code, self.status, self.text))

    def __repr__(self) -> str:
        return f"Reply({self.code}, {self.status!r}, {self.text!r})"

    def __str__(self) -> str:
        if self.status and self.text:
            return f"{self.code} {self.status} {self.text}"
        return " ".join(part for part in (str(self.code), self.status, self.text) if part)


def _line(code: int, status: str, text: str) -> bytes:
    if not (text.isascii() and text.isprintable()):
        text = _UNSAFE.sub(" ", text)
    text = text[:_MAX_TEXT]
    middle = f"{status} " if status else ""
    return f"{code} {middle}{text}\r\n".encode("ascii")


OK = Reply(250, "2.0.0", "OK")
SENDER_OK = Reply(250, "2.1.0", "sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "recipient OK")
GO_AHEAD = Reply(354, "", "end data with <CR><LF>.<CR><LF>")
BAD_SEQUENCE_MAIL = Reply(503, "5.5.1", "send MAIL first")
BAD_SEQUENCE_RCPT = Reply(503, "5.5.1", "send RCPT first")
BAD_SEQUENCE_EHLO = Reply(503, "5.5.1", "send EHLO first")
NESTED_MAIL = Reply(503, "5.5.1", "a transaction is under way; finish it or send RSET")
AUTH_FIRST = Reply(530, "5.7.0", "authentication required")
TLS_FIRST = Reply(530, "5.7.0", "must issue a STARTTLS command first")
# RFC 4954 section 6: 454 where the server could not tell, 535 only where the client is wrong.
NO_PLAN_LOGIN = Reply(454, "4.7.0", "this gateway has no plan yet to check a login with, try again")
NO_PLAN = Reply(451, "4.3.0", "this gateway has no plan yet, try again")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "too many recipients in one transaction")
SHUTTING_DOWN = Reply(421, "4.3.2", "closing for maintenance, please connect again")
BUSY = Reply(421, "4.3.2", "too many sessions, please try again later")
IDLE = Reply(421, "4.4.2", "idle for too long, closing")


def enhanced(answer: Reply) -> Reply:
    """With a status code, which PowerMTA may have left out and RFC 2034 section 4 asks for: only
    the class is known (RFC 3463 3.1)."""
    if answer.status:
        return answer
    return Reply(answer.code, f"{answer.code // 100}.0.0", answer.text)


def too_big(limit: int) -> Reply:
    """`limit` in octets (RFC 1870: 552 at MAIL and after the dot)."""
    return Reply(552, "5.3.4", f"message is larger than {limit} octets")


def syntax(text: str, status: str = "5.5.4") -> Reply:
    return Reply(501, status, text)


def deferral(text: str) -> Reply:
    """Not now, for a reason of policy (RFC 3463: X.7.1)."""
    return Reply(451, "4.7.1", text)


def trouble(text: str) -> Reply:
    """Not now, for a reason of ours (RFC 3463: X.3.0)."""
    return Reply(451, "4.3.0", text)


def forbidden(text: str) -> Reply:
    """Never, for a reason of policy."""
    return Reply(550, "5.7.1", text)
