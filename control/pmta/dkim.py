"""DKIM keys: made here, sealed before they reach PostgreSQL (RFC 6376, key sizes RFC 8301)."""

import base64
import binascii

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from control import kinds
from control.problem import RefusedError
from control.store.keyring import Keyring

KEY_BITS = 2048
FEWEST_BITS = 1024
"""Of a key that is taken over (RFC 8301 section 3.2)."""


class DkimKey(msgspec.Struct, frozen=True):
    """A new key: `public` is the `p=` of its DNS record, `sealed` the encrypted PEM."""

    public: str
    sealed: bytes


def new_secret() -> str:
    """A key for `control.secret`."""
    return Fernet.generate_key().decode()


class Seal:
    """Encrypts private keys with a secret that is kept outside PostgreSQL."""

    def __init__(self, secret: str, before: tuple[str, ...] = ()) -> None:
        """`before`: control.secrets_before. Raises RefusedError when one is malformed; '' makes a
        seal that refuses to work, so that a control plane without domains needs no secret."""
        try:
            self._ring = Keyring(secret, before)
        except (ValueError, binascii.Error) as error:
            raise RefusedError(
                "control.secret: expected 32 octets in URL-safe base64, as from "
                "`python -c 'import base64,os; print(base64.urlsafe_b64encode("
                "os.urandom(32)).decode())'`",
                status=400,
            ) from error

    def __repr__(self) -> str:
        return f"<Seal {'ready' if self._ring.ready else 'without a secret'}>"

    def new_key(self) -> DkimKey:
        """An RSA key of 2048 bits. Takes about 0.1 s: call it in a thread."""
        self._ready()
        return self._sealed(rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS))

    def taken(self, name: str, pem: str) -> DkimKey:
        """A key that signs already; `name` tells it from others. Raises RefusedError."""
        self._ready()
        try:
            key = serialization.load_pem_private_key(pem.encode(), None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise RefusedError(f"{name} is no private key in PEM without a password") from error
        if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < FEWEST_BITS:
            raise RefusedError(
                f"{name} is no RSA key of at least {FEWEST_BITS} bits: verifiers ignore what it "
                "signs (RFC 8301)"
            )
        return self._sealed(key)

    def _sealed(self, key: rsa.RSAPrivateKey) -> DkimKey:
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return DkimKey(base64.b64encode(public).decode(), self._ready().closed(pem))

    def open(self, sealed: bytes) -> bytes:
        """The PEM of a sealed key. Raises RefusedError with another secret."""
        opened = self._ready().opened(sealed)
        if opened is None:
            raise RefusedError(
                "control.secret is not the one this DKIM key was sealed with, nor is one of "
                "control.secrets_before",
                kind=kinds.NOT_SET_UP,
            )
        return opened

    def _ready(self) -> Keyring:
        if not self._ring.ready:
            raise RefusedError(
                "control.secret is not set: it seals the DKIM keys "
                "(SENDGATE_CONTROL_SECRET, 32 octets in URL-safe base64)",
                kind=kinds.NOT_SET_UP,
            )
        return self._ring
