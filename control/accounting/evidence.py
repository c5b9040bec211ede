"""What records prove: which attempts reached PowerMTA, how many recipients it took, which of our
probes it read. Pure.

Fields are found by the names in the header, never by position: the columns are what an operator
configured, and rows may be shorter than the header (FACTS 3).
"""

import re
from datetime import UTC, datetime

import msgspec

from policy.address import split_address
from policy.identity import PROBE, parse_envelope
from policy.provider import OTHER, provider_of

KINDS = frozenset("rdbt")
"""The record types that are evidence: receipt, delivered, bounced, transient."""
_LONGEST = 255
_TIME = re.compile(r"(\d\d)/(\d\d)/(\d{4}) (\d\d:\d\d:\d\d)(.*)", re.DOTALL)


class Receipt(msgspec.Struct):
    """Evidence that one attempt reached PowerMTA."""

    key: str
    kinds: str
    """Record types in order of arrival, each once."""
    at: int
    """Of the first record, calendar milliseconds."""


class Evidence(msgspec.Struct):
    """What the rows of one look prove together."""

    receipts: dict[tuple[int, str, int], Receipt] = {}
    """By day of the grant, message and attempt."""
    relayed: dict[tuple[int, str, str], int] = {}
    """Recipients by day of the grant, name in the vmta column (a pool's, where one was chosen)
    and provider."""
    probes: list[str] = []
    records: int = 0
    skipped: int = 0
    broken: int = 0
    """Of the skipped ones, those that may have been evidence."""
    oldest: int = 0
    """Time of the oldest record of ours; 0: none."""


def evidence_of(
    rows: list[list[str]], header: tuple[str, ...], now: int
) -> tuple[Evidence, tuple[str, ...]]:
    """(what `rows` prove, the header in force behind them). `now` stands in for times that
    cannot be read, calendar milliseconds. A header may come anywhere: a restarted PowerMTA may
    write a second one."""
    found = Evidence()
    columns = _Columns(header)
    times: dict[str, int] = {}
    for row in rows:
        if row[0] == "type" or (not header and "type" in _names(row)):
            header = _names(row)
            columns = _Columns(header)
            continue
        if not header or len(row) > len(header):
            # More fields than columns: two records run together where a crash cut the first.
            found.skipped += 1
            found.broken += 1
            continue
        kind = columns.type_of(row)
        if kind not in KINDS:
            found.skipped += 1
            continue
        found.records += 1
        envid = columns.envid_of(row)
        if envid.startswith(PROBE):
            if kind == "r":
                found.probes.append(storable(envid.removeprefix(PROBE)))
            continue
        envelope = parse_envelope(envid)
        if envelope is None:
            continue
        text = columns.time_of(row)
        at = times.get(text)
        if at is None:
            at = times[text] = milliseconds(text) or now
        found.oldest = min(found.oldest or at, at)
        name = (envelope.day, envelope.message, envelope.attempt)
        receipt = found.receipts.get(name)
        if receipt is None:
            found.receipts[name] = Receipt(envelope.key, kind, at)
        elif kind not in receipt.kinds:
            receipt.kinds += kind
        if kind == "r":
            address = split_address(columns.rcpt_of(row))
            provider = OTHER if address is None else provider_of(address[1])
            counted = (envelope.day, storable(columns.vmta_of(row)), provider)
            found.relayed[counted] = found.relayed.get(counted, 0) + 1
    return found, header


def milliseconds(text: str) -> int | None:
    """A record's time: `2019-02-08 21:54:05+0000`, MM/DD/YYYY HH:MM:SS or epoch seconds.

    UTC where no zone is named. None when it is none of these."""
    if text.isascii() and text.isdigit() and len(text) < 12:
        return int(text) * 1000
    if match := _TIME.fullmatch(text):
        text = f"{match[3]}-{match[1]}-{match[2]} {match[4]}{match[5]}"
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return round(time.timestamp() * 1000)


def storable(text: str) -> str:
    """Text from a file as PostgreSQL and an index take it: no surrogates, no NUL, not for ever."""
    clean = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return clean[:_LONGEST]


def _names(row: list[str]) -> tuple[str, ...]:
    # Excel's byte order mark, should somebody have saved the file with it.
    return tuple(storable(name.lstrip("\ufeff").strip().replace(",", "_")) for name in row)


class _Columns:
    """Where the fields stand; a field that is not there reads as ''."""

    def __init__(self, header: tuple[str, ...]) -> None:
        lowered = [name.lower() for name in header]

        def place(name: str) -> int:
            return lowered.index(name.lower()) if name.lower() in lowered else len(lowered)

        self._type, self._time = place("type"), place("timeLogged")
        self._rcpt, self._vmta, self._envid = place("rcpt"), place("vmta"), place("envId")

    def type_of(self, row: list[str]) -> str:
        return _field(row, self._type)

    def time_of(self, row: list[str]) -> str:
        return _field(row, self._time)

    def rcpt_of(self, row: list[str]) -> str:
        return _field(row, self._rcpt)

    def vmta_of(self, row: list[str]) -> str:
        return _field(row, self._vmta)

    def envid_of(self, row: list[str]) -> str:
        return _field(row, self._envid)


def _field(row: list[str], place: int) -> str:
    return row[place] if place < len(row) else ""
