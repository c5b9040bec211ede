"""Minting message ids (policy/README.md: identity)."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u


_LENGTH = 27

# Two digits at a time, written out: an id is minted for every message.
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]


def _ten_digits(number: int) -> str:
    """The lowest fifty bits of `number` in base 32."""
    return (
        f"{_PAIRS[number >> 40 & 1023]}{_PAIRS[number >> 30 & 1023]}{_PAIRS[number >> 20 & 1023]}"
        f"{_PAIRS[number >> 10 & 1023]}{_PAIRS[number & 1023]}"
    )


def minted(message: str) -> int | None:
    """Milliseconds of the machine's clock at which a message id was minted; None for another id."""
    number = 0
    for digit in message[:10]:
        value = _ALPHABET.find(digit)
        if value < 0:
            return None
        number = number * 32 + value
    return number if len(message) >= _LENGTH else None


class Ids:
    """Mints message ids that sort by time and never meet those of another process."""

    def __init__(self, process: bytes) -> None:
        """`process`: at least 6 random octets."""
        self._process = _ten_digits(int.from_bytes(process[:6]))
        self._count = 0

    def message(self, now: float) -> str:
        """`now` in seconds; the id has 27 characters safe in headers, xtext and keys."""
        self._count += 1
        count = _ten_digits(self._count)[3:]
        return f"{_ten_digits(int(now * 1000))}{self._process}{count}"
