"""Minting message ids (policy/README.md: identity)."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u


# Two digits at a time: half the divisions, for an id is minted for every message.
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]


def _base32(number: int, width: int) -> str:
    pairs = []
    for _ in range(width + 1 >> 1):
        pairs.append(_PAIRS[number & 1023])
        number >>= 10
    pairs.reverse()
    return "".join(pairs)[-width:]


class Ids:
    """Mints message ids that sort by time and never meet those of another process."""

    def __init__(self, process: bytes) -> None:
        """`process`: at least 6 random octets."""
        self._process = _base32(int.from_bytes(process[:6]), 10)
        self._count = 0

    def message(self, now: float) -> str:
        """`now` in seconds; the id has 27 characters safe in headers, xtext and keys."""
        self._count += 1
        return f"{_base32(int(now * 1000), 10)}{self._process}{_base32(self._count, 7)}"
