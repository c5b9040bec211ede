"""Entries packed in buckets: where they stand, how long, what older forms and versions see.

What an entry means is the same in either form (`test_ledger_entries`).
"""

from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
import pytest

from policy.ledger.known import Entry
from policy.ledger.packing import BUCKETS, FORM, pack
from policy.ledger_port import ENDED, Change, Duplicate, EntryState, Granted, Look
from policy.limits import DAY
from tests.contract.asking import ask, decide
from tests.support.gateway.generations import generation
from tests.support.ledger.twins import MIDNIGHT, RedisUnderTest

T, H, S, D, F = (
    EntryState.TRYING, EntryState.HELD, EntryState.SENT, EntryState.DOUBT, EntryState.FREE,
)  # fmt: skip
BUCKET = "01234"
KEY = f"{BUCKET}56789abcdef0123456789abcdef"
OWNER = "01hv3k9a2m7qzx4tnwr8p5b0c1d"
WEEK = 7 * 86_400


@pytest.fixture
async def ledger(valkey_url: str) -> AsyncIterator[RedisUnderTest]:
    started = await RedisUnderTest.start(valkey_url, generation())
    yield started
    await started.close()


def key(number: int, bucket: str = BUCKET) -> str:
    return f"{bucket}{number:016x}".ljust(32, "0")


def keyed(name: str = KEY, owner: str = OWNER, attempt: int = 1) -> Any:
    return msgspec.structs.replace(ask(), key=name, owner=owner, attempt=attempt)


async def forms(ledger: RedisUnderTest, name: str = KEY) -> tuple[bool, bool]:
    """Whether the entry stands as a string, and in its bucket."""
    client, root = cast(Any, ledger.admin.client), ledger.admin.root
    field = bytes.fromhex(name[5:21])
    packed = await client.hexists(f"{root}{BUCKETS}{name[:5]}", field)
    return bool(await client.exists(f"{root}dup:{name}")), bool(packed)


async def bucket_life(ledger: RedisUnderTest) -> int:
    """Real seconds."""
    return int(await ledger.admin.client.ttl(f"{ledger.admin.root}{BUCKETS}{BUCKET}"))


@pytest.mark.parametrize(
    ("change", "packed"),
    [
        (None, True),
        (Change(KEY, OWNER, 1, S), True),
        (Change(KEY, OWNER, 1, F), True),
        (Change(KEY, OWNER, 1, H), False),
        (Change(KEY, OWNER, 1, D), False),
        (Change(KEY, OWNER, ENDED, S), False),
        (Change(KEY, OWNER, 1, S, "s" * 60), False),
    ],
)
async def test_an_entry_stands_in_one_place(
    ledger: RedisUnderTest, change: Change | None, packed: bool
) -> None:
    """What waits lives as long as its row; an attempt or a name that is too long has no room."""
    await decide(ledger, keyed())
    if change is not None:
        await decide(ledger, change)
    assert await forms(ledger) == (not packed, packed)
    if change is not None:
        server = change.server or "pmta1"
        known = Duplicate(change.state, OWNER, change.attempt, server)
        assert await decide(ledger, Look(KEY)) == [known]


async def test_held_and_sent_later_it_is_packed_again(ledger: RedisUnderTest) -> None:
    await decide(ledger, keyed(), Change(KEY, OWNER, 1, H))
    assert await forms(ledger) == (True, False)
    await decide(ledger, keyed(attempt=2))
    assert await decide(ledger, Change(KEY, OWNER, 2, S), Look(KEY)) == [
        None, Duplicate(S, OWNER, 2, "pmta1"),
    ]  # fmt: skip
    assert await forms(ledger) == (False, True)


async def test_a_key_that_is_no_digest_stands_as_a_string(ledger: RedisUnderTest) -> None:
    for name in ("k1", KEY.upper(), KEY + "0", "-" * 32, " " * 32):
        await decide(ledger, keyed(name))
        assert await decide(ledger, Look(name)) == [Duplicate(T, OWNER, 1, "pmta1")]
    assert await ledger.admin.client.keys(f"{ledger.admin.root}{BUCKETS}*") == []


async def test_keys_of_a_bucket_keep_apart(ledger: RedisUnderTest) -> None:
    """Also those that differ in their last hashed digit alone."""
    names = [key(number) for number in range(40)]
    for first in range(0, 40, 8):
        await decide(ledger, *[keyed(name, f"owner{name}") for name in names[first : first + 8]])
    await decide(ledger, *[Change(name, f"owner{name}", 1, S) for name in names[::2]])
    met = await decide(ledger, *map(Look, names))
    assert met == [
        Duplicate(T if number % 2 else S, f"owner{name}", 1, "pmta1")
        for number, name in enumerate(names)
    ]


async def test_a_bucket_stays_small_as_the_server_keeps_it_packed(ledger: RedisUnderTest) -> None:
    """Owners and servers as long as ours are; three times as many as 3 million a day put there."""
    for first in range(0, 66, 6):
        some = [key(number) for number in range(first, first + 6)]
        await decide(ledger, *[keyed(name, f"{OWNER}x{name[5:7]}") for name in some])
    name = f"{ledger.admin.root}{BUCKETS}{BUCKET}"
    assert await cast(Any, ledger.admin.client).hlen(name) == 67
    encoding = await cast(Any, ledger.admin.client).object("encoding", name)
    assert encoding == b"listpack"


async def test_a_bucket_outlives_its_entries_and_clears_away_what_is_over(
    ledger: RedisUnderTest,
) -> None:
    client, name = cast(Any, ledger.admin.client), f"{ledger.admin.root}{BUCKETS}{BUCKET}"
    await decide(ledger, keyed(key(1)), Change(key(1), OWNER, 1, S))
    await decide(ledger, keyed(key(2)), Change(key(2), OWNER, 1, F))
    await decide(ledger, keyed(key(3)))
    life = await bucket_life(ledger)
    assert WEEK < life <= WEEK * 9 // 8 + 2
    # An eighth of a life later, all but the sent one touched: nothing is over.
    await _ages(ledger, WEEK // 8 + 10)
    await decide(ledger, keyed(key(4)))
    assert await client.hlen(name) == 5
    assert WEEK < await bucket_life(ledger) <= WEEK * 9 // 8 + 2
    # A week later, by both clocks, only the new one is not.
    await ledger.at(MIDNIGHT + 8 * DAY)
    await _ages(ledger, WEEK + 10)
    await decide(ledger, keyed(key(5)))
    assert await client.hkeys(name) == [b"", bytes.fromhex(key(5)[5:21])]
    assert WEEK < await bucket_life(ledger) <= WEEK * 9 // 8 + 2


async def test_what_is_tried_outlives_a_leap_of_the_calendar(ledger: RedisUnderTest) -> None:
    """Hazard 18: real time counts for it, and the sent one beside it is over."""
    await decide(ledger, keyed(key(1)), keyed(key(2)), Change(key(2), OWNER, 1, S))
    await ledger.at(MIDNIGHT + 30 * DAY)
    await _ages(ledger, WEEK // 8 + 10, entries=False)
    await decide(ledger, keyed(key(3)))
    assert await decide(ledger, keyed(key(1), "two")) == [Duplicate(T, OWNER, 1, "pmta1")]
    assert isinstance((await decide(ledger, keyed(key(2), "two")))[0], Granted)


async def test_a_longer_life_of_sent_entries_moves_the_end_at_once(ledger: RedisUnderTest) -> None:
    await decide(ledger, keyed(key(1)))
    ledger.sent_kept(14 * 86_400)
    await decide(ledger, keyed(key(2)))
    assert await bucket_life(ledger) > 2 * WEEK
    ledger.sent_kept(60)
    await decide(ledger, keyed(key(3)))
    assert await bucket_life(ledger) > 2 * WEEK, "never nearer"


async def test_a_short_life_of_sent_entries_leaves_the_others_a_day(ledger: RedisUnderTest) -> None:
    ledger.sent_kept(60)
    await decide(ledger, keyed(), Change(KEY, OWNER, 1, F))
    assert 86_400 < await bucket_life(ledger) <= 86_400 * 9 // 8 + 2


async def test_a_string_of_the_version_before_is_found_and_packed_when_it_changes(
    ledger: RedisUnderTest,
) -> None:
    now, _ = await ledger.admin.now()
    for number, state in enumerate("SHD"):
        text = f"{state} 1 {now} pmta1 {OWNER}"
        await ledger.admin.client.set(f"{ledger.admin.root}dup:{key(number)}", text, ex=60)
    assert [
        cast(Duplicate, one).state
        for one in await decide(ledger, *[keyed(key(n), "two") for n in range(3)])
    ] == [S, H, D]
    await decide(ledger, Change(key(1), OWNER, 1, S))
    assert await forms(ledger, key(1)) == (False, True)
    assert await forms(ledger, key(0)) == (True, False)


async def test_while_an_older_gateway_runs_all_is_written_as_it_reads(
    ledger: RedisUnderTest,
) -> None:
    """And what was packed before is known all the same, and moves with its next change."""
    await decide(ledger, keyed(key(1)), keyed(key(2)), Change(key(2), OWNER, 1, S))
    await pack(ledger.admin, False)
    assert await decide(ledger, keyed(key(2), "two")) == [Duplicate(S, OWNER, 1, "pmta1")]
    await decide(ledger, Change(key(1), OWNER, 1, S), keyed(key(3)))
    assert await forms(ledger, key(1)) == (True, False)
    assert await forms(ledger, key(3)) == (True, False)
    text = await ledger.admin.client.get(f"{ledger.admin.root}dup:{key(1)}")
    assert cast(bytes, text).startswith(b"S 1 ")
    assert cast(bytes, text).endswith(f" pmta1 {OWNER}".encode())


async def test_entries_of_a_rebuilt_ledger_replace_what_is_there(ledger: RedisUnderTest) -> None:
    now, _ = await ledger.admin.now()
    await decide(ledger, keyed(key(1)), keyed(key(2)), Change(key(2), OWNER, 1, H))
    entries = [
        Entry(key(1), "one", 2, H, now),
        Entry(key(2), "two", 3, S, now, "pmta2"),
        Entry(key(3), "three", 1, S, now - 7 * DAY - 1000),
        Entry(key(4), "four", 1, S, now - 7 * DAY + 60_000),
    ]
    assert await ledger.admin.put_entries(entries, sent_kept=WEEK) == 3
    assert await decide(ledger, *[Look(key(n)) for n in (1, 2, 3, 4)]) == [
        Duplicate(H, "one", 2, ""), Duplicate(S, "two", 3, "pmta2"), None,
        Duplicate(S, "four", 1, ""),
    ]  # fmt: skip
    assert [await forms(ledger, key(n)) for n in (1, 2, 4)] == [
        (True, False), (False, True), (False, True),
    ]  # fmt: skip
    assert await bucket_life(ledger) > WEEK
    await ledger.admin.client.delete(f"{ledger.admin.root}{FORM}")
    assert await ledger.admin.put_entries(entries[1:2], sent_kept=WEEK) == 1
    assert await forms(ledger, key(2)) == (True, False)


async def test_all_but_the_sent_are_freed_in_either_form(ledger: RedisUnderTest) -> None:
    await decide(ledger, *[keyed(key(n)) for n in range(5)], keyed(key(9, "fffff")))
    await decide(ledger, *[Change(key(n), OWNER, 1, s) for n, s in enumerate((S, H, D, F))])
    assert await ledger.admin.free_entries() == 5
    met = await decide(ledger, *[Look(key(n)) for n in range(5)], Look(key(9, "fffff")))
    assert met == [Duplicate(S, OWNER, 1, "pmta1"), None, None, None, None, None]


async def _ages(ledger: RedisUnderTest, seconds: int, *, entries: bool = True) -> None:
    """Let real time pass for a bucket, and for what was tried or freed in it."""
    client, name = cast(Any, ledger.admin.client), f"{ledger.admin.root}{BUCKETS}{BUCKET}"
    ends = int(await client.hget(name, "")) - seconds
    await client.hset(name, "", ends)
    await client.expireat(name, ends)
    if not entries:
        return
    for field, value in (await client.hgetall(name)).items():
        if field and value[0] % 8 != 2:
            since = int.from_bytes(value[1:7]) - 1000 * seconds
            await client.hset(name, field, value[:1] + since.to_bytes(6) + value[7:])
