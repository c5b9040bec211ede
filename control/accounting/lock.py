"""Numbers of PostgreSQL's advisory locks, by what is done under them."""

import hashlib


def lock_number(name: str) -> int:
    """Of what one of all control nodes does. A PowerMTA server's name is one: other names have a
    blank, which no server's has."""
    digest = hashlib.blake2b(f"sendgate accounting {name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
