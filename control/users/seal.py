"""Secrets of people and sessions, sealed with `control.secret` before they reach PostgreSQL."""

from cryptography.fernet import Fernet, InvalidToken

from control import kinds
from control.problem import RefusedError


class Secrets:
    """Of one deployment; '' refuses to work, so that a control plane without people needs none."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def closed(self, plain: bytes) -> bytes:
        """Raises RefusedError."""
        return self._ready().encrypt(plain)

    def opened(self, sealed: bytes) -> bytes | None:
        """None: it was sealed with another. Raises RefusedError."""
        try:
            return self._ready().decrypt(sealed)
        except InvalidToken:
            return None

    def _ready(self) -> Fernet:
        if not self._secret:
            raise RefusedError(
                "control.secret is not set: it seals what sessions are signed with "
                "(SENDGATE_CONTROL_SECRET, 32 octets in URL-safe base64)",
                kind=kinds.NOT_SET_UP,
            )
        return Fernet(self._secret)
