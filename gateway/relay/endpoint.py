"""Opens sessions to PowerMTA: connect, TLS, EHLO, AUTH by aiosmtplib, then our protocol takes over.

The only file that names aiosmtplib. Failures are values of `policy.outcome.Failed`, raised as
`OpenError`, so that the caller sees one kind of trouble.
"""

import asyncio
import re
from collections.abc import Callable
from typing import cast

import aiosmtplib
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPConnectResponseError,
    SMTPException,
    SMTPHeloError,
    SMTPNotSupported,
    SMTPResponseException,
)

from gateway.relay.wire import Session
from policy.model import Address
from policy.outcome import Asked, Failed, Scope, Stage
from settings.model import Relay
from settings.tls import client_context

_UNKNOWN = frozenset({500, 501, 502, 504})
"""Replies to a command that is not known, not taken or not so (RFC 5321 4.2.2)."""
_UNWANTED = re.compile(r"[^\x20-\x7e]+")


class OpenError(Exception):
    """No session could be opened; `failure` says whose fault and whether waiting can help."""

    def __init__(self, failure: Failed) -> None:
        super().__init__(failure.why)
        self.failure = failure


class Endpoint:
    """How this gateway reaches any PowerMTA address."""

    def __init__(self, settings: Relay, hostname: str) -> None:
        """Raises OSError or ssl.SSLError when `settings.ca` cannot be read."""
        self._settings = settings
        self._hello = settings.hello or hostname
        self._suppression = re.compile(settings.suppression_pattern, re.IGNORECASE)
        self._context = client_context(settings) if settings.tls != "none" else None

    async def open(self, address: Address, lost: Callable[[Session], None]) -> Session:
        """A session ready for its first MAIL. Raises OpenError."""
        settings = self._settings
        client = aiosmtplib.SMTP(
            hostname=address.host,
            port=address.port,
            local_hostname=self._hello,
            timeout=settings.connect_timeout,
            use_tls=settings.tls == "implicit",
            start_tls=False,
            tls_context=self._context,
        )
        try:
            async with asyncio.timeout(settings.connect_timeout):
                await client.connect()
                _in_step(client)
                await _hello(client)
                if settings.tls == "starttls":
                    _in_step(client)
                    await client.starttls()
                    await _hello(client)
                _in_step(client)
                if settings.login:
                    await client.login(settings.login, settings.password)
                    _in_step(client)
        except (SMTPException, OSError, TimeoutError, ValueError) as error:
            client.close()
            raise OpenError(_failure(address, error)) from error
        except asyncio.CancelledError:
            # The message's time is over: half-open, it would hold one of PowerMTA's slots.
            client.close()
            raise
        return self._take_over(client, address, lost)

    def _take_over(
        self, client: aiosmtplib.SMTP, address: Address, lost: Callable[[Session], None]
    ) -> Session:
        """From here on the connection speaks our protocol; the library forgets it.

        Raises OpenError when it is closed already."""
        transport = client.transport
        if transport is None or transport.is_closing():
            why = f"{address}: closed the connection after the login"
            raise OpenError(_no_session(why, immediate=True))
        session = Session(
            name=str(address),
            extensions=frozenset(name.upper() for name in client.esmtp_extensions),
            max_size=_size(client.esmtp_extensions.get("size", "")),
            suppression=self._suppression,
            lost=lost,
        )
        transport.set_protocol(cast(asyncio.Protocol, session))
        session.connection_made(transport)
        client.transport = None
        client.protocol = None
        return session


async def _hello(client: aiosmtplib.SMTP) -> None:
    """EHLO, or HELO where nobody knows it (RFC 5321 3.2): such a hop takes plain mail one command
    at a time, and neither TLS nor a login. A refusal of us is another thing. Raises
    SMTPException."""
    try:
        await client.ehlo()
    except SMTPHeloError as error:
        if error.code not in _UNKNOWN:
            raise
    else:
        return
    _in_step(client)
    await client.helo()


def _in_step(client: aiosmtplib.SMTP) -> None:
    """aiosmtplib keeps what comes behind a reply and takes it for the next command's: a greeting
    with a `235` behind it would be a login. Its `_buffer` is a contract that a test pins.

    Raises SMTPException."""
    if client.protocol is not None and client.protocol._buffer:
        raise SMTPException("said more than it was asked for")


def _size(value: str) -> int:
    """The value of EHLO's SIZE (RFC 1870): nothing or 0 says that there is no fixed limit."""
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else 0


def _failure(address: Address, error: Exception) -> Failed:
    if isinstance(error, SMTPConnectResponseError):
        stage, immediate = Stage.GREETING, True
    elif isinstance(error, SMTPAuthenticationError):
        stage, immediate = Stage.AUTH, True
    elif isinstance(error, SMTPHeloError):
        stage, immediate = Stage.EHLO, False
    elif isinstance(error, SMTPNotSupported):
        # PowerMTA does not offer what we are told to use: a setting, here or there, is wrong.
        return _no_session(f"{address}: {error}", immediate=True)
    else:
        what = str(error) or type(error).__name__
        return _no_session(f"{address}: cannot connect: {_UNWANTED.sub(' ', what)}")
    assert isinstance(error, SMTPResponseException)
    text = _UNWANTED.sub(" ", str(error.message))
    full = stage is Stage.GREETING and error.code == 421
    return _no_session(f"{address}: {stage}: {error.code} {text}", immediate=immediate, full=full)


def _no_session(why: str, *, immediate: bool = False, full: bool = False) -> Failed:
    asked = Asked.NOTHING if full else Asked.SESSION
    return Failed(why, Scope.SERVER, immediate, asked=asked, full=full)
