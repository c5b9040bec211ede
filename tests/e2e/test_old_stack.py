"""What a user of another stack is told to run instead does what the page says."""

import re
import shlex
import smtplib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.control.up import Up, command
from tests.support.repository import ROOT

PAGE = ROOT / "deploy" / "runbook" / "old-stack.md"
CODE = re.compile(r"`([^`]+)`")
PATIENCE = 15.0
"""Seconds until a command shows what it has to."""


class Row(NamedTuple):
    """A line of a table."""

    former: str
    instead: str
    shows: list[str]

    @property
    def commands(self) -> list[str]:
        """What is run, in order."""
        if self.instead.startswith("nothing"):
            return []
        return [c for c in CODE.findall(self.instead) if c.startswith(("sendgate ", "curl "))]


def rows() -> list[Row]:
    """Of all tables of the page."""
    found = []
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("| ") and not line.startswith("| you ran"):
            former, instead, shows = line.removeprefix("| ").removesuffix("|").split(" | ")
            found.append(Row(former, instead, CODE.findall(shows)))
    return found


class Shell:
    """Of a user, beside a stack with a tenant, a domain and mail: some went, some waits."""

    def __init__(self, folder: Path, ready: dict[str, str], capfd: pytest.CaptureFixture[str]):
        self._stack = folder / "stack"
        self._folder = folder
        self._capfd = capfd
        token = (self._stack / "admin-token").read_text().strip()
        self._words = {
            "$SENDGATE_URL": ready["api"],
            "$SENDGATE_TOKEN": token,
            "/tmp/": f"{folder}/",
        }

    def run(self, line: str) -> tuple[int, str]:
        """(exit code, what it said). Of `sendgate` in this process: eighty would import it anew."""
        for word, value in self._words.items():
            line = line.replace(word, value)
        words = shlex.split(line)
        if words[0] == "sendgate":
            self._capfd.readouterr()
            code = command(self._stack, *words[1:])
            return code, "".join(self._capfd.readouterr())
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE)
        return done.returncode, done.stdout + done.stderr

    def until(self, line: str, word: str) -> tuple[int, str]:
        """Control writes what it hears a second or two later: what only reads is asked again."""
        end = time.monotonic() + PATIENCE
        code, said = self.run(line)
        while _reads(line) and (code != 0 or word not in said) and time.monotonic() < end:
            time.sleep(0.5)
            code, said = self.run(line)
        return code, said


@pytest.fixture
def shell(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    monkeypatch.setenv("COLUMNS", "400")
    up = Up(tmp_path / "stack")
    ready = up.ready()
    made = Shell(tmp_path, ready, capfd)
    for line in (
        "sendgate tenant add acme --login acme --password a-long-password",
        "sendgate domain add --tenant acme --domain news.example.com --ip 192.0.2.10",
    ):
        code, said = made.run(line)
        assert code == 0, said
    _mail(ready["smtp"])
    yield made
    assert up.end() == 0


def _mail(address: str) -> None:
    host, _, port = address.rpartition(":")
    with smtplib.SMTP(host, int(port)) as smtp:
        smtp.login("acme", "a-long-password")
        for number in range(14):
            text = f"From: info@news.example.com\r\nMessage-ID: <{number}@x>\r\n\r\nx\r\n"
            smtp.sendmail("info@news.example.com", ["someone@gmail.com"], text)


@pytest.mark.timeout(400)
def test_each_command_that_replaces_another_shows_what_the_page_says(shell: Shell) -> None:
    wrong = []
    for row in rows():
        done = [shell.until(line, row.shows[0]) for line in row.commands]
        said = "".join(text for _, text in done)
        missing = [word for word in row.shows if word not in said]
        if any(code for code, _ in done) or missing:
            wrong.append(f"{row.commands} {[c for c, _ in done]} lacks {missing}:\n{said[-600:]}")
    assert not wrong, "\n\n".join(wrong)


def _reads(line: str) -> bool:
    """Whether it may be asked again."""
    return bool(re.search(r"^curl|--dry-run| (list|show|status|stats|quota|days)\b", line))


def test_each_row_has_a_command_or_says_why_not() -> None:
    for row in rows():
        if row.commands:
            assert row.shows, row
        else:
            assert re.match(r"nothing\b.*: .{20,}", row.instead), row


def test_the_page_names_what_old_stacks_were_made_of() -> None:
    former = "\n".join(row.former for row in rows())
    parts = (
        "redis-cli warmup:ip: SELECT UPDATE :8000/ :3000/ docker-compose celery cron .py .sh pmta"
    )
    assert [word for word in parts.split() if word not in former] == []
