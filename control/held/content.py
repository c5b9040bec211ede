"""What is kept of a held message, opened for an operator: its header block, or all of it.

It is somebody's mail: each look is audited. The form is that of `gateway.hold.keep.content`: zstd,
sealed by AES-GCM under a key of `hold.keys` and the message's id where the codec names a key.
"""

import base64
import struct

import msgspec
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from control.problem import RefusedError

_LENGTH = struct.Struct(">I")
_NONCE = 12


class HeldContent(msgspec.Struct, frozen=True, kw_only=True):
    """Of one message."""

    message: str
    octets: int
    """Of the whole message, as it will be sent but for the stamped fields."""
    headers: str
    """The header block; octets that are no UTF-8 stay visible."""
    content: bytes | None
    """The whole message (base64); null unless asked for."""


def opened(message: str, codec: str, content: bytes, keys: tuple[str, ...]) -> tuple[bytes, bytes]:
    """(head, body). `keys`: `hold.keys`. Raises RefusedError."""
    name, _, key = codec.partition(":")
    if name != "zstd":
        raise RefusedError(f"message {message}: codec {name} is not known to this version")
    if key:
        secrets = dict(text.partition(":")[::2] for text in keys)
        if key not in secrets:
            raise RefusedError(
                f"message {message} is sealed by key {key}, which hold.keys of control lacks"
            )
        secret = base64.urlsafe_b64decode(secrets[key].encode())
        try:
            content = AESGCM(secret).decrypt(content[:_NONCE], content[_NONCE:], message.encode())
        except InvalidTag as error:
            raise RefusedError(
                f"message {message} was altered, or sealed by another key {key}"
            ) from error
    try:
        whole = zstandard.ZstdDecompressor().decompress(content)
    except zstandard.ZstdError as error:
        raise RefusedError(f"message {message} cannot be unpacked: {error}") from error
    (length,) = _LENGTH.unpack_from(whole)
    end = _LENGTH.size + length
    return whole[_LENGTH.size : end], whole[end:]


def shown(message: str, head: bytes, body: bytes, *, whole: bool) -> HeldContent:
    """As the API gives it."""
    return HeldContent(
        message=message,
        octets=len(head) + len(body),
        headers=head.decode("utf-8", "backslashreplace").replace("\r\n", "\n"),
        content=head + body if whole else None,
    )
