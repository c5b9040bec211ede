"""What one transaction towards PowerMTA says."""

import msgspec


class Parcel(msgspec.Struct, frozen=True):
    """One transaction: command lines with CRLF, and the content as it goes on the wire."""

    message: str
    mail: bytes
    rcpts: tuple[bytes, ...]
    head: bytes
    body: bytes
