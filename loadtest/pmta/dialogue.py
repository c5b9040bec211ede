"""The SMTP dialogue: a command in, an answer out; no sockets, no buffers.

Sources: RFC 5321, RFC 2920, RFC 3207, RFC 4954; the wording of refusals is PowerMTA's where the
5.0 User's Guide gives it. An answer is the reply's bytes, or an Answer where more than a reply
follows (closing, TLS, waiting, silence).
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from loadtest.pmta import envelope, magic
from loadtest.pmta.counts import Totals
from loadtest.pmta.envelope import Envelope
from loadtest.pmta.intake import TAKEN, Intake
from loadtest.pmta.login import Login
from loadtest.pmta.magic import At
from loadtest.pmta.peer import Peer

OK = b"250 2.0.0 OK\r\n"
MAIL_OK = b"250 2.1.0 sender OK\r\n"
RCPT_OK = b"250 2.1.5 recipient OK\r\n"
SEQUENCE = b"503 5.5.1 bad sequence of commands\r\n"
UNKNOWN = b"500 5.5.2 command not recognised\r\n"
GO_AHEAD = b"354 send message\r\n"
NO_RECIPIENTS = b"554 5.5.1 no valid recipients\r\n"
TOO_BIG = b"552 5.3.4 message too big\r\n"
NO_RELAY = b"550 5.7.1 relaying denied\r\n"
NO_SERVICE = b"521 5.7.1 this server does not accept mail from you\r\n"
LOGIN_FIRST = b"530 5.7.0 authentication required\r\n"


class Then(enum.Enum):
    """What follows a reply."""

    GO_ON = enum.auto()
    CLOSE = enum.auto()
    TLS = enum.auto()
    SILENCE = enum.auto()


class Answer(NamedTuple):
    """A reply (may be empty), what follows it, and the seconds before it."""

    reply: bytes
    then: Then = Then.GO_ON
    delay: float = 0.0


TIRED = Answer(b"421 4.3.2 too many messages in this session, closing\r\n", Then.CLOSE)


@dataclass(frozen=True, slots=True)
class Offer:
    """What EHLO announces: name, login required, TLS available, largest message (0 = any)."""

    host_name: str = "pmta.test"
    login: tuple[str, str] | None = None
    tls: bool = False
    max_size: int = 0


class Dialogue:
    """One session's state between commands."""

    def __init__(self, intake: Intake, offer: Offer, peer: Peer) -> None:
        self._intake = intake
        self._offer = offer
        self._peer = peer
        self._greeted = False
        self._secured = False
        self._login: Login | None = None
        self._envelope: Envelope | None = None
        self._mails = 0
        self.reading_data = False

    @property
    def _totals(self) -> Totals:
        return self._intake.counts.totals

    def secured(self) -> None:
        """TLS is up: RFC 3207 4.2 has the session start afresh."""
        self._secured = True
        self._greeted = False
        self._envelope = None

    def command(self, line: bytes) -> bytes | Answer:
        """The answer to one line, its CRLF removed."""
        if self._login is not None:
            return self._logging_in(self._login.answer(line))
        verb, _, argument = line.partition(b" ")
        handler = VERBS.get(verb) or VERBS.get(verb.upper())
        return handler(self, argument) if handler else UNKNOWN

    def dot(self, raw: bytes) -> bytes | Answer:
        """The answer to the final dot behind message `raw` (dots unstuffed)."""
        current, self._envelope = self._envelope, None
        self.reading_data = False
        assert current is not None
        totals = self._totals
        totals.dots_after_refused_rcpt += bool(current.refused)
        if current.hazardous:
            self._intake.illegal_dot(current, len(raw))
        if not current.recipients:
            return NO_RECIPIENTS
        if fault := self._intake.faults.dot:
            totals.deferred_after_dot += fault[0] == "4"
            totals.refused_after_dot += fault[0] == "5"
            return _fault(fault)
        if 0 < self._offer.max_size < len(raw):
            totals.refused_after_dot += 1
            return TOO_BIG
        spell = next(
            (
                r.magic
                for r in current.recipients
                if r.magic and r.magic.at in (At.REFUSED, At.TAKEN)
            ),
            None,
        )
        if spell is not None and spell.at is At.REFUSED:
            return self._refused(spell)
        reply = self._intake.take(current, raw, self._peer)
        if spell is None or reply is not TAKEN:
            totals.refused_after_dot += reply is not TAKEN
            return reply
        return _taken(spell)

    def _refused(self, spell: magic.Magic) -> bytes | Answer:
        totals = self._totals
        if spell.name == "stall":
            totals.stalled += 1
            return Answer(b"", Then.SILENCE)
        if spell.name == "lose-after-dot":
            totals.lost_after_dot += 1
            return Answer(b"", Then.CLOSE)
        totals.deferred_after_dot += spell.reply.startswith(b"4")
        totals.refused_after_dot += spell.reply.startswith(b"5")
        return spell.reply

    def _ehlo(self, argument: bytes) -> bytes | Answer:
        if fault := self._intake.faults.ehlo:
            return _fault(fault)
        if not argument.strip():
            return b"501 5.5.4 name missing\r\n"
        self._greeted = True
        self._envelope = None
        lines = [self._offer.host_name, "PIPELINING", "8BITMIME", "DSN", "SMTPUTF8"]
        size = self._intake.faults.size
        said = f"SIZE {self._offer.max_size if size is None else size}".rstrip()
        lines += [said, "ENHANCEDSTATUSCODES"]
        if self._offer.tls and not self._secured:
            lines.append("STARTTLS")
        if self._offer.login:
            lines.append("AUTH PLAIN LOGIN")
        text = "".join(f"250-{line}\r\n" for line in lines[:-1]) + f"250 {lines[-1]}\r\n"
        return text.encode()

    def _helo(self, argument: bytes) -> bytes | Answer:
        answer = self._ehlo(argument)
        if isinstance(answer, Answer) or not self._greeted:
            return answer
        return f"250 {self._offer.host_name}\r\n".encode()

    def _starttls(self, argument: bytes) -> bytes | Answer:
        if fault := self._intake.faults.starttls:
            return _fault(fault)
        if not self._offer.tls or self._secured or argument.strip():
            return SEQUENCE
        return Answer(b"220 2.0.0 ready to start TLS\r\n", Then.TLS)

    def _auth(self, argument: bytes) -> bytes | Answer:
        if fault := self._intake.faults.auth:
            return _fault(fault)
        if not self._offer.login or not self._greeted or self._peer.user or self._envelope:
            return SEQUENCE
        self._login = Login(*self._offer.login)
        return self._logging_in(self._login.start(argument))

    def _logging_in(self, reply: bytes) -> bytes:
        assert self._login is not None
        if not reply.startswith(b"334"):
            self._peer.user = self._login.user
            self._totals.logins += bool(self._login.user)
            self._login = None
        return reply

    def _mail(self, argument: bytes) -> bytes | Answer:
        if fault := self._intake.faults.mail:
            return _fault(fault)
        self._mails += 1
        most = self._intake.faults.mails
        if most is not None and self._mails > most:
            return TIRED
        if not self._greeted or self._envelope is not None:
            return SEQUENCE
        if self._offer.login and not self._peer.user:
            return LOGIN_FIRST
        if not self._intake.routing.rules(self._peer.address).smtp_service:
            return NO_SERVICE
        parsed = envelope.mail(argument)
        if isinstance(parsed, bytes):
            return parsed
        if 0 < self._offer.max_size < parsed.size:
            return TOO_BIG
        if parsed.mail_from.partition("@")[0].lower() == magic.MAIL_FULL_SENDER:
            return magic.MAIL_FULL
        self._envelope = parsed
        return MAIL_OK

    def _rcpt(self, argument: bytes) -> bytes | Answer:
        current = self._envelope
        if current is None:
            return SEQUENCE
        if fault := self._intake.faults.rcpt:
            current.refused.append(argument.decode("ascii", "backslashreplace"))
            return _fault(fault)
        parsed = envelope.recipient(argument)
        if isinstance(parsed, bytes):
            return parsed
        if not self._intake.routing.rules(self._peer.address).always_allow_relaying:
            return NO_RELAY
        spell = parsed.magic
        if spell is None or spell.at is not At.RCPT:
            current.recipients.append(parsed)
            return RCPT_OK
        self._totals.rcpt_deferred += spell.reply.startswith(b"4")
        self._totals.rcpt_refused += spell.reply.startswith(b"5")
        current.refused.append(parsed.address)
        current.hazardous |= spell.name == "pipeline-354"
        return spell.reply

    def _data(self, argument: bytes) -> bytes | Answer:
        current = self._envelope
        if current is None or argument.strip():
            return SEQUENCE
        if not current.recipients and not current.hazardous:
            return NO_RECIPIENTS
        if any(r.magic and r.magic.name == "drop-before-dot" for r in current.recipients):
            return Answer(GO_AHEAD, Then.CLOSE)
        self.reading_data = True
        return GO_AHEAD

    def _rset(self, _: bytes) -> bytes:
        self._envelope = None
        return OK

    def _noop(self, _: bytes) -> bytes:
        return OK

    def _vrfy(self, _: bytes) -> bytes:
        return b"252 2.1.5 send some mail, it will be tried\r\n"

    def _quit(self, _: bytes) -> Answer:
        return Answer(b"221 2.0.0 closing connection\r\n", Then.CLOSE)


def _taken(spell: magic.Magic) -> bytes | Answer:
    if spell.name == "late":
        return Answer(TAKEN, delay=spell.seconds)
    if spell.name == "drop-after-dot":
        return Answer(b"", Then.CLOSE)
    return spell.reply if spell.name == "garbage" else TAKEN + spell.reply


def _fault(reply: str) -> Answer:
    closing = reply.startswith("421")
    return Answer(reply.encode() + b"\r\n", Then.CLOSE if closing else Then.GO_ON)


Handler = Callable[[Dialogue, bytes], bytes | Answer]
VERBS: dict[bytes, Handler] = {
    b"EHLO": Dialogue._ehlo,
    b"HELO": Dialogue._helo,
    b"STARTTLS": Dialogue._starttls,
    b"AUTH": Dialogue._auth,
    b"MAIL": Dialogue._mail,
    b"RCPT": Dialogue._rcpt,
    b"DATA": Dialogue._data,
    b"RSET": Dialogue._rset,
    b"NOOP": Dialogue._noop,
    b"VRFY": Dialogue._vrfy,
    b"QUIT": Dialogue._quit,
}
