"""What the documents take for granted: two stores, PowerMTA, a repository, mail of MailWizz.

Everything lies below one folder; nothing outlives it.
"""

import base64
import contextlib
import os
import secrets
import smtplib
import ssl
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg

from control.embedded.servers import ports
from control.embedded.servers.binaries import postgres_bin
from control.embedded.servers.postgres import LocalPostgres
from control.embedded.servers.valkey import LocalValkey
from control.embedded.stack.toml import to_toml
from loadtest.certificate import self_signed
from tests.support.pmta.standin import StandIn
from tests.support.repository import ROOT

BIN = Path(__file__).with_name("bin")
PASSWORD = "a-long-password"
MESSAGES = 16
"""More than an IP of 50 a day takes at once: some wait."""


class Stack:
    """One folder."""

    def __init__(self, root: Path, valkey: LocalValkey, postgres: LocalPostgres, pmta: StandIn):
        self.root = root
        self._valkey = valkey
        self._place = postgres.url.rpartition("@")[2].rpartition("/")[0]
        self.named = {
            "root": str(root),
            "checkout": str(ROOT),
            "valkey": str(valkey.data_dir),
            "pmta": f"{pmta.host}:{pmta.smtp_port}",
            **{name: str(ports.choose()) for name in ("smtp_port", "api_port", "admin_port")},
            "token": "",
        }
        self._config: dict[str, Any] = {}

    @property
    def database(self) -> str:
        """Its URL, with the user that the runbook makes."""
        return f"postgresql://sendgate:{PASSWORD}@{self._place}/sendgate"

    def environment(self) -> dict[str, str]:
        """Of every command."""
        host, _, port = self._place.rpartition(":")
        return {
            "PATH": f"{BIN}:{postgres_bin()}:{os.environ['PATH']}",
            "HOME": str(self.root),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "COMMANDS_ROOT": str(self.root),
            "COMMANDS_PYTHON": sys.executable,
            "COMMANDS_LEDGER": self._valkey.url,
            "PGHOST": host,
            "PGPORT": port,
            "PGUSER": "postgres",
            "PGPASSWORD": PASSWORD,
            "PASSWORD": PASSWORD,
            "SENDGATE_DOTENV": "/nonexistent",
        }

    def configure(self, text: str) -> None:
        """Write what a document says shall stand in the configuration, beside what it said
        before, and the secrets that nobody prints."""
        for name, value in tomllib.loads(text).items():
            self._config[name] = {**self._config.get(name, {}), **value}
        folder = self.root / "etc" / "sendgate"
        (folder / "sendgate.toml").write_text(to_toml(self._config), "utf-8")
        lines = {
            "DATABASE_URL": self.database,
            "REDIS_URL": self._valkey.url,
            "SENDGATE_CONTROL_SECRET": self.named.setdefault("secret", _secret()),
            "SENDGATE_CONTROL_PORT": self.named["api_port"],
            "SENDGATE_GATEWAY_ADMIN_PORT": self.named["admin_port"],
            "SENDGATE_CONTROL_PMTA_KEYS": str(self.root / "etc" / "pmta" / "keys"),
        }
        text = "".join(f"{name}={value}\n" for name, value in lines.items())
        (folder / "sendgate.env").write_text(text, "utf-8")
        certificate, key = folder / "tls" / "fullchain.pem", folder / "tls" / "privkey.pem"
        if not key.exists():
            self_signed(certificate, key)

    def send(self) -> None:
        """As MailWizz does."""
        port, context = int(self.named["smtp_port"]), ssl._create_unverified_context()
        with smtplib.SMTP_SSL("127.0.0.1", port, context=context) as smtp:
            smtp.login("acme", PASSWORD)
            for number in range(MESSAGES):
                smtp.sendmail(
                    "info@news.example.com",
                    ["someone@gmail.com"],
                    f"From: info@news.example.com\r\nTo: someone@gmail.com\r\n"
                    f"Message-ID: <{number}@news.example.com>\r\nSubject: {number}\r\n\r\nx\r\n",
                )

    async def message(self, command: str) -> str:
        """An id that a command can be about: of mail in doubt for `settle`, of mail that waits
        for others, made so where there is none."""
        state = "doubt" if "settle" in command else "held"
        connection = await asyncpg.connect(self.database)
        try:
            if state == "doubt":
                await connection.execute(
                    "UPDATE held SET state = 'doubt', reason = 'unknown' WHERE (bucket, id) IN "
                    "(SELECT bucket, id FROM held WHERE state = 'held' LIMIT 1) AND NOT EXISTS "
                    "(SELECT FROM held WHERE state = 'doubt')"
                )
            find = "SELECT id FROM held WHERE state = $1 ORDER BY arrived, id LIMIT 1"
            return str(await connection.fetchval(find, state))
        finally:
            await connection.close()

    async def envelope(self) -> str:
        """Of a message that went."""
        connection = await asyncpg.connect(self.database)
        try:
            find = "SELECT envelope FROM outcome WHERE outcome = 'relayed' ORDER BY at LIMIT 1"
            return str(await connection.fetchval(find))
        finally:
            await connection.close()


def prepare(root: Path) -> None:
    """The folders that the documents take for granted, and the repository."""
    for folder in (
        *("opt", "tmp", "etc/systemd/system", "etc/pmta/keys", "var/backups"),
        *("var/lib/sendgate", "var/log/pmta", "readme"),
    ):
        (root / folder).mkdir(parents=True)
    repository = root / "repository.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(ROOT), str(repository)], check=True)
    # The version that the upgrade names is not made yet.
    subprocess.run(["git", "-C", str(repository), "tag", "v0.2.0"], check=True)
    (root / "readme" / ".venv").symlink_to(ROOT / ".venv")


def _secret() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


async def _as_installed(postgres: LocalPostgres) -> None:
    """As a distribution leaves it: a superuser `postgres`, and nobody's database."""
    connection = await asyncpg.connect(postgres.url)
    await connection.execute(f"CREATE ROLE postgres SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
    await connection.close()
    place = postgres.url.rpartition("@")[2].rpartition("/")[0]
    connection = await asyncpg.connect(f"postgresql://postgres:{PASSWORD}@{place}/postgres")
    await connection.execute("DROP DATABASE IF EXISTS sendgate WITH (FORCE)")
    await connection.execute("ALTER ROLE sendgate RENAME TO embedded")
    await connection.close()


@contextlib.asynccontextmanager
async def stack(root: Path) -> AsyncIterator[Stack]:
    """Started in a folder that `prepare` prepared; ended with everything it started."""
    async with (
        LocalValkey(root / "valkey") as valkey,
        LocalPostgres(root / "postgres") as postgres,
        StandIn.start(accounting=root / "var" / "log" / "pmta") as pmta,
    ):
        await _as_installed(postgres)
        yield Stack(root, valkey, postgres, pmta)
