"""Secrets that other servers have are replaced while mail flows, as the RUNBOOK says it: both are
good for a while, and nothing is lost, refused or sent twice."""

import asyncio
import base64
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import pytest
from redis.asyncio import Redis

from control.pmta.dkim import new_secret
from control.store.migrate import migrate
from tests.conftest import CreateDatabase
from tests.faults.process import Served, clean_environment
from tests.support.entry import SENDGATE
from tests.support.session.smtpwire import SmtpWire

LOGIN = "gate"
USED = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1"


class Hop:
    """PowerMTA, which believes some passwords and writes down who got what."""

    def __init__(self, *passwords: str) -> None:
        self.passwords = set(passwords)
        self.got: Counter[str] = Counter()
        self.logins: Counter[str] = Counter()
        self.refused = 0
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Hop"]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 pmta.test\r\n")
        recipients: list[str] = []
        known = False
        try:
            while line := await reader.readline():
                word = line[:4].upper()
                if word == b"EHLO":
                    writer.write(b"250-pmta.test\r\n250-AUTH PLAIN\r\n250 PIPELINING\r\n")
                elif word == b"AUTH":
                    known = self._believes(line)
                    said = b"235 2.7.0 yes" if known else b"535 5.7.8 not believed"
                    writer.write(said + b"\r\n")
                elif word == b"QUIT":
                    break
                elif not known:
                    writer.write(b"530 5.7.0 log in first\r\n")
                elif word == b"DATA":
                    writer.write(b"354 go\r\n")
                    while await reader.readline() != b".\r\n":
                        pass
                    self.got.update(recipients)
                    recipients = []
                    writer.write(b"250 2.0.0 taken\r\n")
                else:
                    if word == b"RCPT":
                        recipients.append(line.decode().partition("<")[2].partition(">")[0])
                    writer.write(b"250 2.0.0 ok\r\n")
        except ConnectionError:
            pass
        finally:
            writer.close()

    def _believes(self, line: bytes) -> bool:
        password = base64.b64decode(line.split()[-1]).split(b"\0")[2].decode()
        if password not in self.passwords:
            self.refused += 1
            return False
        self.logins[password] += 1
        return True


class Deployment:
    """Control and gateway as processes of their own, whose secrets come by files."""

    def __init__(self, folder: Path, hop: Hop, owner: str, role: str) -> None:
        """`owner`: whose the database is, its URL; `role`: which we have of it at first."""
        self.folder = folder
        self.hop = hop
        self.owner = owner
        self.role = role
        self.environ: dict[str, str] = {
            "SENDGATE_DOTENV": "/dev/null",
            "SENDGATE_CONFIG": str(folder / "sendgate.toml"),
            "SENDGATE_DATA_DIR": str(folder / "data"),
            "SENDGATE_CONTROL_SECRET": new_secret(),
        }
        self.control: Served
        self.gateway: Served
        self.smtp = 0
        self.api = ""
        self.taken: list[str] = []
        """Recipients of mail that was answered 250."""

    def secret(self, name: str, value: str) -> None:
        """Put it into its file, which is read at the next start or SIGHUP."""
        file = self.folder / name
        file.touch(0o600)
        file.write_text(value + "\n")
        self.environ[f"{name}_FILE"] = str(file)

    async def reload(self) -> None:
        """SIGHUP: new workers first, then the old ones finish."""
        before = self._reloads()
        os.kill(self.gateway.pid, signal.SIGHUP)
        async with asyncio.timeout(40):
            while self._reloads() == before:
                await asyncio.sleep(0.05)
        assert "reload_refused" not in self.gateway.log.read_text()

    def _reloads(self) -> int:
        return self.gateway.log.read_text().count('"reloaded"')

    async def restart_control(self) -> None:
        """Some seconds without the API; mail goes on."""
        await self.control.stop()
        self.api = (await self.control.start())["api"]

    async def send(self, recipient: str, tenant: str = "acme") -> None:
        """One message, which has to be taken."""
        wire = await SmtpWire.open(self.smtp)
        blob = base64.b64encode(f"\0{tenant}\0correct horse".encode()).decode()
        reply = await wire.ask(f"AUTH PLAIN {blob}")
        assert reply.startswith("235"), reply
        sender = f"a@{tenant}.example"
        content = f"From: {sender}\r\nSubject: x\r\n\r\nx\r\n"
        reply = await wire.send(recipient, body=content, sender=sender)
        assert reply.startswith("250"), reply
        self.taken.append(recipient)
        await wire.close()

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Mail all the time, each second one of a tenant whose mail waits in PostgreSQL."""
        over = asyncio.Event()

        async def client(name: str) -> None:
            number = 0
            while not over.is_set():
                tenant = ("acme", "slow")[number % 2]
                await self.send(f"{tenant}-{name}-{number}@dest.example", tenant)
                number += 1
                await asyncio.sleep(0.02)

        async with asyncio.TaskGroup() as clients:
            for name in "ab":
                clients.create_task(client(f"{name}{len(self.taken)}"))
            yield
            before = len(self.taken)
            async with asyncio.timeout(20):
                while len(self.taken) < before + 10:  # it flows behind the change, too
                    await asyncio.sleep(0.02)
            over.set()


async def asked(api: str, token: str, path: str, body: Any) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{api}/api/v2/{path}", json=body, headers={"Authorization": f"Bearer {token}"}
        ) as answer,
    ):
        assert answer.status in (200, 201), await answer.text()


@pytest.fixture
async def deployment(
    tmp_path: Path, create_database: CreateDatabase, valkey_url: str
) -> AsyncIterator[Deployment]:
    """It runs; a role of PostgreSQL and the user `rotated` of Valkey are its own."""
    database, ledger = urlsplit(await create_database()), urlsplit(valkey_url)
    name = database.path.removeprefix("/")
    role, url = f"first_{name}", f"{database.hostname}:{database.port}{database.path}"
    admin = await asyncpg.connect(database.geturl())
    await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'one'")
    await admin.execute(f"ALTER DATABASE {name} OWNER TO {role}")
    await admin.execute(f"ALTER SCHEMA public OWNER TO {role}")
    await admin.close()
    await migrate(f"postgresql://{role}:one@{url}")
    async with Redis.from_url(valkey_url) as client:
        await client.execute_command(
            *("ACL", "SETUSER", "rotated", "reset", "on", ">one", "~*", "&*", "+@all")
        )
    async with Hop("one").serving() as hop:
        found = Deployment(tmp_path, hop, database.geturl(), role)
        found.secret("REDIS_URL", f"redis://rotated:one@{ledger.hostname}:{ledger.port}/0")
        found.secret("DATABASE_URL", f"postgresql://{role}:one@{url}")
        found.secret("SENDGATE_RELAY_PASSWORD", "one")
        (tmp_path / "sendgate.toml").write_text(
            f"[[gateway.listeners]]\nport = 0\n[gateway]\nworkers = 1\nadmin_port = 0\n"
            f'run_dir = "{tmp_path}/run"\nstate_dir = "{tmp_path}/state"\ndrain = 5.0\n'
            f'[relay]\nlogin = "{LOGIN}"\n[control]\nport = 0\n'
        )
        environment = {**found.environ}
        found.control = Served(
            *SENDGATE[1:], "control", folder=tmp_path, name="control", environment=environment
        )
        found.gateway = Served(
            "-m", "gateway", folder=tmp_path, name="gateway", environment=environment
        )
        try:
            found.api = (await found.control.start())["api"]
            await _stocked(found)
            found.smtp = int((await found.gateway.start())["smtp"].rpartition(":")[2])
            yield found
        finally:
            await asyncio.gather(found.control.stop(), found.gateway.stop())
            async with Redis.from_url(valkey_url) as client:
                await client.execute_command("ACL", "DELUSER", "rotated")
            admin = await asyncpg.connect(database.geturl())
            await admin.execute(f"ALTER DATABASE {name} OWNER TO CURRENT_USER")
            for one in (f"{role}_second", role):
                if await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", one):
                    await admin.execute(f"DROP OWNED BY {one} CASCADE")
                    await admin.execute(f"DROP ROLE {one}")
            await admin.close()


async def _stocked(found: Deployment) -> None:
    """A tenant whose mail goes, and one whose mail waits."""
    done = await asyncio.create_subprocess_exec(
        *SENDGATE, "token", "add", "admin",
        env={**clean_environment(), **found.environ}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    token = (await done.communicate())[0].decode().strip()
    server = {"name": "pmta1", "addresses": [{"host": "127.0.0.1", "port": found.hop.port}]}
    await asked(found.api, token, "servers", server)
    for name, ip, quota in (("acme", "192.0.2.10", "unlimited"), ("slow", "192.0.2.11", 0)):
        new = {"name": name, "login": name, "password": "correct horse"}
        await asked(found.api, token, "tenants", new)
        domain = {"tenant": name, "domain": f"{name}.example", "ip": ip, "quota": quota}
        await asked(found.api, token, "domains", domain)


async def nothing_is_lost(found: Deployment, admin: asyncpg.Connection) -> None:
    """What was taken is at PowerMTA, once, or waits."""
    sent = {one for one in found.taken if one.startswith("acme")}
    waiting = set(found.taken) - sent
    async with asyncio.timeout(30):
        while found.hop.got.keys() != sent:
            await asyncio.sleep(0.1)
    assert set(found.hop.got.values()) == {1}
    held = await admin.fetchval("SELECT count(*) FROM held WHERE state = 'held'")
    assert held == len(waiting) == len(found.taken) - len(sent)
    assert min(len(sent), len(waiting)) >= 10


async def test_the_ledgers_the_databases_and_the_relays_password_are_replaced_while_mail_flows(
    deployment: Deployment, valkey_url: str
) -> None:
    database, role = urlsplit(deployment.owner), deployment.role
    admin = await asyncpg.connect(deployment.owner)
    ledger = urlsplit(valkey_url)
    async with Redis.from_url(valkey_url) as valkey:
        # Valkey: a user has several passwords.
        async with deployment.flowing():
            await valkey.execute_command("ACL", "SETUSER", "rotated", ">two")
            deployment.secret("REDIS_URL", f"redis://rotated:two@{ledger.hostname}:{ledger.port}/0")
            await deployment.reload()
            await deployment.restart_control()
            await valkey.execute_command("ACL", "SETUSER", "rotated", "<one")
        # Who had the former one would not come back now.
        await valkey.execute_command("CLIENT", "KILL", "USER", "rotated")
        await deployment.send("acme-killed@dest.example")
        async with asyncio.timeout(20):
            while "acme-killed@dest.example" not in deployment.hop.got:
                await asyncio.sleep(0.05)
    # PostgreSQL: a second role, which is the first from its login on.
    async with deployment.flowing():
        second = f"{role}_second"
        await admin.execute(f"CREATE ROLE {second} LOGIN PASSWORD 'two' IN ROLE {role}")
        # Partitions that it makes are to be the owner's, too.
        await admin.execute(f"ALTER ROLE {second} SET role = {role}")
        url = f"postgresql://{second}:two@{database.hostname}:{database.port}{database.path}"
        deployment.secret("DATABASE_URL", url)
        await deployment.reload()
        await deployment.restart_control()
        async with asyncio.timeout(30):
            while await admin.fetchval(USED, role):
                await asyncio.sleep(0.1)
        await admin.execute(f"ALTER ROLE {role} NOLOGIN")
    # PowerMTA: a second password beside the first.
    async with deployment.flowing():
        deployment.hop.passwords.add("two")
        deployment.secret("SENDGATE_RELAY_PASSWORD", "two")
        await deployment.reload()
        deployment.hop.passwords.remove("one")
    await deployment.send("acme-last@dest.example")
    assert deployment.hop.refused == 0
    assert deployment.hop.logins.keys() == {"one", "two"}
    await nothing_is_lost(deployment, admin)
    await admin.close()
