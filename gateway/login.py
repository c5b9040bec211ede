"""AUTH PLAIN and LOGIN on aiosmtpd's command, with our strict lines and our password check.

Owns: the dialogue of a login, the bound on wrong passwords and bad commands. Not here: checking
a password (`gateway.auth`).
Rule: a wrong password is answered late, and the connection closes after a few; the reply never
tells an unknown login from a wrong password.
"""

import asyncio
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Awaitable, Callable
from typing import Any

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, LoginPassword

from gateway import metrics
from gateway.inbound import Inbound
from gateway.linereader import LineFault, LineReader
from gateway.service import Service
from policy import reply
from policy.reply import Reply

LONGEST_AUTH = 12_288  # RFC 4954 section 4
_MOST_FAULTS = 10


class OverError(Exception):
    """The session is over; its last reply was written."""


class SmtpLogin(SMTP):
    """The part of a session that answers and knows who the client is."""

    def _begin(self, service: Service, lines: LineReader, inbound: Inbound) -> None:
        self._service = service
        self._lines = lines
        self._inbound = inbound
        self._tenant: str | None = None
        self._login = ""
        self._login_entry: tuple[str, str] | None = None
        self._peer = ""
        self._out = b""
        self._faults = 0
        self._auth_failures = 0
        self._auth_methods = _METHODS

    def _say(self, answer: Reply) -> None:
        self._out += answer.line

    @property
    def _gone(self) -> bool:
        """Nothing can be said any more. Under TLS the plain transport below knows it first."""
        below = self._original_transport
        if below is not None and below.is_closing():
            return True
        return self.transport is None or self.transport.is_closing()

    @property
    def _unread(self) -> int:
        """Octets of ours that the client has not taken yet."""
        if self._gone:
            return 0
        return int(self.transport.get_write_buffer_size())  # type: ignore[union-attr]

    def _flush(self) -> None:
        if not self._out:
            return
        out, self._out = self._out, b""
        if not self._gone:
            self.transport.write(out)  # type: ignore[union-attr]

    def _fault(self, answer: Reply) -> None:
        self._faults += 1
        if self._faults > _MOST_FAULTS:
            self._say(Reply(421, "4.7.0", "too many bad commands, closing"))
            raise OverError
        self._say(answer)

    async def smtp_AUTH(self, arg: str | None) -> None:
        if self._inbound.sender is not None:
            self._say(reply.NESTED_MAIL)  # RFC 4954 section 4: not during a transaction
            return
        words = (arg or "").split()
        # Clients spell mechanisms as they like; RFC 4422 names are upper case.
        await super().smtp_AUTH(" ".join([words[0].upper(), *words[1:]]) if words else "")

    async def challenge_auth(
        self,
        challenge: str | bytes,
        encode_to_b64: bool = True,
        log_client_response: bool = False,  # noqa: ARG002
    ) -> Any:
        """As aiosmtpd's, on strict lines and without a way to log the answer."""
        raw = challenge.encode() if isinstance(challenge, str) else challenge
        self._out += b"334 " + (b64encode(raw) if encode_to_b64 else raw) + b"\r\n"
        self._flush()
        line = await self._lines.line(LONGEST_AUTH)
        if line is None:
            raise OverError
        if isinstance(line, LineFault):
            self._fault(Reply(500, "5.5.2", line.value))
            return MISSING
        if line == b"*":
            self._say(reply.syntax("login cancelled", "5.7.0"))
            return MISSING
        try:
            return b64decode(line, validate=True)
        except Base64Error:
            self._say(reply.syntax("not base64", "5.5.2"))
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
        service = self._service
        login = data.login.decode("utf-8", "replace")
        self._busy = True
        try:
            entry = await service.authenticator.check(login, data.password)
            if entry is None:
                await asyncio.sleep(service.settings.auth_delay)
        finally:
            self._busy = False
        if entry is not None:
            metrics.logins.labels("accepted").inc()
            self._tenant, self._login, self._login_entry = entry[0], login, entry
            return AuthResult(success=True, auth_data=None)
        metrics.logins.labels("refused").inc()
        service.log.warning("login_refused", peer=self._peer, login=login[:64])
        self._auth_failures += 1
        if self._auth_failures >= service.settings.auth_attempts:
            self._say(Reply(421, "4.7.0", "too many failed logins, closing"))
            raise OverError
        return AuthResult(success=False, handled=False)


class _Mechanism:
    """What aiosmtpd keeps per AUTH mechanism; ours are made once a class, not a connection."""

    is_builtin = False

    def __init__(self, method: Callable[..., Awaitable[AuthResult]]) -> None:
        self._method = method

    def method(self, session: SmtpLogin, args: list[str]) -> Awaitable[AuthResult]:
        return self._method(session, None, args)


_METHODS: Any = {
    "PLAIN": _Mechanism(SmtpLogin.auth_PLAIN),
    "LOGIN": _Mechanism(SmtpLogin.auth_LOGIN),
}
