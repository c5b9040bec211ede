"""The embedded PostgreSQL: checksummed, synchronous, password on every connection, loopback only.

Settings are given on the command line: there they win over postgresql.conf and ALTER SYSTEM, so
nobody switches fsync off for one fast import and forgets it.
"""

import contextlib
import logging
import signal
from pathlib import Path

import asyncpg

from control.embedded.servers import binaries
from control.embedded.servers.account import Account, database_account
from control.embedded.servers.cluster import create_cluster
from control.embedded.servers.error import LocalPartError
from control.embedded.servers.leftover import Leftover
from control.embedded.servers.localserver import LocalServer
from control.embedded.servers.process import ChildProcess
from control.store.files import password

log = logging.getLogger(__name__)

USER = DATABASE = "sendgate"

_STATEMENT = 10.0
"""Seconds; making a database copies 8 MB."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # No Unix socket: its path is limited to 107 bytes, and data directories lie deep.
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "max_wal_size": "256MB",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_destination": "stderr",
    "logging_collector": "off",
}


class LocalPostgres(LocalServer):
    """PostgreSQL for one stack, with a database `sendgate` whose owner may create more."""

    name = "PostgreSQL"
    # "Fast" shutdown: sessions are rolled back. SIGTERM would wait for the last client.
    stop_signal = signal.SIGINT

    _account = Account()

    @property
    def url(self) -> str:
        """A URL for asyncpg."""
        return f"postgresql://{USER}:{self._password()}@127.0.0.1:{self.port}/{DATABASE}"

    def _password(self) -> str:
        return password(self.data_dir / "password")

    @property
    def _cluster(self) -> Path:
        return self.data_dir / "cluster"

    @property
    def _pid_file(self) -> Path:
        return self._cluster / "postmaster.pid"

    def _leftover(self) -> Leftover:
        return Leftover(
            lock=self.data_dir / "server.lock",
            pid_files=(self._pid_file,),
            programs=("postgres",),
            marker=self._cluster,
            ask=self.stop_signal,
        )

    async def _prepare(self) -> None:
        directory = binaries.postgres_bin()
        initdb, postgres = directory / "initdb", directory / "postgres"
        if self._cluster.exists() and not (self.data_dir / "password").exists():
            raise LocalPartError(
                f"{self.data_dir / 'password'} is missing: the database in {self._cluster} "
                "cannot be opened without it; restore it from a backup"
            )
        inside = self._cluster if self._cluster.exists() else self.data_dir
        self._account = database_account(inside, [postgres, initdb])
        if self._account.capability:
            log.info(
                "PostgreSQL runs with the capability %s, because its user may not enter all "
                "directories above %s or %s",
                *(self._account.capability, self._cluster, directory),
            )
        if not self._cluster.exists():
            await create_cluster(
                self._cluster,
                initdb=initdb,
                account=self._account,
                user=USER,
                password=self._password(),
                log=self.log,
                leftover=self._leftover(),
                timeout=self.start_timeout,
            )

    def _configure(self) -> None:
        # We hold the lock every server and backend here inherits, so nobody is left, and a pid
        # in this file is a stale one: a recycled number of the same user would stop the start.
        self._pid_file.unlink(missing_ok=True)

    def _spawn(self, lock: int) -> ChildProcess:
        settings = {**SETTINGS, "port": str(self._port)}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return ChildProcess(
            [str(binaries.postgres_bin() / "postgres"), "-D", str(self._cluster), *options],
            log=self.log,
            lock=lock,
            account=self._account,
            death_signal=self.stop_signal,
        )

    async def _answers(self) -> bool:
        try:
            # `postgres` always exists; ours does not before the first start has come this far.
            connection = await asyncpg.connect(
                host="127.0.0.1",
                port=self._port,
                user=USER,
                password=self._password(),
                database="postgres",
                timeout=2.0,
                command_timeout=_STATEMENT,
                server_settings={"statement_timeout": str(round(_STATEMENT * 1000))},
                ssl=False,
            )
        except asyncpg.InvalidPasswordError as error:
            raise LocalPartError(
                f"PostgreSQL on port {self._port} refuses the password in "
                f"{self.data_dir / 'password'}; restore that file from a backup"
            ) from error
        except (asyncpg.PostgresError, OSError, TimeoutError):
            return False
        try:
            with contextlib.suppress(asyncpg.DuplicateDatabaseError):
                if not await connection.fetchval(
                    "SELECT 1 FROM pg_database WHERE datname = $1", DATABASE
                ):
                    await connection.execute(f"CREATE DATABASE {DATABASE}")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            return False
        finally:
            connection.terminate()
        return True
