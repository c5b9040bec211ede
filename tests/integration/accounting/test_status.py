"""What is said of a stream that proves nothing, and how positions of an older release are taken."""

import asyncio
from importlib import import_module
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from control.accounting.status import StreamView, streams
from control.accounting.survey import found, survey
from control.cli.main import run
from control.embedded.stack.toml import to_toml
from control.store.migrate import migrate
from settings.accounting import Accounting, Stream
from tests.conftest import CreateDatabase
from tests.integration.accounting.test_reading import DAY, NOW, reading, relayed, stream, until
from tests.support.control.core import TOKEN, Command, api_of, build, control_core, settings_for

HEADER = "type,timeLogged,rcpt,vmta,envId\r\n"
LOGGED = "2026-03-01 00:00:01+0000"


def write(folder: Path, text: str, number: int = 1, header: str = HEADER) -> Path:
    path = folder / f"acct-2026-03-01-{number:04}.csv"
    path.write_text(header + text, newline="")
    return path


@pytest.mark.parametrize(
    ("header", "text", "said"),
    [
        (HEADER, f"d,{LOGGED},a@x.example,v1,e\r\n", "it has no r records"),
        (HEADER, f"f,{LOGGED},a@x.example,,\r\n", "it has no r records"),
        (HEADER, f"r,{LOGGED},a@x.example,v1,e\r\n", "an envId of Sendgate"),
        (HEADER, f"r,{LOGGED},a@x.example,,{DAY}-message1.1\r\n", "lack rcpt or vmta"),
        ("type,timeLogged,vmta,envId\r\n", f"r,{LOGGED},v1,e\r\n", "no rcpt column"),
        ("type,timeLogged,rcpt,envId\r\n", f"r,{LOGGED},a,e\r\n", "no vmta column"),
        ("type,timeLogged,rcpt,vmta\r\n", f"r,{LOGGED},a,v1\r\n", "no envId column"),
    ],
)
async def test_a_stream_that_proves_nothing_says_why(
    create_database: CreateDatabase, tmp_path: Path, header: str, text: str, said: str
) -> None:
    url = await create_database("control", build)
    write(tmp_path, text, header=header)
    one = Stream(server="pmta1", path=str(tmp_path / "acct.csv"))
    settings = Accounting(streams=(one,))
    pool = await asyncpg.create_pool(url, min_size=1, max_size=2)
    try:
        async with reading(url, tmp_path / "acct.csv"):

            async def told() -> bool:
                [view] = await streams(pool, settings, NOW)
                return said in view.problem

            await until(told)
        [sentence, *_] = await found(pool, settings)
        assert sentence.startswith("accounting of pmta1: ")
        assert any(said in sentence for sentence in await found(pool, settings))
    finally:
        await pool.close()


def test_the_files_themselves_are_looked_at_before_anybody_read_them(tmp_path: Path) -> None:
    one = Stream(server="pmta1", path=str(tmp_path / "acct.csv"))
    assert survey(one) == [], "a PowerMTA that has had no mail yet"
    write(tmp_path, f"d,{LOGGED},a,v1\r\n", header="type,timeLogged,rcpt,vmta\r\n")
    assert [sentence.partition(":")[0] for sentence in survey(one)] == [
        "acct-2026-03-01-0001.csv has no envId column",
        "it has no r records, which alone prove an absence",
    ]
    write(tmp_path, f"r,{LOGGED},a@x.example,v1,e\r\n", 2)
    assert survey(one) == []
    [sentence] = survey(Stream(server="pmta1", path=str(tmp_path / "no" / "acct.csv")))
    assert "No such file" in sentence


async def test_positions_of_an_older_release_go_on_where_they_were(
    create_database: CreateDatabase, tmp_path: Path
) -> None:
    """It took every numbered file for a finished one, and a growing one for another whenever it
    had grown; and it overlooked missing files, so what it read proves no absence."""
    url = await create_database()
    module = import_module("control.store.migrations.versions.0010_pre_accounting_files")
    await migrate(url, module.down_revision)
    database: Any = await asyncpg.connect(url)
    try:
        first = write(tmp_path, f"r,{LOGGED},a@x.example,v1,{DAY}-message1.1\r\n")
        before = f"r,{LOGGED},a@x.example,v1,{DAY}-message2.1\r\n"
        second = write(tmp_path, before, 2)
        done = [
            f"{path.stat().st_ino}:{path.stat().st_size}:{path.name}" for path in (first, second)
        ]
        half = f"{second.stat().st_ino}:{len(HEADER)}:{second.name}"
        await database.execute(
            "INSERT INTO accounting_stream (server, path, since, read_at, done) "
            "VALUES ('pmta1', $1, 1, 1, $2)",
            *(str(tmp_path / "acct.csv"), [*done, half]),
        )
        for message in ("message1", "message2"):
            await database.execute(
                "INSERT INTO receipt VALUES ($1, $2, 1, '', 'pmta1', 'r', 0)", DAY, message
            )
        await database.execute("INSERT INTO relayed VALUES ($1, 'v1', 'other', 2)", DAY)
        await migrate(url)
        row = await stream(database)
        assert row["gap_at"] > NOW
        assert "did not notice missing files" in row["gap"]
        write(tmp_path, before + f"r,{LOGGED},a@x.example,v1,{DAY}-message3.1\r\n", 2)
        async with reading(url, tmp_path / "acct.csv"):

            async def there() -> bool:
                return bool(await relayed(database) == {("v1", "other"): 3})

            await until(there)
        states = await database.fetch("SELECT state FROM accounting_file ORDER BY file")
        assert [state["state"] for state in states] == ["whole", "reading"]
        assert (await stream(database))["records"] == 1, "nothing is read again"
        # Nor does a file that is read again, for it was cut off, count what was counted.
        write(tmp_path, before, 2)
        async with reading(url, tmp_path / "acct.csv"):

            async def told() -> bool:
                return "written anew" in (await stream(database))["gap"]

            await until(told)
        assert await relayed(database) == {("v1", "other"): 3}
    finally:
        await database.close()


@pytest.mark.parametrize(
    ("header", "text", "said"),
    [
        ("type,timeLogged,vmta\r\n", f"r,{LOGGED},v1\r\n", "has no rcpt and envId columns"),
        (HEADER, f"d,{LOGGED},a@x.example,v1,e\r\n", "it has no r records"),
    ],
)
async def test_every_door_tells_an_operator(
    create_database: CreateDatabase,
    valkey_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    header: str,
    text: str,
    said: str,
) -> None:
    """The API, `sendgate accounting status` as text and as JSON, and `sendgate check`."""
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    url = await create_database("control", build)
    write(tmp_path, text, header=header)
    one = Stream(server="pmta1", path=str(tmp_path / "acct.csv"))
    settings = msgspec.structs.replace(
        settings_for(url, valkey_url), accounting=Accounting(streams=(one,))
    )
    async with control_core(settings) as core, api_of(core) as api:
        async with reading(url, tmp_path / "acct.csv"):

            async def told() -> bool:
                _, found = await api("GET", "/api/v2/accounting")
                return said in str(found)

            await until(told)
        _, found = await api("GET", "/api/v2/accounting")
        [view] = msgspec.convert(found, list[StreamView])
        assert said in view.problem
        command = Command(api, capsys)
        assert f"warning: pmta1: {view.problem}" in await command("accounting", "status")
        as_json = await command("accounting", "status", "--json")
        assert msgspec.json.decode(as_json, type=list[StreamView])[0].problem == view.problem
        file = tmp_path / "sendgate.toml"
        file.write_text(to_toml(settings))
        assert await asyncio.to_thread(run, ["check", "--config", str(file)]) == 1
        out, error = capsys.readouterr()
        told_of = [line for line in (out + error).splitlines() if "accounting of pmta1" in line]
        assert any(said in line for line in told_of), out + error
