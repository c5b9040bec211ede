"""A TCP relay that writes down what a client said, octet by octet."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Recorder:
    """Connections that went through, each as the octets the client sent."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.said: list[bytearray] = []
        self.port = 0

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = bytearray()
        self.said.append(said)
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(
            self._pump(reader, inner_writer, said), self._pump(inner_reader, writer, None)
        )

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        record: bytearray | None,
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                if record is not None:
                    record += data
                writer.write(data)
                await writer.drain()
        writer.close()

    def contents(self) -> list[bytes]:
        """Every message as the client meant it: between DATA and the dot, dots unstuffed."""
        found = []
        for said in self.said:
            rest = bytes(said)
            while (start := rest.find(b"\r\nDATA\r\n")) >= 0:
                end = rest.index(b"\r\n.\r\n", start)
                content = rest[start + 8 : end + 2]
                lines = content.split(b"\r\n")
                found.append(b"\r\n".join(line[line.startswith(b".") :] for line in lines))
                rest = rest[end:]
        return found


@contextlib.asynccontextmanager
async def recorder(port: int) -> AsyncIterator[Recorder]:
    """Listens on a free port and passes everything on to `port` of this machine."""
    relay = Recorder(port)
    server = await asyncio.start_server(relay._connected, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
