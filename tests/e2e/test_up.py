"""`sendgate up` and `sendgate demo`, as people run them."""

import contextlib
import os
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import msgspec
import pytest

from control.cli.main import run

SENDGATE = Path(sys.executable).with_name("sendgate")
FREE = ("--smtp-port", "0", "--api-port", "0", "--standin-port", "0", "--no-demo")
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("SENDGATE_") and name not in ("REDIS_URL", "DATABASE_URL")
}


class Up:
    """One `sendgate up`."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.data_dir = data_dir
        with (data_dir.parent / "stderr").open("ab") as stderr:
            self.process = subprocess.Popen(
                [SENDGATE, "up", "--data-dir", str(data_dir), *(options or FREE)],
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=ENVIRONMENT,
                text=True,
            )

    def ready(self) -> dict[str, str]:
        """What the ready line says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready "), (self.data_dir.parent / "stderr").read_text()
        return dict(word.split("=", 1) for word in line.split()[1:])

    def end(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        return self.process.returncode


def leftovers(data_dir: Path) -> list[str]:
    """Command lines of processes that name the data directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = entry.read_bytes().replace(b"\0", b" ").decode()
            if str(data_dir) in line and "pytest" not in line:
                found.append(line)
    return found


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "stack"
    for pid in [p.parent.name for p in Path("/proc").glob("[0-9]*/cmdline")]:
        with contextlib.suppress(OSError):
            if str(tmp_path / "stack") in Path(f"/proc/{pid}/cmdline").read_bytes().decode():
                os.kill(int(pid), signal.SIGKILL)


def send(address: str, to: str) -> tuple[int, str]:
    """The answer to one message of tenant acme."""
    host, _, port = address.rpartition(":")
    message = EmailMessage()
    message["From"] = "news@acme.example"
    message["To"] = to
    message["Subject"] = "Bonjour"
    message.set_content("x")
    with smtplib.SMTP(host, int(port)) as smtp:
        smtp.login("acme", "acme-password")
        try:
            smtp.send_message(message)
        except smtplib.SMTPResponseException as error:
            return error.smtp_code, str(error.smtp_error)
        except smtplib.SMTPRecipientsRefused as error:
            return next(iter(error.recipients.values()))[0], ""
        return 250, ""


def command(data_dir: Path, *words: str) -> int:
    return run([*words, "--data-dir", str(data_dir)])


def test_a_stack_survives_kill_9_of_everything_and_ends_cleanly(
    data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    up = Up(data_dir)
    first = up.ready()
    assert command(data_dir, "tenant", "add", "acme", "--login", "acme",
                   "--password", "acme-password") == 0  # fmt: skip
    assert command(data_dir, "domain", "add", "--tenant", "acme", "--domain", "acme.example",
                   "--ip", "192.0.2.10", "--quota", "2", "--hourly-share", "1.0") == 0  # fmt: skip
    assert send(first["smtp"], "a@company.example")[0] == 250
    gateway = int((data_dir / "log" / "gateway.lock").read_text())
    os.kill(up.process.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(gateway, signal.SIGKILL)
    up.process.communicate()

    up = Up(data_dir)
    again = up.ready()
    assert again == first, "addresses outlive a crash"
    assert send(again["smtp"], "b@company.example")[0] == 250
    code, text = send(again["smtp"], "c@company.example")
    assert code == 451, "the count outlives a crash"
    assert "daily quota" in text
    assert command(data_dir, "clock", "advance", "1d") == 0
    deadline = time.monotonic() + 5
    while send(again["smtp"], "d@company.example")[0] != 250:
        assert time.monotonic() < deadline, "the quota opens on the next day"
    capfd.readouterr()
    assert command(data_dir, "ip", "show", "192.0.2.10", "--json") == 0
    shown = msgspec.json.decode(capfd.readouterr().out)
    assert (shown["today"][0]["relayed"], shown["today"][0]["left"]) == (1, 1)
    assert run(["up", "--data-dir", str(data_dir), *FREE]) == 1, "one stack a directory"
    assert f"pid {up.process.pid}" in capfd.readouterr().err
    assert command(data_dir, "check") == 0
    assert up.end() == 0
    assert leftovers(data_dir) == []


def test_what_the_stand_in_took_is_read_from_its_accounting(
    data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    up = Up(data_dir)
    where = up.ready()
    assert command(data_dir, "tenant", "add", "acme", "--login", "acme",
                   "--password", "acme-password") == 0  # fmt: skip
    assert command(data_dir, "domain", "add", "--tenant", "acme", "--domain", "acme.example",
                   "--ip", "192.0.2.10", "--quota", "9", "--hourly-share", "1.0") == 0  # fmt: skip
    assert send(where["smtp"], "a@company.example")[0] == 250
    assert command(data_dir, "clock", "advance", "1d") == 0
    assert send(where["smtp"], "b@company.example")[0] == 250
    deadline = time.monotonic() + 20
    while True:
        capfd.readouterr()
        assert command(data_dir, "accounting", "status", "--json") == 0
        (stream,) = msgspec.json.decode(capfd.readouterr().out)
        # r and d of each message, over a file that the new day has finished.
        if stream["records"] == 4 and stream["behind"] == 0 and stream["age"] is not None:
            break
        assert time.monotonic() < deadline, stream
        time.sleep(0.05)
    assert (stream["server"], stream["gap_at"], stream["problem"]) == ("pmta1", 0, "")
    assert len(list((data_dir / "pmta" / "accounting").glob("acct-*-0001.csv"))) == 1
    assert command(data_dir, "accounting", "status") == 0
    assert "acct.csv" in capfd.readouterr().out
    assert up.end() == 0


def test_a_lost_ledger_is_loud_and_opens_with_its_ips_closed(
    data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    up = Up(data_dir)
    up.ready()
    assert command(data_dir, "tenant", "add", "acme", "--login", "acme",
                   "--password", "acme-password") == 0  # fmt: skip
    assert command(data_dir, "domain", "add", "--tenant", "acme", "--domain", "acme.example",
                   "--ip", "192.0.2.10", "--quota", "2", "--hourly-share", "1.0") == 0  # fmt: skip
    assert command(data_dir, "ledger", "status") == 0
    assert up.end() == 0
    shutil.rmtree(data_dir / "valkey")
    up = Up(data_dir)
    where = up.ready()
    said = (data_dir.parent / "stderr").read_text()
    assert "IPs of server pmta1 stay closed until 00:00 UTC" in said
    capfd.readouterr()
    assert command(data_dir, "ledger", "status", "--json") == 0
    shown = msgspec.json.decode(capfd.readouterr().out)
    assert (shown["state"], shown["closed"]) == ("open", ["192.0.2.10"])
    for left in (0, 2):
        assert command(data_dir, "ip", "show", "192.0.2.10", "--json") == 0
        shown = msgspec.json.decode(capfd.readouterr().out)
        assert shown["today"][0]["left"] == left
        if not left:
            assert command(data_dir, "ledger", "open", "--yes", "--reason", "a test") == 0
            capfd.readouterr()
    assert send(where["smtp"], "b@company.example")[0] == 250
    assert command(data_dir, "check") == 0
    assert up.end() == 0


def test_demo_tenants_stand_beside_ones_own_and_never_enter_a_real_powermta(
    data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    up = Up(data_dir, *FREE[:-1])
    where = up.ready()
    assert command(data_dir, "tenant", "add", "acme", "--login", "acme",
                   "--password", "a-long-password") == 0  # fmt: skip
    assert command(data_dir, "domain", "add", "--tenant", "acme", "--domain", "mail1.acme.test",
                   "--ip", "192.0.2.10") == 0  # fmt: skip
    config, keys = data_dir.parent / "sendgate.conf", data_dir.parent / "keys"
    assert command(data_dir, "pmta", "config", "--output", str(config), "--keys", str(keys)) == 0
    (key,) = keys.glob("mail1.acme.test.*.pem")
    assert key.stat().st_mode & 0o777 == 0o600
    assert f"mail1.acme.test,{data_dir}/pmta/keys/{key.name}" in config.read_text()
    assert (data_dir / "pmta" / "keys" / key.name).read_text() == key.read_text()
    assert up.end() == 0
    capfd.readouterr()
    real = ("--smtp-port", "0", "--api-port", "0", "--no-demo", "--pmta", where["pmta"])
    assert run(["up", "--data-dir", str(data_dir), *real]) == 1
    error = capfd.readouterr().err
    assert "demo-acme" in error
    assert "--data-dir" in error
    assert error.count("\n") == 1
    assert leftovers(data_dir) == []


def test_a_child_that_dies_is_started_again_on_its_address(data_dir: Path) -> None:
    up = Up(data_dir)
    where = up.ready()
    for name, address in (("gateway", where["smtp"]), ("pmta-standin", where["pmta"])):
        os.kill(int((data_dir / "log" / f"{name}.lock").read_text()), signal.SIGKILL)
        deadline = time.monotonic() + 20
        stderr = data_dir.parent / "stderr"
        while f"the {name} runs again" not in stderr.read_text():
            assert time.monotonic() < deadline, stderr.read_text()
            time.sleep(0.05)
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            assert connection.recv(3) == b"220"
    assert up.end() == 0
    assert leftovers(data_dir) == []


def test_a_taken_port_is_one_clear_line(data_dir: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for option in ("--smtp-port", "--api-port", "--standin-port"):
            given = [*FREE[:-1], "--no-demo"]
            given[given.index(option) + 1] = port
            assert run(["up", "--data-dir", str(data_dir), *given]) == 1
            error = capfd.readouterr().err
            assert port in error
            assert option in error
            assert error.count("\n") == 1
    assert leftovers(data_dir) == []


def test_the_demo_shows_the_main_job_and_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--json"]) == 0
    said = msgspec.json.decode(capfd.readouterr().out)
    assert said["ok"]
    assert [sum(row["pmta"] for row in day["relayed"]) for day in said["days"]] == [18, 9]
    assert {entry["code"] for entry in said["days"][0]["deferred"]} == {451}
