"""What the shells of the Compose files' containers are told, run with this machine's programs."""

import asyncio
import os
import re
import shutil
import textwrap
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError

from control.embedded.servers import ports
from control.embedded.servers.binaries import valkey_server
from loadtest.certificate import self_signed
from tests.support.repository import ROOT

FOLDER = ROOT / "deploy" / "compose"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
PASSWORD = "0123456789abcdef"


def script(file: str, service: str) -> str:
    """What `sh -euc` gets: Compose makes `$` of `$$`."""
    text = (FOLDER / file).read_text("utf-8")
    of = text[text.index(f"\n  {service}:\n") :]
    found = re.search(r"- -euc\n      - \|\n((?:        .*\n)+)", of)
    assert found is not None
    return textwrap.dedent(found[1]).replace("$$", "$")


async def shell(text: str, folder: Path, **environment: str) -> asyncio.subprocess.Process:
    # A file: /dev/stdout of a socket, which the event loop's pipes are, cannot be opened.
    with (folder / "said").open("wb") as said:
        return await asyncio.create_subprocess_exec(
            *("sh", "-euc", text),
            env={"PATH": f"{folder}:{os.environ['PATH']}:/usr/sbin", **environment},
            stdout=said,
            stderr=said,
        )


@pytest.mark.parametrize("file", ["single-host.yaml", "production.yaml"])
async def test_valkey_wants_its_password_and_syncs_before_it_answers(
    tmp_path: Path, file: str
) -> None:
    (tmp_path / "valkey-server").symlink_to(valkey_server())
    (tmp_path / "password").write_text(PASSWORD)
    port = ports.choose()
    text = script(file, "valkey").replace("/run/secrets/ledger-password", f"{tmp_path}/password")
    assert "--dir /data" in text
    text = text.replace("--dir /data", f"--dir {tmp_path} --bind 127.0.0.1 --port {port}")
    process = await shell(text, tmp_path)
    client = Redis(port=port, password=PASSWORD, decode_responses=True)
    try:
        async with asyncio.timeout(30):
            while True:
                assert process.returncode is None
                try:
                    await client.ping()
                    break
                except RedisError:
                    await asyncio.sleep(0.05)
        nobody = Redis(port=port)
        with pytest.raises(AuthenticationError):
            await nobody.ping()
        await nobody.aclose()
        found = await client.config_get("append*", "maxmemory-policy", "no-appendfsync-on-rewrite")
        assert (found["appendonly"], found["appendfsync"]) == ("yes", "always")
        assert found["maxmemory-policy"] == "noeviction"
        assert found["no-appendfsync-on-rewrite"] == "no"
        # The shell is the server now: it gets the signals, and nobody reads the password off it.
        line = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert line.startswith((b"valkey-server", b"/")) or b"valkey-server" in line
        assert PASSWORD.encode() not in line
    finally:
        await client.aclose()
        process.terminate()
        await process.wait()
    assert process.returncode == 0


@pytest.mark.skipif(NGINX is None, reason="no nginx here (installed by .ci/run)")
async def test_nginx_takes_what_its_container_makes_of_the_file(tmp_path: Path) -> None:
    self_signed(tmp_path / "fullchain.pem", tmp_path / "privkey.pem")
    kept = (ROOT / "deploy" / "nginx" / "sendgate.conf").read_text("utf-8")
    (tmp_path / "nginx.conf").write_text(kept.replace("/etc/sendgate/tls/", f"{tmp_path}/"))
    made = tmp_path / "made.conf"
    text = script("production.yaml", "nginx")
    for was, now in (
        ("/etc/sendgate/nginx.conf", f"{tmp_path}/nginx.conf"),
        ("/etc/nginx/conf.d/sendgate.conf", str(made)),
        ("exec nginx -g 'daemon off;'", f"exec {NGINX} -t -c {tmp_path}/main.conf"),
    ):
        assert was in text
        text = text.replace(was, now)
    (tmp_path / "main.conf").write_text(
        f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{ include {made}; }}\n"
    )
    process = await shell(text, tmp_path, CONTROL_NAME="control.example.org")
    assert await process.wait() == 0, (tmp_path / "said").read_text()
    assert made.read_text().count("server_name control.example.org;") == 2
    assert "/var/log/nginx" not in made.read_text()
