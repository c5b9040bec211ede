"""All sending is stopped, everything is killed, and started again: what came meanwhile was held,
and goes once."""

import contextlib
import smtplib
import threading
import time
from pathlib import Path

import msgspec
import pytest

from tests.e2e.test_up import send, waiting
from tests.support.control.up import Up, command, receipts


def test_mail_is_held_while_all_is_stopped_over_kill_9_and_goes_once(
    data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    up = Up(data_dir)
    first = up.ready()
    assert command(data_dir, "tenant", "add", "acme", "--login", "acme",
                   "--password", "acme-password") == 0  # fmt: skip
    assert command(data_dir, "domain", "add", "--tenant", "acme", "--domain", "acme.example",
                   "--ip", "192.0.2.10", "--quota", "unlimited") == 0  # fmt: skip
    answers: dict[str, tuple[int, str]] = {}
    ended = threading.Event()

    def campaign() -> None:
        """Goes on whatever happens; a message whose connection broke is not acknowledged."""
        number = 0
        while not ended.is_set():
            number += 1
            to = f"m{number}@company.example"
            with contextlib.suppress(OSError, smtplib.SMTPException):
                answers[to] = send(first["smtp"], to)

    sending = threading.Thread(target=campaign)
    sending.start()
    try:
        time.sleep(1.0)
        assert command(data_dir, "warmup", "stop", "--reason", "a test") == 0
        stopped = len(receipts(data_dir))
        assert stopped, "mail went before"
        count = len(answers)
        while len(answers) < count + 20:
            time.sleep(0.02)
        up.kill()
        up = Up(data_dir)
        assert up.ready() == first
        count = len(answers)
        while len(answers) < count + 20:
            time.sleep(0.02)
        assert len(receipts(data_dir)) == stopped, "nothing goes while all is stopped"
    finally:
        ended.set()
        sending.join()
    refusals = {text for code, text in answers.values() if code != 250}
    assert refusals == set(), "held, never refused"
    held = waiting(data_dir, capfd)
    assert held >= 40
    assert command(data_dir, "status", "--json") == 1
    status = msgspec.json.decode(capfd.readouterr().out)
    assert status["stopped"]["reason"] == "a test"
    assert command(data_dir, "warmup", "start") == 0
    deadline = time.monotonic() + 30
    while waiting(data_dir, capfd):
        assert time.monotonic() < deadline, "what was held leaves"
        time.sleep(0.1)
    got = [r.rcpt for r in receipts(data_dir)]
    assert len(got) == len(set(got)), "nothing goes twice"
    assert set(got) >= set(answers), "nothing that was acknowledged is lost"
    assert up.end() == 0
