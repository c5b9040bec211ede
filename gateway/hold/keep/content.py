"""Contents of held messages: packed small, and sealed where keys are configured.

Measured on newsletter HTML (4 KB, 40 KB): zstd level 1 takes 24 and 150 microseconds, zlib level 1
49 and 321, for the same size; it is what makes a durable accept cheaper than a relay.
Rule: small contents are packed in the event loop, large ones in threads beside it, and a zstd
context serves one of them at a time: two at once is heap corruption, met as a worker that died by
signal and as sound contents called corrupt. Every thread therefore has native objects of its own.
"""

import base64
import os
import struct
import threading
from collections.abc import Mapping

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_LENGTH = struct.Struct(">I")
_NONCE = 12
_CODEC = "zstd"


class BadKeyError(ValueError):
    """A configured key cannot be used; the text says why."""


class UnreadableError(Exception):
    """A stored content cannot be opened: its key is missing, or it was altered."""


class _Native(threading.local):
    """The native objects of one thread; Python makes them anew in each that asks."""

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        super().__init__()
        self.pack = zstandard.ZstdCompressor(level=1).compress
        self.unpack = zstandard.ZstdDecompressor().decompress
        self.keys = {name: AESGCM(secret) for name, secret in secrets.items()}


class Contents:
    """Packs and opens, in any thread. `keys` are `ID:KEY`; the first one seals."""

    def __init__(self, keys: tuple[str, ...] = ()) -> None:
        """Raises BadKeyError."""
        secrets: dict[str, bytes] = {}
        for text in keys:
            name, _, encoded = text.partition(":")
            try:
                secret = base64.urlsafe_b64decode(encoded.encode())
            except ValueError as error:
                raise BadKeyError("hold.keys: a key is not URL-safe base64") from error
            if not name.isalnum() or len(secret) != 32:
                raise BadKeyError("hold.keys: each is ID:KEY, 32 octets in URL-safe base64")
            secrets[name] = secret
        self._sealing = next(iter(secrets), "")
        self._native = _Native(secrets)

    def pack(self, message: str, head: bytes, body: bytes) -> tuple[str, bytes]:
        """(codec, content). The message id is bound to a sealed one: rows cannot be swapped."""
        packed = self._native.pack(_LENGTH.pack(len(head)) + head + body)
        if not self._sealing:
            return _CODEC, packed
        nonce = os.urandom(_NONCE)
        sealed = self._native.keys[self._sealing].encrypt(nonce, packed, message.encode())
        return f"{_CODEC}:{self._sealing}", nonce + sealed

    def open(self, message: str, codec: str, content: bytes) -> tuple[bytes, bytes]:
        """(head, body). Raises UnreadableError."""
        name, _, key = codec.partition(":")
        if name != _CODEC:
            raise UnreadableError(f"codec {name} is not known to this version")
        if key:
            if key not in self._native.keys:
                raise UnreadableError(f"hold.keys lacks key {key}")
            try:
                content = self._native.keys[key].decrypt(
                    content[:_NONCE], content[_NONCE:], message.encode()
                )
            except InvalidTag as error:
                raise UnreadableError(
                    "the content was altered, or sealed by another key"
                ) from error
        try:
            whole = self._native.unpack(content)
        except zstandard.ZstdError as error:
            raise UnreadableError(str(error)) from error
        (length,) = _LENGTH.unpack_from(whole)
        end = _LENGTH.size + length
        return whole[_LENGTH.size : end], whole[end:]
