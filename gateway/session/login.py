"""AUTH PLAIN and LOGIN (RFC 4954, RFC 4616).

Owns: the dialogue of a login, the bound on wrong passwords. Not here: checking a password
(`gateway.session.auth`), who is logged in (`gateway.session.dialogue`).
Rule: a wrong password is answered late, and the connection closes after a few; the reply never
tells an unknown login, or one that may not act for another, from a wrong password.
"""

import asyncio
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.session.dialogue import LONGEST_AUTH, Dialogue, OverError
from gateway.session.linereader import LineFault
from gateway.watch import metrics
from policy import reply
from policy.reply import Reply

# Go's net/smtp and its kin compare these words; draft-murchison-sasl-login has others.
_USERNAME = b"Username:"
_PASSWORD = b"Password:"


_LOGINS: Final = metrics.counters(
    "sendgate_logins_total", "SMTP logins by result.", {"result": ("accepted", "refused")}
)


class Credentials:
    """What a client says it is."""

    def __init__(self, login: bytes, password: bytes, acts_as: bytes = b"") -> None:
        """`acts_as`: PLAIN's authorization identity; empty: the login's own."""
        self.login = login
        self.password = password
        self.acts_as = acts_as


class Login:
    """One AUTH command of a session."""

    def __init__(self, dialogue: Dialogue, *, needs_tls: bool) -> None:
        self._dialogue = dialogue
        self._needs_tls = needs_tls and not dialogue.encrypted

    async def command(self, argument: str) -> None:
        """Answer it. Raises OverError."""
        dialogue = self._dialogue
        words = argument.split()
        if (refusal := self._refusal(words)) is not None:
            dialogue.say(refusal)
            return
        initial = words[1] if len(words) == 2 else None
        # Clients spell mechanisms as they like; RFC 4422 names are upper case.
        credentials = await _MECHANISMS[words[0].upper()](self, initial)
        if credentials is None:
            return
        dialogue.say(await self._check(credentials))

    def _refusal(self, words: list[str]) -> Reply | None:
        """Why this is no time for a login, or no login."""
        dialogue = self._dialogue
        if dialogue.inbound.sender is not None:
            return reply.NESTED_MAIL  # RFC 4954 section 4: not during a transaction
        if not dialogue.hostname:
            return reply.BAD_SEQUENCE_EHLO
        if not dialogue.extended:
            return _NEEDS_EHLO
        if self._needs_tls:
            return _NEEDS_TLS
        if dialogue.login:
            return _AGAIN
        if not 1 <= len(words) <= 2:
            return _SYNTAX
        return None if words[0].upper() in _MECHANISMS else _UNKNOWN

    async def _plain(self, initial: str | None) -> Credentials | None:
        message = await self._ask(b"") if initial is None else self._initial(initial)
        if message is None:
            return None
        parts = message.split(b"\0")
        if len(parts) != 3:
            self._dialogue.say(_NOT_PLAIN)
            return None
        acts_as, login, password = parts
        return Credentials(login, password, acts_as)

    async def _login(self, initial: str | None) -> Credentials | None:
        # `=` says nothing (RFC 4954 section 4): then the login is asked for.
        asked = initial is None or initial == "="
        login = await self._ask(_USERNAME) if asked else self._initial(initial or "")
        if login is None:
            return None
        password = await self._ask(_PASSWORD)
        return None if password is None else Credentials(login, password)

    def _initial(self, word: str) -> bytes | None:
        """The initial response; None: it cannot be read, and that was said."""
        return self._decoded(b"" if word == "=" else word.encode("ascii", "replace"))

    async def _ask(self, challenge: bytes) -> bytes | None:
        """The client's answer; None: there is none, and that was said."""
        dialogue = self._dialogue
        dialogue.say_line(b"334 " + b64encode(challenge) + b"\r\n")
        dialogue.flush()
        line = await dialogue.lines.line(LONGEST_AUTH)
        if line is None:
            raise OverError
        if isinstance(line, LineFault):
            dialogue.fault(Reply(500, "5.5.2", line.value))
            return None
        if line == b"*":
            dialogue.say(_CANCELLED)
            return None
        return self._decoded(line)

    def _decoded(self, line: bytes) -> bytes | None:
        try:
            return b64decode(line, validate=True)
        except Base64Error:
            self._dialogue.say(_NOT_BASE64)
            return None

    async def _check(self, given: Credentials) -> Reply:
        """Log in, if they are right. Raises OverError after too many that were not."""
        dialogue = self._dialogue
        service = dialogue.service
        generation = service.generation()
        if generation is None:
            return reply.NO_PLAN_LOGIN
        login = given.login.decode("utf-8", "replace")
        dialogue.busy = True
        try:
            entry = await service.authenticator.check(login, given.password)
            if given.acts_as not in (b"", given.login):
                entry = None  # RFC 4616 section 2: nobody here may act for another
            if entry is None:
                await asyncio.sleep(service.settings.auth_delay)
        finally:
            dialogue.busy = False
        if entry is not None:
            _LOGINS.labels("accepted").inc()
            service.logged_in.add(login)
            found = generation.login.get(login)
            if found is not None and found[1].former and entry[1] == found[1].former.hash:
                service.logged_in_before.add(login)
            dialogue.log_in(login, entry)
            return _LOGGED_IN
        _LOGINS.labels("refused").inc()
        # What is no login of ours may be a password that was typed into the wrong field.
        known = login in generation.login
        service.log.warning(
            "login_refused",
            peer=dialogue.peer,
            login=login[:64] if known else "",
            acts_as=given.acts_as.decode("utf-8", "replace")[:64] if known else "",
            known=known,
        )
        dialogue.auth_failures += 1
        if dialogue.auth_failures >= service.settings.auth_attempts:
            dialogue.say(_TOO_MANY)
            raise OverError
        return _WRONG


_MECHANISMS: dict[str, Callable[[Login, str | None], Awaitable[Credentials | None]]] = {
    "PLAIN": Login._plain,
    "LOGIN": Login._login,
}
MECHANISMS = " ".join(_MECHANISMS)
"""As EHLO offers them: many clients take the first they know, and LOGIN was never standard."""

_LOGGED_IN = Reply(235, "2.7.0", "authentication successful")
_WRONG = Reply(535, "5.7.8", "authentication credentials invalid")
_TOO_MANY = Reply(421, "4.7.0", "too many failed logins, closing")
_CANCELLED = reply.syntax("login cancelled", "5.7.0")
_NOT_BASE64 = reply.syntax("not base64", "5.5.2")
_NOT_PLAIN = reply.syntax("not a PLAIN message: [authzid] NUL authcid NUL password", "5.5.2")
_SYNTAX = reply.syntax("syntax: AUTH mechanism [initial-response]")
_UNKNOWN = Reply(504, "5.5.4", "authentication mechanism not recognized")
_AGAIN = Reply(503, "5.5.1", "already logged in")
_NEEDS_EHLO = Reply(500, "5.5.1", "AUTH needs EHLO")
_NEEDS_TLS = Reply(538, "5.7.11", "encryption required for authentication, send STARTTLS")
