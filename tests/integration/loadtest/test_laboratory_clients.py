"""The laboratory's clients and books, against the stand-in alone: each message is offered once, and
its answer, and what was written of it, agree."""

import asyncio
from pathlib import Path

import pytest

from loadtest.laboratory import clients as module
from loadtest.laboratory.books import Books
from loadtest.laboratory.clients import Answer, Clients, NoConnectionError
from loadtest.laboratory.reading import parse
from loadtest.laboratory.traffic import Traffic
from loadtest.laboratory.world import World
from tests.support.pmta.standin import StandIn

SCENARIO = """
name = "clients"
[[tenants]]
name = "one"
mailboxes = 10
per_mailbox = 6
[providers.other]
share = 1
domains = ["company.example"]
[rates]
bounces = 0.1
deferrals = 0.1
refusals = 0.2
[clients]
workers = 5
connection_messages = {each}
"""
LOGIN = ("one", "one-of-the-laboratory")


def made(smtp: StandIn, each: int = 1) -> tuple[Traffic, Clients, Books]:
    world = World(parse(SCENARIO.format(each=each), "clients"))
    traffic = Traffic(world)
    return traffic, Clients(world, traffic, smtp.host, smtp.smtp_port), Books(world, traffic)


@pytest.mark.parametrize("each", [1, 4])
async def test_each_message_is_offered_once_over_so_many_connections(
    tmp_path: Path, each: int
) -> None:
    async with StandIn.start(accounting=tmp_path, login=LOGIN) as pmta:
        traffic, clients, books = made(pmta, each)
        await clients.send(range(60))
        report = await pmta.report()
    refused = [traffic.recipient(n).startswith("refuse+") for n in range(60)]
    assert 0 < sum(refused) < 60
    assert list(clients.answers) == [Answer.REFUSED if r else Answer.TAKEN for r in refused]
    assert clients.done == 60
    assert len(clients.latencies) == 60 - sum(refused)
    assert report["totals"]["logins"] == -(-60 // each)
    assert report["totals"]["most_sessions"] == 5
    assert books.read(tmp_path) == 60 - sum(refused)
    # No grant was behind it, and no IP of a tenant's.
    assert books.strangers == books.receipts
    assert [bool(b) for b in books.bounced] == [
        traffic.recipient(n).startswith("bounce+") for n in range(60)
    ]
    assert books.read(tmp_path) == 0


async def test_what_was_not_begun_is_offered_again_and_a_deferral_is_an_answer() -> None:
    async with StandIn.start(login=LOGIN) as pmta:
        _, clients, _ = made(pmta)
        await pmta.fault(greeting="421 4.3.2 not now", rcpt="451 4.2.1 later")
        sending = asyncio.create_task(clients.send(range(60)))
        while not clients.trouble:
            await asyncio.sleep(0.01)
        assert clients.done == 0
        await pmta.fault(greeting=None)
        await sending
    assert set(clients.answers) <= {Answer.DEFERRED, Answer.REFUSED}
    assert Answer.DEFERRED in clients.answers
    assert clients.done == 60


async def test_a_gateway_that_takes_nobody_ends_it_with_what_it_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.5)
    async with StandIn.start(login=("other", "secret")) as pmta:
        _, clients, _ = made(pmta)
        with pytest.raises(NoConnectionError, match="535"):
            await clients.send(range(60))
    assert set(clients.answers) == {Answer.NONE}
