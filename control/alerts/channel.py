"""A way out for messages, and what a refusal means for the next try."""

from typing import Protocol

from control.alerts.message import Message


class ChannelError(Exception):
    """It was not delivered; the text says why, without secrets. `wait`: seconds the other side
    asked for; `final`: it will not be taken however often it is sent."""

    def __init__(self, text: str, *, wait: float | None = None, final: bool = False) -> None:
        super().__init__(text)
        self.wait = wait
        self.final = final


class Channel(Protocol):
    """One of them."""

    name: str

    async def send(self, message: Message) -> None:
        """Raises ChannelError."""
