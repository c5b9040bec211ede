"""A stack of `sendgate up`, used well and badly: its own secrets and those it is given stand in its
files for its own user, and nowhere else."""

import asyncio
import base64
import smtplib
import stat
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
from redis.asyncio import Redis

from control.backup.entries import Begin, read
from control.backup.key import read_key
from control.embedded.servers.datadir import DataDir
from control.pmta.dkim import Seal
from tests.support import places
from tests.support.control.up import ENVIRONMENT, SENDGATE, Up
from tests.support.planted import Planted
from tests.support.processes import family

HOLDING = {
    # Made for its user's own commands.
    "addresses.json": {"database password", "ledger password"},
    "admin-token": {"admin token"},
    "control-secret": {"control.secret"},
    "postgres/password": {"database password"},
    "sendgate.toml": {"control.secret", "database password", "ledger password"},
    "valkey/password": {"ledger password"},
}
"""Files that have a secret for whoever runs the stack; the next two by what begins their names."""
STARTED = ("log/", "valkey/", "gateway/", "control/")
"""What servers and children are started with."""


class Stack:
    """One that runs, and what was said of it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.up = Up(data_dir)
        self.where = self.up.ready()
        self.planted = Planted()
        self.said: dict[str, bytes] = {}
        found = DataDir(data_dir).read()
        meet = self.planted.met
        meet("database password", urlsplit(found.postgres).password or "")
        meet("ledger password", urlsplit(found.valkey).password or "")
        meet("admin token", (data_dir / "admin-token").read_text().strip())
        meet("control.secret", (data_dir / "control-secret").read_text().strip())
        self.postgres, self.valkey = found.postgres, found.valkey

    def command(self, *words: str, given: str = "") -> int:
        """By its user, as a process of its own, which is looked at while it runs."""
        process = subprocess.Popen(
            [SENDGATE, *words, "--data-dir", str(self.data_dir)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT,
        )  # fmt: skip
        self._note("cmdlines", places.of_process(process.pid, "cmdline"))
        out, error = process.communicate(given.encode(), timeout=60)
        self._note(f"output of {' '.join(words[:2])}", out + error)
        return process.returncode

    def ask(self, path: str, token: str, method: str = "GET", body: bytes | None = None) -> int:
        """An answer of the API, with its headers."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        url = self.where["api"] + path
        request = urllib.request.Request(url, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                status, text = answer.status, repr(answer.headers.items()).encode() + answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, repr(error.headers.items()).encode() + error.read()
        self._note(f"answer of {method} {path}", text)
        return int(status)

    def mail(self, login: str, password: str) -> int:
        """Whether it is let in."""
        host, _, port = self.where["smtp"].rpartition(":")
        with smtplib.SMTP(host, int(port), timeout=20) as smtp:
            smtp.ehlo()
            blob = base64.b64encode(f"\0{login}\0{password}".encode()).decode()
            return smtp.docmd("AUTH", f"PLAIN {blob}")[0]

    def _note(self, place: str, text: bytes) -> None:
        self.said[place] = self.said.get(place, b"") + text

    def processes(self) -> None:
        """All of the stack, as anybody on the host sees them."""
        pids = family(self.up.process.pid)
        assert len(pids) > 4, "PostgreSQL, Valkey, control, gateway"
        for pid in pids:
            self._note("cmdlines", places.of_process(pid, "cmdline"))

    def end(self) -> None:
        self.up.process.terminate()
        out, _ = self.up.process.communicate(timeout=60)
        assert self.up.process.returncode == 0
        self._note("output of up", out.encode())
        self._note("errors of up", (self.data_dir.parent / "stderr").read_bytes())
        for file in (self.data_dir / "log").rglob("*"):
            if file.is_file() and not file.name.endswith((".toml", ".conf")):
                self._note(f"log/{file.name}", file.read_bytes())


def used(stack: Stack) -> None:
    """Rightly, and wrongly in every way that has a secret in it."""
    word = stack.planted.word
    tenant = ("tenant", "add", "acme", "--login", "acme", "--password-stdin")
    assert stack.command(*tenant, given=word("SMTP password")) == 0
    assert stack.command(*tenant, given=word("SMTP password of nobody")) != 0
    domain = ("domain", "add", "--tenant", "acme", "--domain", "acme.example", "--ip", "192.0.2.10")
    assert stack.command(*domain) == 0
    given = word("SMTP password, next")
    assert stack.command("login", "rotate", "acme", "--tenant", "acme", "--password-stdin",
                         given=given) == 0  # fmt: skip
    for words in (
        *(("status",), ("check",), ("secret", "list"), ("audit", "list", "--json")),
        *(("pmta", "config"), ("pmta", "status"), ("tenant", "show", "acme"), ("token", "list")),
    ):
        stack.command(*words)
    assert stack.mail("acme", stack.planted["SMTP password"]) == 235
    assert stack.mail("acme", given) == 235
    assert stack.mail("acme", word("wrong SMTP password")) == 535
    admin = stack.planted["admin token"]
    assert stack.ask("/api/v2/tenants", admin) == 200
    assert stack.ask("/api/v2/tenants", word("wrong token")) == 401
    assert stack.ask("/api/v2/nothing", admin) == 404
    body = msgspec.json.encode({"name": "x", "login": "x", "passwort": word("a wrong field")})
    assert stack.ask("/api/v2/tenants", admin, "POST", body) == 400
    wrong = msgspec.json.encode({"name": "anna", "password": word("wrong password")})
    assert stack.ask("/api/v1/auth/login", "", "POST", wrong) == 401


async def away(stack: Stack) -> None:
    """What answers and commands say while a server of it refuses: its URL has a password."""
    link = await asyncpg.connect(stack.postgres)
    sealed = await link.fetchval("SELECT dkim_private FROM sending_domain")
    pem = Seal(stack.planted["control.secret"]).open(sealed).decode().splitlines()
    stack.planted.met("DKIM key", pem[len(pem) // 2])
    await link.close()
    admin = stack.planted["admin token"]
    async with Redis.from_url(stack.valkey) as client:
        await client.flushall()
        await asyncio.to_thread(stack.ask, "/api/v2/quota", admin)
        await asyncio.to_thread(stack.ask, "/readyz", admin)
        await asyncio.to_thread(stack.command, "ledger", "status")


def backed_up(stack: Stack, folder: Path) -> None:
    """A backup without secrets has none, unsealed; one with them has them sealed alone."""
    key = folder / "backup.key"
    assert stack.command("backup", "key", str(key)) == 0
    stack.planted.met("backup key", key.read_text().strip())
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    opened: dict[str, Any] = {}
    for name, more in (("without", ("--without-secrets",)), ("with", ())):
        file = folder / name
        assert stack.command("backup", str(file), "--key", str(key), *more) == 0
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stack.planted.within(file.read_bytes()) == set(), "sealed"
        with file.open("rb") as source:
            parts = list(read(source, read_key(key)))
        text = b"".join(one for one in parts if isinstance(one, bytes))
        names = {one.name for one in parts if isinstance(one, Begin)}
        opened[name] = (names, stack.planted.within(text))
    assert opened["without"][1] == set()
    assert opened["without"][0] < opened["with"][0]
    assert "control.secret" in opened["with"][1]


def files(stack: Stack) -> None:
    """Nobody else reads any; those that have a secret are known."""
    # Run by root, its servers run as somebody else, whose group may go through.
    assert stat.S_IMODE(stack.data_dir.stat().st_mode) in (0o700, 0o710)
    unknown = []
    for name, (mode, text) in places.files(stack.data_dir).items():
        found = stack.planted.within(text)
        if not found:
            continue
        assert mode & 0o007 == 0, (name, oct(mode), found)
        if found == HOLDING.get(name):
            continue
        if not name.startswith(("postgres/cluster", "pmta/", *STARTED)):
            unknown.append((name, found))
        if name.startswith("log/") and not name.endswith((".toml", ".conf")):
            unknown.append((name, found))
    assert unknown == []


def test_no_secret_of_a_stack_stands_where_somebody_else_reads(
    data_dir: Path, tmp_path: Path
) -> None:
    stack = Stack(data_dir)
    used(stack)
    backed_up(stack, tmp_path)
    asyncio.run(away(stack))
    stack.processes()
    stack.end()
    silent = [place for place in ("cmdlines", "output of check") if not stack.said[place]]
    assert silent == []
    assert any(place.startswith("log/") for place in stack.said)
    leaks = {place: found for place, text in stack.said.items()
             if (found := stack.planted.within(text))}  # fmt: skip
    assert leaks == {}
    files(stack)
