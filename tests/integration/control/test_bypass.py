"""Mail around the gateways: each recipient counts once for the IP, whatever tells of it and whoever
is killed between, and everything says whose it was."""

from typing import Any

import pytest

from control.accounting.columns import Columns
from control.accounting.door import Batch, Door
from control.accounting.fact import Fact
from control.accounting.identity import Reading
from control.accounting.records import Piece, Record
from control.bypass.bypass import Bypass
from control.bypass.charging import Charging, sweep
from control.parts import Parts
from policy.identity import PROBE
from policy.limits import DAY, day_of
from policy.plan import SYSTEM_VIRTUAL_MTA
from tests.support.control.core import TOKEN, Api, Command

IP, VMTA = "192.0.2.10", "vmta-192-0-2-10"
COLUMNS = (
    *("type", "timeLogged", "timeQueued", "rcpt", "envId", "vmta", "dlvSourceIp"),
    *("jobId", "rcvSmtpUser", "srcMta", "dsnStatus"),
)


class Scene:
    """A tenant with an IP, and a door of its own."""

    def __init__(self, core: Parts, api: Api) -> None:
        self.core, self.api = core, api
        self.consumer = Bypass(10)
        self.door = Door((self.consumer,), kept=core.settings.accounting.records_kept)
        self.charging = Charging(core.pool, core.admin, calendar=core.calendar)

    async def tell(
        self, *records: dict[str, Any], origin: str = "webhook", server: str = "pmta1"
    ) -> None:
        """Let records be read; each its columns in place of the usual ones."""
        now = await self.core.calendar()
        found = self.facts(now, *records)
        async with self.core.pool.acquire() as connection, connection.transaction():
            await self.door.book(connection, Batch(origin, server, "line 1", found, ()), now)

    def facts(self, now: int, *records: dict[str, Any]) -> list[Fact]:
        usual = {
            "timeLogged": str(now // 1000),
            "rcpt": "anna@gmail.com",
            "vmta": VMTA,
            "rcvSmtpUser": "cron",
            "srcMta": "shop.example (10.0.0.9)",
            "jobId": "j1",
        }
        rows = [[str((usual | one).get(name, "")) for name in COLUMNS] for one in records]
        pieces = [Piece(Columns(COLUMNS), [Record(row, b"") for row in rows])]
        return Reading().facts(pieces, now)

    async def used(self, ip: str = IP) -> tuple[int, dict[str, int]]:
        """What the ledger counts today."""
        _, usage = await self.core.admin.usage([ip])
        return usage[ip].relayed, usage[ip].by_provider

    async def charge(self) -> None:
        while await self.charging.step():
            pass


@pytest.fixture
async def here(core: Parts, api: Api) -> Scene:
    new = {"name": "acme", "login": "acme", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    domain = {"tenant": "acme", "domain": "acme.example", "ip": IP, "quota": 50}
    assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    return Scene(core, api)


async def test_a_recipient_counts_once_for_its_ip_and_provider(here: Scene) -> None:
    now = await here.core.calendar()
    queued = {"timeQueued": str(now // 1000)}
    await here.tell({"type": "r"})
    await here.charge()
    assert await here.used() == (1, {"gmail": 1})
    # The same message, tried and delivered; its columns are others.
    await here.tell({"type": "t", **queued, "dlvSourceIp": IP})
    await here.tell({"type": "d", **queued, "dlvSourceIp": IP, "jobId": "", "rcvSmtpUser": ""})
    await here.charge()
    assert await here.used() == (1, {"gmail": 1})
    # One without a receipt, to the same recipient, and two to another.
    await here.tell({"type": "b", **queued, "rcpt": "anna@GMAIL.com", "dsnStatus": "5.0.0"})
    await here.tell(*[{"type": "d", **queued, "rcpt": "bo@web.example"}] * 2)
    await here.charge()
    assert await here.used() == (4, {"gmail": 2, "other": 2})


async def test_ours_an_imported_and_a_strange_record_count_for_nobody(here: Scene) -> None:
    day = day_of(await here.core.calendar())
    await here.tell(
        {"type": "d", "envId": f"{day}-abcdefgh12.1"},
        {"type": "d", "envId": f"{PROBE}1"},
        {"type": "f"},
        {"type": "d", "vmta": "somebody-elses"},
        {"type": "d", "vmta": SYSTEM_VIRTUAL_MTA, "dlvSourceIp": IP},
        {"type": "tq"},
    )
    # Another recipient: the same record again would count for nobody whatever brought it.
    await here.tell({"type": "d", "rcpt": "i@gmail.com"}, origin="import")
    # The same name on another server of ours is another VirtualMTA.
    server = {"name": "pmta2", "addresses": [{"host": "127.0.0.1", "port": 2526}]}
    assert (await here.api("POST", "/api/v2/servers", server))[0] in (200, 201)
    await here.tell({"type": "d", "rcpt": "c@gmail.com"}, server="pmta2")
    await here.charge()
    assert await here.used() == (0, {})
    assert (await here.api("GET", "/api/v2/accounting/bypass"))[1] == []


async def test_an_ip_of_ours_counts_whatever_its_virtual_mta_is_called(here: Scene) -> None:
    await here.tell({"type": "d", "vmta": "marketing", "dlvSourceIp": IP})
    await here.tell({"type": "d", "vmta": VMTA.upper(), "rcpt": "b@gmail.com"}, server="")
    await here.charge()
    assert await here.used() == (2, {"gmail": 2})


async def test_records_without_the_column_of_envelope_ids_prove_nothing(here: Scene) -> None:
    now = await here.core.calendar()
    found = here.facts(now, {"type": "d"})
    for one in found:
        one.names = tuple(name for name in one.names if name != "envId")
    async with here.core.pool.acquire() as connection, connection.transaction():
        await here.consumer.take(connection, Batch("file", "pmta1", "", found, ()), now)
    assert await here.core.pool.fetchval("SELECT count(*) FROM bypass_charge") == 0


async def test_told_twice_killed_between_and_restarted_it_is_charged_once(here: Scene) -> None:
    admin, day = here.core.admin, day_of(await here.core.calendar())
    await here.tell({"type": "r"}, {"type": "r", "rcpt": "b@gmail.com"})
    # Killed after the ledger heard of it and before PostgreSQL knew that.
    incarnation = await admin.incarnation()
    assert await admin.charge_bypass(incarnation, IP, day, {"gmail": 2})
    assert (await here.used())[0] == 2
    await here.charge()
    await here.charge()
    assert (await here.used())[0] == 2
    # A late and lower total, and one of another incarnation, change nothing.
    assert await admin.charge_bypass(incarnation, IP, day, {"gmail": 1})
    assert not await admin.charge_bypass("another", IP, day, {"gmail": 9})
    assert (await here.used())[0] == 2
    # What was granted meanwhile stays beside it.
    await here.tell({"type": "r", "rcpt": "c@gmail.com"})
    await here.charge()
    assert await here.used() == (3, {"gmail": 3})


async def test_a_transaction_that_fails_counts_nothing_and_the_next_one_all(here: Scene) -> None:
    now = await here.core.calendar()
    found = here.facts(now, {"type": "r"})
    async with here.core.pool.acquire() as connection:
        lost = connection.transaction()
        await lost.start()
        await here.door.book(connection, Batch("file", "pmta1", "", found, ()), now)
        await lost.rollback()
    here.door.forget()
    await here.charge()
    assert (await here.used())[0] == 0
    await here.tell({"type": "r"})
    await here.charge()
    assert (await here.used())[0] == 1


async def test_yesterdays_mail_is_yesterdays(here: Scene) -> None:
    # A VirtualMTA of the first hour of a day counts for the day before, too: it is noon.
    await here.core.pool.execute(
        "UPDATE vmta_ip SET created = date_trunc('day', created, 'UTC') + interval '12 hours'"
    )
    now = await here.core.calendar()
    await here.tell({"type": "d", "timeQueued": str((now - DAY) // 1000)})
    await here.charge()
    assert await here.core.admin.granted([IP], range(day_of(now) - 1, day_of(now) + 1)) == {}
    # Its VirtualMTA was not ours then. It is now.
    await here.core.pool.execute("UPDATE vmta_ip SET created = created - interval '7 days'")
    await here.tell({"type": "d", "timeQueued": str((now - DAY) // 1000), "rcpt": "b@gmail.com"})
    await here.charge()
    assert (await here.used())[0] == 0
    granted = await here.core.admin.granted([IP], range(day_of(now) - 1, day_of(now) + 1))
    assert granted == {IP: {day_of(now) - 1: 1}}


async def test_sources_are_told_apart_up_to_the_bound(here: Scene) -> None:
    await here.tell(*({"type": "r", "rcpt": f"{n}@gmail.com", "jobId": f"j{n}"} for n in range(25)))
    await here.tell({"type": "r", "rcpt": "z@gmail.com", "jobId": "j0"})
    status, rows = await here.api("GET", "/api/v2/accounting/bypass")
    assert status == 200
    assert isinstance(rows, list)
    assert len(rows) == 11
    assert sum(row["recipients"] for row in rows) == 26
    (rest,) = [row for row in rows if row["job"] == "other"]
    assert (rest["login"], rest["source"], rest["recipients"]) == ("other", "other", 15)
    named = next(row for row in rows if row["job"] == "j0")
    assert (named["recipients"], named["login"]) == (2, "cron")


async def test_status_metrics_and_the_command_say_whose_it_is(
    here: Scene, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    command = Command(here.api, capsys)
    assert "no mail went around" in await command("accounting", "bypass")
    assert await command("--json", "accounting", "rejected") == "[]\n"
    _, text = await here.api("GET", "/metrics")
    assert 'sendgate_bypass_timestamp_seconds{server="pmta1"} 0.0' in str(text)
    await here.tell({"type": "d"})
    said = await command("accounting", "bypass", "--days", "1")
    assert "shop.example" in said
    _, status = await here.api("GET", "/api/v2/status")
    assert isinstance(status, dict)
    (trouble,) = [t for t in status["troubles"] if t["next"] == "sendgate accounting bypass"]
    assert "1 recipient got mail that went around the gateways" in trouble["what"]
    assert "login cron, source shop.example (10.0.0.9), job j1" in trouble["what"]
    _, text = await here.api("GET", "/metrics")
    assert 'sendgate_bypass_recipients{server="pmta1"} 1.0' in str(text)


async def test_what_is_old_is_dropped(here: Scene) -> None:
    now = await here.core.calendar()
    await here.tell({"type": "r"})
    await sweep(here.core.pool, now, 86_400.0)
    counted = "SELECT (SELECT count(*) FROM bypass), (SELECT count(*) FROM bypass_seen)"
    assert tuple(await here.core.pool.fetchrow(counted)) == (1, 1)
    await sweep(here.core.pool, now + 3 * DAY, 86_400.0)
    assert tuple(await here.core.pool.fetchrow(counted)) == (0, 0)
    assert await here.core.pool.fetchval("SELECT count(*) FROM bypass_charge") == 0
