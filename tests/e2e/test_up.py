"""`sendgate up` and `sendgate demo`, as people run them."""

import os
import select
import shutil
import signal
import smtplib
import socket
import time
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import msgspec
import pytest

from control.cli.main import run
from tests.support.control.up import FREE, Up, command, leftovers, receipts


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
        smtp.mail("news@acme.example")
        code, text = smtp.rcpt(to)
        if code == 250:
            code, text = smtp.data(message.as_bytes(policy=SMTP))
        return code, text.decode()


def waiting(data_dir: Path, capfd: pytest.CaptureFixture[str]) -> int:
    """Messages in the hold."""
    capfd.readouterr()
    assert command(data_dir, "hold", "list", "--json") == 0
    return int(msgspec.json.decode(capfd.readouterr().out)["all"]["messages"])


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
    assert send(first["smtp"], "b@company.example")[0] == 250
    code, text = send(first["smtp"], "c@company.example")
    assert (code, text.split()[-1]) == (250, "queued")
    up.kill()

    up = Up(data_dir)
    again = up.ready()
    assert again == first, "addresses outlive a crash"
    code, text = send(again["smtp"], "d@company.example")
    assert (code, text.split()[-1]) == (250, "queued"), "the count outlives a crash"
    assert waiting(data_dir, capfd) == 2
    assert command(data_dir, "clock", "advance", "1d") == 0
    deadline = time.monotonic() + 20
    while waiting(data_dir, capfd):
        assert time.monotonic() < deadline, "what was held leaves on the next day"
    assert [r.rcpt for r in receipts(data_dir)] == [f"{name}@company.example" for name in "abcd"]
    capfd.readouterr()
    assert command(data_dir, "ip", "show", "192.0.2.10", "--json") == 0
    shown = msgspec.json.decode(capfd.readouterr().out)
    assert (shown["today"][0]["relayed"], shown["today"][0]["left"]) == (2, 0)
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
    assert len(list((data_dir / "pmta" / "accounting").glob("sendgate-*-0001.csv"))) == 2
    assert command(data_dir, "accounting", "status") == 0
    assert "sendgate-" in capfd.readouterr().out
    assert up.end() == 0


def test_a_lost_ledger_is_loud_and_ready_comes_once_it_is_opened(
    data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    up = Up(data_dir)
    first = up.ready()
    assert command(data_dir, "tenant", "add", "acme", "--login", "acme",
                   "--password", "acme-password") == 0  # fmt: skip
    assert command(data_dir, "domain", "add", "--tenant", "acme", "--domain", "acme.example",
                   "--ip", "192.0.2.10", "--quota", "2", "--hourly-share", "1.0") == 0  # fmt: skip
    assert send(first["smtp"], "a@company.example")[0] == 250
    assert command(data_dir, "ledger", "status") == 0
    assert up.end() == 0
    shutil.rmtree(data_dir / "valkey")
    up = Up(data_dir)
    stderr = data_dir.parent / "stderr"
    deadline = time.monotonic() + 60
    while "not ready: ledger main is rebuilding" not in stderr.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert up.process.stdout is not None
    assert select.select([up.process.stdout], [], [], 1.0)[0] == [], "nothing is ready"
    capfd.readouterr()
    assert command(data_dir, "check") == 1
    assert "sendgate ledger open" in capfd.readouterr().err
    assert command(data_dir, "ledger", "status", "--json") == 1
    shown = msgspec.json.decode(capfd.readouterr().out)
    assert (shown["state"], "grants given" in shown["waits"][0]) == ("rebuilding", True)
    assert command(data_dir, "quota") == 1
    assert command(data_dir, "ledger", "open", "--yes", "--reason", "a test") == 0
    up.ready()
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
    assert said["answers"] == {"250": 43 + 6}
    assert said["aftermath"]["counted"]["bounced_address"] == len(said["aftermath"]["refused"]) == 2
    assert [sum(row["pmta"] for row in day["relayed"]) for day in said["days"]] == [18, 18, 7]
    assert [sum(entry["count"] for entry in day["held"]) for day in said["days"]] == [25, 7, 0]
    reasons = {entry["reason"] for entry in said["days"][0]["held"]}
    # Whether the releaser asked again before the look decides which of two limits is named.
    assert {"ip_quota", "ip_pace"} <= reasons <= {"ip_quota", "ip_pace", "ip_provider"}
