"""A self-signed certificate for localhost, made for each test session."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from loadtest.certificate import self_signed


@dataclass(frozen=True)
class Certificate:
    """Its two PEM files."""

    certificate: Path
    key: Path

    def client_context(self) -> ssl.SSLContext:
        """A client that trusts this certificate and nothing else."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def server_context(self) -> ssl.SSLContext:
        """A server that shows it."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_certificate(folder: Path) -> Certificate:
    """Writes certificate.pem and key.pem into `folder`."""
    files = Certificate(folder / "certificate.pem", folder / "key.pem")
    self_signed(files.certificate, files.key)
    return files
