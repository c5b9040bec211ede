"""One client session: the commands and their replies, and how a connection begins.

Not here: turns and the end of a session (`session.conversation`), MAIL, RCPT and content
(`session.inbound`), where a PROXY header ends (`session.proxyheader`).
Measured: aiosmtpd inspects its handler for every connection and awaits once for every line of
DATA; leaving both out is 4 to 6 times faster (README, chosen parts).
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any, cast

from gateway.session.conversation import Conversation
from gateway.session.dialogue import LONGEST_AUTH, OverError
from gateway.session.linereader import LineFault
from gateway.session.login import MECHANISMS, Login
from gateway.session.proxyheader import ProxyHeader
from gateway.session.service import Service
from policy import reply
from policy.node import node_name, within
from policy.reply import Reply
from settings.model import Listener

_LONGEST_COMMAND = 2048
_BLANKS = (b" ", b"\t")
_CONTROL = bytes([*range(0x20), 0x7F])


class SmtpSession(Conversation):
    """One connection."""

    def __init__(self, service: Service, listener: Listener) -> None:
        super().__init__(service)
        self._listener = listener
        self._plain_auth = listener.tls == "implicit"
        """A login is taken although STARTTLS was not carried out."""
        self._insists = listener.tls == "starttls" and listener.require_tls
        """Nothing is done before STARTTLS."""

    # Connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.lines.attach(self.transport)
        self.service.live.add(self)
        self._renew(self.service.settings.command_timeout)
        self._arm()
        peer = transport.get_extra_info("peername")
        self.peer = node_name(str(peer[0])) if peer else ""
        if not self._listener.proxy_protocol:
            self._turn(self._welcome, True)
        elif not within(self.peer, self.service.balancers):
            if self.peer:  # else it was reset before we saw it, as HAProxy's checks do
                self.service.log.warning("proxy_refused", peer=self.peer)
            self._turn(self._welcome, False)
        else:
            header = ProxyHeader(self.transport, cast(asyncio.Protocol, self), self.service.log)
            self.transport.set_protocol(header)
            # Before TLS nothing may be said in plain, "closing" and "idle" neither.
            self.busy = self.shaking = self._listener.tls == "implicit"
            self._occupy(self._balanced(header, self.transport), self._welcome)

    @property
    def secured(self) -> bool:
        return self.encrypted or self._listener.tls == "implicit"

    async def _balanced(self, header: ProxyHeader, plain: asyncio.Transport) -> bool:
        """Who the client is, in the words of its balancer; False when there is none. What follows
        the header is the session's, or its TLS's. Raises as `encrypt`."""
        service = self.service
        client = await header.client(self.peer, service.settings.proxy_timeout)
        if not client or self.gone:
            return False
        self.peer = client
        if self._listener.tls != "implicit":
            plain.set_protocol(cast(asyncio.Protocol, self))
            plain.resume_reading()
        elif (context := service.tls) is not None:
            await self.encrypt(plain, context)
        return True

    def _welcome(self, known: bool) -> None:
        sessions = self.service.sessions
        if not known:
            raise OverError
        if self.service.closing:
            self._greet(False)
        elif sessions.enter_now():
            self._greet(True)
        else:
            self.busy = True
            self._occupy(sessions.enter(), self._greet)

    def _greet(self, entered: bool) -> None:
        service = self.service
        self.busy = False
        self._entered = entered
        if not entered or service.closing:
            service.sessions.greeted(False)
            self.say(reply.SHUTTING_DOWN if service.closing else reply.BUSY)
            raise OverError
        service.sessions.greeted(True)
        origin = service.origin(self.peer)
        self.tenant = origin.tenant
        self._plain_auth = self._plain_auth or origin.plain_auth
        self.say_line(service.greeting)
        self._renew(service.settings.command_timeout)

    # Commands

    def _command_line(self, line: bytes | LineFault) -> None:
        if isinstance(line, LineFault):
            self.fault(Reply(500, "5.5.2", line.value))
            return
        if line.endswith(_BLANKS) or b"\t" in line:
            line = _tidy(line)
        verb, _, argument = line.partition(b" ")
        verb = verb.upper()
        if len(line) > _LONGEST_COMMAND and (verb != b"AUTH" or len(line) > LONGEST_AUTH):
            self.fault(Reply(500, "5.5.2", LineFault.TOO_LONG.value))
        elif len(line.translate(None, _CONTROL)) != len(line):
            self.fault(reply.syntax("control characters in a command", "5.5.2"))
        elif self._insists and not self.encrypted and verb not in _BEFORE_TLS:
            self.say(reply.TLS_FIRST)
        elif (step := _TRANSACTION.get(verb)) is not None:
            self._transaction(step, argument)
        elif verb == b"QUIT":
            self.say_line(b"221 2.0.0 Bye\r\n")
            raise OverError
        elif verb in _FOREIGN or b":" in verb:
            # Content that nobody asked for, or HTTP: what follows was never meant as commands.
            self.say(_NOT_OFFERED if verb == b"BDAT" else _NO_SMTP)
            raise OverError
        elif (command := _COMMANDS.get(verb)) is not None:
            command(self, argument.strip().decode("utf-8", "replace"))
        elif (work := _WAITING.get(verb)) is not None:
            text = argument.strip().decode("utf-8", "replace")
            self._occupy(work(self, text), _nothing)
        else:
            self.fault(Reply(500, "5.5.1", "command not recognized"))

    def _transaction(
        self, step: Callable[["SmtpSession", bytes, str], None], argument: bytes
    ) -> None:
        if step is _MAIL:
            self.still_logged_in()
        if self.tenant is None:
            # A network may have got its tenant since the greeting, with a worker's first plan too.
            self.log_out()
        if not self.hostname:
            self.say(reply.BAD_SEQUENCE_EHLO)
        elif self.tenant is not None:
            step(self, argument, self.tenant)
        elif self.service.generation() is None:
            self.say(reply.NO_PLAN)
        else:
            self.say(reply.AUTH_FIRST)

    def _mail(self, argument: bytes, tenant: str) -> None:
        most = self.service.settings.max_session_transactions
        if self.service.closing or self.inbound.count >= most:
            self.say(reply.SHUTTING_DOWN)
            raise OverError
        self.say(self.inbound.mail(argument, tenant, esmtp=self.extended))

    def _rcpt(self, argument: bytes, tenant: str) -> None:
        self.say(self.inbound.rcpt(argument, tenant, esmtp=self.extended))

    def _data(self, argument: bytes, tenant: str) -> None:
        del tenant
        answer = self.inbound.data(argument)
        self.say(answer)
        if answer is reply.GO_AHEAD:
            self.inbound.begin(self.loop.time())
            self._deadline = self.inbound.patience

    def _hello(self, hostname: str, *, extended: bool) -> None:
        if not hostname:
            self.say(reply.syntax(f"syntax: {'EHLO' if extended else 'HELO'} hostname"))
            return
        self.inbound.reset()
        self.extended = extended
        self.hostname = hostname[:255]
        if extended:
            starttls = self._offers_tls and not self.encrypted
            login = self.encrypted or (self._plain_auth and not self._insists)
            service = self.service
            self.say_line(
                _offers(service.hostname, service.max_message_size, starttls=starttls, auth=login)
            )
        else:
            self.say_line(f"250 {self.service.hostname}\r\n".encode())

    def _ehlo(self, hostname: str) -> None:
        self._hello(hostname, extended=True)

    def _helo(self, hostname: str) -> None:
        self._hello(hostname, extended=False)

    def _rset(self, argument: str) -> None:
        if argument:
            self.say(reply.syntax("syntax: RSET"))
            return
        self.inbound.reset()
        self.say(reply.OK)

    def _noop(self, argument: str) -> None:
        del argument
        self.say(reply.OK)

    def _vrfy(self, argument: str) -> None:
        """RFC 5321 7.3: no address is confirmed or denied."""
        self.say(_CANNOT_VRFY if argument else _VRFY_SYNTAX)

    def _help(self, argument: str) -> None:
        del argument
        self.say(_SEE_RFC)

    @property
    def _offers_tls(self) -> bool:
        return self.service.tls is not None and self._listener.tls == "starttls"

    async def _starttls(self, argument: str) -> None:
        context, plain = self.service.tls, self.transport
        if self.encrypted:
            self.say(Reply(503, "5.5.1", "TLS is on already"))
        elif argument:
            self.say(reply.syntax("syntax: STARTTLS"))
        elif not self._offers_tls or context is None:
            self.say(Reply(454, "4.7.0", "TLS not available"))
        elif plain is None or self.gone:
            raise OverError
        else:
            self.say_line(b"220 2.0.0 Ready to start TLS\r\n")
            self.flush()
            await self.encrypt(plain, context)
            if self.service.closing:
                self.say(reply.SHUTTING_DOWN)
                raise OverError
            self._renew(self.service.settings.command_timeout)

    async def _auth(self, argument: str) -> None:
        await Login(self, needs_tls=not self._plain_auth).command(argument)


def _tidy(line: bytes) -> bytes:
    """Without blanks at its end (RFC 5321 4.1.1), tabs as blanks: Postfix takes both anywhere. A
    tab within quotes stays, and is refused."""
    line = line.rstrip(b" \t")
    return line if b'"' in line else line.replace(b"\t", b" ")


def _nothing(result: None) -> None:
    """All was said already."""


@lru_cache(maxsize=64)
def _offers(hostname: str, size: int, *, starttls: bool, auth: bool) -> bytes:
    """The reply to EHLO."""
    offers = [hostname, "PIPELINING", f"SIZE {size}", "8BITMIME", "SMTPUTF8", "DSN"]
    offers += ["ENHANCEDSTATUSCODES"]
    if starttls:
        offers.append("STARTTLS")
    if auth:
        offers.append(f"AUTH {MECHANISMS}")
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
_MAIL = SmtpSession._mail
_TRANSACTION: dict[bytes, Callable[[SmtpSession, bytes, str], None]] = {
    b"MAIL": _MAIL,
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
_WAITING: dict[bytes, Callable[[SmtpSession, str], Coroutine[Any, Any, None]]] = {
    b"STARTTLS": SmtpSession._starttls,
    b"AUTH": SmtpSession._auth,
}
"""Commands with a dialogue of their own."""
