"""AUTH PLAIN and LOGIN, against the one login a run requires (RFC 4954, RFC 4616)."""

import base64
import binascii
import hmac

ACCEPTED = b"235 2.7.0 authentication successful\r\n"
WRONG = b"535 5.7.8 authentication failed\r\n"
MALFORMED = b"501 5.5.2 cannot decode response\r\n"
CANCELLED = b"501 5.7.0 authentication cancelled\r\n"
MECHANISM = b"504 5.5.4 mechanism not offered\r\n"
ASK_PLAIN = b"334 \r\n"
ASK_USER = b"334 VXNlcm5hbWU6\r\n"
ASK_PASSWORD = b"334 UGFzc3dvcmQ6\r\n"


class Login:
    """One AUTH exchange. `user` is set once it has succeeded."""

    def __init__(self, user: str, password: str) -> None:
        self._expected = (user, password)
        self._mechanism = ""
        self._answers: list[str] = []
        self.user = ""

    def start(self, argument: bytes) -> bytes:
        """The reply to ``AUTH argument``; a 334 asks for another line."""
        mechanism, _, initial = argument.strip().partition(b" ")
        self._mechanism = mechanism.upper().decode("ascii", "replace")
        if self._mechanism not in ("PLAIN", "LOGIN"):
            return MECHANISM
        if initial:
            return self.answer(b"" if initial == b"=" else initial)
        return ASK_PLAIN if self._mechanism == "PLAIN" else ASK_USER

    def answer(self, line: bytes) -> bytes:
        """The reply to the next line of the exchange."""
        if line == b"*":
            return CANCELLED
        try:
            text = base64.b64decode(line, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return MALFORMED
        self._answers += text.split("\0")[1:] if self._mechanism == "PLAIN" else [text]
        if self._mechanism == "LOGIN" and len(self._answers) == 1:
            return ASK_PASSWORD
        return self._verdict()

    def _verdict(self) -> bytes:
        given = "\0".join(self._answers).encode()
        if not hmac.compare_digest(given, "\0".join(self._expected).encode()):
            return WRONG
        self.user = self._expected[0]
        return ACCEPTED
