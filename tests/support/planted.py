"""Secrets planted for a test, and which of them stand in what somebody else may read."""

import base64
import secrets
from urllib.parse import quote


class Planted:
    """Names to secrets: made here, or met on the way."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}
        self._spelt: dict[str, tuple[bytes, ...]] = {}

    def __getitem__(self, name: str) -> str:
        return self._of[name]

    def word(self, name: str) -> str:
        """A new password or token."""
        return self.met(name, f"Pl4nted{secrets.token_hex(16)}")

    def key(self, name: str) -> str:
        """32 new octets in URL-safe base64."""
        return self.met(name, base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())

    def met(self, name: str, secret: str) -> str:
        """One that the product made, such as a token that is shown once."""
        assert len(secret) >= 8, name
        self._of[name] = secret
        self._spelt[name] = tuple(_spellings(secret))
        return secret

    def within(self, octets: bytes) -> set[str]:
        """Names of those that stand in it, as they are or in another spelling."""
        return {name for name, spelt in self._spelt.items() if any(one in octets for one in spelt)}


def _spellings(secret: str) -> list[bytes]:
    """As it is, percent-encoded, in hexadecimal (as dumps have octets), and within base64 (as AUTH
    and Basic have it), at each place it may begin at; and the octets that a key is."""
    raws = [secret.encode()]
    if len(secret) == 44 and secret.endswith("="):
        raws.append(base64.urlsafe_b64decode(secret))
    found = [quote(secret, safe="").encode()]
    for raw in raws:
        found += [raw, raw.hex().encode(), raw.hex().upper().encode()]
        for shift in range(3):
            # What stands before and behind it changes the characters at both ends.
            text = base64.b64encode(bytes(shift) + raw)
            inner = text[(0, 2, 3)[shift] : len(text) - 4]
            found += [inner, inner.translate(bytes.maketrans(b"+/", b"-_"))]
    return found
