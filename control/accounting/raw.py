"""What is kept of records: one line of JSON each, fields as they came, without the empty ones.

Address hashing reaches it: addresses stand in fields, and in what remote hosts say.
"""

import hashlib
import re
import zlib
from collections.abc import Callable, Mapping, Sequence

import msgspec

from control.accounting.fact import Fact
from control.accounting.payload import SetAside
from control.accounting.traces import Traces

Hide = Callable[[str], str]
"""What stands in place of an address."""

LONGEST_KEPT = 65_536
"""Octets that are kept of a text that could not be read."""

_LEVEL = 1
_ADDRESS = re.compile(r"[^\s<>()\[\]\",;:@]+@[^\s<>()\[\]\",;:@]+")


def line(fact: Fact, hide: Hide | None, gone: Traces | None = None) -> bytes:
    """A record as it is kept, without what is `gone`."""
    fields = {name: text for name, text in zip(fact.names, fact.fields, strict=False) if text}
    fields["type"] = fact.kind
    if gone is not None:
        fields = {name: gone.out_of_text(text) for name, text in fields.items()}
    if hide is not None:
        fields = {name: _ADDRESS.sub(lambda m: hide(m[0]), text) for name, text in fields.items()}
    try:
        return _encode(fields)
    except UnicodeEncodeError:
        return _encode({name: _utf8(text) for name, text in fields.items()})


def packed(
    facts: Sequence[Fact], hide: Hide | None, gone: Mapping[bytes, Traces] | None = None
) -> bytes:
    """Many; `gone` by the identities of those that have some."""
    gone = gone or {}
    lines = [line(fact, hide, gone.get(fact.identity)) for fact in facts]
    return zlib.compress(b"\n".join(lines), _LEVEL)


def digest(server: str, aside: SetAside) -> bytes:
    """By which the same text, come again, is known."""
    found = hashlib.blake2b(server.encode(), digest_size=16)
    for part in (aside.header.encode("utf-8", "surrogateescape"), aside.raw):
        found.update(b"\0" + part)
    return found.digest()


_encode = msgspec.json.Encoder().encode


def _utf8(text: str) -> str:
    """Octets that are no UTF-8 as backslash sequences."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text
