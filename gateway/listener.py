"""One client session, on aiosmtpd's STARTTLS, AUTH and PROXY, with our own dialogue.

Beside `gateway.conversation` and `gateway.login` the only file that names aiosmtpd. Owns: the
commands and their replies, who the client is. Not here: turns and the end of a session
(`gateway.conversation`), MAIL, RCPT and content (`gateway.inbound`).
Measured: aiosmtpd inspects its handler for every connection and awaits once for every line of
DATA; leaving both out is 4 to 6 times faster (README, chosen parts).
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from aiosmtpd.proxy_protocol import get_proxy
from aiosmtpd.smtp import Envelope
from aiosmtpd.smtp import Session as ClientSession

from gateway import metrics
from gateway.conversation import Conversation
from gateway.linereader import LineFault
from gateway.login import LONGEST_AUTH, OverError
from gateway.service import Service, within
from policy import reply
from policy.reply import Reply
from settings.model import Listener

# aiosmtpd logs every command with its arguments; our own log has what matters, masked.
logging.getLogger("mail.log").disabled = True

_LONGEST_COMMAND = 2048
_LOCAL = 0  # PROXY protocol 2.2: the balancer speaks for itself
_CONTROL = bytes([*range(0x20), 0x7F])


class SmtpSession(Conversation):
    """One connection."""

    def __init__(self, service: Service, listener: Listener) -> None:
        super().__init__(service)
        self._listener = listener
        # What aiosmtpd's constructor sets, without its introspection per connection.
        self.hostname = service.hostname
        self.tls_context = service.tls if listener.tls == "starttls" else None
        self.require_starttls = listener.tls == "starttls" and listener.require_tls
        self._auth_require_tls = listener.tls != "implicit"
        self._handle_hooks = {}
        self._tls_handshake_okay = True
        self._timeout_handle = None
        self._tls_protocol = None
        self._original_transport = None
        self._handler_coroutine = None
        self.session = None
        self.envelope = None

    # Connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._original_transport is not None:
            super().connection_made(transport)
            # RFC 3207 4.2: nothing learned before TLS survives it, a login least of all.
            self._lines.clear()
            self._log_out()
            return
        asyncio.StreamReaderProtocol.connection_made(self, transport)
        self.transport = transport  # type: ignore[assignment]
        self.session = ClientSession(self.loop)
        self._service.live.add(self)
        metrics.sessions.inc()
        self._renew(self._service.settings.command_timeout)
        self._arm()
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        if self._listener.proxy_protocol:
            self._occupy(self._balanced(), self._welcome)
        else:
            self._turn(self._welcome, True)

    def _create_session(self) -> ClientSession:
        return ClientSession(self.loop)

    def _create_envelope(self) -> Envelope:
        """aiosmtpd asks for a new one when TLS begins."""
        self._inbound.reset()
        return Envelope()

    def _reset_timeout(self, duration: float | None = None) -> None:
        """aiosmtpd's way to renew its timer."""
        self._renew(duration or self._service.settings.command_timeout)

    @property
    def _secured(self) -> bool:
        return self._tls_protocol is not None or self._listener.tls == "implicit"

    async def _balanced(self) -> bool:
        """Who the client is, in the words of its balancer; False when there is none."""
        service = self._service
        if not within(self._peer, service.balancers):
            service.log.warning("proxy_refused", peer=self._peer)
            return False
        try:
            async with asyncio.timeout(service.settings.proxy_timeout):
                found = await get_proxy(self._lines)
        except (TimeoutError, asyncio.IncompleteReadError):
            return False  # silent, or a balancer's look whether we are there
        if not found.valid:
            service.log.warning("proxy_malformed", peer=self._peer)
            return False
        if found.src_addr and found.command != _LOCAL:
            self._peer = str(found.src_addr)
        return True

    def _welcome(self, known: bool) -> None:
        sessions = self._service.sessions
        if not known:
            raise OverError
        if self._service.closing:
            self._greet(False)
        elif sessions.enter_now():
            self._greet(True)
        else:
            self._busy = True
            self._occupy(sessions.enter(), self._greet)

    def _greet(self, entered: bool) -> None:
        service = self._service
        self._busy = False
        self._entered = entered
        if not entered or service.closing:
            metrics.connections.labels("busy").inc()
            self._say(reply.SHUTTING_DOWN if service.closing else reply.BUSY)
            raise OverError
        metrics.connections.labels("served").inc()
        origin = service.origin(self._peer)
        self._tenant = origin.tenant
        if origin.plain_auth:
            self._auth_require_tls = False
        self._out += service.greeting
        self._renew(service.settings.command_timeout)

    # Commands

    async def push(self, status: str | bytes) -> None:
        """aiosmtpd's way to reply; what it may repeat of the client's words is made safe."""
        text = status if isinstance(status, bytes) else status.encode("ascii", "replace")
        self._out += text.replace(b"\r", b" ").replace(b"\n", b" ") + b"\r\n"
        if text.startswith(b"220"):
            self._flush()  # TLS begins right after it

    def _command_line(self, line: bytes | LineFault) -> None:
        if isinstance(line, LineFault):
            self._fault(Reply(500, "5.5.2", line.value))
            return
        verb, _, argument = line.partition(b" ")
        verb = verb.upper()
        if len(line) > _LONGEST_COMMAND and (verb != b"AUTH" or len(line) > LONGEST_AUTH):
            self._fault(Reply(500, "5.5.2", LineFault.TOO_LONG.value))
        elif len(line.translate(None, _CONTROL)) != len(line):
            self._fault(reply.syntax("control characters in a command", "5.5.2"))
        elif self.require_starttls and not self._tls_protocol and verb not in _BEFORE_TLS:
            self._say(reply.TLS_FIRST)
        elif (step := _TRANSACTION.get(verb)) is not None:
            self._transaction(step, argument)
        elif verb == b"QUIT":
            self._out += b"221 2.0.0 Bye\r\n"
            raise OverError
        elif verb in _FOREIGN or b":" in verb:
            # Content that nobody asked for, or HTTP: what follows was never meant as commands.
            self._say(_NOT_OFFERED if verb == b"BDAT" else _NO_SMTP)
            raise OverError
        elif (command := _COMMANDS.get(verb)) is not None:
            command(self, argument.strip().decode("utf-8", "replace"))
        elif (work := _WAITING.get(verb)) is not None:
            text = argument.strip().decode("utf-8", "replace")
            self._occupy(work(self, text or None), lambda _: None)
        else:
            self._fault(Reply(500, "5.5.1", "command not recognized"))

    def _log_out(self) -> None:
        self._login, self._login_entry = "", None
        self._tenant = self._service.origin(self._peer).tenant

    def _still_logged_in(self) -> None:
        """A password that was changed, or a login that was removed, ends the sessions it began."""
        if self._login and self._service.login_entry(self._login) != self._login_entry:
            assert self.session is not None
            self.session.authenticated = None
            self._log_out()

    def _transaction(
        self, step: Callable[["SmtpSession", bytes, str], None], argument: bytes
    ) -> None:
        assert self.session is not None
        if step is SmtpSession._mail:
            self._still_logged_in()
        if not self.session.host_name:
            self._say(reply.BAD_SEQUENCE_EHLO)
        elif self._tenant is None:
            self._say(reply.AUTH_FIRST)
        else:
            step(self, argument, self._tenant)

    def _mail(self, argument: bytes, tenant: str) -> None:
        most = self._service.settings.max_session_transactions
        if self._service.closing or self._inbound.count >= most:
            self._say(reply.SHUTTING_DOWN)
            raise OverError
        assert self.session is not None
        self._say(self._inbound.mail(argument, tenant, esmtp=self.session.extended_smtp))

    def _rcpt(self, argument: bytes, tenant: str) -> None:
        assert self.session is not None
        self._say(self._inbound.rcpt(argument, tenant, esmtp=self.session.extended_smtp))

    def _data(self, argument: bytes, tenant: str) -> None:
        del tenant
        answer = self._inbound.data(argument)
        self._say(answer)
        if answer is reply.GO_AHEAD:
            self._inbound.begin(self.loop.time())
            self._deadline = self._inbound.patience

    def _hello(self, hostname: str, *, extended: bool) -> None:
        if not hostname:
            self._say(reply.syntax(f"syntax: {'EHLO' if extended else 'HELO'} hostname"))
            return
        assert self.session is not None
        self._inbound.reset()
        self.session.extended_smtp = extended
        self.session.host_name = hostname[:255]
        if extended:
            self._out += _offers(
                self.hostname,
                self._service.max_message_size,
                starttls=self.tls_context is not None and not self._tls_protocol,
                auth=not self._auth_require_tls or bool(self._tls_protocol),
            )
        else:
            self._out += f"250 {self.hostname}\r\n".encode()

    def _ehlo(self, hostname: str) -> None:
        self._hello(hostname, extended=True)

    def _helo(self, hostname: str) -> None:
        self._hello(hostname, extended=False)

    def _rset(self, argument: str) -> None:
        if argument:
            self._say(reply.syntax("syntax: RSET"))
            return
        self._inbound.reset()
        self._say(reply.OK)

    def _noop(self, argument: str) -> None:
        del argument
        self._say(reply.OK)

    def _vrfy(self, argument: str) -> None:
        """RFC 5321 7.3: no address is confirmed or denied."""
        self._say(_CANNOT_VRFY if argument else _VRFY_SYNTAX)

    def _help(self, argument: str) -> None:
        del argument
        self._say(_SEE_RFC)

    def _tls_begun(self) -> bool:
        return self._tls_protocol is not None

    async def smtp_STARTTLS(self, arg: str | None) -> None:
        if self._tls_begun():
            self._say(Reply(503, "5.5.1", "TLS is on already"))
            return
        self._flush()
        # aiosmtpd points both at the new transport; a StreamWriter would close it when dropped.
        self._reader = self._lines
        self._writer: Any = SimpleNamespace(_transport=None)
        await super().smtp_STARTTLS(arg or "")
        if self._tls_begun() and (self.session is None or self.session.ssl is None):
            # The handshake ended without an error and without TLS: the client went away.
            self.cut()
            raise OverError


@lru_cache(maxsize=64)
def _offers(hostname: str, size: int, *, starttls: bool, auth: bool) -> bytes:
    """The reply to EHLO."""
    offers = [hostname, "PIPELINING", f"SIZE {size}", "8BITMIME", "SMTPUTF8", "DSN"]
    offers += ["ENHANCEDSTATUSCODES"]
    if starttls:
        offers.append("STARTTLS")
    if auth:
        offers.append("AUTH LOGIN PLAIN")
    lines = [f"250-{offer}\r\n" for offer in offers[:-1]]
    return "".join([*lines, f"250 {offers[-1]}\r\n"]).encode()


_CANNOT_VRFY = Reply(252, "2.5.0", "cannot verify, send it and see")
_VRFY_SYNTAX = reply.syntax("syntax: VRFY address")
_SEE_RFC = Reply(214, "2.0.0", "see RFC 5321")
_NOT_OFFERED = Reply(502, "5.5.1", "BDAT is not offered, closing")
_NO_SMTP = Reply(421, "4.7.0", "this is no SMTP command, closing")
_FOREIGN = frozenset(
    {b".", b"BDAT", b"CONNECT", b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"POST", b"PUT", b"TRACE"}
)
_BEFORE_TLS = frozenset({b"EHLO", b"HELO", b"STARTTLS", b"NOOP", b"RSET", b"QUIT"}) | _FOREIGN
_TRANSACTION: dict[bytes, Callable[[SmtpSession, bytes, str], None]] = {
    b"MAIL": SmtpSession._mail,
    b"RCPT": SmtpSession._rcpt,
    b"DATA": SmtpSession._data,
}
_COMMANDS: dict[bytes, Callable[[SmtpSession, str], None]] = {
    b"EHLO": SmtpSession._ehlo,
    b"HELO": SmtpSession._helo,
    b"RSET": SmtpSession._rset,
    b"NOOP": SmtpSession._noop,
    b"VRFY": SmtpSession._vrfy,
    b"HELP": SmtpSession._help,
}
_WAITING: dict[bytes, Callable[[SmtpSession, Any], Coroutine[Any, Any, None]]] = {
    b"STARTTLS": SmtpSession.smtp_STARTTLS,
    b"AUTH": SmtpSession.smtp_AUTH,
}
"""Commands with a dialogue of their own."""
