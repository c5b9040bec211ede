"""What seals at rest: `control.secret` seals and opens, those in `control.secrets_before` open."""

from cryptography.fernet import Fernet, InvalidToken


class Keyring:
    """Of one deployment. `secret` '' has nothing: `ready` says so."""

    def __init__(self, secret: str, before: tuple[str, ...] = ()) -> None:
        """Raises ValueError for a secret that is none."""
        self._secrets = (secret, *before) if secret else ()
        for one in self._secrets:
            Fernet(one)

    @property
    def count(self) -> int:
        return len(self._secrets)

    @property
    def ready(self) -> bool:
        return bool(self._secrets)

    def closed(self, plain: bytes) -> bytes:
        """Sealed with the newest."""
        return Fernet(self._secrets[0]).encrypt(plain)

    def opened(self, sealed: bytes) -> bytes | None:
        """None: none of them sealed it."""
        return self.looked(sealed)[1]

    def looked(self, sealed: bytes) -> tuple[int, bytes | None]:
        """(which of them sealed it, 0 the newest; what it is). (-1, None): none of them did.

        One Fernet a use: it is asked in threads, too, and nothing native is shared by two."""
        for number, secret in enumerate(self._secrets):
            try:
                return number, Fernet(secret).decrypt(sealed)
            except InvalidToken:
                continue
        return -1, None
