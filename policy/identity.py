"""Message, attempt and envelope ids: their shapes (policy/README.md: identity).

Owns: writing and reading them. Not here: minting message ids (`gateway.message.ids`).
"""

import re
from typing import NamedTuple

from policy.limits import day_of

PROBE = "probe-"
"""Envelope ids of our own probes begin with it."""

_ENVELOPE = re.compile(
    r"(?P<day>[0-9]{1,7})-(?P<message>[0-9a-z]{8,64})\.(?P<attempt>[0-9]{1,9})"
    r"(?:-(?P<key>[0-9a-z]{1,32}))?\Z"
)


class Envelope(NamedTuple):
    """What an envelope id says."""

    day: int
    """Day of the grant."""
    message: str
    attempt: int
    key: str
    """Digest of the duplicate key, or ''."""


def envelope_id(granted_at: int, message: str, attempt: int, key: str = "") -> str:
    """What PowerMTA's records carry as envId: `DAY-MESSAGE.ATTEMPT`, then `-KEY` if there is one,
    so that the receipts can rebuild the duplicate entries of a lost ledger.

    `granted_at` in ledger milliseconds; attempts are numbered from 1 under their message."""
    tail = f"-{key}" if key else ""
    return f"{day_of(granted_at)}-{message}.{attempt}{tail}"


def parse_envelope(text: str) -> Envelope | None:
    """None for an id that is not ours, probes included."""
    match = _ENVELOPE.match(text)
    if match is None:
        return None
    return Envelope(int(match["day"]), match["message"], int(match["attempt"]), match["key"] or "")


def row_id(message: str, number: int, count: int) -> str:
    """The id of one recipient's row in the hold: the message's own for a single one."""
    return message if count == 1 else f"{message}x{number}"
