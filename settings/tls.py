"""TLS towards clients and towards PowerMTA, as the settings have it, and why it cannot be had.

Here, and not with the gateway, because `sendgate check` and `sendgate up` must find what would
stop a worker before a worker meets it. The same of what control shows who asks its API.
"""

import ssl
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509

from settings.control import Control
from settings.logplace import log_problems
from settings.model import Gateway, Relay, Settings


class _PassphraseError(Exception):
    """The key asks for one."""


def server_context(shown: Gateway | Control) -> ssl.SSLContext | None:
    """Towards who connects; None where TLS is not offered. Raises OSError (ssl.SSLError is one)."""
    return _context(shown) if _offered(shown) else None


def _offered(shown: Gateway | Control) -> bool:
    if isinstance(shown, Gateway):
        return any(listener.tls != "none" for listener in shown.listeners)
    return bool(shown.certificate)


def _context(shown: Gateway | Control) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load(context, shown)
    return context


def load(context: ssl.SSLContext, shown: Gateway | Control) -> None:
    """Shows this pair to who connects from now on. Raises OSError."""
    try:
        context.load_cert_chain(shown.certificate, shown.key, password=_no_passphrase)
    except _PassphraseError as error:
        raise ssl.SSLError("the key asks for a passphrase") from error


def certificate_life(shown: Gateway | Control) -> tuple[datetime, datetime] | None:
    """From when to when the certificate is good that is shown to who connects; None where TLS is
    not offered. Raises OSError, and ValueError for a file without a certificate."""
    if not _offered(shown):
        return None
    # The server's own is the first in its file (RFC 8446 section 4.4.2); the others sign it.
    own = x509.load_pem_x509_certificates(Path(shown.certificate).read_bytes())[0]
    return own.not_valid_before_utc, own.not_valid_after_utc


def client_context(relay: Relay) -> ssl.SSLContext:
    """Towards PowerMTA. Raises OSError for a `ca` that cannot be read."""
    context = ssl.create_default_context(cafile=relay.ca or None)
    if not relay.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def start_problems(settings: Settings) -> list[str]:
    """Files that would stop a gateway's workers, one sentence each, naming field and fix."""
    gateway, relay = settings.gateway, settings.relay
    found = []
    if _offered(gateway):
        found += _pair_problems("gateway", gateway)
    if relay.tls != "none" and relay.ca:
        found += _unreadable("relay.ca", relay.ca) or _ca_problems(relay)
    return found + log_problems(settings.log)


def control_problems(control: Control) -> list[str]:
    """What stops control from listening, one sentence each, naming field and fix."""
    if control.certificate or control.key:
        for field, file in (("certificate", control.certificate), ("key", control.key)):
            if not file:
                return [f"control.{field}: certificate and key go together; name its PEM file"]
        return _pair_problems("control", control)
    if control.plain_beyond_loopback or _loopback(control.host):
        return []
    why = (
        f"{control.host} is beyond loopback, where tokens and customers' mail would pass in plain "
        "HTTP: name control.certificate and control.key, or, where TLS ends in front of it, set "
        "control.plain_beyond_loopback"
    )
    return [f"control.host: {why}"]


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _pair_problems(section: str, shown: Gateway | Control) -> list[str]:
    found = _unreadable(f"{section}.certificate", shown.certificate)
    found += _unreadable(f"{section}.key", shown.key)
    if found:
        return found
    try:
        _context(shown)
    except ssl.SSLError as error:
        return [_chain_problem(section, shown, error)]
    except OSError as error:
        return [f"{section}.certificate, {section}.key: {error.strerror}"]
    return []


def _chain_problem(section: str, shown: Gateway | Control, error: ssl.SSLError) -> str:
    if isinstance(error.__cause__, _PassphraseError):
        return (
            f"{section}.key: {shown.key} asks for a passphrase, which nobody is there to type: "
            "write it without one, as `openssl pkey` does"
        )
    if error.reason == "KEY_VALUES_MISMATCH":
        return (
            f"{section}.key: {shown.key} is not the key of {shown.certificate}: name the pair "
            "that was made together, the server's own certificate first in its file"
        )
    if "-----BEGIN CERTIFICATE-----" not in _text(shown.certificate):
        return f"{section}.certificate: {shown.certificate} is no PEM file with a certificate"
    if "PRIVATE KEY-----" not in _text(shown.key):
        return f"{section}.key: {shown.key} is no PEM file with a private key"
    why = error.reason or "no reason is given"
    return (
        f"{section}.certificate, {section}.key: TLS cannot use {shown.certificate} with "
        f"{shown.key} ({why}): are both whole, and their kinds strong enough?"
    )


def _ca_problems(relay: Relay) -> list[str]:
    try:
        client_context(relay)
    except OSError:
        return [f"relay.ca: {relay.ca} is no PEM file with certificates"]
    return []


def _unreadable(field: str, file: str) -> list[str]:
    try:
        with Path(file).open("rb"):
            return []
    except OSError as error:
        return [f"{field}: {file} cannot be read: {error.strerror}"]


def _text(file: str) -> str:
    return Path(file).read_text(encoding="ascii", errors="replace")


def _no_passphrase() -> str:
    raise _PassphraseError
