"""A raw SMTP client for tests: says exactly these bytes, reads exactly those replies."""

import asyncio
import contextlib
from typing import Self

PATIENCE = 5.0


class SmtpWire:
    """One connection, greeted; replies are the last line's text, without CRLF."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int, ehlo: bool = True) -> Self:
        """Connect; with `ehlo`, read the greeting and say EHLO."""
        wire = cls(*await asyncio.open_connection("127.0.0.1", port))
        if ehlo:
            await wire.reply()
            await wire.ask("EHLO client.test")
        return wire

    def say(self, data: str | bytes) -> None:
        """Send `data` as it is."""
        self.writer.write(data.encode() if isinstance(data, str) else data)

    async def reply(self) -> str:
        """The next reply's last line; "" when the connection has ended."""
        async with asyncio.timeout(PATIENCE):
            while (line := await self.reader.readline())[3:4] == b"-":
                pass
        return line.decode().rstrip()

    async def ask(self, command: str) -> str:
        """Send one command, read its reply."""
        self.say(command + "\r\n")
        return await self.reply()

    async def send(
        self,
        *rcpts: str,
        body: str | bytes = "Subject: x\r\n\r\nhello\r\n",
        sender: str = "a@tenant.test",
        parameters: str = "",
    ) -> str:
        """One whole transaction; the reply that ended it."""
        answer = await self.ask(f"MAIL FROM:<{sender}>{parameters}")
        for rcpt in rcpts if answer.startswith("2") else ():
            answer = await self.ask(f"RCPT TO:<{rcpt}>")
        if not answer.startswith("2"):
            return answer
        answer = await self.ask("DATA")
        if not answer.startswith("354"):
            return answer
        self.say(body)
        self.say(".\r\n")
        return await self.reply()

    async def close(self) -> None:
        """Close, and wait until it is closed."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()
