"""Values and blocks as PowerMTA reads them. Pure.

Rule: a value that PowerMTA would read as something else (`#` begins a comment anywhere) is refused,
not quoted away.
"""

import re
from collections.abc import Iterable

from policy.node import network

_BAD = set("#\"'`\\<>")
_ADDRESS = re.compile(r"[A-Za-z0-9._+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


class ConfigValueError(ValueError):
    """A value cannot stand in a PowerMTA configuration."""


def value(text: str) -> str:
    """`text`, one word of a line. Raises ConfigValueError."""
    if not text or not text.isascii() or not text.isprintable() or " " in text or _BAD & set(text):
        raise ConfigValueError(f"{text!r} cannot stand in a PowerMTA configuration")
    return text


def fits(text: str) -> bool:
    """Whether a value can stand in a PowerMTA configuration."""
    try:
        return bool(value(text))
    except ConfigValueError:
        return False


def path(text: str) -> str:
    """A folder, without the slash at its end. Raises ConfigValueError."""
    return value(text.rstrip("/"))


def networks(text: str) -> str:
    """An address or a network (CIDR). Raises ConfigValueError."""
    try:
        found = network(text, strict=False)
    except ValueError as error:
        raise ConfigValueError(f"network {text!r}: {error}") from error
    return str(found.network_address if found.num_addresses == 1 else found)


def address(text: str) -> str:
    """ADDRESS@DOMAIN or @DOMAIN as the regular expression that the lines of an address list are.
    Raises ConfigValueError."""
    if not _ADDRESS.fullmatch(text):
        raise ConfigValueError(f"{text!r} is neither ADDRESS@DOMAIN nor @DOMAIN")
    start = "" if text.startswith("@") else "^"
    return f"/{start}{text.replace('.', chr(92) + '.').replace('+', chr(92) + '+')}$/"


def block(tag: str, argument: str, lines: Iterable[str]) -> str:
    """`<tag argument>` with its lines, two levels deep at most: a line that is a block has its
    lines already. Raises ConfigValueError."""
    opened = f"{tag} {value(argument)}" if argument else tag
    body = "".join(f"    {line}\n" for whole in lines for line in whole.splitlines())
    return f"<{opened}>\n{body}</{tag}>"
