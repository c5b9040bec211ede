"""Codes of an authenticator app: TOTP (RFC 6238) with the defaults every app has: SHA-1, six
digits, thirty seconds. Pure.

Fifteen lines of the standard library instead of a package: nothing in it can become old.
"""

import base64
import hmac
import struct
from urllib.parse import quote

STEP = 30
DIGITS = 6
BYTES = 20
"""Of a secret (RFC 4226, 4: 160 bits are recommended)."""
DRIFT = 1
"""Steps that a device's clock may be off, either way (RFC 6238, 5.2 and 6)."""


def code_at(secret: bytes, step: int) -> str:
    """The code of a time step (RFC 4226, 5.3)."""
    mac = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    at = mac[-1] & 0x0F
    number: int = struct.unpack(">I", mac[at : at + 4])[0] & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def step_of(secret: bytes, code: str, now: float) -> int | None:
    """The step near `now` (epoch seconds) that the code is of; None: it is of none."""
    here = int(now) // STEP
    found = None
    for step in range(max(0, here - DRIFT), here + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            found = step
    return found


def written(secret: bytes) -> str:
    """As people type it into an app."""
    return base64.b32encode(secret).decode()


def uri(secret: bytes, name: str) -> str:
    """As apps read it from a QR code."""
    return (
        f"otpauth://totp/Sendgate:{quote(name)}?secret={written(secret)}&issuer=Sendgate"
        f"&algorithm=SHA1&digits={DIGITS}&period={STEP}"
    )
