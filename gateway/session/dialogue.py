"""What one client session is made of: its lines, its connection, what it is told, who it is.

Owns: replies on their way out, the bound on bad commands, the login that counts. Not here: whose
turn it is (`session.conversation`), the commands (`session.listener`), AUTH's own dialogue
(`session.login`).
A protocol of asyncio by its methods alone: a class with an interpreted base is not compiled to one
of fixed fields, and this is what every line of every client passes.
"""

import asyncio
import ssl
from abc import abstractmethod
from typing import cast

from gateway.message.trace import transmission
from gateway.session.inbound import Inbound
from gateway.session.linereader import LineReader
from gateway.session.service import Service
from policy.reply import Reply, enhanced

BUFFER = 65_536
LONGEST_AUTH = 12_288  # RFC 4954 section 4
_MOST_FAULTS = 10
_HANDSHAKE = 60.0
"""Seconds, at most."""


class OverError(Exception):
    """The session is over; its last reply was written."""


class Dialogue:
    """The part of a session that answers and knows who the client is."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.loop = asyncio.get_running_loop()
        self.lines = LineReader(limit=BUFFER, loop=self.loop)
        self.inbound = Inbound(service)
        self.transport: asyncio.Transport | None = None
        self.below: asyncio.Transport | None = None
        """The plain transport, once `encrypt` has put another one on top."""
        self.busy = False
        """We are the ones who are waited for."""
        self.shaking = False
        """A TLS handshake is under way or next: nothing may be said in plain."""
        self.peer = ""
        self.hostname = ""
        """As the client names itself; empty before EHLO or HELO."""
        self.extended = False
        """It said EHLO."""
        self.tenant: str | None = None
        self.login = ""
        self.auth_failures = 0
        self._login_entry: tuple[str, str] | None = None
        self._faults = 0
        self._out = b""

    # Replies

    def say(self, answer: Reply) -> None:
        self._out += answer.line

    def say_line(self, line: bytes) -> None:
        """`line` with its CRLF."""
        self._out += line

    def flush(self) -> None:
        if not self._out:
            return
        out, self._out = self._out, b""
        if not self.gone:
            assert self.transport is not None
            self.transport.write(out)

    def fault(self, answer: Reply) -> None:
        """Answer a bad command. Raises OverError after too many since mail was taken last."""
        self._faults += 1
        if self._faults > _MOST_FAULTS:
            self.say(Reply(421, "4.7.0", "too many bad commands, closing"))
            raise OverError
        self.say(answer)

    def conclude(self, answer: Reply) -> None:
        """Answer a whole message. Mail that is taken forgives bad commands: a client that tries one
        too many before each, hours on one connection, does no harm (Postfix's
        smtpd_hard_error_limit counts the same)."""
        self.say(enhanced(answer))
        if answer.positive:
            self._faults = 0

    # Connection

    @property
    def gone(self) -> bool:
        """Nothing can be said any more. Under TLS the plain transport below knows it first."""
        if self.below is not None and self.below.is_closing():
            return True
        return self.transport is None or self.transport.is_closing()

    @property
    def unread(self) -> int:
        """Octets of ours that the client has not taken yet."""
        if self.gone:
            return 0
        return cast(asyncio.Transport, self.transport).get_write_buffer_size()

    @property
    def encrypted(self) -> bool:
        """STARTTLS was carried out, or what stands for it behind a PROXY header."""
        return self.below is not None

    @property
    @abstractmethod
    def secured(self) -> bool:
        """TLS is on, from STARTTLS or from the first octet."""

    @property
    def transmission(self) -> str:
        """How mail comes now (RFC 3848)."""
        return transmission(extended=self.extended, secured=self.secured, login=self.login != "")

    async def encrypt(self, plain: asyncio.Transport, context: ssl.SSLContext) -> None:
        """Put TLS on top of `plain`; RFC 3207 4.2: nothing learned before survives it, a login
        least of all. Raises ConnectionError or SSLError without a handshake, OverError when nobody
        is left."""
        # What came in plain after the command; from here on nothing but TLS reaches the session,
        # and it may do so before the loop has told us that the handshake is done.
        self.lines.clear()
        self.lines.attach(None)
        self.inbound.reset()
        self.hostname, self.extended = "", False
        self.log_out()
        self.busy = self.shaking = True
        patience = min(self.service.settings.command_timeout, _HANDSHAKE)
        try:
            transport = await self.loop.start_tls(
                plain, cast(asyncio.Protocol, self), context,
                server_side=True, ssl_handshake_timeout=patience,
            )  # fmt: skip
        except ssl.SSLError:
            raise
        except OSError as error:
            raise ConnectionError(str(error)) from error  # EHOSTUNREACH and its kin
        finally:
            self.busy = self.shaking = False
        if transport is None or plain.is_closing():
            raise OverError
        self.below, self.transport = plain, transport
        self.lines.attach(transport)

    # Login

    def log_in(self, login: str, entry: tuple[str, str]) -> None:
        """`entry`: (tenant, hash) that the password was checked against."""
        self.tenant, self.login, self._login_entry = entry[0], login, entry

    def log_out(self) -> None:
        self.login, self._login_entry = "", None
        self.tenant = self.service.origin(self.peer).tenant

    def still_logged_in(self) -> None:
        """A password that was changed or ended, or a login that was removed, ends the sessions it
        began; so does a network that was removed, or names another tenant by now."""
        entry = self._login_entry
        if not self.login or entry is None or not self.service.admits(self.login, entry):
            self.log_out()
