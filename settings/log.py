"""The configuration of logs."""

from typing import Literal

import msgspec

from settings.hold import Octets


class Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Structured logs on standard error, or in a file."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least grave line that is written; a message is one line of level `info`."""
    file: str = ""
    """Written to instead of standard error, which keeps what a crash says; empty where a journal
    reads that. Made where it is not there, and found again when it was renamed, within a second and
    without a signal (deploy/logrotate). Each process has its own: SENDGATE_LOG_FILE in its unit."""
    addresses: Literal["plain", "hashed"] = "plain"
    """`hashed` writes a keyed digest of local parts instead (domains stay readable)."""
    key: str = ""
    """Key of those digests, the same for gateways and control, so that a message is found by its
    recipient; better given as SENDGATE_LOG_KEY. Empty: a random one for each process, and none is
    found."""
    buffer: Octets = 1_048_576
    """Octets kept while standard error is blocked; beyond, lines are dropped and counted."""
