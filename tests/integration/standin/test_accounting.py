"""The stand-in's accounting files: records, their order, rotation."""

import csv
from pathlib import Path

from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def only(folder: Path) -> Path:
    [file] = folder.glob("acct-*.csv")
    assert file.name.endswith("-0001.csv"), "from the first record"
    return file


async def test_each_recipient_gets_its_records(tmp_path: Path) -> None:
    async with StandIn.start(accounting=tmp_path) as pmta:
        wire = await SmtpWire.open(pmta.smtp_port)
        body = 'x-virtual-mta: v1\r\nX-Envid: e1\r\nMessage-ID: <a,"b"@t>\r\n\r\n'
        rcpts = ["a@gmail.test", "bounce@x.test", "transient@y.test", "queued@z.test"]
        await wire.send(*rcpts, body=body)
        await wire.close()
        written = rows(only(tmp_path))
        assert [(r["type"], r["rcpt"]) for r in written] == [
            *(("r", rcpt) for rcpt in rcpts),
            ("d", "a@gmail.test"),
            ("b", "bounce@x.test"),
            ("t", "transient@y.test"),
        ]
        assert {(r["envId"], r["vmta"], r["header_Message-Id"]) for r in written} == {
            ("e1", "v1", '<a,"b"@t>')
        }
        assert written[5]["bounceCat"] == "bad-mailbox"
        assert written[4]["queue"] == "gmail.test/v1"
        assert await pmta.release() == 2
        assert [r["type"] for r in rows(only(tmp_path))[7:]] == ["d", "d"]
        assert await pmta.release() == 0
    assert only(tmp_path).read_bytes().startswith(b"type,timeLogged,")


async def test_a_pools_receipt_names_the_pool_and_orphans_bounce(tmp_path: Path) -> None:
    config = tmp_path / "config"
    vmta = "<virtual-mta v1>\nsmtp-source-host 192.0.2.1 m\n</virtual-mta>\n"
    config.write_text(vmta + "<virtual-mta-pool p>\nvirtual-mta v1\n</virtual-mta-pool>\n")
    async with StandIn.start(config, tmp_path) as pmta:
        wire = await SmtpWire.open(pmta.smtp_port)
        await wire.send("queued@x.test", body="x-virtual-mta: p\r\n\r\n")
        await wire.close()
        config.write_text(vmta.replace("v1", "v2"))
        await pmta.command("reload")
        await pmta.release()
    receipt, bounce = rows(only(tmp_path))
    assert (receipt["vmta"], receipt["vmtaPool"]) == ("p", "p")
    assert (bounce["type"], bounce["vmta"], bounce["vmtaPool"]) == ("b", "v1", "p")
    assert bounce["dsnStatus"] == "5.3.5 (no such virtual MTA)"
    assert bounce["dlvSourceIp"] == "0.0.0.0"


async def test_files_rotate_by_command_by_day_and_by_size(tmp_path: Path) -> None:
    async with StandIn.start(accounting=tmp_path, accounting_max_size=5_000) as pmta:
        wire = await SmtpWire.open(pmta.smtp_port)
        await wire.send("a@x.test")
        said = await pmta.command("rotate acct")
        await pmta.set_clock(86_400)
        await wire.send("b@x.test")
        await pmta.set_clock(2 * 86_400)
        names = sorted(path.name for path in tmp_path.iterdir())
        assert len(names) == 2
        assert names[0] in said
        assert names[0][5:15] < names[1][5:15]
        assert all(name.endswith("-0001.csv") for name in names)
        for path in tmp_path.iterdir():
            [receipt, _] = rows(path)
            assert receipt["timeLogged"].startswith(path.name[5:15])
        for _ in range(40):
            await wire.send("c@x.test")
        await wire.close()
        assert len(list(tmp_path.glob("acct-*-0002.csv"))) == 1


async def test_the_blocks_directives_are_followed(tmp_path: Path) -> None:
    done, config = tmp_path / "done", tmp_path / "config"
    config.write_text(
        "<acct-file /var/log/pmta/my.v5.csv>\nrecords r,d\nmax-size 1M\nsync yes\n"
        f"world-readable yes\nmove-to {done}\n</acct-file>\n"
    )
    folder = tmp_path / "acct"
    async with StandIn.start(config, folder) as pmta:
        assert list(folder.iterdir()) == [], "from the first record on"
        wire = await SmtpWire.open(pmta.smtp_port)
        for count in (1, 2, 3):
            await wire.send("a@x.test")
            [file] = folder.iterdir()
            assert file.name.startswith("my.v5-")
            assert file.name.endswith(f"-000{count}.csv"), "numbers go on where the last one is"
            assert file.stat().st_mode & 0o444 == 0o444
            await pmta.command("rotate acct")
        await wire.close()
    assert list(folder.iterdir()) == []
    assert [len(rows(file)) for file in sorted(done.iterdir())] == [2, 2, 2]


async def test_a_restart_goes_on_with_the_newest_file_of_the_day(tmp_path: Path) -> None:
    for _ in range(2):
        async with StandIn.start(accounting=tmp_path) as pmta:
            wire = await SmtpWire.open(pmta.smtp_port)
            await wire.send("a@x.test")
            await wire.close()
    assert len(rows(only(tmp_path))) == 4
