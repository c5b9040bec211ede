"""The key of backups: a file with a random key, made here, or with a passphrase of somebody's.

Rule: a key is never an argument of a command line, where every user of the host could read it.
"""

import base64
import binascii
import secrets
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from control.problem import RefusedError
from settings.secretfile import UnusableError, content

PREFIX = "sendgate-backup-key-1:"
"""Before a random key, so that nobody takes one that was cut short for a passphrase."""
OCTETS = 32
SHORTEST = 12
"""Characters of a passphrase."""
WORK = 17
"""Binary logarithm of scrypt's N: 128 MiB and a third of a second for each guess (RFC 7914 asks for
as much as one can bear; OWASP's least is 17 with r = 8)."""
MOST_WORK = 20
"""1 GiB: a file from elsewhere may not ask for more."""


class Key(msgspec.Struct, frozen=True):
    """What a backup is sealed with."""

    secret: bytes
    passphrase: bool
    """It was thought of by somebody, and has to be made expensive to guess."""

    def __repr__(self) -> str:
        return f"<Key {'passphrase' if self.passphrase else 'random'}>"

    def stretched(self, salt: bytes, work: int) -> bytes:
        """Thirty-two octets that cost a guesser `work`."""
        if not self.passphrase:
            return self.secret
        return Scrypt(salt=salt, length=OCTETS, n=2**work, r=8, p=1).derive(self.secret)


def new_key() -> str:
    """A random key as its file has it."""
    return PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(OCTETS)).decode()


def read_key(file: Path) -> Key:
    """The key in `file`. Raises RefusedError, which shows nothing of it."""
    try:
        text = content(str(file))
    except UnusableError as error:
        raise RefusedError(f"--key: {error}", status=400) from error
    if not text.startswith(PREFIX):
        return _passphrase(text)
    try:
        secret = base64.urlsafe_b64decode(text.removeprefix(PREFIX).strip())
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != OCTETS:
        raise RefusedError(f"--key: the key in {file} was cut short or changed", status=400)
    return Key(secret, passphrase=False)


def _passphrase(text: str) -> Key:
    if len(text) < SHORTEST:
        raise RefusedError(
            f"--key: the passphrase has fewer than {SHORTEST} characters; `sendgate backup key "
            "FILE` makes a key nobody guesses",
            status=400,
        )
    return Key(text.encode(), passphrase=True)
