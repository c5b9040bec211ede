"""A sealed file: chunks, each authenticated with its place, the last one named as the last.

The payload is that of age (age-encryption.org/v1, STREAM of Hoang, Reyhanitabar, Rogaway and Vizár
2015) with AES-256-GCM: nonce = number of the chunk (11 octets) and 1 for the last chunk. So a chunk
that was changed, left out, put elsewhere, and a file that ends early, are found; never more
than one chunk is in memory. The key is of this file alone (HKDF, a random salt), which makes
counted nonces safe. The header has a commitment to the key, from the same HKDF: a wrong key is told
from a damaged file, and no file opens with two keys.
"""

import hmac
import os
from collections.abc import Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from control.backup.key import MOST_WORK, OCTETS, WORK, Key

MAGIC = b"sendgate backup 1\n"
CHUNK = 1024 * 1024
"""Octets of a chunk before it is sealed."""
_TAG = 16
_SALT = 32
_HEADER = len(MAGIC) + 1 + _SALT + OCTETS


class BrokenBackupError(Exception):
    """The file cannot be trusted or opened; the text says why."""


class Sealer:
    """Writes a sealed file. `finish` makes it whole."""

    def __init__(self, file: BinaryIO, key: Key) -> None:
        self._file = file
        salt, work = os.urandom(_SALT), WORK if key.passphrase else 0
        secret, commitment = _derived(key, salt, work)
        file.write(MAGIC + bytes([work]) + salt + commitment)
        self._cipher = AESGCM(secret)
        self._waiting = bytearray()
        self._number = 0

    def write(self, octets: bytes) -> None:
        """Raises OSError."""
        self._waiting += octets
        # One chunk stays: whether it is the last is not known yet.
        while len(self._waiting) > CHUNK:
            self._seal(bytes(self._waiting[:CHUNK]), last=False)
            del self._waiting[:CHUNK]

    def finish(self) -> None:
        """Raises OSError."""
        self._seal(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _seal(self, octets: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, last=last), octets, MAGIC))
        self._number += 1


def unsealed(file: BinaryIO, key: Key) -> Iterator[bytes]:
    """The chunks of a sealed file, each authenticated before it is given out; that it is whole is
    known when the iterator ends without an error. Raises BrokenBackupError, OSError."""
    header = file.read(_HEADER)
    if not header.startswith(MAGIC) or len(header) < _HEADER:
        raise BrokenBackupError("it is no backup of Sendgate's, or was cut off at its beginning")
    work, salt = header[len(MAGIC)], header[len(MAGIC) + 1 :][:_SALT]
    if work > MOST_WORK or (work > 0) != key.passphrase:
        other = "a passphrase" if work else "a random key"
        raise BrokenBackupError(f"it was sealed with {other}, and --key has none of that kind")
    secret, commitment = _derived(key, salt, work)
    if not hmac.compare_digest(commitment, header[-OCTETS:]):
        raise BrokenBackupError("the key is not the one it was sealed with")
    cipher, number = AESGCM(secret), 0
    block = file.read(CHUNK + _TAG)
    while True:
        following = file.read(CHUNK + _TAG)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), block, MAGIC)
        except InvalidTag:
            # A file cut off between two chunks fails here, too: what is last now was not named so.
            where = number * (CHUNK + _TAG) + _HEADER
            raise BrokenBackupError(
                f"it is damaged, or cut off: octets from {where} on are not what was written"
            ) from None
        if not following:
            return
        block, number = following, number + 1


def _derived(key: Key, salt: bytes, work: int) -> tuple[bytes, bytes]:
    """(key of the file, commitment to it)."""
    info = MAGIC + bytes([work])
    both = HKDF(SHA256(), 2 * OCTETS, salt, info).derive(key.stretched(salt, work))
    return both[:OCTETS], both[OCTETS:]


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
