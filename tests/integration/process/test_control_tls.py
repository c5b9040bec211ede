"""Control speaks HTTPS by itself, takes a new certificate without losing a connection, and does not
speak plain HTTP where others can listen."""

import asyncio
import http.client
import os
import re
import signal
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from control.cli.main import run
from tests.conftest import CreateDatabase
from tests.support.certificates import make_certificate
from tests.support.control.core import TOKEN, build
from tests.support.entry import SENDGATE


@asynccontextmanager
async def control(
    folder: Path, database: str, ledger: str, more: str = ""
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """`sendgate control`, and its port; what it says goes into `log` of the folder."""
    config = folder / "sendgate.toml"
    config.write_text(
        f'[control]\nport = 0\ncertificate = "{folder}/certificate.pem"\nkey = "{folder}/key.pem"\n'
        f'{more}[database]\nurl = "{database}"\n[ledger]\nurl = "{ledger}"\nsingle = true\n',
        encoding="utf-8",
    )
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *SENDGATE, "control", "--config", str(config), stdout=asyncio.subprocess.PIPE,
            stderr=log, env={**os.environ, "SENDGATE_DOTENV": "/dev/null"},
        )  # fmt: skip
    try:
        assert process.stdout is not None
        said = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        found = re.fullmatch(r"ready api=https://127\.0\.0\.1:(\d+)\n", said)
        assert found, (said, (folder / "log").read_text())
        yield process, int(found[1])
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def ask(connection: http.client.HTTPConnection) -> tuple[int, str]:
    """(status, what it says of HTTPS only)."""
    connection.request("GET", "/healthz")
    response = connection.getresponse()
    response.read()
    return response.status, response.headers.get("Strict-Transport-Security", "")


def asked(connection: http.client.HTTPConnection) -> tuple[int, str]:
    """The same, once."""
    with closing(connection):
        return ask(connection)


def connection_to(port: int, ca: Path) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=ca)
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)


async def until_said(folder: Path, text: str) -> None:
    async with asyncio.timeout(20):
        while text not in (folder / "log").read_text():
            await asyncio.sleep(0.05)


async def test_https_and_a_new_certificate_with_sighup(
    tmp_path: Path, create_database: CreateDatabase, valkey_url: str
) -> None:
    database = await create_database("control", build)
    files, first = make_certificate(tmp_path), tmp_path / "first.pem"
    first.write_bytes(files.certificate.read_bytes())
    async with control(tmp_path, database, valkey_url) as (process, port):
        kept = connection_to(port, first)
        assert await asyncio.to_thread(ask, kept) == (200, "max-age=31536000")
        key, good = files.key.read_bytes(), files.certificate.read_bytes()

        # One that cannot be used changes nothing, though its half would do.
        make_certificate(tmp_path)
        files.key.write_bytes(key)
        process.send_signal(signal.SIGHUP)
        await until_said(tmp_path, "is not the key of")
        assert (await asyncio.to_thread(asked, connection_to(port, first)))[0] == 200

        make_certificate(tmp_path)
        assert files.certificate.read_bytes() != good
        process.send_signal(signal.SIGHUP)
        await until_said(tmp_path, "read anew")
        assert (await asyncio.to_thread(asked, connection_to(port, files.certificate)))[0] == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.to_thread(asked, connection_to(port, first))
        assert kept.sock is not None
        assert (await asyncio.to_thread(asked, kept))[0] == 200

        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises(ssl.SSLError):
            await asyncio.to_thread(
                asked, http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=old)
            )
        with pytest.raises((http.client.HTTPException, OSError)):
            await asyncio.to_thread(
                asked, http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            )


async def test_the_command_believes_whom_it_is_told_to(
    tmp_path: Path,
    create_database: CreateDatabase,
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = await create_database("control", build)
    files = make_certificate(tmp_path)
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    async with control(tmp_path, database, valkey_url, "strict_transport = 0\n") as (_, port):
        line = ["tenant", "list", "--url", f"https://127.0.0.1:{port}"]
        assert await asyncio.to_thread(run, line) == 1
        assert "is not believed" in (said := capsys.readouterr().err)
        assert "--ca FILE" in said
        assert await asyncio.to_thread(run, [*line, "--ca", str(tmp_path / "none.pem")]) == 1
        assert "--ca: " in capsys.readouterr().err
        # A token that is none: the answer is the API's.
        assert await asyncio.to_thread(run, [*line, "--ca", str(files.certificate)]) == 1
        assert "wants a valid token" in capsys.readouterr().err
        assert await asyncio.to_thread(asked, connection_to(port, files.certificate)) == (200, "")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('host = "0.0.0.0"', "control.host: 0.0.0.0 is beyond loopback"),
        ('host = "::"', "control.host: :: is beyond loopback"),
        ('certificate = "x.pem"', "control.key: certificate and key go together"),
        ('key = "x.pem"', "control.certificate: certificate and key go together"),
        (
            'certificate = "/nonexistent/a.pem"\nkey = "/nonexistent/b.pem"',
            "control.certificate: /nonexistent/a.pem cannot be read",
        ),
    ],
)
async def test_it_does_not_start_where_others_could_listen(
    lines: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "sendgate.toml"
    config.write_text(
        f'[control]\nport = 0\n{lines}\n[database]\nurl = "postgresql://u@127.0.0.1:1/db"\n'
        '[ledger]\nurl = "redis://127.0.0.1:1/0"\n',
        encoding="utf-8",
    )
    process = await asyncio.create_subprocess_exec(
        *SENDGATE, "control", "--config", str(config), stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "SENDGATE_DOTENV": "/dev/null"},
    )  # fmt: skip
    _, told = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, said in told.decode()) == (1, True), told.decode()
    assert await asyncio.to_thread(run, ["check", "--config", str(config)]) == 1
    assert said in capsys.readouterr().err
    text = config.read_text(encoding="utf-8").replace(
        lines, f"{lines}\nplain_beyond_loopback = true"
    )
    config.write_text(text, encoding="utf-8")
    if "host" in lines:
        await asyncio.to_thread(run, ["check", "--config", str(config)])
        assert said not in capsys.readouterr().err
