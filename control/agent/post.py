"""Posting to control: one kept connection, every wait bounded, its certificate checked."""

import contextlib
import http.client
import socket
import ssl
from pathlib import Path
from typing import NamedTuple
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


class Answer(NamedTuple):
    """Of control's. `wait`: seconds that it asks for."""

    status: int
    body: bytes
    etag: str
    wait: float


class Poster:
    """To the control plane of `settings.url`. `patience`: seconds that an answer may take beyond
    `settings.timeout`."""

    def __init__(self, settings: Agent, patience: float = 0.0) -> None:
        """Raises OSError for a file of certificates that cannot be read."""
        parts = urlsplit(settings.url)
        self._host, self._port = parts.hostname or "", parts.port
        self._path = parts.path.rstrip("/")
        self._token_file = Path(settings.token_file)
        self._timeout = settings.timeout + patience
        self._tls = None
        if parts.scheme == "https":
            self._tls = ssl.create_default_context(cafile=settings.ca_file or None)
        self._connection: http.client.HTTPConnection | None = None
        self._interrupted = False

    def post(self, path: str, body: bytes, kind: str) -> tuple[int, bytes]:
        """(200 or 409, the answer). `kind`: its media type. Raises PostError."""
        answer = self._exchange("POST", path, body, {"Content-Type": kind}, (200, 409))
        return answer.status, answer.body

    def get(self, path: str, etag: str) -> Answer:
        """What is there (200), or that it is what has this `etag` (304). Raises PostError."""
        headers = {"If-None-Match": etag} if etag else {}
        return self._exchange("GET", path, None, headers, (200, 304))

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def interrupt(self) -> None:
        """End what waits for an answer, from a signal's handler: it fails at once, and so does what
        is asked afterwards on a connection that was kept."""
        self._interrupted = True
        sock = self._connection.sock if self._connection is not None else None
        if sock is not None:
            # The socket's own, below TLS, whose object is in use.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _exchange(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
        expected: tuple[int, ...],
    ) -> Answer:
        kept = self._connection is not None
        try:
            answer = self._once(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # One that was kept may have been closed meanwhile. What was taken is not taken again.
            if not kept or self._interrupted or isinstance(error, TimeoutError):
                raise PostError(_said(error)) from error
            try:
                answer = self._once(method, path, body, headers)
            except (OSError, http.client.HTTPException) as again:
                self.close()
                raise PostError(_said(again)) from again
        if answer.status in expected:
            return answer
        self.close()
        said = f"control answers {answer.status}: {_reason(answer.body)}"
        if answer.status in (401, 403):
            said += f" (token_file: {self._token_file})"
        raise PostError(said, answer.wait)

    def _once(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        token = self._token()
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request(
            method,
            self._path + path,
            body=body,
            headers={"Authorization": f"Bearer {token}", **headers},
        )
        response = self._connection.getresponse()
        answer = response.read(LONGEST_ANSWER)
        if not response.isclosed():
            raise http.client.HTTPException("its answer is too long")
        wait = 0.0
        with contextlib.suppress(ValueError):
            wait = float(response.headers.get("Retry-After", "0"))
        etag = response.headers.get("ETag", "")
        return Answer(response.status, answer, etag, min(max(0.0, wait), LONGEST_WAIT))

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


def _reason(answer: bytes) -> str:
    try:
        found = msgspec.json.decode(answer, type=Problem)
    except msgspec.DecodeError:
        return "no reason that can be read"
    # An older control says it in the title alone.
    return found.detail or found.title
