"""The product under test, whole and as in production, in a throw-away folder.

Rule: everything a message can meet is on. Logins by source network and by AUTH, quotas, provider
ceilings and mailbox limits that are set and never reached, Valkey with `appendfsync always` (asked
of the server itself), stamping, the JSON log in a file, metrics; a STARTTLS listener beside the
plain one.
Failure: RuntimeError naming what did not start.
"""

import contextlib
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import redis

from loadtest.benchmark.sinks import SINK_PORT
from loadtest.certificate import self_signed

SMTP_PORT = 2597
TLS_PORT = 2593
API_PORT = 8097
LOGIN = ("bench", "bench-bench-bench")
CERTIFICATE, KEY = "bench-certificate.pem", "bench-key.pem"
_PLENTY = "100000000"


def sendgate(*arguments: str) -> str:
    """Run one command of the stack under test; what it prints."""
    command = [str(Path(sys.executable).with_name("sendgate")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"sendgate {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Stack:
    """A stack that runs."""

    def __init__(self, folder: Path, pid: int) -> None:
        self.folder = folder
        self.pid = pid

    @property
    def certificate(self) -> str:
        """PEM file that vouches for its STARTTLS listener."""
        return str(self.folder / CERTIFICATE)

    def appendfsync(self) -> str:
        """What its Valkey says of itself: `appendonly/appendfsync`."""
        config = next(iter(self.folder.rglob("valkey.conf")), None)
        if config is None:
            return "unknown: no embedded Valkey"
        text = config.read_text(encoding="utf-8")
        words = dict(re.findall(r'^(port|requirepass) "(.*)"$', text, re.MULTILINE))
        with redis.Redis(port=int(words["port"]), password=words["requirepass"]) as client:
            return "/".join(
                str(client.config_get(name)[name]) for name in ("appendonly", "appendfsync")
            )


@contextlib.contextmanager
def stack(workers: int) -> Iterator[Stack]:
    """In front of the sink, until left."""
    with tempfile.TemporaryDirectory(prefix="sendgate-bench-") as name:
        folder = Path(name)
        self_signed(folder / CERTIFICATE, folder / KEY)
        where = ("--data-dir", name)
        process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("sendgate")), "up", "--no-demo", *where,
                "--config", str(_configured(folder)),
                "--pmta", f"127.0.0.1:{SINK_PORT}", "--smtp-port", str(SMTP_PORT),
                "--api-port", str(API_PORT), "--workers", str(workers),
            ],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            if not process.stdout.readline().startswith("ready"):
                raise RuntimeError("the stack did not start")
            _furnish(*where)
            yield Stack(folder, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def _furnish(*where: str) -> None:
    """A tenant, two domains with an IP each, and limits on everything."""
    login = ("--login", LOGIN[0], "--password", LOGIN[1])
    sendgate("tenant", "add", "bench", *login, "--network", "127.0.0.0/8", *where)
    quota = ("--quota", _PLENTY, "--hourly-share", "1.0")
    ceilings = [
        word
        for provider in ("gmail", "microsoft", "yahoo", "other")
        for word in ("--ceiling", f"{provider}={_PLENTY}")
    ]
    for number, domain in enumerate(("bench.example", "second.bench.example"), 1):
        ip = f"192.0.2.{number}"
        sendgate(
            "domain", "add", "--tenant", "bench", "--domain", domain, "--ip", ip, *quota, *where
        )
        sendgate("ip", "set", ip, *ceilings, *where)
    sendgate("mailbox", "set", "news@bench.example", "--tenant", "bench", "--max", _PLENTY, *where)


def _configured(folder: Path) -> Path:
    file = folder / "bench.toml"
    file.write_text(
        f"""\
[gateway]
certificate = "{folder / CERTIFICATE}"
key = "{folder / KEY}"

[[gateway.listeners]]
port = {SMTP_PORT}

[[gateway.listeners]]
port = {TLS_PORT}
tls = "starttls"
""",
        encoding="utf-8",
    )
    return file
