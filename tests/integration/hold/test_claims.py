"""Claims, their undoing and their settlements, when PostgreSQL's answers are late or lost."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from gateway.hold.database import Database, UnknownError
from gateway.hold.held import Settlement
from gateway.hold.keep.content import Contents
from gateway.hold.keep.store import Store
from gateway.hold.settle.settling import Settler
from gateway.hold_port import Keeping, Kept
from gateway.message.message import Message, Recipient, Sender
from gateway.watch.log import Log
from policy.ledger_port import ENDED, Change, EntryState
from settings.statements import statements
from tests.support.hold.held import DAY, hold


@contextlib.asynccontextmanager
async def settling(url: str, changes: list[Change]) -> AsyncIterator[tuple[Settler, Database]]:
    log = os.memfd_create("log")
    database = Database(url, connections=2, timeout=5.0, log=Log(descriptor=log))
    await database.open()
    try:
        yield (
            Settler(database, change=changes.append, now=lambda: 5, log=Log(descriptor=log)),
            database,
        )
    finally:
        await database.close()
        os.close(log)


async def _claim(link: Any, token: str, row: str, attempt: int) -> None:
    await link.execute(
        statements("gateway.hold.release", "release")["claim"],
        1,
        token,
        [DAY],
        [row],
        [attempt],
        ["pmta1"],
        ["v"],
        ["e"],
    )


async def _undo(link: Any, token: str, row: str) -> None:
    async with link.transaction():
        await link.execute(
            statements("gateway.hold.release", "release")["await_rows"], [DAY], [row]
        )
        await link.execute(
            statements("gateway.hold.release", "release")["unclaim"], token, [DAY], [row], 2
        )


async def test_an_undo_waits_for_the_commit_that_nobody_answered(link: Any, hold_url: str) -> None:
    other = await asyncpg.connect(hold_url)
    await hold(link, "m1")
    await link.execute("BEGIN")
    await _claim(link, "me/1", "m1", 2)
    undoing = asyncio.create_task(_undo(other, "me/1", "m1"))
    await asyncio.wait([undoing], timeout=0.3)
    assert not undoing.done(), "it must wait for the transaction that holds the row"
    await link.execute("COMMIT")
    await undoing
    assert await other.fetchval("SELECT state FROM held") == "held"
    await other.close()


async def test_an_undo_leaves_the_next_claim_of_the_same_process_alone(link: Any) -> None:
    await hold(link, "m1")
    await _claim(link, "me/2", "m1", 2)
    await _undo(link, "me/1", "m1")
    assert await link.fetchval("SELECT state FROM held") == "claimed"


async def test_two_settlements_of_one_row_are_written_in_order(link: Any, hold_url: str) -> None:
    await hold(link, "m1", state="claimed", attempt=2)
    async with settling(hold_url, []) as (settler, _):
        settler.settle(
            [
                Settlement(bucket=DAY, id="m1", attempt=2, state="doubt", reason="unknown"),
                Settlement(bucket=DAY, id="m1", attempt=2, state="done", ending="relayed"),
            ]
        )
        assert settler.waits(DAY, "m1")
        await settler.drain(3.0)
        assert not settler.waits(DAY, "m1")
    assert await link.fetchval("SELECT state FROM held") == "done"


async def test_one_settlement_that_cannot_be_written_loses_no_other(
    link: Any, hold_url: str
) -> None:
    for row in ("m1", "m2"):
        await hold(link, row, state="claimed", attempt=2)
    async with settling(hold_url, []) as (settler, _):
        settler.settle(
            [
                Settlement(bucket=DAY, id="m1", attempt=2, state="refused", verdict="no\0"),
                Settlement(bucket=DAY, id="m2", attempt=2, state="done", ending="relayed"),
            ]
        )
        await settler.drain(3.0)
    states = dict(await link.fetch("SELECT id, state FROM held"))
    assert states == {"m1": "claimed", "m2": "done"}


async def test_the_entry_follows_a_settlement_whose_answer_was_lost(
    link: Any, hold_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hold(link, "m1", state="claimed", attempt=2, key="k")
    changes: list[Change] = []
    async with settling(hold_url, changes) as (settler, database):
        real, calls = database.connection, []

        @contextlib.asynccontextmanager
        async def lossy(patience: float = 2.0) -> AsyncIterator[Any]:
            async with real(patience) as connection:
                yield connection
            calls.append(1)
            if len(calls) == 1:
                raise UnknownError("the reply was lost after the commit")

        monkeypatch.setattr(database, "connection", lossy)
        settler.settle(
            [Settlement(bucket=DAY, id="m1", attempt=2, state="refused", ending="refused")]
        )
        await settler.drain(3.0)
    assert [(c.key, c.attempt, c.state) for c in changes] == [("k", ENDED, EntryState.FREE)]


async def test_what_was_proved_not_to_be_committed_is_kept_past_its_tombstone(
    link: Any, hold_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = os.memfd_create("log")
    database = Database(hold_url, connections=2, timeout=5.0, log=Log(descriptor=log))
    await database.open()
    store = Store(
        database, Contents(), batch=10, batch_bytes=1 << 20, budget=5.0, log=Log(descriptor=log)
    )
    real, calls = database.connection, []

    @contextlib.asynccontextmanager
    async def silent(patience: float = 2.0) -> AsyncIterator[Any]:
        calls.append(1)
        if len(calls) == 1:
            raise UnknownError("nothing came back, and nothing had arrived")
        async with real(patience) as connection:
            yield connection

    await link.execute("SELECT hold_partition($1)", DAY)
    monkeypatch.setattr(database, "connection", silent)
    recipients = tuple(Recipient(f"{n}@x.test".encode(), "x.test") for n in "ab")
    message = Message("m1", "acme", Sender(b"s@x.test"), recipients, b"", b"body", "peer")
    keeping = Keeping(
        message=message, head=b"H: 1\r\n\r\n", pool="p", providers=("other", "other"),
        mailbox="s@x.test", bulk=False, campaign="", key="", message_id="", state="held",
        reason="ip_quota", detail="",
    )  # fmt: skip
    try:
        assert await store.keep(keeping, DAY * 86_400_000, 5.0) is Kept.KEPT
    finally:
        await database.close()
        os.close(log)
    assert len(calls) == 2
    found = [tuple(row) for row in await link.fetch("SELECT id, state FROM held ORDER BY id")]
    assert found == [("m1x0", "held"), ("m1x1", "held")]
