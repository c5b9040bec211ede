"""Posting to control: one kept connection, every wait bounded, its certificate checked."""

import contextlib
import http.client
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from control.problem import Problem
from settings.agent import Agent

LONGEST_ANSWER = 16_777_216
"""Octets of an answer that are read: positions of some 100,000 files."""
LONGEST_WAIT = 3_600.0
"""Seconds that control may ask for."""


class PostError(Exception):
    """It was not taken, as far as is known. `wait`: seconds that control asks for."""

    def __init__(self, text: str, wait: float = 0.0) -> None:
        super().__init__(text)
        self.wait = wait


class Poster:
    """To the control plane of `settings.url`."""

    def __init__(self, settings: Agent) -> None:
        """Raises OSError for a file of certificates that cannot be read."""
        parts = urlsplit(settings.url)
        self._host, self._port = parts.hostname or "", parts.port
        self._path = parts.path.rstrip("/")
        self._token_file = Path(settings.token_file)
        self._timeout = settings.timeout
        self._tls = None
        if parts.scheme == "https":
            self._tls = ssl.create_default_context(cafile=settings.ca_file or None)
        self._connection: http.client.HTTPConnection | None = None

    def post(self, path: str, body: bytes, kind: str) -> tuple[int, bytes]:
        """(200 or 409, the answer). `kind`: its media type. Raises PostError."""
        kept = self._connection is not None
        try:
            status, answer, wait = self._once(path, body, kind)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # One that was kept may have been closed meanwhile. What was taken is not taken again.
            if not kept or isinstance(error, TimeoutError):
                raise PostError(_said(error)) from error
            try:
                status, answer, wait = self._once(path, body, kind)
            except (OSError, http.client.HTTPException) as again:
                self.close()
                raise PostError(_said(again)) from again
        if status in (200, 409):
            return status, answer
        self.close()
        raise PostError(f"control answers {status}: {_title(answer)}", wait)

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _once(self, path: str, body: bytes, kind: str) -> tuple[int, bytes, float]:
        token = self._token()
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request(
            "POST",
            self._path + path,
            body=body,
            headers={"Authorization": f"Bearer {token}", "Content-Type": kind},
        )
        response = self._connection.getresponse()
        answer = response.read(LONGEST_ANSWER)
        if not response.isclosed():
            raise http.client.HTTPException("its answer is too long")
        wait = 0.0
        with contextlib.suppress(ValueError):
            wait = float(response.headers.get("Retry-After", "0"))
        return response.status, answer, min(max(0.0, wait), LONGEST_WAIT)

    def _token(self) -> str:
        """Read each time: it may have been changed. Raises OSError and PostError."""
        token = self._token_file.read_bytes().strip()
        if not (token.isascii() and token.decode("ascii").isprintable() and token):
            raise PostError(f"token_file: {self._token_file} holds no token")
        return token.decode("ascii")

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=self._timeout, context=self._tls
        )


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return f"control does not answer ({error or type(error).__name__})"


def _title(answer: bytes) -> str:
    try:
        return msgspec.json.decode(answer, type=Problem).title
    except msgspec.DecodeError:
        return "no reason that can be read"
