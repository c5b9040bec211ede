"""A whole stack with secrets planted wherever one can stand, used well and badly; then every place
that somebody else may read is searched for them. What is found has to be in `EXPECTED`."""

import asyncio
import base64
import hashlib
import hmac
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis

from control.api.permission import PERMISSIONS
from control.pmta.dkim import Seal
from control.users.totp import STEP, code_at
from tests.conftest import CreateDatabase
from tests.faults.process import Served, clean_environment
from tests.support import places
from tests.support.control.agents import Agent
from tests.support.control.core import build
from tests.support.control.shipped import Mail
from tests.support.entry import SENDGATE
from tests.support.planted import Planted
from tests.support.processes import arguments, children, family
from tests.support.session.smtpwire import SmtpWire

EXPECTED: dict[str, set[str]] = {
    # What whoever starts a process gives it by environment, only that process has there.
    "environ of control": {"ledger password", "hold.keys", "log.key"},
    "environ of gateway": {"ledger password", "hold.keys", "log.key"},
    # Somebody's mail, to who may see it: each look is written down.
    "answer of GET /api/v2/hold/messages/{message}/content": {"content"},
    # Shown once, to who asked for it.
    "output of token add admin": {"admin token"},
    "output of token add feed": {"agent token"},
    "output of user add anna": {"link"},
    "output of user add ben": {"link of ben"},
    "answer of login": {"access token", "refresh token"},
    "answer of codes": {"totp"},
    "answer of codes/confirm": {"recovery code"},
}
"""Place to the secrets that may stand there."""

FILES = {
    "sendgate.toml": "the operator's settings, which no process changes",
    "credentials/": "the operator's files for NAME_FILE",
    "agent/token": "the operator's file for the agent's token_file",
}
"""Files that have secrets: all of them given to us, none of them ours."""


class Stack:
    """Control, gateway and agent as processes of their own, and what each place said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.planted = Planted()
        self.said: dict[str, bytes] = {}
        self.environ: dict[str, str] = {}
        self.control: Served
        self.gateway: Served
        self.agent: Agent
        self.api = ""
        self.smtp = 0
        self.admin = ""

    async def command(self, *words: str, given: str = "", **environ: str) -> str:
        """Runs it as a process of its own; what it prints."""
        done = await asyncio.to_thread(
            subprocess.run,
            [*SENDGATE, *words], input=given.encode(), capture_output=True, check=False,
            env={**self.environ, "SENDGATE_URL": self.api, **environ},
        )  # fmt: skip
        place = f"output of {' '.join(words[:3])}"
        self.said[place] = self.said.get(place, b"") + done.stdout + done.stderr
        return done.stdout.decode()

    async def ask(
        self, place: str, method: str, path: str, body: Any = None, **headers: str
    ) -> Any:
        """The answer, with its headers."""
        data = (
            body if isinstance(body, bytes) else None if body is None else msgspec.json.encode(body)
        )
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.api + path, data=data, headers=headers) as response,
        ):
            text = await response.read()
            head = repr(sorted(response.headers.items())).encode()
        self.said[f"answer of {place}"] = self.said.get(f"answer of {place}", b"") + head + text
        return msgspec.json.decode(text) if text.startswith((b"{", b"[")) else text


def settings_of(stack: Stack, ledger: str, database: str) -> None:
    """By file of settings, by environment and by files of secrets, a third each."""
    planted, folder = stack.planted, stack.folder
    credentials = folder / "credentials"
    credentials.mkdir(mode=0o700)
    stack.environ = {
        **clean_environment(),
        "SENDGATE_DOTENV": "/dev/null",
        "SENDGATE_CONFIG": str(folder / "sendgate.toml"),
        "SENDGATE_DATA_DIR": str(folder / "data"),
        "SENDGATE_LOG_KEY": planted.word("log.key"),
        "SENDGATE_HOLD_KEYS": "a:" + planted.key("hold.keys"),
        "REDIS_URL": ledger,
    }
    for name, secret in (
        ("DATABASE_URL", database),
        ("SENDGATE_CONTROL_SECRET", planted.key("control.secret")),
        ("SENDGATE_CONTROL_SECRETS_BEFORE", planted.key("control.secrets_before")),
        ("SENDGATE_ACCOUNTING_WEBHOOK_KEYS_BEFORE", planted.word("webhook_keys_before")),
        ("SENDGATE_ACCOUNTING_WEBHOOK_KEY", planted.word("accounting.webhook_key")),
    ):
        (credentials / name).touch(0o600)
        (credentials / name).write_text(secret + "\n")
        stack.environ[f"{name}_FILE"] = str(credentials / name)
    (folder / "sendgate.toml").touch(0o600)
    (folder / "sendgate.toml").write_text(
        f"""
[[gateway.listeners]]
port = 0
[gateway]
admin_port = 0
run_dir = "{folder}/run"
state_dir = "{folder}/state"
[log]
level = "debug"
addresses = "hashed"
[relay]
login = "gate"
password = "{planted.word("relay.password")}"
[control]
port = 0
pmta_api_key = "{planted.word("control.pmta_api_key")}"
[alerts]
telegram_token = "{planted.word("alerts.telegram_token")}"
telegram_chat = "1"
telegram_url = "http://127.0.0.1:1"
webhook_url = "http://127.0.0.1:1/{planted.word("alerts.webhook_url")}"
webhook_key = "{planted.word("alerts.webhook_key")}"
mail_server = "127.0.0.1:1"
mail_tls = "none"
mail_login = "alerts"
mail_password = "{planted.word("alerts.mail_password")}"
mail_from = "a@acme.example"
mail_to = ["b@acme.example"]
""",
        encoding="utf-8",
    )


@asynccontextmanager
async def refusing() -> AsyncIterator[int]:
    """PowerMTA, which believes no password."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 pmta.test\r\n")
        while line := await _line(reader):
            if line.upper().startswith(b"EHLO"):
                writer.write(b"250-pmta.test\r\n250-AUTH PLAIN\r\n250 PIPELINING\r\n")
            elif line.upper().startswith(b"AUTH"):
                writer.write(b"535 5.7.8 not believed\r\n")
            else:
                writer.write(b"503 5.5.1 log in first\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ConnectionError:
        return b""


async def people(stack: Stack) -> None:
    """Signs in by link, password, code and token, rightly and wrongly."""
    planted, word = stack.planted, stack.planted.word
    text = await stack.command("user", "add", "ben", "--json")
    secret = planted.met("link of ben", msgspec.json.decode(text)["link"].rpartition("#")[2])
    chosen = f"{secret}\n{word('password of ben')}\n"
    await stack.command("user", "accept", "--link-stdin", "--password-stdin", given=chosen)
    text = await stack.command("user", "add", "anna", "--role", "admin", "--json")
    planted.met("link", msgspec.json.decode(text)["link"].rpartition("#")[2].rpartition("=")[2])
    begin = {"link": planted["link"], "password": word("password of anna")}
    await stack.ask("link", "POST", "/api/v1/auth/link", begin)
    await stack.ask("link again", "POST", "/api/v1/auth/link", begin)
    await stack.ask(
        "link", "POST", "/api/v1/auth/link", {"link": word("wrong link"), "password": 5}
    )
    for name, secret in (("anna", word("wrong password")), (word("password as name"), "x")):
        body = {"name": name, "password": secret}
        await stack.ask("wrong login", "POST", "/api/v1/auth/login", body)
    body = {"name": "anna", "password": planted["password of anna"]}
    found = await stack.ask("login", "POST", "/api/v1/auth/login", body)
    bearer = {"Authorization": f"Bearer {planted.met('access token', found['access_token'])}"}
    planted.met("refresh token", found["refresh_token"])
    body = {"password": planted["password of anna"]}
    found = await stack.ask("codes", "POST", "/api/v1/auth/codes", body, **bearer)
    secret = base64.b32decode(planted.met("totp", found["secret"]))
    planted.met("totp, its octets", secret.hex())
    body = {"code": code_at(secret, int(time.time()) // STEP)}
    found = await stack.ask("codes/confirm", "POST", "/api/v1/auth/codes/confirm", body, **bearer)
    planted.met("recovery code", found["recovery"][0])
    forged = f"{planted['access token'][:-20]}{word('forged signature')}"
    await stack.ask("a forged token", "GET", "/api/v2/tenants", Authorization=f"Bearer {forged}")
    body = {"refresh_token": word("wrong refresh token")}
    await stack.ask("wrong refresh", "POST", "/api/v1/auth/refresh", body)
    # A signed-in admin gives a way in, for which it says its password again.
    body = {"name": "carl", "role": "viewer", "own_password": word("wrong proof")}
    await stack.ask("users", "POST", "/api/v2/users", body, **bearer)


async def changes(stack: Stack, pmta: int) -> None:
    """Tenant, login and domain, under an Idempotency-Key, and requests that are refused."""
    planted, word = stack.planted, stack.planted.word
    admin = {"Authorization": f"Bearer {planted['admin token']}"}
    keyed = {**admin, "Idempotency-Key": word("Idempotency-Key")}
    body: Any = {"name": "pmta1", "addresses": [{"host": "127.0.0.1", "port": pmta}]}
    await stack.ask("servers", "POST", "/api/v2/servers", body, **admin)
    body = {"name": "acme", "login": "acme", "password": word("SMTP password")}
    for _ in range(2):
        await stack.ask("tenants", "POST", "/api/v2/tenants", body, **keyed)
    await stack.ask("another under the key", "POST", "/api/v2/pools", body, **keyed)
    await stack.ask("a wrong body", "POST", "/api/v2/tenants", {"passwort": word("x")}, **admin)
    await stack.ask("no JSON", "POST", "/api/v2/tenants", word("no JSON").encode(), **admin)
    body = {"tenant": "acme", "domain": "acme.example", "ip": "192.0.2.10"}
    await stack.ask("domains", "POST", "/api/v2/domains", body, **admin)
    await stack.command(
        *("tenant", "password", "acme", "--login", "acme", "--password-stdin"),
        given=word("SMTP password, new"), SENDGATE_TOKEN=planted["admin token"],
    )  # fmt: skip
    await stack.command("tenant", "list", SENDGATE_TOKEN=word("wrong token"))
    url = f"http://anna:{word('password of a URL')}@127.0.0.1:1"
    await stack.command("tenant", "show", "x", "--json", SENDGATE_URL=url)
    for words in (
        *(("check",), ("check", "--json"), ("migrate",), ("audit", "list", "--json")),
        *(("secret", "list"), ("secret", "list", "--json"), ("secret", "reseal")),
    ):
        await stack.command(*words, SENDGATE_TOKEN=planted["admin token"])
    wrong = f"postgresql://nobody:{word('wrong database password')}@127.0.0.1:1/x"
    for words in (("check", "--json"), ("migrate",)):
        await stack.command(*words, DATABASE_URL_FILE="", DATABASE_URL=wrong)
        await stack.command(*words, SENDGATE_CONTROL_SECRET=word("malformed secret"))
    await stack.ask("alerts/test", "POST", "/api/v2/alerts/test", **admin)


async def accounting(stack: Stack) -> None:
    """Posted, signed and not."""
    word, path = stack.planted.word, "/api/v2/powermta/accounting"
    stamp, body = str(int(time.time())), b'{"type":"d"}\n'
    key = stack.planted["accounting.webhook_key"].encode()
    right = hmac.new(key, f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    for signature in (stack.planted.met("signature", right), word("wrong signature")):
        signed = {"X-Sendgate-Timestamp": stamp, "X-Sendgate-Signature": f"sha256={signature}"}
        await stack.ask("signed", "POST", path, body, **signed)
    basic = base64.b64encode(f"x:{word('password of Basic')}".encode()).decode()
    await stack.ask("Basic", "POST", path, body, Authorization=f"Basic {basic}")
    await stack.ask("X-API-Key", "POST", path, body, **{"X-API-Key": word("wrong API key")})


async def mail(stack: Stack) -> None:
    """Logs in rightly and wrongly; one message waits, for PowerMTA believes no password."""
    word = stack.planted.word
    right = stack.planted["SMTP password, new"]
    for login, secret in (
        ("acme", right),
        ("acme", word("wrong SMTP password")),
        (word("SMTP password as login"), "x"),
    ):
        wire = await SmtpWire.open(stack.smtp)
        blob = base64.b64encode(f"\0{login}\0{secret}".encode()).decode()
        reply = await wire.ask(f"AUTH PLAIN {blob}")
        if secret == right:
            assert reply.startswith("235"), reply
            content = f"From: a@acme.example\r\nSubject: x\r\n\r\n{word('content')}\r\n"
            reply = await wire.send("b@dest.example", body=content, sender="a@acme.example")
            assert reply.startswith("250 2.0.0 OK"), reply
            await wire.ask(word("typed as a command"))
        else:
            assert reply.startswith("535"), reply
        await wire.close()


@pytest.fixture
async def stack(
    tmp_path: Path, create_database: CreateDatabase, valkey_url: str
) -> AsyncIterator[Stack]:
    """It ran and was used; its processes still run."""
    stack, word = Stack(tmp_path), Planted.word
    database, role = urlsplit(await create_database("control", build)), "planted"
    password = word(stack.planted, "database password")
    admin = await asyncpg.connect(database.geturl())
    await admin.execute(f"DROP ROLE IF EXISTS {role}")
    await admin.execute(f"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{password}'")
    await admin.close()
    ledger = urlsplit(valkey_url)
    async with Redis.from_url(valkey_url) as client:
        user = word(stack.planted, "ledger password")
        await client.execute_command(
            *("ACL", "SETUSER", role, "reset", "on", f">{user}", "~*", "&*", "+@all")
        )
    settings_of(
        stack,
        f"redis://{role}:{user}@{ledger.hostname}:{ledger.port}/0",
        f"postgresql://{role}:{password}@{database.hostname}:{database.port}{database.path}",
    )
    ours = {n: v for n, v in stack.environ.items() if v != clean_environment().get(n)}
    stack.control = Served(
        *SENDGATE[1:], "control", folder=tmp_path, name="control", environment=ours
    )
    stack.gateway = Served("-m", "gateway", folder=tmp_path, name="gateway", environment=ours)
    stack.agent = Agent(tmp_path / "agent", "http://127.0.0.1:1", tmp_path / "pmta" / "acct.csv")
    try:
        async with refusing() as pmta:
            stack.api = (await stack.control.start())["api"]
            given = await stack.command("token", "add", "admin")
            stack.planted.met("admin token", given.strip())
            await people(stack)
            await changes(stack, pmta)
            await accounting(stack)
            ready = await stack.gateway.start()
            stack.smtp, stack.admin = int(ready["smtp"].rpartition(":")[2]), ready["admin"]
            await shipping(stack)
            await mail(stack)
            await asyncio.sleep(1.0)  # a releaser tries it, and says why it waits
            yield stack
    finally:
        stack.agent.close()
        await asyncio.gather(stack.control.stop(), stack.gateway.stop())
        async with Redis.from_url(valkey_url) as client:
            await client.execute_command("ACL", "DELUSER", role)


async def shipping(stack: Stack) -> None:
    """An agent, whose token stands in its file."""
    given = await stack.command("token", "add", "feed", "--role", "agent")
    token = stack.planted.met("agent token", given.strip())
    file = stack.folder / "agent" / "token"
    file.chmod(0o600)
    file.write_text(token + "\n")
    stack.agent.write({**stack.agent.settings, "url": stack.api})
    mail = Mail(stack.folder / "pmta")
    mail.write(3)
    mail.writer.close()
    stack.agent.start()


async def heard(stack: Stack) -> None:
    """Every answer of every route that reads, and both processes' metrics."""
    admin = {"Authorization": f"Bearer {stack.planted['admin token']}"}
    names = {"tenant": "acme", "domain": "acme.example", "ip": "192.0.2.10", "user": "anna"}
    names |= {"token": "admin", "server": "pmta1", "pool": "acme", "plan": "1", "alert": "1"}
    names |= {
        "address": "a@acme.example",
        "name": "acme",
        "job": "cleanup",
        "subject": "192.0.2.10",
    }
    held = await stack.ask("held", "GET", "/api/v2/hold/messages", **admin)
    names["message"] = held["messages"][0]["id"]
    beside = {
        "/api/v2/tenants/{tenant}/login": "?login=acme",
        "/api/v2/hold/messages/{message}/content": "?part=whole",
    }
    for method, template in sorted(PERMISSIONS):
        if method == "GET":
            path = template + beside.get(template, "")
            for name, value in names.items():
                path = path.replace(f"{{{name}}}", value)
            await stack.ask(f"GET {template}", "GET", path, **admin)
            await stack.ask("a refused GET", "GET", path)
    for path in ("/metrics", "/healthz", "/readyz"):
        await stack.ask(path, "GET", path, **admin)
    async with aiohttp.ClientSession() as session:
        for path in ("/metrics", "/healthz", "/readyz"):
            async with session.get(f"http://{stack.admin}{path}") as response:
                stack.said[f"gateway's {path}"] = await response.read()


async def collected(stack: Stack, valkey_url: str, database: str) -> dict[str, bytes]:
    """Place to what stands there."""
    await heard(stack)
    found = dict(stack.said)
    assert stack.agent.process is not None
    tops = {"control": stack.control.pid, "gateway": stack.gateway.pid}
    tops["agent"] = stack.agent.process.pid
    for name, top in tops.items():
        assert len(family(top)) >= (3 if name == "gateway" else 1)
        for pid in family(top):
            of = name if pid == top else f"a child of {name}"
            for what in ("environ", "cmdline"):
                place = f"{what} of {of}"
                found[place] = found.get(place, b"") + places.of_process(pid, what)
    found["pg_dump"] = await places.dumped(database)
    async with Redis.from_url(valkey_url) as client:
        found["ledger"] = await places.scanned(client)
        found["ledger's settings"] = repr(await client.config_get("*")).encode()
    for name in ("control", "gateway"):
        for kind in ("out", "log"):
            found[f"{name}.{kind}"] = (stack.folder / f"{name}.{kind}").read_bytes()
    found["agent's log"] = stack.agent.log.read_bytes()
    return found


async def test_no_secret_stands_where_somebody_else_reads(stack: Stack, valkey_url: str) -> None:
    database = (stack.folder / "credentials" / "DATABASE_URL").read_text().strip()
    link = await asyncpg.connect(database)
    sealed = await link.fetchval("SELECT dkim_private FROM sending_domain")
    held = await link.fetchval("SELECT count(*) FROM held")
    await link.close()
    pem = Seal(stack.planted["control.secret"]).open(sealed).decode().splitlines()
    stack.planted.met("DKIM key", pem[len(pem) // 2])
    found = await collected(stack, valkey_url, database)
    assert held == 1
    assert b"auth: 535" in found["gateway.log"]
    assert all(found[place] for place in ("pg_dump", "ledger", "control.log", "agent's log"))
    leaks = {place: names for place, text in found.items() if (names := stack.planted.within(text))}
    assert leaks == EXPECTED
    files(stack)
    processes(stack)


def files(stack: Stack) -> None:
    """Those that have secrets are few, and nobody else's."""
    holding = {
        name: mode
        for name, (mode, text) in places.files(stack.folder).items()
        if stack.planted.within(text)
    }
    unknown = [name for name in holding if not name.startswith(tuple(FILES))]
    assert unknown == []
    assert {name for name, mode in holding.items() if mode & 0o077} == set()


def processes(stack: Stack) -> None:
    """They keep secrets from their children, and leave no core."""
    for pid in children(stack.gateway.pid):
        assert {"--worker", "--releaser"} & set(arguments(pid))
        names = set(places.environment_of(pid))
        assert not {name for name in names if name.startswith(("SENDGATE", "REDIS", "DATABASE"))}
    assert stack.agent.process is not None
    tops = (stack.control.pid, stack.gateway.pid, stack.agent.process.pid)
    assert places.with_core(tops) == []
