"""What records prove: which attempts reached PowerMTA, how many recipients it took, which of our
probes it read. Pure.

A receipt counts once, whichever copies of its file are read: it is known by a digest of its octets
and by how many equal ones stand before it in the same file. Two equal receipts of one file (a
recipient named twice) are two; the same file again, under another name or written anew, adds none.
"""

import hashlib

import msgspec

from control.accounting.columns import field, milliseconds, storable
from control.accounting.met import Met
from control.accounting.records import Piece
from policy.address import split_address
from policy.duplicate import recipient_digest
from policy.identity import PROBE, Envelope, parse_envelope
from policy.provider import OTHER, provider_of

KINDS = frozenset("rdbt")
"""The record types that prove an attempt: receipt, delivered, bounced, transient."""

DIGEST = 8
"""Octets that identify a receipt among those of one attempt."""

Name = tuple[int, str, int]
"""Day of the grant, message, attempt."""


class Taken(msgspec.Struct):
    """One recipient of an attempt that PowerMTA took."""

    digest: bytes
    vmta: str
    """Name in the vmta column (a pool's, where one was chosen)."""
    provider: str


class Receipt(msgspec.Struct):
    """Proof that one attempt reached PowerMTA."""

    key: str
    kinds: str
    """Record types in order of arrival, each once."""
    at: int
    """Of the first record, calendar milliseconds."""
    taken: list[Taken] = []
    recipients: list[int] = []
    """Digests of the recipients that the records name (`policy.duplicate`), each once."""


class Receipts(msgspec.Struct):
    """What the records of one look prove together."""

    attempts: dict[Name, Receipt] = {}
    """By day of the grant, message and attempt."""
    probes: list[str] = []
    records: int = 0
    skipped: int = 0
    received: int = 0
    """Of the records, receipts."""
    named: int = 0
    """Of the receipts, those with an envelope id of ours."""
    unaddressed: int = 0
    """Of those, the ones without a recipient or a VirtualMTA."""
    behind_receipt: int = 0
    """Records behind the last receipt."""
    oldest: int = 0
    """Time of the oldest record of ours; 0: none."""


class Repeats:
    """How often each receipt of a file was met."""

    def __init__(self) -> None:
        self._met = Met()

    def identity(self, raw: bytes) -> bytes:
        """The digest of a receipt that is met now."""
        digest = hashlib.blake2b(raw, digest_size=DIGEST).digest()
        before = self._met.before(digest)
        if not before:
            return digest
        return hashlib.blake2b(raw + b"\n%d" % before, digest_size=DIGEST).digest()

    def recall(self, piece: Piece) -> None:
        """Meet again what was read before."""
        for record in piece.records:
            if record.fields[0] == "r":
                self.identity(record.raw)


def arrived(
    attempts: dict[Name, Receipt], envelope: Envelope, kind: str, at: int, rcpt: str
) -> Receipt:
    """Note in `attempts` that PowerMTA has a record of one, of this type, time and recipient ('':
    it names none)."""
    name = (envelope.day, envelope.message, envelope.attempt)
    receipt = attempts.get(name)
    if receipt is None:
        receipt = attempts[name] = Receipt(envelope.key, kind, at)
    elif kind not in receipt.kinds:
        receipt.kinds += kind
    if rcpt:
        digest = recipient_digest(rcpt.encode("utf-8", "surrogateescape"))
        if digest not in receipt.recipients:
            receipt.recipients.append(digest)
    return receipt


def add(found: Receipts, piece: Piece, repeats: Repeats, now: int) -> None:
    """Add what the records of `piece` prove. `repeats`: of their file; `now` stands in for a time
    that is not there, calendar milliseconds."""
    columns = piece.columns
    times: dict[str, int] = {}
    for record in piece.records:
        fields = record.fields
        kind = fields[0]
        if kind not in KINDS:
            found.skipped += 1
            continue
        found.records += 1
        found.behind_receipt += 1
        envid = field(fields, columns.envid)
        if kind == "r":
            found.received += 1
            found.behind_receipt = 0
        if envid.startswith(PROBE):
            if kind == "r":
                found.named += 1
                found.probes.append(storable(envid.removeprefix(PROBE)))
            continue
        envelope = parse_envelope(envid)
        if envelope is None:
            continue
        text = field(fields, columns.time)
        at = times.get(text)
        if at is None:
            at = times[text] = milliseconds(text) or now
        found.oldest = min(found.oldest or at, at)
        rcpt = field(fields, columns.rcpt)
        receipt = arrived(found.attempts, envelope, kind, at, rcpt)
        if kind == "r":
            found.named += 1
            vmta = field(fields, columns.vmta)
            found.unaddressed += not (rcpt and vmta)
            address = split_address(rcpt)
            provider = OTHER if address is None else provider_of(address[1])
            receipt.taken.append(Taken(repeats.identity(record.raw), storable(vmta), provider))
