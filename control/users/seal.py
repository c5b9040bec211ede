"""Secrets of people and sessions, sealed with `control.secret` before they reach PostgreSQL."""

from control import kinds
from control.problem import RefusedError
from control.store.keyring import Keyring


class Secrets:
    """Of one deployment; '' refuses to work, so that a control plane without people needs none."""

    def __init__(self, secret: str, before: tuple[str, ...] = ()) -> None:
        """`before`: control.secrets_before."""
        self._ring = Keyring(secret, before)

    def closed(self, plain: bytes) -> bytes:
        """Raises RefusedError."""
        return self._ready().closed(plain)

    def opened(self, sealed: bytes) -> bytes | None:
        """None: it was sealed with another. Raises RefusedError."""
        return self._ready().opened(sealed)

    def _ready(self) -> Keyring:
        if not self._ring.ready:
            raise RefusedError(
                "control.secret is not set: it seals what sessions are signed with "
                "(SENDGATE_CONTROL_SECRET, 32 octets in URL-safe base64)",
                kind=kinds.NOT_SET_UP,
            )
        return self._ring
