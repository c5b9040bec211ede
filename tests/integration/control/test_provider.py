"""Whose servers take a hosted domain's mail is learnt from DNS and from records, told to every
process, and nothing odd changes it."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest

from control.accounting.door import Batch
from control.accounting.fact import Fact
from control.parts import Parts
from control.provider.hosted import Hosted
from control.provider.learning import HINTS, Learning
from control.provider.lookup import Answer, NoAnswerError, Resolver
from gateway.ledger.providers import ProviderFeed
from policy.ledger.learnt import LearntTable
from policy.provider import learn, provider_of
from settings.providers import Providers
from tests.support.control.core import TOKEN, Api, Command
from tests.support.servers.dnsdouble import DnsDouble, dns_double

GOOGLE = [(1, "aspmx.l.google.com"), (5, "alt1.aspmx.l.google.com"), (10, "backup.example")]
MICROSOFT = "acme-example.mail.protection.outlook.com"


@pytest.fixture
async def dns() -> AsyncIterator[DnsDouble]:
    async with dns_double() as double:
        yield double


@pytest.fixture(autouse=True)
def _unlearnt() -> Iterator[None]:
    yield
    learn({})


class Scene:
    def __init__(self, core: Parts, dns: DnsDouble) -> None:
        self.core = core
        self.settings = Providers(
            nameservers=(f"127.0.0.1:{dns.port}",), timeout=0.5, domains=1_000
        )
        self.told = LearntTable(core.admin.client, core.admin.name)
        self.hosted = Hosted()
        self.learning = self.control()

    def control(self, *, asks: bool = True, **changes: Any) -> Learning:
        """A control node."""
        settings = msgspec.structs.replace(self.settings, **changes)
        resolver = Resolver(settings) if asks else None
        return Learning(self.core.pool, self.told, resolver, settings, self.core.calendar)

    async def record(
        self, *domains: str, mta: str = "", kind: str = "d", origin: str = "file"
    ) -> None:
        """Records of deliveries to these."""
        now = await self.core.calendar()
        facts = [_fact(kind, now, f"anna@{domain}", mta) for domain in domains]
        async with self.core.pool.acquire() as connection, connection.transaction():
            await self.hosted.take(connection, Batch(origin, "pmta1", "", facts, ()), now)

    async def row(self, domain: str) -> dict[str, Any]:
        query = "SELECT * FROM provider_domain WHERE domain = $1"
        return dict(await self.core.pool.fetchrow(query, domain) or {})

    async def later(self) -> None:
        """Every look-up is due."""
        await self.core.pool.execute("UPDATE provider_domain SET next = 0, checked = 0")


def _fact(kind: str, at: int, rcpt: str, mta: str) -> Fact:
    fact = Fact(kind, at, 0, rcpt, *[""] * 15)
    fact.mta = mta
    return fact


@pytest.fixture
def here(core: Parts, dns: DnsDouble) -> Scene:
    return Scene(core, dns)


async def test_mx_records_say_whose_a_domain_is_and_every_process_goes_by_it(
    here: Scene, dns: DnsDouble
) -> None:
    dns.mx = {
        "workspace.example": (300, GOOGLE),
        "office.example": (1_000_000, [(0, MICROSOFT)]),
        "filtered.example": (7200, [(10, "mx1.filter.example"), (20, MICROSOFT)]),
        "split.example": (7200, [(10, MICROSOFT), (10, "mx.elsewhere.example")]),
        "none.example": (7200, []),
    }
    await here.record(*dns.mx, "gone.example", "gmail.com", "[192.0.2.1]", kind="r")
    await here.learning.look()
    now = await here.core.calendar()
    found = {domain: await here.row(domain) for domain in (*dns.mx, "gone.example")}
    assert {domain: row["provider"] for domain, row in found.items()} == {
        "workspace.example": "gmail",
        "office.example": "microsoft",
        "filtered.example": "other",
        "split.example": "other",
        "none.example": "other",
        "gone.example": "other",
    }
    assert {row["why"] for row in found.values()} == {"mx"}
    # A TTL of five minutes is kept an hour, one of eleven days a week.
    hours = {domain: (row["next"] - now) / 3_600_000 for domain, row in found.items()}
    assert hours["workspace.example"] == pytest.approx(1, abs=0.01)
    assert hours["office.example"] == pytest.approx(168, abs=0.01)
    assert hours["split.example"] == pytest.approx(2, abs=0.01)
    # What our table has is not asked for, and an address is no domain.
    assert await here.row("gmail.com") == {}
    assert await here.row("[192.0.2.1]") == {}
    assert provider_of("workspace.example") == "other"
    await here.learning.publish()
    assert provider_of("workspace.example") == "gmail"
    learn({})
    feed = ProviderFeed(here.core.admin.client, here.core.admin.name)
    await feed.look()
    assert provider_of("workspace.example") == "gmail"
    assert provider_of("office.example") == "microsoft"
    assert provider_of("split.example") == "other"
    # Kept, and not asked again.
    await here.learning.look()
    assert set(dns.asked.values()) == {1}
    # It moves: once its time is over, DNS is asked, and a lost ledger hears of it again.
    dns.mx["workspace.example"] = (300, [(0, MICROSOFT)])
    await here.later()
    await here.learning.look()
    await here.core.admin.client.delete("sg:{main}:providers")
    await here.learning.publish()
    await feed.look()
    assert provider_of("workspace.example") == "microsoft"


async def test_a_gateway_keeps_what_it_knows_where_the_ledger_lost_it(
    here: Scene, dns: DnsDouble
) -> None:
    """What is held meanwhile would be held as `other`, and go above its provider's ceiling."""
    dns.mx = {"workspace.example": (300, GOOGLE), "office.example": (300, [(0, MICROSOFT)])}
    await here.record("workspace.example")
    await here.learning.look()
    await here.learning.publish()
    client = here.core.admin.client
    feed = ProviderFeed(client, here.core.admin.name)
    await feed.look()
    await client.delete("sg:{main}:providers")
    await feed.look()
    assert provider_of("workspace.example") == "gmail"
    await client.hset("sg:{main}:providers", mapping={"v": "another", "t": b"\xc1"})
    await feed.look()
    assert provider_of("workspace.example") == "gmail"
    # Written again, and another one, it is gone by.
    await here.record("office.example")
    await here.learning.look()
    await here.learning.publish()
    learn({})
    await feed.look()
    assert provider_of("office.example") == "microsoft"


async def test_records_are_believed_when_several_agree_and_dns_wins(
    here: Scene, dns: DnsDouble
) -> None:
    learning = here.control(asks=False)
    host = f"{MICROSOFT} (203.0.113.5)"
    await here.record("acme.example", mta=host)
    await here.record("acme.example", mta=host)
    await here.record("acme.example", mta="mx.elsewhere.example (203.0.113.9)")
    for _ in range(HINTS - 1):
        await here.record("acme.example", mta=host)
    await learning.look()
    assert (await here.row("acme.example"))["provider"] == ""
    await here.record("acme.example", mta=host)
    await learning.look()
    row = await here.row("acme.example")
    assert (row["provider"], row["why"], row["host"]) == ("microsoft", "dsnMta", MICROSOFT)
    # One odd record, or an address without a name, changes nothing.
    await learning.publish()
    assert provider_of("acme.example") == "microsoft"
    await here.record("acme.example", mta="aspmx.l.google.com (203.0.113.7)")
    await here.record("acme.example", mta="(203.0.113.7)")
    await learning.look()
    assert (await here.row("acme.example"))["provider"] == "microsoft"
    # DNS knows better, and records do not overrule it: they have it asked again.
    dns.mx["acme.example"] = (86_400, GOOGLE)
    await here.later()
    await here.learning.look()
    assert (await here.row("acme.example"))["provider"] == "gmail"
    await here.learning.publish()
    await here.core.pool.execute("UPDATE provider_domain SET checked = checked - 4000000")
    for _ in range(HINTS):
        await here.record("acme.example", mta=host)
    await here.learning.look()
    row = await here.row("acme.example")
    assert (row["provider"], row["why"], row["hint"]) == ("gmail", "mx", "microsoft")
    assert dns.asked["acme.example"] == 2


async def test_nobody_who_does_not_answer_changes_anything(here: Scene, dns: DnsDouble) -> None:
    dns.mx["acme.example"] = (60, GOOGLE)
    await here.record("acme.example")
    await here.learning.look()
    dns.silent.add("acme.example")
    await here.later()
    await here.learning.look()
    row = await here.row("acme.example")
    assert row["provider"] == "gmail"
    assert row["trouble"]
    dns.silent.clear()
    dns.failing.add("acme.example")
    await here.later()
    await here.learning.look()
    row = await here.row("acme.example")
    assert (row["provider"], row["why"]) == ("gmail", "mx")
    assert row["next"] > await here.core.calendar() + 3_000_000


async def test_history_and_what_was_noted_lately_write_nothing(here: Scene) -> None:
    await here.record("acme.example", origin="import")
    assert await here.row("acme.example") == {}
    await here.record("acme.example")
    await here.core.pool.execute("UPDATE provider_domain SET seen = 7")
    await here.record("acme.example", "acme.example")
    assert (await here.row("acme.example"))["seen"] == 7


class Counted:
    """Asks nobody; counts how many ask at once."""

    def __init__(self, core: Parts) -> None:
        self.core = core
        self.now = self.most = self.all = 0

    async def mx(self, domain: str) -> Answer:
        self.now += 1
        self.all += 1
        self.most = max(self.most, self.now)
        await self.core.calendar()
        await self.core.pool.fetchval("SELECT pg_sleep(0.01)")
        self.now -= 1
        raise NoAnswerError("busy")


async def test_looking_up_is_bounded_and_so_is_what_is_known(here: Scene) -> None:
    await here.record(*(f"d{n}.example" for n in range(40)))
    counted = Counted(here.core)
    settings = msgspec.structs.replace(here.settings, at_once=3, per_second=15)
    learning = Learning(here.core.pool, here.told, counted, settings, here.core.calendar)
    other = Learning(here.core.pool, here.told, counted, settings, here.core.calendar)
    await learning.look()
    assert (counted.all, counted.most) == (15, 3)
    # Another node takes others.
    await other.look()
    await learning.look()
    assert counted.all == 40
    await here.core.pool.execute(
        "INSERT INTO provider_domain (domain, seen, next) "
        "SELECT 'old' || n, 1, 0 FROM generate_series(1, 990) n"
    )
    await here.learning.trim()
    count = "SELECT count(*), count(*) FILTER (WHERE domain LIKE 'd%') FROM provider_domain"
    assert tuple(await here.core.pool.fetchrow(count)) == (1_000, 40)


async def test_the_command_says_why(
    here: Scene,
    dns: DnsDouble,
    api: Api,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    command = Command(api, capsys)
    assert "gmail.com counts as gmail: our table" in await command("provider", "show", "gmail.com")
    unknown = await command("provider", "show", "acme.example")
    assert "acme.example counts as other: nothing is known of it yet" in unknown
    assert "is not a domain" in await command("provider", "show", "a b", code=2)
    dns.mx["acme.example"] = (60, GOOGLE)
    await here.record("acme.example")
    await here.learning.look()
    said = await command("provider", "show", "ACME.example")
    assert "acme.example counts as gmail: its MX records" in said
    assert "(aspmx.l.google.com), since 20" in said
    assert "acme.example" in await command("provider", "list", "--provider", "gmail")
    assert "no domain" in await command("provider", "list", "--provider", "yahoo")
