"""A second, simple reading of the same octets: which transactions were whole and accepted.

Written from RFC 5321 and the gateway's rules, line by line; of its code only the parser of paths
and parameters is taken, which has its own tests. Logins and TLS are left out: here everyone is
trusted.
"""

import re
from dataclasses import dataclass, field

from gateway.session.envelope import parse_mail, parse_rcpt
from policy.address import normal_domain
from policy.reply import Reply

LONGEST_COMMAND, LONGEST_LINE = 2048, 12_288
LARGEST, LONGEST_CONTENT_LINE, MOST_FAULTS, MOST_RECIPIENTS = 3000, 1000, 10, 100
LONGEST_STREAM = 4 * LARGEST - 1000
"""Below this no content is cut off for its size before its end, which depends on TCP's cuts."""
HTTP = {b"CONNECT", b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"POST", b"PUT", b"TRACE"}


@dataclass
class Reading:
    """What the conversation comes to."""

    handled: list[tuple[bytes, tuple[bytes, ...], bytes]] = field(default_factory=list)
    """(sender, recipients, content dot-stuffed) of each whole, sound message."""
    codes: list[int] = field(default_factory=list)
    """Of every reply, the greeting's included."""
    closed: bool = False
    """The gateway ended it; the rest was not read."""


def read(stream: bytes) -> Reading:
    """`stream` is everything the client says before it half-closes."""
    reading = Reading(codes=[220])
    greeted = esmtp = utf8 = False
    sender: bytes | None = None
    recipients: list[bytes] = []
    faults = 0

    def say(code: int) -> None:
        reading.codes.append(code)

    def fault(code: int) -> None:
        nonlocal faults
        faults += 1
        if faults > MOST_FAULTS:
            code = 421
            reading.closed = True
        say(code)

    while not reading.closed:
        end = stream.find(b"\n")
        if end < 0:
            break
        line, stream = stream[: end + 1], stream[end + 1 :]
        if len(line) > LONGEST_LINE or not line.endswith(b"\r\n"):
            fault(500)
            continue
        line = line[:-2].rstrip(b" \t")
        if b'"' not in line:
            line = line.replace(b"\t", b" ")
        verb, _, argument = line.partition(b" ")
        verb = verb.upper()
        if len(line) > LONGEST_COMMAND:
            fault(500)
        elif any(octet < 32 or octet == 127 for octet in line):
            fault(501)
        elif verb == b"QUIT":
            say(221)
            reading.closed = True
        elif verb in HTTP or verb == b"." or b":" in verb:
            say(421)
            reading.closed = True
        elif verb == b"BDAT":
            say(502)
            reading.closed = True
        elif verb in (b"EHLO", b"HELO"):
            if argument.strip():
                greeted, esmtp = True, verb == b"EHLO"
                sender, recipients = None, []
                say(250)
            else:
                say(501)
        elif verb == b"NOOP":
            say(250)
        elif verb == b"RSET":
            if argument.strip():
                say(501)
            else:
                sender, recipients = None, []
                say(250)
        elif verb in (b"MAIL", b"RCPT", b"DATA") and not greeted:
            say(503)
        elif verb == b"MAIL":
            mail = parse_mail(argument, esmtp=esmtp, max_size=LARGEST)
            if sender is not None:
                say(503)
            elif isinstance(mail, Reply):
                say(mail.code)
            else:
                sender, utf8 = mail.address, mail.utf8
                say(250)
        elif verb == b"RCPT":
            rcpt = parse_rcpt(argument, esmtp=esmtp, utf8=utf8)
            if sender is None:
                say(503)
            elif isinstance(rcpt, Reply):
                say(rcpt.code)
            elif any(same(rcpt.address, known) for known in recipients):
                say(250)
            elif len(recipients) >= MOST_RECIPIENTS:
                say(452)
            else:
                recipients.append(rcpt.address)
                say(250)
        elif verb == b"VRFY":
            say(252 if argument.strip() else 501)
        elif verb == b"HELP":
            say(214)
        elif verb == b"STARTTLS":
            say(501 if argument.strip() else 454)
        elif verb == b"DATA":
            if sender is None or not recipients:
                say(503)
            elif argument.strip():
                say(501)
            else:
                say(354)
                content, stream, whole = content_of(stream)
                if not whole:
                    break
                code = refusal_of(content)
                if not code:
                    content = content.removeprefix(b"\xef\xbb\xbf")
                    reading.handled.append((sender, tuple(recipients), content))
                    faults = 0
                say(code or 250)
                sender, recipients = None, []
        else:
            fault(500)
    return reading


def same(one: bytes, other: bytes) -> bool:
    """One recipient in two spellings: local parts as they are but for their quotes, domains
    without case and with A-labels."""
    return spoken(one) == spoken(other)


def spoken(address: bytes) -> tuple[str, str | None]:
    """(local part as its server understands it, domain)."""
    local, _, domain = address.decode().rpartition("@")
    if local.startswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    return local, normal_domain(domain)


def content_of(stream: bytes) -> tuple[bytes, bytes, bool]:
    """(content, what follows it, whether its end came), reading one CRLF line after the other."""
    at = 0
    while (end := stream.find(b"\r\n", at)) >= 0:
        if stream[at:end] == b".":
            return stream[:at], stream[end + 2 :], True
        at = end + 2
    return stream, b"", False


def refusal_of(content: bytes) -> int:
    if len(content) > LARGEST:
        return 552
    lines = content.split(b"\r\n")
    if any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines):
        return 554
    return 554 if any(len(line) + 2 > LONGEST_CONTENT_LINE for line in lines) else 0
