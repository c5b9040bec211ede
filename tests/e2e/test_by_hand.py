"""The product set up by hand, as in production: own servers, one file, one process each."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from control.embedded.stack.toml import to_toml
from tests.support.control.core import settings_for
from tests.support.pmta.standin import StandIn

SENDGATE = str(Path(sys.executable).with_name("sendgate"))


async def command(*words: str, code: int = 0, stdin: str = "", **environ: str) -> str:
    """Run one command; its standard output (with code 1: standard error)."""
    process = await asyncio.create_subprocess_exec(
        SENDGATE,
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "SENDGATE_DOTENV": "/nonexistent", **environ},
    )
    out, error = await process.communicate(stdin.encode())
    assert process.returncode == code, error.decode()
    return (error if code else out).decode()


async def test_servers_of_ones_own_one_file_and_one_process_each(
    postgres_url: str, valkey_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "sendgate.toml"
    file.write_text(to_toml(settings_for(postgres_url, valkey_url)), encoding="utf-8")
    config = ("--config", str(file))
    wrong = await command("migrate", "--check", *config, code=1)
    assert "run `sendgate migrate`" in wrong
    await command("migrate", *config)
    await command("migrate", "--check", *config)
    token = (await command("token", "add", "ops", *config)).strip()
    control = await asyncio.create_subprocess_exec(
        SENDGATE, "control", *config, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert control.stdout is not None
        line = (await control.stdout.readline()).decode()
        assert line.startswith("ready api=")
        where = {"SENDGATE_URL": line.split("=", 1)[1].strip(), "SENDGATE_TOKEN": token}
        refused = await command("tenant", "list", code=1, **{**where, "SENDGATE_TOKEN": "x"})
        assert "SENDGATE_TOKEN" in refused
        add = ("tenant", "add", "acme", "--login", "l", "--password-stdin")
        await command(*add, stdin="correct horse\n", **where)
        domain = ("domain", "add", "--tenant", "acme", "--domain", "a.example")
        missing = await command(*domain, "--ip", "192.0.2.1", code=1, **where)
        assert "sendgate server set" in missing
        async with StandIn.start() as pmta:
            address = f"{pmta.host}:{pmta.smtp_port}"
            await command("server", "set", "pmta1", address, **where)
            dns = await command(*domain, "--ip", "192.0.2.1", **where)
            assert "mta1.a.example. IN A 192.0.2.1" in dns
            assert "v=DKIM1" in dns
            assert f"PowerMTA pmta1 at {address}" in await command("check", *config)
        assert "does not answer" in await command("check", *config, code=1)
        not_here = await command("clock", "advance", "1d", code=1, **where)
        assert "embedded stack" in not_here
        old = await command("check", *config, code=2, CELERY_BROKER_URL="x", WARMUP_WEEK1_QUOTA="x")
        assert "warmup.weeks" in old
    finally:
        control.send_signal(signal.SIGTERM)
        assert await control.wait() == 0
    await command("token", "revoke", "ops", *config)
    assert "ops" not in await command("token", "list", *config)


async def test_up_on_servers_that_are_named_starts_none_of_its_own(
    postgres_url: str, valkey_url: str, tmp_path: Path
) -> None:
    async with StandIn.start() as pmta:
        process = await asyncio.create_subprocess_exec(
            SENDGATE,
            *("up", "--data-dir", str(tmp_path / "stack"), "--smtp-port", "0", "--api-port", "0"),
            *("--pmta", f"{pmta.host}:{pmta.smtp_port}", "--no-demo"),
            stdout=asyncio.subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "REDIS_URL": valkey_url,
                "DATABASE_URL": postgres_url,
                "SENDGATE_DOTENV": "/nonexistent",
            },
        )
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        assert line.startswith("ready smtp=")
        assert f"pmta={pmta.host}:{pmta.smtp_port}" in line
        assert not (tmp_path / "stack" / "valkey").exists()
        assert not (tmp_path / "stack" / "postgres").exists()
        at = ("--data-dir", str(tmp_path / "stack"))
        assert "embedded stack" in await command("clock", "advance", "1d", *at, code=1)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
