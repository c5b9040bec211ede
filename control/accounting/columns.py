"""Where the fields of a record stand, by the names in its file's header. Pure.

Never by position: the columns are what an operator configured, and records may be shorter than the
header.
"""

import re
from datetime import UTC, datetime

_LONGEST = 255
_TIMES = 10_000
_AMERICAN = re.compile(r"(\d\d)/(\d\d)/(\d{4}) (\d\d:\d\d:\d\d)(.*)", re.DOTALL)

NEEDED = ("rcpt", "vmta", "envId")
"""Columns without which a receipt proves nothing, or not for whom."""


ALIASES = {
    "time_logged": "timelogged",
    "timestamp": "timelogged",
    "time_queued": "timequeued",
    "timeimprinted": "timequeued",
    "recipient": "rcpt",
    "email": "rcpt",
    "sender": "orig",
    "originator": "orig",
    "env_id": "envid",
    "envelope_id": "envid",
    "dsn_action": "dsnaction",
    "dsn_status": "dsnstatus",
    "dsn_diag": "dsndiag",
    "reason": "dsndiag",
    "dsn_mta": "dsnmta",
    "bounce_cat": "bouncecat",
    "bounce_category": "bouncecat",
    "virtual_mta": "vmta",
    "pool": "vmtapool",
    "vmta_pool": "vmtapool",
    "source_ip": "dlvsourceip",
    "dlv_source_ip": "dlvsourceip",
    "job_id": "jobid",
    "rcv_smtp_user": "rcvsmtpuser",
    "src_mta": "srcmta",
    "header_message_id": "header_message-id",
    "feedback_type": "feedbacktype",
}
"""Names that forwarders write in place of PowerMTA's, and old versions' (`timeImprinted`, 3.x), to
those of its guide; both in lower case."""


class Columns:
    """The places of the fields; a field that is not there reads as ''."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.lowered = lowered = [ALIASES.get(name.lower(), name.lower()) for name in names]
        self.width = len(names)

        def place(name: str) -> int:
            return lowered.index(name.lower()) if name.lower() in lowered else len(lowered)

        self.time = place("timeLogged")
        self.rcpt, self.vmta, self.envid = (place(name) for name in NEEDED)
        self.missing = tuple(name for name in NEEDED if place(name) == len(lowered))
        found = [at for at in (self.rcpt, self.vmta, self.envid) if at < self.width]
        self.whole_receipt = max(found, default=0) + 1
        """Fewest fields of a record that can be a receipt."""
        self.times = frozenset(at for at, name in enumerate(lowered) if name.startswith("time"))
        only = ("timequeued", "vmta", "queue", "dlvtype", "dlvsize")
        self.not_remote = tuple(lowered.index(name) for name in only if name in lowered)
        """Fields that the records of remote bounces (rb, rs) never have."""


def names_of(fields: list[str]) -> tuple[str, ...]:
    """The names in a header line."""
    return tuple(storable(name.lstrip(MARK).strip().replace(",", "_")) for name in fields)


MARK = "\ufeff"
"""Excel's byte order mark, should somebody have saved the file with it."""


def field(fields: list[str], place: int) -> str:
    """The field there; '' behind the end of a short record."""
    return fields[place] if place < len(fields) else ""


def milliseconds(text: str) -> int | None:
    """A record's time: `2019-02-08 21:54:05+0000`, MM/DD/YYYY HH:MM:SS or epoch seconds.

    UTC where no zone is named. None when it is none of these."""
    if text.isascii() and text.isdigit():
        return int(text) * 1000 if 8 < len(text) < 12 else None
    if match := _AMERICAN.fullmatch(text):
        text = f"{match[3]}-{match[1]}-{match[2]} {match[4]}{match[5]}"
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return round(time.timestamp() * 1000)


class Times:
    """Times that were read: they repeat in record after record."""

    def __init__(self) -> None:
        self._known: dict[str, int | None] = {}

    def __call__(self, text: str) -> int | None:
        """As `milliseconds`."""
        if text in self._known:
            return self._known[text]
        if len(self._known) > _TIMES:
            self._known.clear()
        found = self._known[text] = milliseconds(text)
        return found


def storable(text: str) -> str:
    """Text from a file as PostgreSQL and an index take it: no surrogates, no NUL, not for ever."""
    clean = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return clean[:_LONGEST]
