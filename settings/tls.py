"""TLS towards clients and towards PowerMTA, as the settings have it, and why it cannot be had.

Here, and not with the gateway, because `sendgate check` and `sendgate up` must find what would
stop a worker before a worker meets it.
"""

import ssl
from datetime import datetime
from pathlib import Path

from cryptography import x509

from settings.model import Gateway, Relay, Settings


class _PassphraseError(Exception):
    """The key asks for one."""


def server_context(gateway: Gateway) -> ssl.SSLContext | None:
    """Towards clients; None when no listener offers it. Raises OSError (ssl.SSLError is one)."""
    if all(listener.tls == "none" for listener in gateway.listeners):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(gateway.certificate, gateway.key, password=_no_passphrase)
    except _PassphraseError as error:
        raise ssl.SSLError("the key asks for a passphrase") from error
    return context


def certificate_life(gateway: Gateway) -> tuple[datetime, datetime] | None:
    """From when to when the certificate is good that clients are shown; None when no listener
    offers TLS. Raises OSError, and ValueError for a file without a certificate."""
    if all(listener.tls == "none" for listener in gateway.listeners):
        return None
    # The server's own is the first in its file (RFC 8446 section 4.4.2); the others sign it.
    own = x509.load_pem_x509_certificates(Path(gateway.certificate).read_bytes())[0]
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
    if any(listener.tls != "none" for listener in gateway.listeners):
        found += _unreadable("gateway.certificate", gateway.certificate)
        found += _unreadable("gateway.key", gateway.key)
        if not found:
            found += _chain_problems(gateway)
    if relay.tls != "none" and relay.ca:
        found += _unreadable("relay.ca", relay.ca) or _ca_problems(relay)
    return found


def _chain_problems(gateway: Gateway) -> list[str]:
    try:
        server_context(gateway)
    except ssl.SSLError as error:
        return [_chain_problem(gateway, error)]
    except OSError as error:
        return [f"gateway.certificate, gateway.key: {error.strerror}"]
    return []


def _chain_problem(gateway: Gateway, error: ssl.SSLError) -> str:
    if isinstance(error.__cause__, _PassphraseError):
        return (
            f"gateway.key: {gateway.key} asks for a passphrase, which nobody is there to type: "
            "write it without one, as `openssl pkey` does"
        )
    if error.reason == "KEY_VALUES_MISMATCH":
        return (
            f"gateway.key: {gateway.key} is not the key of {gateway.certificate}: name the pair "
            "that was made together, the server's own certificate first in its file"
        )
    if "-----BEGIN CERTIFICATE-----" not in _text(gateway.certificate):
        return f"gateway.certificate: {gateway.certificate} is no PEM file with a certificate"
    if "PRIVATE KEY-----" not in _text(gateway.key):
        return f"gateway.key: {gateway.key} is no PEM file with a private key"
    why = error.reason or "no reason is given"
    return (
        f"gateway.certificate, gateway.key: TLS cannot use {gateway.certificate} with "
        f"{gateway.key} ({why}): are both whole, and their kinds strong enough?"
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
