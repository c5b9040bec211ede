"""Messages by Telegram's Bot API (core.telegram.org/bots/api, sendMessage).

A 429 says in `parameters.retry_after` how many seconds to wait; asking earlier makes it longer.
The token stands in the URL, so that no error of the client library is shown as it is.
"""

from typing import Any

import aiohttp
import msgspec

from control.alerts.channel import ChannelError
from control.alerts.message import Message

LONGEST = 4_096
"""UTF-16 units of one text."""
LONGEST_WAIT = 3_600.0


class _Parameters(msgspec.Struct, frozen=True):
    retry_after: float | None = None


class _Answer(msgspec.Struct, frozen=True):
    ok: bool
    description: str = ""
    error_code: int = 0
    parameters: _Parameters = _Parameters()


class Telegram:
    """One chat. `url`: of the API, without the token."""

    name = "telegram"

    def __init__(self, url: str, token: str, chat: str, timeout: float) -> None:
        self._url = f"{url.rstrip('/')}/bot{token}/sendMessage"
        self._chat = chat
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def send(self, message: Message) -> None:
        """Raises ChannelError."""
        body = {
            "chat_id": self._chat,
            "text": shortened(message.text),
            "link_preview_options": {"is_disabled": True},
            "disable_notification": message.kind == "end" or message.severity == "info",
        }
        try:
            async with (
                aiohttp.ClientSession(timeout=self._timeout) as session,
                session.post(self._url, json=body) as response,
            ):
                status, text = response.status, await response.read()
        except (aiohttp.ClientError, OSError) as error:
            # Its text may name the URL.
            raise ChannelError(f"Telegram does not answer ({type(error).__name__})") from None
        _judge(status, text)


def _judge(status: int, text: bytes) -> None:
    try:
        answer = msgspec.json.decode(text, type=_Answer)
    except msgspec.MsgspecError:
        raise ChannelError(f"Telegram answers {status}, and not as the Bot API does") from None
    if status == 200 and answer.ok:
        return
    said = f"Telegram: {status} {answer.description}"[:500]
    if status == 429:
        wait: Any = answer.parameters.retry_after
        raise ChannelError(said, wait=min(max(float(wait or 1), 1.0), LONGEST_WAIT))
    raise ChannelError(said)


def shortened(text: str) -> str:
    """As much of it as one message may have."""
    units = text.encode("utf-16-le", "replace")
    if len(units) <= 2 * LONGEST:
        return text
    return units[: 2 * (LONGEST - 1)].decode("utf-16-le", "ignore") + "…"
