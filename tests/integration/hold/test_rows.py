"""What is held is what was said: every field of every recipient, each in its own row."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from gateway.hold.database import Database, UnknownError
from gateway.hold.keep.content import Contents
from gateway.hold.keep.store import Store
from gateway.hold_port import Keeping, Kept
from gateway.message.message import Message, Recipient, Sender
from gateway.watch.log import Log
from policy.duplicate import recipient_key
from tests.support.hold.database import execute, rows
from tests.support.hold.held import DAY

NOW = DAY * 86_400_000 + 7


@pytest.fixture
async def store(hold_url: str) -> AsyncIterator[Store]:
    log = os.memfd_create("log")
    database = Database(hold_url, connections=2, timeout=5.0, log=Log(descriptor=log))
    await database.open()
    yield Store(
        database, Contents(), batch=10, batch_bytes=1 << 20, budget=5.0, log=Log(descriptor=log)
    )
    await database.close()
    os.close(log)


def keeping(name: str, recipients: tuple[Recipient, ...]) -> Keeping:
    """Every field differs from every other, and from another message's."""
    sender = Sender(b"s-%b@x.test" % name.encode(), 9, body8=True, ret=b"HDRS")
    message = Message(name, "acme", sender, recipients, b"", b"body of " + name.encode(), "peer")
    said = {
        field: f"{field} {name}"
        for field in (
            "pool",
            "mailbox",
            "campaign",
            "key",
            "message_id",
            "reason",
            "detail",
        )
    }
    attempt = {field: f"{field} {name}" for field in ("server", "vmta", "envelope")}
    of_state: dict[str, dict[str, Any]] = {
        "m1": {"state": "doubt", **attempt},
        "m2": {"state": "held", "until": 11, "due": 12},
        "m3": {"state": "doubt", "reason": "duplicate", "behind": "first", "server": "server m3"},
    }
    return msgspec.convert(
        {
            **said, "message": message, "head": b"H: 1\r\n\r\n", "bulk": name == "m2",
            "providers": [f"provider {number} {name}" for number in range(len(recipients))],
            "attempt": 13, "failures": 14, **of_state[name],
        },
        Keeping,
        from_attributes=True,
    )  # fmt: skip


async def test_every_field_of_every_recipient_is_in_its_own_row(
    store: Store, hold_url: str
) -> None:
    first = keeping("m1", (Recipient(b"a@x.test", "x.test", b"NEVER", b"rfc822;a"),))
    second = keeping(
        "m2",
        (
            Recipient(b"b@x.test", "x.test", b"FAILURE", b"rfc822;b"),
            Recipient(b"c@x.test", "x.test", b"", b""),
        ),
    )
    third = keeping("m3", (Recipient(b"d@x.test", "x.test"),))
    kept = await asyncio.gather(*(store.keep(one, NOW, 5.0) for one in (second, first, third)))
    assert kept == [Kept.KEPT] * 3
    found = {row["id"]: row for row in await rows(hold_url)}
    assert sorted(found) == ["m1", "m2x0", "m2x1", "m3"]
    every = (("m1", first, 0), ("m2x0", second, 0), ("m2x1", second, 1), ("m3", third, 0))
    for name, said, number in every:
        row, recipient = found[name], said.message.recipients[number]
        same = (
            "pool",
            "mailbox",
            "bulk",
            "campaign",
            "message_id",
            "state",
            "reason",
            "detail",
            "until",
            "due",
            "attempt",
            "failures",
            "server",
            "vmta",
            "envelope",
            "behind",
        )
        assert {field: row[field] for field in same} == {f: getattr(said, f) for f in same}
        assert row["recipient"] == recipient.address
        assert (row["notify"], row["orcpt"]) == (recipient.notify, recipient.orcpt)
        assert row["provider"] == said.providers[number]
        several = said is second
        own = recipient_key(said.key, recipient.address) if several else said.key
        assert (row["key"], row["whole"]) == (own, said.key if several else "")
        assert (row["bucket"], row["body"], row["tenant"]) == (DAY, said.message.id, "acme")
        assert (row["arrived"], row["since"], row["size"]) == (NOW, NOW, said.message.size)
        assert row["waiting"] == (said.due > 0)
    link = await asyncpg.connect(hold_url)
    bodies = {row["id"]: row for row in await link.fetch("SELECT * FROM held_body")}
    await link.close()
    assert sorted(bodies) == ["m1", "m2", "m3"]
    for name, body in bodies.items():
        assert (body["bucket"], body["sender"]) == (DAY, b"s-%b@x.test" % name.encode())
        assert (body["flags"], body["ret"]) == (1, b"HDRS")
        packed = Contents().pack(name, b"H: 1\r\n\r\n", b"body of " + name.encode())
        assert (body["codec"], body["content"]) == packed


async def test_one_message_of_a_commit_that_is_there_already_refuses_no_other(
    store: Store, hold_url: str
) -> None:
    one = keeping("m1", (Recipient(b"a@x.test", "x.test"),))
    two = keeping("m2", (Recipient(b"b@x.test", "x.test"),))
    kept = await asyncio.gather(*(store.keep(keep, NOW, 5.0) for keep in (one, two, one)))
    assert kept == [Kept.KEPT, Kept.KEPT, Kept.NOT_KEPT]
    assert [row["id"] for row in await rows(hold_url)] == ["m1", "m2"]


async def test_a_commit_whose_answer_was_lost_is_found_and_not_made_again(
    store: Store, hold_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = store._database.connection, []

    @contextlib.asynccontextmanager
    async def deaf(patience: float = 2.0) -> AsyncIterator[Any]:
        calls.append(1)
        async with real(patience) as link:
            yield link
        raise UnknownError("it arrived, and its answer did not")

    await execute(hold_url, "SELECT hold_partition($1)", DAY)
    monkeypatch.setattr(store._database, "connection", deaf)
    one = keeping("m1", (Recipient(b"a@x.test", "x.test"), Recipient(b"b@x.test", "x.test")))
    assert await store.keep(one, NOW, 5.0) is Kept.KEPT
    assert len(calls) == 1
    assert [row["state"] for row in await rows(hold_url)] == ["doubt", "doubt"]


async def test_a_drain_takes_along_what_was_queued_a_moment_ago(store: Store) -> None:
    one = keeping("m1", (Recipient(b"a@x.test", "x.test"),))
    asked = asyncio.create_task(store.keep(one, NOW, 5.0))
    await asyncio.sleep(0)
    await store.drain()
    await asyncio.sleep(0)
    assert asked.done()
    assert asked.result() is Kept.KEPT


async def test_on_the_schema_of_before_nothing_is_kept_and_nothing_is_lost(
    store: Store, hold_url: str
) -> None:
    """A gateway that was started before `sendgate migrate` defers, until the types are there."""
    await execute(hold_url, "ALTER TYPE hold_recipient RENAME TO not_yet")
    one = keeping("m1", (Recipient(b"a@x.test", "x.test"),))
    assert await store.keep(one, NOW, 5.0) is Kept.NOT_KEPT
    assert await rows(hold_url) == []
    await execute(hold_url, "ALTER TYPE not_yet RENAME TO hold_recipient")
    assert await store.keep(one, NOW, 5.0) is Kept.KEPT
