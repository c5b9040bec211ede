"""xtext, as clients spell ENVID and ORCPT (RFC 3461 section 4)."""

import re

_HEX = re.compile(rb"\+([0-9A-F]{2})")


def spoken(value: bytes) -> str:
    """What it says, for a report or a log; as it came, where that is not one line of ASCII."""
    said = _HEX.sub(lambda found: bytes.fromhex(found[1].decode()), value)
    readable = said.isascii() and said.decode("ascii").isprintable()
    return (said if readable else value).decode("utf-8", "replace")
