"""What a host of Sendgate finds: two stores, PowerMTA, distributions, mail of MailWizz."""

import asyncio
import contextlib
import shutil
import smtplib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg

from control.embedded.servers import ports
from control.embedded.servers.binaries import postgres_bin
from control.embedded.servers.postgres import LocalPostgres
from control.embedded.servers.valkey import LocalValkey
from control.store.migrate import newest
from tests.setup.deployment.root import Host
from tests.support.pmta.standin import StandInProcess
from tests.support.repository import ROOT

PASSWORD = "a-long-password"
PATIENCE = 20.0


class Outside:
    """Of one scenario."""

    def __init__(self, root: Path, url: str, ledger: str, pmta: StandInProcess) -> None:
        self.root = root
        self.newest = newest()
        self._url, self._ledger, self._pmta = url, ledger, pmta
        self._smtp, self._api, self._admin = (ports.choose() for _ in range(3))
        self._sent = 0

    def copy(self, debian: Path) -> None:
        """A root to spoil, with the answers and PostgreSQL's client programs."""
        shutil.rmtree(self.root, ignore_errors=True)
        subprocess.run(["cp", "-a", "--reflink=auto", debian, self.root], check=True)
        (self.root / "srv" / "answers.toml").write_text(
            f'database_url = "{self._url}"\nredis_url = "{self._ledger}"\n'
            f'hostname = "gate.example.com"\nlisten = "127.0.0.1:{self._smtp}"\n'
            f'pmta = "{self._pmta.host}:{self._pmta.smtp_port}"\napi = "127.0.0.1:{self._api}"\n'
            "workers = 1\n",
            "utf-8",
        )
        # Where `sendgate backup` looks, beside the libraries of its wheel.
        package = postgres_bin().parents[1]
        libraries = package.with_name(f"{package.name}.libs")
        for one in (package, libraries):
            shutil.copytree(one, self.root / "usr/local/wheel" / one.name, symlinks=True)
        (self.root / "usr/local/pgsql").symlink_to(f"wheel/{package.name}/pginstall")

    def port(self) -> str:
        """A line of sendgate.env: the machine's ports are others' too."""
        return f"SENDGATE_GATEWAY_ADMIN_PORT={self._admin}"

    async def tenant(self, host: Host) -> None:
        """One that MailWizz logs in as."""
        script = (
            "cd /etc/sendgate; export SENDGATE_DOTENV=/etc/sendgate/sendgate.env\n"
            f"export SENDGATE_URL=http://127.0.0.1:{self._api}\n"
            "s=/opt/sendgate/.venv/bin/sendgate; last='tail -n 1'\n"
            "export SENDGATE_TOKEN=$($s token add admin | $last | tr -s ' ' '\\n' | $last)\n"
            f"$s server set pmta1 {self._pmta.host}:{self._pmta.smtp_port} &&\n"
            f"$s tenant add acme --login acme --password {PASSWORD} &&\n"
            "$s domain add --tenant acme --domain news.example.com --ip 192.0.2.10 --quota 1000\n"
            "$s ip set 192.0.2.10 --hourly-share 1.0"
        )
        done = await asyncio.to_thread(host.run, script)
        assert done.returncode == 0, done.stdout

    async def passes(self) -> None:
        """A message of MailWizz's gets through to PowerMTA."""
        self._sent += 1
        await asyncio.to_thread(self._send, self._sent)
        async with asyncio.timeout(PATIENCE):
            while len(await self._pmta.messages(rcpt=f"{self._sent}@example.org")) != 1:
                await asyncio.sleep(0.1)

    def _send(self, number: int) -> None:
        with smtplib.SMTP("127.0.0.1", self._smtp, timeout=PATIENCE) as smtp:
            smtp.login("acme", PASSWORD)
            smtp.sendmail(
                "info@news.example.com",
                [f"{number}@example.org"],
                "From: info@news.example.com\r\nTo: someone@example.org\r\n"
                f"Message-ID: <{number}@news.example.com>\r\nSubject: {number}\r\n\r\nx\r\n",
            )


def wheels(cache: Path, folder: Path, release: str) -> None:
    """Every distribution that an installation takes, for the Python of a Debian."""
    if not (cache / ".whole").exists():
        cache.mkdir(parents=True, exist_ok=True)
        of = [] if release == "bookworm" else ["--python-version", "3.13", "--only-binary", ":all:"]
        tools = subprocess.run(
            ["sh", "-c", '. "$0/deploy/setup/release.sh"; tools_of "$0/requirements.lock"', ROOT],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        (cache / "tools.lock").write_text(tools, "utf-8")
        for lock in (ROOT / "deploy" / "requirements.lock", cache / "tools.lock"):
            subprocess.run(
                [*(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                 *("--require-hashes", *of, "-r", lock, "-d", cache)],
                check=True,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
        (cache / ".whole").touch()
    shutil.copytree(cache, folder)


@contextlib.asynccontextmanager
async def outside(folder: Path, root: Path) -> AsyncIterator[Outside]:
    """Started in a folder; ended with everything it started."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    async with (
        LocalValkey(folder / "valkey") as valkey,
        LocalPostgres(folder / "postgres") as postgres,
        contextlib.AsyncExitStack() as stack,
    ):
        # A process of its own: our loop stands still while a command runs inside.
        pmta = await StandInProcess.run()
        stack.push_async_callback(pmta.stop)
        connection = await asyncpg.connect(postgres.url)
        await connection.execute(f"CREATE ROLE gate LOGIN PASSWORD '{PASSWORD}'")
        await connection.execute("CREATE DATABASE gate OWNER gate")
        await connection.close()
        place = postgres.url.rpartition("@")[2].rpartition("/")[0]
        url = f"postgresql://gate:{PASSWORD}@{place}/gate"
        yield Outside(root, url, valkey.url, pmta)
