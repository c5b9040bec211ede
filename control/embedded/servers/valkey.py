"""The embedded Valkey: an append-only file synced before every answer, on loopback only.

It runs as the stack's own user: unlike PostgreSQL, Valkey does not mind root.
"""

import signal
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError

from control.embedded.servers import binaries
from control.embedded.servers.error import LocalPartError
from control.embedded.servers.leftover import Leftover
from control.embedded.servers.localserver import LocalServer
from control.embedded.servers.process import ChildProcess
from control.store.files import password, write_private


class LocalValkey(LocalServer):
    """Valkey for one stack; everything acknowledged survives kill -9 of anything."""

    name = "Valkey"
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        """A URL for redis-py, sync or asyncio."""
        return f"redis://:{self._password()}@127.0.0.1:{self.port}/0"

    def _password(self) -> str:
        return password(self.data_dir / "password")

    @property
    def _config(self) -> Path:
        return self.data_dir / "valkey.conf"

    def _leftover(self) -> Leftover:
        return Leftover(
            lock=self.data_dir / "server.lock",
            pid_files=(),
            programs=("valkey-server",),
            marker=self._config,
            ask=self.stop_signal,
        )

    async def _prepare(self) -> None:
        binaries.valkey_server()

    def _configure(self) -> None:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self._port),
            "protected-mode": "yes",
            "requirepass": self._password(),
            "dir": str(self.data_dir),
            "daemonize": "no",
            # Left-overs are recognised by their command line, which a title would replace.
            "set-proc-title": "no",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            # The default, spelt out: `yes` would suspend `always` during a rewrite.
            "no-appendfsync-on-rewrite": "no",
            # A power cut may leave half a command at the end: it was never acknowledged.
            "aof-load-truncated": "yes",
            # A ledger that evicts keys forgets what was sent.
            "maxmemory-policy": "noeviction",
        }
        lines = (f"{key} {_quoted(value)}\n" for key, value in settings.items())
        write_private(self._config, "".join(lines))

    def _spawn(self, lock: int) -> ChildProcess:
        return ChildProcess(
            [str(binaries.valkey_server()), str(self._config)],
            log=self.log,
            lock=lock,
            death_signal=self.stop_signal,
        )

    async def _answers(self) -> bool:
        # No retries of its own: the caller's bound is the only one.
        client = Redis.from_url(self.url, socket_timeout=2.0, socket_connect_timeout=2.0)
        try:
            return bool(await client.ping())
        except AuthenticationError as error:
            raise LocalPartError(
                f"whoever answers on port {self._port} does not know our password"
            ) from error
        except (RedisError, OSError):
            return False
        finally:
            await client.aclose()


def _quoted(value: str) -> str:
    """A value as valkey.conf reads it: backslash escapes within double quotes."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
