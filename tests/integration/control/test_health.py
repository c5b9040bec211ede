"""Health: every part is looked at, one that is away hides no other, and alerts tell of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control.duty import watch_of
from control.explain.status import Status
from control.health import probe
from control.health.health import HealthView, by_service, health
from control.parts import Parts
from control.timetable import timetable
from tests.support.control.core import TOKEN, Api, Command


@asynccontextmanager
async def greeter(line: bytes) -> AsyncIterator[int]:
    """Something that says one line; its port."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(line)
        await writer.drain()
        await reader.read(100)
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "PAUSE", 0.01)


async def look(core: Parts) -> dict[str, HealthView]:
    """As the job does; by service, or service and name."""
    runner = timetable(core)
    run = await runner.by_hand("health", "test", None)
    assert run.state == "done", run.said
    return {f"{one.service} {one.name}".strip(): one for one in await health(core.pool)}


async def reached_at(api: Api, port: int) -> None:
    server = {"name": "pmta1", "addresses": [{"host": "127.0.0.1", "port": port}]}
    status, answer = await api("POST", "/api/v2/servers", server)
    assert status in (200, 201), answer


@pytest.mark.parametrize(
    ("line", "well"),
    [
        (b"220 mta.example ESMTP\r\n", True),
        (b"421 too many connections\r\n", True),
        (b"554 no\r\n", False),
        (b"", False),
        (b"SSH-2.0-OpenSSH\r\n", False),
    ],
)
async def test_powermta_is_well_when_it_greets(
    core: Parts, api: Api, line: bytes, well: bool
) -> None:
    async with greeter(line) as port:
        await reached_at(api, port)
        found = await look(core)
    assert found["pmta pmta1"].healthy is well


async def test_each_part_is_looked_at_and_a_dead_one_hides_no_other(
    core: Parts, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with greeter(b"220 hi\r\n") as port:
        await reached_at(api, port)
        found = await look(core)
        assert found["postgresql"].healthy
        assert found["valkey"].healthy, found["valkey"].detail
        assert not found["gateway"].healthy, "none runs here"
        assert found["pmta pmta1"].healthy
        assert "disk" in {one.service for one in found.values()}
    since = found["pmta pmta1"].since

    async def away(*_: Any) -> None:
        raise ConnectionError("away")

    monkeypatch.setattr(core.admin, "standing", away)
    found = await look(core)
    assert not found["valkey"].healthy
    assert found["postgresql"].healthy
    assert not found["pmta pmta1"].healthy
    assert found["pmta pmta1"].since >= since
    assert by_service(list(found.values()))["pmta"] is False


async def test_a_disk_that_is_nearly_full_is_not_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert probe.room([tmp_path / "not" / "there"], "a").detail.startswith("the disk of ")
    monkeypatch.setattr(probe, "FULL", -0.1)
    found = probe.room([tmp_path], "a")
    assert (found.service, found.healthy) == ("disk", False)
    assert "GB are free" in found.detail


async def test_status_shows_it_and_an_alert_tells_of_it(
    core: Parts, api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    await reached_at(api, 1)
    await look(core)
    sendgate = Command(api, capsys)
    await sendgate("status", code=1)
    status, answer = await api("GET", "/api/v2/status")
    assert status == 200
    views = msgspec.convert(answer, Status).health
    assert {one.service for one in views} >= {"pmta", "valkey", "postgresql", "gateway", "disk"}
    assert await watch_of(core).step()
    row = await core.pool.fetchrow("SELECT severity, what FROM alert WHERE key = 'pmta:pmta1'")
    assert row["severity"] == "critical"
    assert "127.0.0.1:1 does not answer" in row["what"]
    async with greeter(b"220 hi\r\n") as port:
        await reached_at(api, port)
        await look(core)
    assert await watch_of(core).step()
    ended = "SELECT recovered FROM alert WHERE key = 'pmta:pmta1'"
    assert await core.pool.fetchval(ended) is None, "it may come back"
    await core.pool.execute("UPDATE alert SET absent = absent - 900000")
    assert await watch_of(core).step()
    assert await core.pool.fetchval(ended) is not None
