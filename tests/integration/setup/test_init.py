"""The first hour: configuration and secrets written once, checked, and what is left to do."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control.cli import init as initcommand
from control.cli.main import run
from control.embedded.servers import ports
from settings.load import load
from tests.conftest import CreateDatabase
from tests.support.control.core import build


class Host:
    """Answers in a file, and a folder for what comes of them."""

    def __init__(self, folder: Path, database: str, ledger: str) -> None:
        self.folder, self.file = folder / "etc", folder / "answers.toml"
        self.answers: dict[str, Any] = {
            "database_url": database,
            "redis_url": ledger,
            "hostname": "localhost",
            "listen": f"127.0.0.1:{ports.choose()}",
            "api": f"127.0.0.1:{ports.choose()}",
        }

    async def init(self, *words: str, **changes: Any) -> int:
        values = {**self.answers, **changes}
        self.file.write_text("".join(f'{k} = "{v}"\n' for k, v in values.items()))
        line = ["init", "--answers", str(self.file), "--to", str(self.folder), *words]
        return await asyncio.to_thread(run, line)

    def content(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}


@pytest.fixture
async def host(
    create_database: CreateDatabase, valkey_url: str, tmp_path: Path, monkeypatch: Any
) -> Host:
    monkeypatch.chdir(tmp_path)
    return Host(tmp_path, await create_database("control", build), valkey_url)


async def test_written_once_with_their_modes_and_good_for_every_process(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    await host.init()
    said = capsys.readouterr().out
    modes = {path.name: path.stat().st_mode & 0o777 for path in host.folder.iterdir()}
    assert modes == {"sendgate.toml": 0o640, "sendgate.env": 0o600}
    assert host.answers["database_url"] not in (host.folder / "sendgate.toml").read_text()
    environ = {"SENDGATE_DOTENV": str(host.folder / "sendgate.env")}
    settings = load(host.folder / "sendgate.toml", environ)
    assert settings.database.url == host.answers["database_url"]
    assert len(settings.control.secret) == 44
    assert settings.gateway.hostname == "localhost"
    assert "ok: PostgreSQL" in said
    assert "start control: systemctl enable --now sendgate-control" in said
    assert settings.control.secret not in said


async def test_twice_changes_nothing(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    await host.init()
    before = host.content()
    capsys.readouterr()
    await host.init("--json")
    begun = msgspec.json.decode(capsys.readouterr().out, type=initcommand.Begun)
    assert [file.state for file in begun.files] == ["unchanged", "unchanged"]
    assert host.content() == before
    # What an operator added stays, as long as it does not speak against the answers.
    config = host.folder / "sendgate.toml"
    config.write_text(config.read_text() + "[log]\nlevel = 'debug'\n")
    before = host.content()
    await host.init()
    assert host.content() == before


async def test_other_answers_are_refused_with_what_differs(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    await host.init()
    before = host.content()
    capsys.readouterr()
    assert await host.init(hostname="other.example") == 1
    assert "gateway.hostname" in capsys.readouterr().err
    assert await host.init(redis_url="redis://:hidden@127.0.0.1:1/0") == 1
    said = capsys.readouterr().err
    assert "REDIS_URL" in said
    assert "hidden" not in said
    assert host.content() == before


async def test_what_cannot_be_right_is_named_and_nothing_written(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    for changes, name in (
        ({"listen": "nowhere"}, "listen: 'nowhere' is no HOST:PORT"),
        ({"tls": "implicit"}, "certificate: tls = implicit needs a PEM file"),
        ({"tls": "maybe"}, "tls"),
        ({"hostname": ""}, "hostname: is empty"),
        ({"what": "else"}, "what"),
    ):
        assert await host.init(**changes) == 2
        assert name in capsys.readouterr().err
    await host.init("--dry-run")
    assert not host.folder.exists()


async def test_what_is_not_there_is_said_with_its_fix(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as other, socket.socket() as nobody:
        other.bind(("127.0.0.1", 0))
        other.listen()
        nobody.bind(("127.0.0.1", 0))
        greeter = asyncio.create_task(asyncio.to_thread(_greet, other))
        code = await host.init(
            "--json",
            listen=f"127.0.0.1:{other.getsockname()[1]}",
            pmta=f"127.0.0.1:{nobody.getsockname()[1]}",
            redis_url="redis://127.0.0.1:1/0",
        )
        await greeter
    begun = msgspec.json.decode(capsys.readouterr().out, type=initcommand.Begun)
    assert code == 1
    said = "\n".join(begun.problems)
    assert "is another program's, which greets with 'SSH-2.0-x': stop it" in said
    assert "PowerMTA pmta1 at 127.0.0.1" in said
    assert "`sendgate server set`" in said
    assert "set ledger.url right" in said
    assert begun.left[0].command == "systemctl enable --now sendgate-control"


def _greet(listener: socket.socket) -> None:
    link, _ = listener.accept()
    with link:
        link.sendall(b"SSH-2.0-x\r\n")


async def test_it_asks_on_a_terminal(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def prompt(text: str, **options: Any) -> str:
        asked.append(text)
        field = next(q.field for q in initcommand.QUESTIONS if q.text == text)
        assert options["hide_input"] == (field == "database_url")
        return str(host.answers.get(field, options["default"]))

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    line = ["init", "--to", str(host.folder)]
    await asyncio.to_thread(run, line)
    assert len(asked) == 7, "without TLS nobody asks for a certificate"
    assert set(host.content()) == {"sendgate.toml", "sendgate.env"}


async def test_without_a_terminal_it_wants_a_file(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert await asyncio.to_thread(run, ["init", "--to", str(host.folder)]) == 1
    assert "--answers FILE" in capsys.readouterr().err
