"""Messages as signed JSON: HMAC-SHA-256 over the time and the body, as our own door for posted
accounting wants it.

`X-Sendgate-Timestamp`: epoch seconds, real time; `X-Sendgate-Signature: sha256=HEX` over
`TIMESTAMP.BODY`. `id` is the same each time a message is sent: whoever got it before may drop it.
"""

import hashlib
import hmac
from collections.abc import Callable

import aiohttp
import msgspec

from control.alerts.channel import ChannelError
from control.alerts.message import Message
from policy.isotime import instant


class Webhook:
    """One URL. `clock`: real seconds since 1970."""

    name = "webhook"

    def __init__(self, url: str, key: str, timeout: float, clock: Callable[[], float]) -> None:
        self._url = url
        self._key = key.encode()
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._clock = clock

    async def send(self, message: Message) -> None:
        """Raises ChannelError."""
        body = msgspec.json.encode(payload(message))
        headers = {"Content-Type": "application/json"}
        if self._key:
            stamp = str(int(self._clock()))
            signature = hmac.new(self._key, f"{stamp}.".encode() + body, hashlib.sha256)
            headers["X-Sendgate-Timestamp"] = stamp
            headers["X-Sendgate-Signature"] = f"sha256={signature.hexdigest()}"
        try:
            async with (
                aiohttp.ClientSession(timeout=self._timeout) as session,
                session.post(
                    self._url, data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                status, after = response.status, response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, OSError) as error:
            raise ChannelError(f"the webhook does not answer ({type(error).__name__})") from None
        if not 200 <= status < 300:
            wait = float(after) if after.isascii() and after.isdigit() and len(after) < 5 else None
            raise ChannelError(f"the webhook answers {status}", wait=wait)


def payload(message: Message) -> dict[str, object]:
    """What is posted."""
    return {
        "id": message.message,
        "alert": message.alert,
        "key": message.key,
        "kind": message.kind,
        "severity": message.severity,
        "text": message.text,
        "what": message.what,
        "next": message.next,
        "first_seen": instant(message.first_seen),
        "at": instant(message.at),
        "count": message.count,
        "returned": message.returned,
    }
