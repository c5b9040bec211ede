"""`sendgate top` at a real control: on a terminal of its own, as lines of JSON, and in a pipe."""

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.control.core import TOKEN, Api, Command
from tests.support.control.up import ENVIRONMENT

SENDGATE = Path(sys.executable).with_name("sendgate")
ALTERNATE, BACK = b"\x1b[?1049h", b"\x1b[?1049l"
TOP = ("top", "--every", "0.5")
IN_FRONT = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""A terminal tells its size, and Ctrl-C, to the processes that it is in charge of."""
_SIZE = ("COLUMNS", "LINES")
_ENVIRONMENT = {k: v for k, v in ENVIRONMENT.items() if k not in _SIZE} | {"TERM": "xterm"}
HIDDEN, SEEN = b"\x1b[?25l", b"\x1b[?25h"


@pytest.fixture(autouse=True)
async def ips(api: Api) -> None:
    for tenant, ip in (("acme", "192.0.2.10"), ("globex", "192.0.2.20")):
        named = {"name": tenant, "login": f"{tenant}-smtp", "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", named))[0] == 201
        source = {"tenant": tenant, "domain": f"{tenant}.test", "ip": ip, "quota": 100}
        assert (await api("POST", "/api/v2/domains", source))[0] == 201


class Terminal:
    """A terminal with `sendgate top` in it."""

    def __init__(self, url: str, *words: str, token: str = TOKEN) -> None:
        self.master, self.slave = pty.openpty()
        self.resize(80, 24)
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", IN_FRONT, SENDGATE, "--url", url, *TOP, *words],
            stdin=self.slave,
            stdout=self.slave,
            stderr=subprocess.PIPE,
            env={**_ENVIRONMENT, "SENDGATE_TOKEN": token},
        )
        os.set_blocking(self.master, False)

    def resize(self, columns: int, rows: int) -> None:
        """The kernel tells who is in front."""
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def read(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            while octets := os.read(self.master, 65536):
                self.seen += octets

    async def until(self, text: bytes) -> bytes:
        """What came up to the text and with it; it is forgotten."""
        ends = time.monotonic() + 15
        while text not in self.seen:
            assert time.monotonic() < ends, (text, self.seen[-3000:])
            assert self.process.poll() is None or text in self.seen, self.process.communicate()
            await asyncio.sleep(0.02)
            self.read()
        found, _, self.seen = self.seen.partition(text)
        return found + text

    async def end(self, code: int) -> bytes:
        """It ends with that; what it said on standard error. The terminal is as it was."""
        ends = time.monotonic() + 15
        # Read meanwhile: what nobody reads keeps its writer from ending.
        while self.process.poll() is None:
            assert time.monotonic() < ends, self.seen[-3000:]
            await asyncio.sleep(0.02)
            self.read()
        _, error = self.process.communicate()
        self.read()
        assert self.process.returncode == code, error
        assert termios.tcgetattr(self.slave) == self.before
        return error

    def given_back(self) -> bool:
        """Whether the screen of before is back, with its cursor."""
        self.read()
        return BACK in self.seen and self.seen.rfind(SEEN) > self.seen.rfind(HIDDEN)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def opened() -> Iterator[list[Terminal]]:
    found: list[Terminal] = []
    yield found
    for one in found:
        one.close()


@pytest.fixture
async def terminal(api: Api, opened: list[Terminal]) -> Terminal:
    made = Terminal(api.url)
    opened.append(made)
    await made.until(ALTERNATE)
    await made.until(b"192.0.2.20")
    return made


def press(terminal: Terminal, keys: str) -> None:
    os.write(terminal.master, keys.encode())


async def test_keys_sort_filter_and_leave(terminal: Terminal) -> None:
    assert not termios.tcgetattr(terminal.slave)[3] & (termios.ECHO | termios.ICANON)
    press(terminal, "s")
    await terminal.until(b"by -left")
    press(terminal, "/GLOBEX\x7f\x7f")
    await terminal.until(b"/GLOB_")
    press(terminal, "\r")
    await terminal.until(b"containing: GLOB")
    terminal.seen = b""
    await terminal.until(b"192.0.2.20")
    shown = await terminal.until(b"containing: GLOB")
    assert b"192.0.2.10" not in shown
    press(terminal, "?")
    await terminal.until(b"Ctrl-C   leave")
    press(terminal, "xc")
    await terminal.until(b"192.0.2.10")
    press(terminal, "q")
    assert await terminal.end(0) == b""
    assert terminal.given_back()


async def test_another_size_is_drawn_at_once(terminal: Terminal) -> None:
    assert b"tenant" not in await terminal.until(b"? keys")
    terminal.seen = b""
    terminal.resize(140, 40)
    await terminal.until(b"VirtualMTA")
    terminal.resize(30, 10)
    await terminal.until(b"IP")
    terminal.read()
    press(terminal, "q")
    await terminal.end(0)
    assert terminal.given_back()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
async def test_whatever_ends_it_gives_the_terminal_back(
    terminal: Terminal, number: int, code: int
) -> None:
    if number == signal.SIGINT:
        press(terminal, "\x03")
    else:
        terminal.process.send_signal(number)
    await terminal.end(code)
    assert terminal.given_back()


async def test_ctrl_z_gives_it_back_for_a_while(terminal: Terminal) -> None:
    press(terminal, "\x1a")
    await terminal.until(BACK)
    _, status = await asyncio.to_thread(os.waitpid, terminal.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert termios.tcgetattr(terminal.slave) == terminal.before
    terminal.process.send_signal(signal.SIGCONT)
    await terminal.until(ALTERNATE)
    await terminal.until(b"192.0.2.10")
    press(terminal, "q")
    await terminal.end(0)


async def test_away_is_said_and_asked_again(api: Api, opened: list[Terminal]) -> None:
    held: list[asyncio.StreamWriter] = []

    async def nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        writer.close()

    server = await asyncio.start_server(nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    terminal = Terminal(f"http://127.0.0.1:{port}")
    opened.append(terminal)
    await terminal.until(b"no picture of now, asked again in 1 s: no control API answers")
    await terminal.until(b"asked again in 2 s")
    server.close()
    press(terminal, "q")
    await terminal.end(0)
    assert terminal.given_back()
    # Each time twice as long as before: 1 s, 2 s.
    assert len(held) == 2


async def test_a_token_that_is_not_taken_ends_it(api: Api, opened: list[Terminal]) -> None:
    terminal = Terminal(api.url, token="sgt_" + "x" * 40)
    opened.append(terminal)
    assert b"set SENDGATE_TOKEN" in await terminal.end(1)
    assert terminal.given_back()


async def test_lines_of_json(command: Command) -> None:
    began = time.monotonic()
    words = ("top", "--json", "--count", "3", "--every", "0.5", "--sort", "-ip")
    made = [json.loads(line) for line in (await command(*words)).splitlines()]
    assert time.monotonic() - began >= 1.0
    assert len(made) == 3
    for one in made:
        assert [row["ip"] for row in one["traffic"]["rows"]] == ["192.0.2.20", "192.0.2.10"]
        assert one["away"] == ""
        assert one["alerts"] is not None
    words = ("top", "--json", "--count", "1", "--tenant", "acme", "--state", "paused")
    [only] = [json.loads(line) for line in (await command(*words)).splitlines()]
    assert (only["traffic"]["ips"], only["traffic"]["mail"]) == (0, None)


async def test_what_is_no_terminal_gets_one_picture(command: Command) -> None:
    text = await command("top", "--containing", "acme")
    assert "\x1b" not in text
    lines = text.splitlines()
    assert lines[0].startswith("sendgate top  ")
    assert sum(line.startswith("192.0.2.") for line in lines) == 1
    assert "today     left 100 of 100  sent 0  held 0  1 IP" in lines


async def test_mistakes_are_told(
    command: Command, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--sort" in await command("top", "--sort", "colour", code=2)
    assert "nobody" in await command("top", "--tenant", "nobody", code=1)
    monkeypatch.setenv("SENDGATE_TOKEN", "sgt_" + "x" * 40)
    said: Any = await command("top", "--json", "--count", "1", code=1)
    assert "set SENDGATE_TOKEN" in said
