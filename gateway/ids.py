"""Minting message ids (policy/README.md: identity)."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u


def _base32(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


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
