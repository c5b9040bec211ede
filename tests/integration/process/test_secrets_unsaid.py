"""Every process and the API, with a known secret wherever one can stand, and servers that refuse,
do not answer or do not exist: no octet of it in anything they print."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from control.app import application
from control.embedded.servers import ports
from control.parts import open_parts
from tests.conftest import CreateDatabase
from tests.support.control.core import SECRET as SEALING
from tests.support.control.core import TOKEN, api_of, build, control_core, settings_for
from tests.support.entry import SENDGATE

SECRET = "Geheim9Wort"
ELSEWHERE = {
    "SENDGATE_RELAY_LOGIN": "gate",
    "SENDGATE_RELAY_PASSWORD": SECRET,
    "SENDGATE_HOLD_KEYS": f"a:{SECRET * 3}0123456789=",
    "SENDGATE_CONTROL_SECRET": f"{SECRET * 3}0123456789=",
    "SENDGATE_CONTROL_PMTA_API_KEY": SECRET * 4,
    "SENDGATE_CONTROL_PMTA_RELOAD_URL": f"http://u:{SECRET}@127.0.0.1:1/command?k={SECRET}",
    "SENDGATE_CONTROL_PORT": "0",
    "SENDGATE_GATEWAY_ADMIN_PORT": "0",
    "SENDGATE_LOG_LEVEL": "debug",
    "SENDGATE_TOKEN": SECRET,
    "SENDGATE_DOTENV": "/dev/null",
}


def urls(case: str, valkey_url: str, postgres_url: str) -> tuple[str, str]:
    """(ledger, database), each with SECRET as its password."""
    valkey, postgres = urlsplit(valkey_url), urlsplit(postgres_url)
    closed = f"127.0.0.1:{ports.choose()}"
    database = f"{postgres.hostname}:{postgres.port}{postgres.path}"
    return {
        "a wrong password": (
            f"redis://:{SECRET}@{valkey.hostname}:{valkey.port}/0",
            f"postgresql://nobody:{SECRET}@{database}",
        ),
        "a wrong password as parameter": (
            f"redis://{valkey.hostname}:{valkey.port}?password={SECRET}",
            f"postgresql://{database}?user=nobody&password={SECRET}",
        ),
        "a refused connection": (
            f"redis://u:{SECRET}@{closed}/0",
            f"postgresql:///db?host=127.0.0.1&port={closed[10:]}&user=u&password={SECRET}",
        ),
        "no such host, no such socket": (
            f"unix://u:{SECRET}@/nonexistent/v.sock",
            f"postgresql://u:{SECRET}@nosuch.invalid,nosuch2.invalid/db",
        ),
        "TLS where there is none": (
            f"rediss://{valkey.hostname}:{valkey.port}?password={SECRET}&ssl_password={SECRET}",
            f"postgresql://u:{SECRET}@{database}?sslmode=require&sslpassword={SECRET}",
        ),
        "impossible ones": (
            f"redis://u:{SECRET}/{SECRET}@h:port/0",
            f"postgresql://u:{SECRET}:{SECRET}/db",
        ),
    }[case]


CASES = (
    "a wrong password", "a wrong password as parameter", "a refused connection",
    "no such host, no such socket", "TLS where there is none", "impossible ones",
)  # fmt: skip


ENDS = 20.0
"""Seconds: less than the answer budget, for which nobody waits who has nothing to answer."""


async def said(*command: str, environ: dict[str, str], until: bytes = b"") -> str:
    """All a process prints; one that would go on is ended after it said `until`."""
    loop = asyncio.get_running_loop()
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environ}, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    text = b""
    try:
        async with asyncio.timeout(60) as patience:
            while line := await process.stdout.readline():
                text += line
                if until and until in line:
                    process.send_signal(signal.SIGTERM)
                    patience.reschedule(loop.time() + ENDS)
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return text.decode()


@pytest.mark.parametrize("case", CASES)
async def test_no_process_says_it(
    case: str, valkey_url: str, postgres_url: str, tmp_path: Path
) -> None:
    ledger, database = urls(case, valkey_url, postgres_url)
    environ = {**ELSEWHERE, "REDIS_URL": ledger, "DATABASE_URL": database}
    environ["SENDGATE_DATA_DIR"] = str(tmp_path)
    config = tmp_path / "sendgate.toml"
    config.write_text("[[gateway.listeners]]\nport = 0\n", encoding="utf-8")
    named = ("--config", str(config))
    commands = [
        ((*SENDGATE, "check", "--json", *named), b""),
        ((*SENDGATE, "control", *named), b"ready"),
        ((sys.executable, "-m", "gateway", *named), b'"ledger_away"'),
    ]
    if case == CASES[0]:  # these read and print by the same functions; an interpreter takes seconds
        commands += [
            ((*SENDGATE, "check", *named), b""),
            ((*SENDGATE, "migrate", *named), b""),
            ((sys.executable, "-m", "gateway", "--check", *named), b""),
        ]
    texts = await asyncio.gather(
        *(said(*command, environ=environ, until=until) for command, until in commands)
    )
    for (command, _), text in zip(commands, texts, strict=True):
        assert text, command[-3:]
        assert SECRET not in text, (command[-3:], text)
        assert "Traceback" not in text, (command[-3:], text)


async def test_no_answer_of_the_api_has_it(
    valkey_url: str, create_database: CreateDatabase, tmp_path: Path
) -> None:
    """With the real passwords of both servers; PowerMTA's web monitor is away."""
    postgres_url = await create_database("control", build)
    settings = settings_for(
        postgres_url, valkey_url, pmta_config=str(tmp_path / "x.conf"), pmta_api_key=SECRET * 4,
        pmta_reload_url=f"http://u:{SECRET}@127.0.0.1:1/command?k={SECRET}",
    )  # fmt: skip
    passwords = [urlsplit(url).password for url in (valkey_url, postgres_url)]
    hidden = [one for one in (SECRET, SEALING, TOKEN, *passwords) if one]
    async with (
        control_core(settings_for(postgres_url, valkey_url)) as core,
        open_parts(settings) as secretive,
        api_of(secretive) as api,
    ):
        tenant = {"name": "acme", "login": "acme", "password": "correct horse"}
        async with api_of(core) as plain:
            assert (await plain("POST", "/api/v2/tenants", tenant))[0] == 201
        answers = {}
        for route in application(secretive).router.routes():
            path = route.resource.canonical if route.resource is not None else ""
            if route.method == "GET":
                answers[path] = await api("GET", path.replace("{", "").replace("}", ""))
        domain = {"tenant": "acme", "domain": "example.com", "ip": "192.0.2.10"}
        answers["POST domain"] = await api("POST", "/api/v2/domains", domain)
    assert answers["POST domain"][0] == 503
    assert "does not answer" in str(answers["POST domain"])
    assert len(answers) > 20
    found = [path for path, said in answers.items() if any(one in str(said) for one in hidden)]
    assert found == []
