"""A message of our own to PowerMTA: what it says is in its envelope id and its VirtualMTA."""

from email.utils import formatdate

from gateway.relay.parcel import Parcel
from gateway.relay.wire import Session
from policy.identity import PROBE
from policy.plan import PROBE_DOMAIN


def probe(
    name: str, vmta: str, session: Session, *, hostname: str, now: int, text: bytes
) -> Parcel:
    """To the domain that PowerMTA discards. `name`: of this probe; `now` in ledger milliseconds;
    `text`: its one line, for whoever meets it."""
    address = f"probe@{PROBE_DOMAIN}"
    envelope = PROBE + name
    head = (
        f"x-virtual-mta: {vmta}\r\nx-envid: {envelope}\r\n"
        f"From: <{address}>\r\nTo: <{address}>\r\nSubject: probe\r\n"
        f"Date: {formatdate(now / 1000)}\r\n"
        f"Message-ID: <{envelope}@{hostname}>\r\n\r\n"
    ).encode()
    dsn = f" ENVID={envelope}".encode() if "DSN" in session.extensions else b""
    mail = b"MAIL FROM:<>" + dsn + b"\r\n"
    rcpt = f"RCPT TO:<{address}>\r\n".encode()
    return Parcel(PROBE + name, mail, (rcpt,), head, text + b"\r\n")
