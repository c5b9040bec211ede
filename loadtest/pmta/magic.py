"""Recipients that ask for trouble by their local part; the domain is free (it is the provider).

Each acts for its own recipient, whatever the letters' case, and may carry a tag to make it unique:
``bounce+17@gmail.example`` is ``bounce@``. Where several recipients of one message ask for
something after the dot, the first one is obeyed.

=================== ==================================================================
at RCPT
``refuse``          550 5.1.1
``suppressed``      550 5.7.1 recipient is in suppression list
``defer``           451 4.2.1
``pipeline-354``    550 5.1.1, yet DATA is answered 354 (the hazard of RFC 2920, 3.1); a dot that
                    arrives all the same is listed under ``illegal_dots`` of the report
at DATA
``drop-before-dot`` 354, then the connection closes
after the dot, message not taken
``refuse-data``     554 5.6.0
``defer-data``      451 4.3.0
``lose-after-dot``  closes without a reply
``stall``           no reply until the client disconnects
after the dot, message taken
``late-SECONDS``    the 250 comes after so many seconds (decimals allowed)
``drop-after-dot``  closes without a reply
``garbage``         a malformed line instead of the reply
``extra``           the 250, and an unsolicited 250 behind it
taken and answered as usual
``queued``          never attempted (only an r record) until ``POST /release``
``bounce``          r, then b: 5.1.1, bad-mailbox
``transient``       r, then t; d at the next attempt
anything else       r, then d
=================== ==================================================================

One sender: ``mailfull@`` is answered ``452 4.3.2`` at MAIL, which knows no recipient yet.
"""

import enum
import re
from typing import NamedTuple


class At(enum.Enum):
    """When a magic recipient acts."""

    RCPT = enum.auto()
    DATA = enum.auto()
    REFUSED = enum.auto()
    """After the dot, message not taken."""
    TAKEN = enum.auto()
    """After the dot, message taken."""
    ATTEMPT = enum.auto()


class Magic(NamedTuple):
    """One behaviour: when it acts, its name, its reply where it has one, its delay in seconds."""

    at: At
    name: str
    reply: bytes = b""
    seconds: float = 0.0


MAIL_FULL = b"452 4.3.2 Server resources temporarily exhausted\r\n"
MAIL_FULL_SENDER = "mailfull"
LATE = re.compile(r"late-(\d{1,6}(?:\.\d{1,3})?)")

KNOWN = {
    magic.name: magic
    for magic in (
        Magic(At.RCPT, "refuse", b"550 5.1.1 bad destination mailbox address\r\n"),
        Magic(At.RCPT, "suppressed", b"550 5.7.1 recipient is in suppression list\r\n"),
        Magic(At.RCPT, "defer", b"451 4.2.1 mailbox temporarily disabled\r\n"),
        Magic(At.RCPT, "pipeline-354", b"550 5.1.1 bad destination mailbox address\r\n"),
        Magic(At.DATA, "drop-before-dot"),
        Magic(At.REFUSED, "refuse-data", b"554 5.6.0 content refused\r\n"),
        Magic(At.REFUSED, "defer-data", b"451 4.3.0 try again later\r\n"),
        Magic(At.REFUSED, "lose-after-dot"),
        Magic(At.REFUSED, "stall"),
        Magic(At.TAKEN, "drop-after-dot"),
        Magic(At.TAKEN, "garbage", b"2x0 what\r\n"),
        Magic(At.TAKEN, "extra", b"250 2.0.0 nobody asked\r\n"),
        Magic(At.ATTEMPT, "queued"),
        Magic(At.ATTEMPT, "bounce"),
        Magic(At.ATTEMPT, "transient"),
    )
}


def magic_of(local_part: str) -> Magic | None:
    """The behaviour `local_part` asks for, None for an ordinary recipient."""
    name = local_part.partition("+")[0].lower()
    if late := LATE.fullmatch(name):
        return Magic(At.TAKEN, "late", seconds=float(late[1]))
    return KNOWN.get(name)
