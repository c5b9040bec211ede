"""AUTH PLAIN and LOGIN: aiosmtpd's command, with our strict lines and our password check.

Owns: the dialogue of a login, the bound on wrong passwords. Not here: checking a password
(`gateway.auth`), who is logged in (`gateway.dialogue`).
Rule: a wrong password is answered late, and the connection closes after a few; the reply never
tells an unknown login from a wrong password.
"""

import asyncio
import logging
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Awaitable, Callable
from typing import Any

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, LoginPassword, Session

from gateway import metrics
from gateway.dialogue import LONGEST_AUTH, Dialogue, OverError
from gateway.linereader import LineFault
from policy import reply
from policy.reply import Reply

# aiosmtpd logs every command with its arguments; our own log has what matters, masked.
logging.getLogger("mail.log").disabled = True


class Login(SMTP):
    """One AUTH command of a session: aiosmtpd's part of it, made for that command alone."""

    def __init__(self, dialogue: Dialogue, *, needs_tls: bool) -> None:
        # aiosmtpd's own constructor begins a connection and looks through its handler.
        self._dialogue = dialogue
        session = Session(dialogue.loop)
        session.host_name = dialogue.hostname
        session.extended_smtp = dialogue.extended
        session.authenticated = bool(dialogue.login)
        self.session = session
        self._auth_require_tls = needs_tls
        self._tls_protocol: Any = dialogue.encrypted or None
        self._auth_methods = _METHODS
        self._handle_hooks = {}

    async def command(self, argument: str) -> None:
        """Answer it. Raises OverError."""
        dialogue = self._dialogue
        if dialogue.inbound.sender is not None:
            dialogue.say(reply.NESTED_MAIL)  # RFC 4954 section 4: not during a transaction
            return
        words = argument.split()
        # Clients spell mechanisms as they like; RFC 4422 names are upper case.
        await self.smtp_AUTH(" ".join([words[0].upper(), *words[1:]]) if words else "")

    async def push(self, status: str | bytes) -> None:
        """aiosmtpd's way to reply; what it may repeat of the client's words is made safe."""
        text = status if isinstance(status, bytes) else status.encode("ascii", "replace")
        self._dialogue.say_line(text.replace(b"\r", b" ").replace(b"\n", b" ") + b"\r\n")

    async def challenge_auth(
        self,
        challenge: str | bytes,
        encode_to_b64: bool = True,
        log_client_response: bool = False,  # noqa: ARG002
    ) -> Any:
        """As aiosmtpd's, on strict lines and without a way to log the answer."""
        dialogue = self._dialogue
        raw = challenge.encode() if isinstance(challenge, str) else challenge
        dialogue.say_line(b"334 " + (b64encode(raw) if encode_to_b64 else raw) + b"\r\n")
        dialogue.flush()
        line = await dialogue.lines.line(LONGEST_AUTH)
        if line is None:
            raise OverError
        if isinstance(line, LineFault):
            dialogue.fault(Reply(500, "5.5.2", line.value))
            return MISSING
        if line == b"*":
            dialogue.say(reply.syntax("login cancelled", "5.7.0"))
            return MISSING
        try:
            return b64decode(line, validate=True)
        except Base64Error:
            dialogue.say(reply.syntax("not base64", "5.5.2"))
            return MISSING

    async def auth_PLAIN(self, _: Any, args: list[str]) -> AuthResult:
        return await self._check(await super().auth_PLAIN(_, args))

    async def auth_LOGIN(self, _: Any, args: list[str]) -> AuthResult:
        return await self._check(await super().auth_LOGIN(_, args))

    def _authenticate(self, mechanism: str, auth_data: Any) -> AuthResult:  # noqa: ARG002
        """aiosmtpd calls this without a chance to wait; `_check` looks at the password."""
        return AuthResult(success=False, handled=False, auth_data=auth_data)

    async def _check(self, result: Any) -> AuthResult:
        data = result.auth_data if isinstance(result, AuthResult) else None
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False)  # already answered: cancelled or not base64
        dialogue = self._dialogue
        service = dialogue.service
        if service.generation() is None:
            dialogue.say(reply.NO_PLAN_LOGIN)
            return AuthResult(success=False)
        login = data.login.decode("utf-8", "replace")
        dialogue.busy = True
        try:
            entry = await service.authenticator.check(login, data.password)
            if entry is None:
                await asyncio.sleep(service.settings.auth_delay)
        finally:
            dialogue.busy = False
        if entry is not None:
            metrics.logins.labels("accepted").inc()
            dialogue.log_in(login, entry)
            return AuthResult(success=True, auth_data=None)
        metrics.logins.labels("refused").inc()
        service.log.warning("login_refused", peer=dialogue.peer, login=login[:64])
        dialogue.auth_failures += 1
        if dialogue.auth_failures >= service.settings.auth_attempts:
            dialogue.say(Reply(421, "4.7.0", "too many failed logins, closing"))
            raise OverError
        return AuthResult(success=False, handled=False)


class _Mechanism:
    """What aiosmtpd keeps per AUTH mechanism; ours are made once a class, not a connection."""

    is_builtin = False

    def __init__(self, method: Callable[..., Awaitable[AuthResult]]) -> None:
        self._method = method

    def method(self, login: Login, args: list[str]) -> Awaitable[AuthResult]:
        return self._method(login, None, args)


_METHODS: Any = {
    "PLAIN": _Mechanism(Login.auth_PLAIN),
    "LOGIN": _Mechanism(Login.auth_LOGIN),
}
