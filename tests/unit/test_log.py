"""Log lines: JSON, bounded, masked, never in the way."""

import asyncio
import json
import os
from pathlib import Path

import pytest

import settings.log
from gateway.watch.log import Log
from gateway.watch.logfile import EVERY
from settings.logplace import log_problems


def lines(descriptor: int) -> list[dict[str, object]]:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return [json.loads(line) for line in os.read(descriptor, 1 << 20).splitlines()]


async def test_a_line_is_one_json_object() -> None:
    descriptor = os.memfd_create("log")
    log = Log(level="info", descriptor=descriptor, process="worker-0")
    log.info("message", outcome="relayed", text='quotes " and\nline ends', size=3)
    log.debug("hidden")
    log.flush()
    [line] = lines(descriptor)
    assert line["event"] == "message"
    assert line["process"] == "worker-0"
    assert line["text"] == 'quotes " and\nline ends'
    os.close(descriptor)


def test_without_a_loop_a_line_is_written_at_once() -> None:
    descriptor = os.memfd_create("log")
    Log(descriptor=descriptor).warning("early")
    assert lines(descriptor)[0]["event"] == "early"
    os.close(descriptor)


async def test_addresses_can_be_hashed_with_their_domain_left() -> None:
    log = Log(addresses="hashed", descriptor=os.memfd_create("log"))
    hidden = log.address("José@Dest.test".encode())
    assert hidden.endswith("@Dest.test")
    assert "Jos" not in hidden
    assert hidden == log.address("José@Dest.test".encode())
    assert log.address(b"") == ""
    assert Log().address(b"a@x.test") == "a@x.test"


def test_a_pipe_nobody_reads_never_stops_a_process_without_a_loop() -> None:
    read_end, write_end = os.pipe()
    log = Log(descriptor=write_end, buffer=100_000)
    for _ in range(2000):
        log.info("message", text="x" * 100)
    log.flush()
    assert log.dropped > 0
    os.set_blocking(read_end, False)
    data = os.read(read_end, 1 << 20)
    # Pieces end with lines: what other processes write comes between lines.
    assert data.endswith(b"\n")
    os.close(read_end)
    os.close(write_end)


async def test_a_blocked_descriptor_costs_lines_and_never_time() -> None:
    """The pipe blocks for real: a write that waited would hang this test."""
    read_end, write_end = os.pipe()
    log = Log(descriptor=write_end, buffer=100_000)
    for number in range(5000):
        log.info("message", number=number, text="x" * 100)
        log.flush()
    assert log.dropped > 0
    assert sum(map(len, log._lines)) <= 100_000
    os.set_blocking(read_end, False)
    received = b""
    while log._lines:
        received += os.read(read_end, 1 << 20)
        log.flush()
    received += os.read(read_end, 1 << 20)
    found = [json.loads(line) for line in received.splitlines()]
    numbers = [line["number"] for line in found if line["event"] == "message"]
    assert numbers == sorted(numbers)
    [told] = [line for line in found if line["event"] == "log_lines_dropped"]
    assert told["count"] == log.dropped == 5000 - len(numbers)
    os.close(read_end)
    log.info("message")
    log.flush()  # nobody reads any more: nothing happens
    os.close(write_end)


async def test_lines_of_messages_that_are_safe_wait_for_each_other_and_for_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A second: a machine that is busy meanwhile is none of this test's matters.
    monkeypatch.setattr("gateway.watch.log._TOGETHER", 1.0)
    descriptor = os.memfd_create("log")
    log = Log(descriptor=descriptor)
    log.message({"outcome": "relayed", "number": 1})
    await asyncio.sleep(0)
    log.message({"outcome": "held", "number": 2})
    assert lines(descriptor) == []
    log.message({"outcome": "refused", "number": 3})
    await asyncio.sleep(0)
    assert [line["number"] for line in lines(descriptor)] == [1, 2, 3]
    log.message({"outcome": "relayed", "number": 4})
    async with asyncio.timeout(5):
        while len(lines(descriptor)) < 4:
            await asyncio.sleep(0.001)
    log.error("relay_unknown")
    await asyncio.sleep(0)
    assert len(lines(descriptor)) == 5
    os.close(descriptor)


async def test_a_line_without_fields_is_an_object_too() -> None:
    descriptor = os.memfd_create("log")
    log = Log(descriptor=descriptor, process='a "b"')
    log.info("drained")
    log.flush()
    [line] = lines(descriptor)
    assert (line["level"], line["event"], line["process"]) == ("info", "drained", 'a "b"')
    assert isinstance(line["time"], float)
    os.close(descriptor)


def test_a_file_that_was_renamed_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("gateway.watch.logfile.time.monotonic", lambda: now[0])
    path, before = tmp_path / "gateway.log", tmp_path / "gateway.log.1"
    log = Log(file=str(path))
    log.info("first")
    path.rename(before)
    log.info("second")
    now[0] += EVERY
    log.info("third")
    assert [json.loads(line)["event"] for line in before.read_text().splitlines()] == [
        *("first", "second")
    ]
    assert json.loads(path.read_text())["event"] == "third"
    # Where none can be made, the one that is open goes on.
    path.rename(before)
    path.mkdir()
    now[0] += EVERY
    log.info("fourth")
    assert json.loads(before.read_text().splitlines()[-1])["event"] == "fourth"
    assert log.dropped == 0


def test_a_file_that_cannot_be_written_is_named_before_the_start(tmp_path: Path) -> None:
    def problems(file: Path | str) -> list[str]:
        return log_problems(settings.log.Log(file=str(file)))

    assert problems("") == problems(tmp_path / "new.log") == []
    assert "no regular file" in problems(tmp_path)[0]
    assert "make its folder ours" in problems(tmp_path / "none" / "new.log")[0]
    with pytest.raises(OSError, match="regular"):
        Log(file="/dev/null")
