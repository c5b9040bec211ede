"""Statistics: what each record counts as, for whom and on which day, and who may see it."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from control.parts import Parts
from control.statistics.sweep import sweep
from control.store.change import Act
from control.users.token import put
from policy.isotime import date_of
from policy.limits import day_of
from tests.support.control.core import Api, Command
from tests.support.control.records import book, book_in, record

PATH = "/api/v2/statistics"
OWN = "sgt_" + "o" * 40
COUNTS = ("relayed", "delivered", "bounced", "expired", "deferred", "complaints")


@pytest.fixture
async def today(core: Parts) -> int:
    return day_of(await core.calendar())


@pytest.fixture(autouse=True)
async def sources(api: Api) -> None:
    for tenant, ip in (("acme", "192.0.2.10"), ("globex", "192.0.2.20")):
        named = {"name": tenant, "login": f"{tenant}-smtp", "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", named))[0] == 201
        source = {"tenant": tenant, "domain": f"{tenant}.test", "ip": ip, "quota": 100}
        status, made = await api("POST", "/api/v2/domains", source)
        assert status == 201, made


@pytest.fixture
async def vmta(core: Parts) -> dict[str, str]:
    """IP to its VirtualMTA."""
    rows = await core.pool.fetch("SELECT host(ip) AS ip, name FROM virtual_mta")
    return {row["ip"]: row["name"] for row in rows}


async def sums(api: Api, query: str, **asked: str) -> dict[Any, dict[str, int]]:
    """Key, or keys, to the counts that are not 0."""
    status, page = await api("GET", f"{PATH}?{query}", **asked)
    assert status == 200, page
    assert page["more"] is None
    found = {}
    for row in page["rows"]:
        keys = tuple(row[key] for key in page["by"])
        found[keys if len(keys) > 1 else keys[0]] = {k: row[k] for k in COUNTS if row[k]}
    return found


async def test_every_type_of_record_counts_as_what_it_is(
    core: Parts, api: Api, today: int, vmta: dict[str, str]
) -> None:
    name = vmta["192.0.2.10"]
    one = [
        record("r", f"abcdefgh{n:02}", day=today, vmta=name, rcpt=f"user{n}@gmail.com")
        for n in range(10)
    ]
    ends = [
        dict(one[0], type="d", dsnStatus="2.0.0"),
        dict(one[1], type="d", dsnStatus="2.0.0"),
        dict(one[2], type="b", bounceCat="bad-mailbox"),
        dict(one[3], type="b", bounceCat="spam-related"),
        dict(one[4], type="b", bounceCat="quota-issues"),
        dict(one[5], type="b", bounceCat="routing-errors"),
        dict(one[6], type="b", bounceCat="message-expired"),
        dict(one[7], type="t", dsnStatus="4.7.0"),
        dict(one[7], type="t", dsnStatus="4.7.0", timeLogged=str(today * 86_400 + 700)),
        # Came back after it was delivered, and was complained of: neither names a VirtualMTA.
        record("rb", "abcdefgh00", day=today, bounceCat="bad-mailbox", rcpt="user0@gmail.com"),
        record("f", "abcdefgh01", day=today, dlvSourceIp="192.0.2.10", rcpt=""),
        record("f", "abcdefgh00", day=today, dlvSourceIp="192.0.2.10", feedbackType="not-spam"),
        # Of a queue and of a state, and of nothing that is known.
        record("tq", day=today, vmta=name),
        record("rs", day=today),
        record("zz", day=today, vmta=name),
        # A probe of ours is nobody's mail.
        dict(one[8], envId="probe-0123456789", type="d"),
    ]
    await core.pool.execute("SELECT outcome_partition($1)", today)
    await core.pool.execute(
        "INSERT INTO outcome "
        "(day, at, message, tenant, recipient, outcome, campaign, vmta, server, envelope, why) "
        "SELECT $1, 0, m, 'acme', 'user@gmail.com', 'relayed', 'spring', $2, '', '', '' "
        "FROM unnest($3::text[]) AS m",
        *(today, name, ["abcdefgh00", "abcdefgh01"]),
    )
    await book(core, *one, *ends)
    status, page = await api("GET", f"{PATH}?by=ip,tenant,provider&with=total,categories")
    assert status == 200
    (row,) = page["rows"]
    assert {key: row[key] for key in page["by"]} == {
        "ip": "192.0.2.10",
        "tenant": "acme",
        "provider": "gmail",
    }
    for found in (row, page["total"]):
        assert {k: v for k, v in found.items() if k not in page["by"]} == {
            "relayed": 10,
            "delivered": 2,
            "bounced": 5,
            "bounced_address": 2,
            "bounced_block": 1,
            "bounced_full": 1,
            "bounced_other": 1,
            "deferred": 2,
            "expired": 1,
            "complaints": 1,
            "delivery_rate": 0.2,
            "bounce_rate": 0.5,
            "complaint_rate": 0.5,
        }
    assert [(c["category"], c["class"], c["bounced"]) for c in page["categories"]] == [
        ("bad-mailbox", "address", 2),
        ("quota-issues", "full", 1),
        ("routing-errors", "other", 1),
        ("spam-related", "block", 1),
    ]
    # The same in every other table.
    for by in ("campaign", "mailbox", "day", "ip,campaign", "ip,campaign,provider"):
        _, page = await api("GET", f"{PATH}?by={by}&with=total")
        assert {**page["total"]} == {k: row[k] for k in page["total"]}, by
        assert sum(r["relayed"] for r in page["rows"]) == 10
    assert set(await sums(api, "by=campaign")) == {"spring"}
    assert set(await sums(api, "by=mailbox")) == {"news@acme.test"}


async def test_without_receipts_what_ended_was_relayed_and_a_late_bounce_ends_nothing(
    core: Parts, api: Api, today: int, vmta: dict[str, str]
) -> None:
    name = vmta["192.0.2.10"]
    await book(
        core,
        *(record(kind, day=today, vmta=name) for kind in ("d", "b")),
        record("rb", day=today, dlvSourceIp="192.0.2.10"),
        record("t", "abcdefgh02", day=today, vmta=name),
    )
    assert await sums(api, "by=ip") == {
        "192.0.2.10": {"relayed": 2, "delivered": 1, "bounced": 2, "deferred": 1}
    }


async def test_a_late_record_changes_the_day_of_its_grant(
    core: Parts, api: Api, today: int, vmta: dict[str, str]
) -> None:
    name = vmta["192.0.2.10"]
    await book(core, record("r", day=today - 3, vmta=name))
    await book(core, record("d", day=today - 3, vmta=name, timeLogged=str(today * 86_400 + 5)))
    assert await sums(api, "by=day") == {
        _date(today - 3): {"relayed": 1, "delivered": 1},
    }
    # Mail that the gateway did not grant: of the day PowerMTA took it, else of the record's.
    queued = str((today - 2) * 86_400)
    await book(
        core,
        record("d", day=today, vmta=name, envId="", timeQueued=queued),
        record("d", day=today - 1, vmta=name, envId=""),
    )
    assert (await sums(api, "by=day"))[_date(today - 2)] == {"relayed": 1, "delivered": 1}
    assert (await sums(api, "by=day"))[_date(today - 1)] == {"relayed": 1, "delivered": 1}
    # Seven days are asked for when nothing is said.
    await book(core, record("d", "abcdefgh09", day=today - 7, vmta=name))
    assert _date(today - 7) not in await sums(api, "by=day")
    assert _date(today - 7) in await sums(api, f"by=day&from={_date(today - 7)}")


async def test_twins_count_twice_and_a_batch_that_comes_again_not_at_all(
    core: Parts, api: Api, today: int, vmta: dict[str, str]
) -> None:
    same = record("t", day=today, vmta=vmta["192.0.2.10"])
    for _ in range(3):
        await book(core, same, same)
    assert await sums(api, "by=ip") == {"192.0.2.10": {"deferred": 2}}


async def test_the_ip_is_the_one_it_left_from_else_its_virtualmtas_and_removed_ones_are_known(
    core: Parts, api: Api, today: int, vmta: dict[str, str]
) -> None:
    name = vmta["192.0.2.10"]
    await book(
        core,
        record("d", "abcdefgh01", day=today, vmta=name),
        record("d", "abcdefgh02", day=today, vmta=name, dlvSourceIp="0.0.0.0"),
        # Behind a network address translation PowerMTA says an address nobody knows.
        record("d", "abcdefgh03", day=today, vmta=name, dlvSourceIp="10.0.0.7"),
        # Sent elsewhere by PowerMTA itself.
        record("d", "abcdefgh04", day=today, vmta=name, dlvSourceIp="192.0.2.20"),
        # Of a server that knew other VirtualMTAs.
        record("d", "abcdefgh05", day=today, vmta="old-one", dlvSourceIp="198.51.100.1"),
        record("d", "abcdefgh06", day=today, vmta="old-one"),
    )
    expected = {
        ("acme", "192.0.2.10"): {"relayed": 3, "delivered": 3},
        ("globex", "192.0.2.20"): {"relayed": 1, "delivered": 1},
        ("", "198.51.100.1"): {"relayed": 1, "delivered": 1},
        ("", ""): {"relayed": 1, "delivered": 1},
    }
    assert await sums(api, "by=tenant,ip") == expected
    await core.pool.execute("DELETE FROM pool_member WHERE vmta = $1", name)
    await core.pool.execute("DELETE FROM virtual_mta WHERE name = $1", name)
    await book(core, record("d", "abcdefgh07", day=today, vmta=name))
    assert (await sums(api, "by=tenant,ip"))["acme", "192.0.2.10"]["delivered"] == 4


async def test_names_beyond_the_bound_are_other_and_those_let_in_stay(
    core: Parts, api: Api, today: int, vmta: dict[str, str]
) -> None:
    most = core.settings.statistics.names
    name = vmta["192.0.2.10"]

    def of(campaign: int, day: int = today) -> dict[str, str]:
        job, sender = f"c{campaign:05}", f"m{campaign:05}@acme.test"
        message = f"abcdefgh{campaign:05}"
        return record("d", message, day=day, vmta=name, jobId=job, orig=sender)

    await book(core, *(of(n) for n in range(most - 1)))
    await book(core, of(most + 1), of(most + 2))
    await book(core, *(of(n) for n in range(most + 3, most + 6)), of(0, today - 1))
    # The first one again: it stays under its name.
    await book(core, dict(of(0), type="t"))
    for kind, first in (("campaign", "c00000"), ("mailbox", "m00000@acme.test")):
        found = await sums(api, f"by=day,{kind}&from={_date(today - 1)}&limit=5000")
        assert len(found) == most + 2
        assert found[_date(today), "other"] == {"relayed": 4, "delivered": 4}
        assert found[_date(today), first] == {"relayed": 1, "delivered": 1, "deferred": 1}
        assert found[_date(today - 1), first] == {"relayed": 1, "delivered": 1}


async def test_the_mailbox_is_the_authors_and_a_return_path_per_recipient_is_none(
    core: Parts, api: Api, today: int, vmta: dict[str, str]
) -> None:
    name = vmta["192.0.2.10"]
    author = {"header_From": '"Anna" <Anna@ACME.test>', "orig": "b-anna=x.test@acme.test"}
    await book(
        core,
        record("d", "abcdefgh01", day=today, vmta=name, **author),
        record("d", "abcdefgh02", day=today, vmta=name, orig="b-anna=x.test@acme.test"),
    )
    assert set(await sums(api, "by=mailbox")) == {"anna@acme.test", ""}


async def test_transactions_that_meet_count_all_of_both(
    core: Parts, api: Api, today: int, vmta: dict[str, str]
) -> None:
    """They take the same rows, in whatever order their records stand; and one is taken back."""
    names = list(vmta.values())
    records = [
        record("d", f"abcdefgh{n:03}", day=today - n % 3, vmta=names[n % 2], jobId=f"c{n % 7}")
        for n in range(120)
    ]
    now = await core.calendar()

    async def one(part: list[dict[str, str]], server: str) -> None:
        for at in range(0, len(part), 10):
            async with core.pool.acquire() as connection, connection.transaction():
                await book_in(connection, core.intake, part[at : at + 10], now, server=server)

    async with asyncio.timeout(30):
        await asyncio.gather(one(records[::2], "a"), one(records[1::2][::-1], "b"))
    async with core.pool.acquire() as connection:
        taken_back = connection.transaction()
        await taken_back.start()
        await book_in(connection, core.intake, [record("d", "taken0back", day=today)], now)
        await taken_back.rollback()
    found = await sums(api, "by=campaign")
    assert sum(one["delivered"] for one in found.values()) == 120
    assert sum(one["delivered"] for one in (await sums(api, "by=ip,day")).values()) == 120


async def test_a_tenants_token_sees_its_own_alone(
    core: Parts, api: Api, today: int, vmta: dict[str, str]
) -> None:
    async def act(a: Act) -> None:
        await put(a, "own", OWN, role="read", tenant="acme")

    await core.publisher.change("test", act)
    await book(
        core,
        record("d", "abcdefgh01", day=today, vmta=vmta["192.0.2.10"]),
        record("b", "abcdefgh02", day=today, vmta=vmta["192.0.2.20"], bounceCat="bad-mailbox"),
    )
    for by in ("ip", "tenant", "campaign", "mailbox", "day", "ip,campaign"):
        status, page = await api("GET", f"{PATH}?by={by}&with=total", token=OWN)
        assert status == 200
        assert (page["total"]["delivered"], page["total"]["bounced"]) == (1, 0), by
        assert len(page["rows"]) == 1
    assert (await api("GET", f"{PATH}?with=categories", token=OWN))[1]["categories"] == []
    assert await sums(api, "ip=192.0.2.20", token=OWN) == {}
    assert (await api("GET", f"{PATH}?tenant=globex", token=OWN))[0] == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("by=hour", "by"),
        ("by=mailbox,ip", "by"),
        ("mailbox=a@x.test&by=provider", "by"),
        ("from=yesterday", "from"),
        ("from=2026-02-30", "from"),
        ("from=2026-03-02&to=2026-03-01", "from"),
        ("from=2020-01-01&to=2026-03-01", "from"),
        ("ip=999.1.1.1", "ip"),
        ("campaign=%00", "campaign"),
        ("limit=x", "limit"),
        ("with=everything", "with"),
        ("campaign=spring&with=categories", "with"),
    ],
)
async def test_what_cannot_be_asked_is_said_by_its_name(api: Api, query: str, field: str) -> None:
    status, problem = await api("GET", f"{PATH}?{query}")
    assert status == 400
    assert [e["field"] for e in problem["errors"]] == [field]


async def test_imported_history_counts_and_pages_go_on_where_they_ended(
    core: Parts, api: Api, today: int, vmta: dict[str, str]
) -> None:
    days = range(today - 60, today - 50)
    old = [
        record("d", f"abcdefgh{day}", day=day, vmta=vmta["192.0.2.10"], envId="") for day in days
    ]
    await book(core, *old, origin="import", server="")
    query = f"{PATH}?by=day&with=total&limit=4&from={_date(today - 100)}"
    seen: list[str] = []
    page = {"more": ""}
    while page["more"] is not None:
        after = f"&after={quote(page['more'])}" if page["more"] else ""
        _, page = await api("GET", f"{query}{after}")
        seen += [row["day"] for row in page["rows"]]
        assert page["total"]["delivered"] == 10
    assert seen == [_date(day) for day in days]


async def test_the_command_shows_today_the_week_and_rates_with_their_counts(
    core: Parts,
    api: Api,
    today: int,
    vmta: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", "sgt_" + "t" * 40)
    command = Command(api, capsys)
    assert "no mail" in await command("stats")
    name = vmta["192.0.2.10"]
    await book(core, record("d", day=today - 1, vmta=name), record("t", day=today, vmta=name))
    shown = await command("stats")
    assert _date(today - 6) in shown
    assert "100.00%" in shown
    assert shown.count("192.0.2.10") == 2
    assert '"delivered": 1' in await command("stats", "--json", "--by", "day,provider")
    assert "no mail" in await command("stats", "--campaign", "autumn")


async def test_old_days_are_deleted_and_sums_of_ips_stay(
    core: Parts, api: Api, today: int, vmta: dict[str, str]
) -> None:
    name = vmta["192.0.2.10"]
    await book(core, *(record("b", day=day, vmta=name) for day in (today - 10, today - 9, today)))
    await sweep(core.pool, await core.calendar(), 8 * 86_400, 1 * 86_400)
    found = await sums(api, f"by=day&from={_date(today - 20)}")
    assert list(found) == [_date(today - 10), _date(today - 9), _date(today)]
    for table, first in (
        *((name, today - 9) for name in ("campaign", "mailbox", "name")),
        ("detail", today - 2),
        *((name, today - 10) for name in ("ip", "category")),
    ):
        left = f"SELECT min(day) FROM statistics_{table} WHERE day < $1"
        oldest = await core.pool.fetchval(left, today)
        assert oldest is None or oldest >= first, table
        assert (oldest is None) == (table == "detail"), table


def _date(day: int) -> str:
    return date_of(day)


async def test_what_may_pause_an_ip_is_looked_at_and_what_may_not_is_not(
    core: Parts, api: Api, today: int, vmta: dict[str, str]
) -> None:
    name = vmta["192.0.2.10"]
    taken = [
        record("r", f"abcdefgh{n:02}", day=today, vmta=name, rcpt=f"user{n}@gmail.com")
        for n in range(20)
    ]
    good = [dict(one, type="d", dsnStatus="2.0.0") for one in taken[:10]]
    await book(core, *taken, *good, dict(taken[10], type="t", dsnStatus="4.7.0"))
    assert await core.pool.fetch("SELECT ip FROM statistics_changed") == []

    await book(core, *(dict(one, type="b", bounceCat="bad-mailbox") for one in taken[10:]))
    assert await core.pool.fetchval("SELECT ip FROM statistics_changed") == "192.0.2.10"
    assert await core.warmup.look(turn=False) == 1
    status, view = await api("GET", "/api/v2/ips/192.0.2.10")
    assert (status, view["state"]) == (200, "paused")
    assert await core.pool.fetch("SELECT ip FROM statistics_changed") == []
