"""What PowerMTA's answer to one attempt means (policy/README.md: outcomes).

Owns: the table from (stage, reply) to an outcome. Not here: what is done about it.
Rule: only a definite verdict about this recipient or this content is the client's;
everything else is ours, and what is unknown is never called failed.
"""

import re
from enum import StrEnum

import msgspec

from policy.reply import Reply


class Stage(StrEnum):
    """The command that a reply answers."""

    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


class Scope(StrEnum):
    """Whom a failure concerns: it decides which circuit counts it."""

    MESSAGE = "message"
    """This message, its sender or its recipient, or nobody: no circuit counts it."""
    VMTA = "vmta"
    SERVER = "server"


class Asked(StrEnum):
    """What PowerMTA had been asked when an attempt failed: what can be charged to the message."""

    NOTHING = "nothing"
    """The attempt was not begun: the message merely rests, and goes again at once."""
    SESSION = "session"
    """None could be opened: the message waits longer each time, and it says nothing about it."""
    MESSAGE = "message"
    """PowerMTA was told of the message: it may be the message's own, if others pass."""


class Relayed(msgspec.Struct, frozen=True):
    """PowerMTA took it. Stays charged."""

    reply: Reply


class Refused(msgspec.Struct, frozen=True):
    """A verdict about the recipient or the content: refunded, passed on in PowerMTA's words."""

    reply: Reply
    stage: Stage


class Failed(msgspec.Struct, frozen=True):
    """Ours, not the recipient's: refunded, kept away from the client's bounce handling."""

    why: str
    scope: Scope
    immediate: bool = False
    """Opens the circuit at once: refused greetings, logins, VirtualMTAs do not heal by waiting."""
    asked: Asked = Asked.MESSAGE
    full: bool = False
    """PowerMTA greeted 421: all its slots are taken. It is well, and one may be free soon."""

    @property
    def rests(self) -> bool:
        """The attempt was not begun."""
        return self.asked is Asked.NOTHING

    @property
    def own(self) -> bool:
        """The message's own: no other IP would do better."""
        return self.scope is Scope.MESSAGE and not self.rests


class Unknown(msgspec.Struct, frozen=True):
    """The dot was sent and no reply came. Stays charged, for PowerMTA may have taken it."""

    why: str


Outcome = Relayed | Refused | Failed | Unknown

# 5xx about the session, not about a recipient (RFC 5321 4.2.2, RFC 4954 section 6).
_SESSION_CODES = frozenset({502, 503, 504, 521, 530, 534, 535, 538})
_MAIL_REFUSED_CODES = frozenset({552, 553, 555})
_MAIL_REFUSED_STATUS = re.compile(r"5\.(?:1\.7|1\.8|3\.4|6\.\d{1,3})\Z")
# 4xx that speak of one message, not of the server (RFC 3463): its addresses, its size, its content,
# and, once the content was seen, its mailbox and what policy says of it.
_OF_MESSAGE = {
    Stage.MAIL: re.compile(r"4\.(?:1\.7|1\.8|3\.4|6\.\d{1,3})\Z"),
    Stage.DOT: re.compile(r"4\.(?:[1267]\.\d{1,3}|3\.4)\Z"),
}
# 5xx to MAIL that may be about its sender or its parameters and are no verdict PowerMTA gives.
_MAIL_OF_MESSAGE = re.compile(r"5\.(?:1\.\d{1,3}|5\.[24])\Z")
_RELAYING = re.compile(
    r"relay(?:ing)?\b.*\b(?:denied|not|prohibited|disallowed)|(?:not|cannot|unable to) relay", re.I
)
_UNKNOWN_VMTA = re.compile(r"virtual\s*mta", re.I)

DEFAULT_SUPPRESSION = r"suppress"
"""PowerMTA: `550 5.7.1 recipient is in suppression list`; also matches 'suppressed'."""


def classify(stage: Stage, reply: Reply, suppression: re.Pattern[str]) -> Outcome:
    """The outcome of one reply that ends an attempt. `suppression` tells a PowerMTA suppression
    list's 550 5.7.1 from a refusal to relay.

    Raises ValueError for a positive reply that does not end an attempt: that is a bug."""
    code, status, text = reply.code, reply.status, reply.text
    if stage is Stage.DOT and 200 <= code < 300:
        return Relayed(reply)
    said = f"{stage}: {reply}"
    if reply.positive:
        raise ValueError(f"{said} does not end an attempt")
    if stage in (Stage.GREETING, Stage.EHLO, Stage.STARTTLS, Stage.AUTH):
        full = stage is Stage.GREETING and code == 421
        return Failed(
            said,
            Scope.SERVER,
            immediate=stage in (Stage.GREETING, Stage.AUTH),
            asked=Asked.NOTHING if full else Asked.SESSION,
            full=full,
        )
    if reply.transient:
        return Failed(said, _scope_of_transient(stage, reply))
    if code in _SESSION_CODES:
        return Failed(said, Scope.SERVER, immediate=code in (530, 535, 538))
    if status == "5.5.0" or (status.startswith("5.5.") and _UNKNOWN_VMTA.search(text)):
        return Failed(said, Scope.VMTA, immediate=True)
    if _RELAYING.search(text):
        return Failed(said, Scope.SERVER)
    if stage is Stage.MAIL:
        refused = code in _MAIL_REFUSED_CODES or bool(_MAIL_REFUSED_STATUS.match(status))
        if refused:
            return Refused(reply, stage)
        own = code == 501 or bool(_MAIL_OF_MESSAGE.match(status))
        return Failed(said, Scope.MESSAGE if own else Scope.SERVER)
    if stage is Stage.RCPT and status == "5.7.1" and not suppression.search(text):
        # Nobody knows what policy this is; that it is said of one recipient says nothing of others.
        return Failed(said, Scope.MESSAGE)
    if stage is Stage.DATA:
        # The refusal of DATA itself speaks of the session, not of content nobody has sent yet.
        return Failed(said, Scope.SERVER)
    return Refused(reply, stage)


def _scope_of_transient(stage: Stage, reply: Reply) -> Scope:
    """A 421 is about the channel at any command (RFC 5321 section 3.8)."""
    if reply.code == 421:
        return Scope.SERVER
    if stage is Stage.RCPT:
        return Scope.MESSAGE
    table = _OF_MESSAGE.get(stage)
    return Scope.MESSAGE if table is not None and table.match(reply.status) else Scope.SERVER
