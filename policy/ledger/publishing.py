"""How a generation gets into the ledger: what it differs in from the last one, put in force by one
script.

Rules: everything large is written beside what is in force, and ends by itself unless a publication
names it; the script looks whether all is there and changes nothing unless it is. A difference holds
only against the very publication it was made from, which has a word that no other has: after
another writer's, and after a loss, rows are written whole.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from policy.division import Division, Part
from policy.ledger.fields import Digests, mailbox_rows, plan_rows
from policy.ledger.library import tidy
from policy.ledger.parts import STAGED, named, put
from policy.ledger.scripts import source
from policy.plan import Generation

PREVIOUS_KEPT = 60
"""Seconds the generation before stays readable, for gateways mid-way, who else read the number once
more."""
MOST = 2_000
"""Rows that one script writes in place of others: some 4 ms of the server."""
_AT_ONCE = 1_000  # rows of one command: half a millisecond of the server
_encode = msgspec.msgpack.Encoder().encode


_Differing = tuple[dict[str, bytes], list[str]]
"""(Rows to write, rows that went.)"""
_NO_ROWS: _Differing = ({}, [])


class _Base(msgspec.Struct, frozen=True):
    """A publication of ours."""

    published: str
    parts: frozenset[bytes]
    rows: Mapping[str, bytes]
    mailboxes: Mapping[str, tuple[Part, ...]]
    own: Mapping[str, str]


class _Moved(msgspec.Struct, frozen=True):
    """Mailboxes of a tenant that are few others than before."""

    tenant: str
    former: str
    put: dict[str, bytes]
    gone: list[str]


class Publishing:
    """Of one writer to one ledger; keeps the rows it wrote last."""

    def __init__(self, client: Redis, root: str) -> None:
        self._client = client
        self._root = root
        self._digests = Digests()
        self._base: _Base | None = None

    async def publish(self, generation: Generation, division: Division, *, afresh: bool) -> int:
        """As `LedgerAdmin.publish`. Raises redis-py's errors."""
        own = self._digests.of(division.mailboxes)
        rows = plan_rows(generation, own)
        for base in (None,) if afresh else (self._base, None):
            word = secrets.token_hex(8)
            moved = [] if base is None else _moved(base, division, own)
            # What was put in force with them is there; the script looks whether it is so.
            there = {one.tenant for one in moved} | _kept(base, own)
            await self._put_mailboxes(division, own, there)
            known = frozenset() if base is None else base.parts
            parts = [part for digest, part in division.parts.items() if digest not in known]
            await put(self._client, self._root, parts, afresh=afresh)
            differing = None if base is None else _differing(base.rows, rows)
            since = ""
            if base is not None and differing is not None:
                since = base.published
            else:
                await self._write(f"{self._root}staged:{word}", rows)
            answer = await self._put_in_force(
                *(generation.number, division, word, own, since, differing or _NO_ROWS, moved)
            )
            if answer == -1:
                continue
            if answer == 1:
                published = f"{generation.number} {word}"
                self._base = _Base(
                    published, frozenset(division.parts), rows, division.mailboxes, own
                )
            await tidy(self._client)
            return generation.number if answer == 1 else answer
        raise RedisError("what was written for the plan is gone again: does the server evict keys?")

    async def _put_in_force(
        self,
        number: int,
        division: Division,
        word: str,
        own: Mapping[str, str],
        since: str,
        differing: _Differing,
        moved: Sequence[_Moved],
    ) -> int:
        changed, gone = differing
        boxes = [(one.tenant, one.former, len(one.put), one.gone) for one in moved]
        rows = [word for some in (changed, *(one.put for one in moved)) for word in _flat(some)]
        answer = await cast(
            Any,
            self._client.eval(
                *(source("publish"), 1, self._root, str(number), division.manifest),
                *(PREVIOUS_KEPT, word, _encode(named(division.parts)), _encode(own)),
                *(since, _encode(gone), _encode(boxes), len(changed), *rows),
            ),
        )
        return int(answer)

    async def _put_mailboxes(
        self, division: Division, own: Mapping[str, str], there: set[str]
    ) -> None:
        """Written beside those in force, whole or not at all; the publication that names them makes
        them last, and takes the ones before away. `there`: whose need not be looked for."""
        keys = {
            tenant: f"{self._root}mailboxes:{tenant}:{own[tenant]}"
            for tenant in division.mailboxes
            if tenant not in there
        }
        async with self._client.pipeline(transaction=False) as pipe:
            for key in keys.values():
                pipe.exists(key)
                pipe.expire(key, STAGED, xx=True)
            answers = (await pipe.execute())[::2]
        for (tenant, key), known in zip(keys.items(), answers, strict=True):
            if known:
                continue
            await self._client.delete(f"{key}:part")
            await self._write(f"{key}:part", _rows(division.mailboxes[tenant]))
            await cast(Any, self._client.rename(f"{key}:part", key))

    async def _write(self, key: str, rows: Mapping[str, bytes]) -> None:
        """A hash that ends by itself."""
        pairs = list(rows.items())
        for begin in range(0, len(pairs), _AT_ONCE):
            some = dict(pairs[begin : begin + _AT_ONCE])
            await cast(Any, self._client.hset(key, mapping=cast(Any, some)))
            await cast(Any, self._client.expire(key, STAGED))


def _kept(base: _Base | None, own: Mapping[str, str]) -> set[str]:
    """Tenants whose mailboxes are those of `base`."""
    if base is None:
        return set()
    return {tenant for tenant, digest in own.items() if base.own.get(tenant) == digest}


def _flat(rows: Mapping[str, bytes]) -> list[str | bytes]:
    return [word for pair in rows.items() for word in pair]


def _differing(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> _Differing | None:
    """None: more than one script is to write."""
    changed = {field: row for field, row in after.items() if before.get(field) != row}
    gone = [field for field in before if field not in after]
    return (changed, gone) if len(changed) + len(gone) <= MOST else None


def _moved(base: _Base, division: Division, own: Mapping[str, str]) -> list[_Moved]:
    """Tenants whose mailboxes are those of `base` but for a few."""
    found, left = list[_Moved](), MOST
    for tenant, parts in division.mailboxes.items():
        former = base.own.get(tenant)
        if former is None or former == own[tenant]:
            continue
        old, new = _apart(base.mailboxes[tenant], parts), _apart(parts, base.mailboxes[tenant])
        if sum(len(part.rows) for part in old + new) > _READ:
            continue
        differing = _differing(_rows(old), _rows(new))
        if differing is not None and (size := sum(map(len, differing))) <= left:
            found.append(_Moved(tenant, former, *differing))
            left -= size
    return found


_READ = 10 * MOST
"""Rows beyond which nobody looks for the few that differ."""


def _apart(parts: Sequence[Part], others: Sequence[Part]) -> list[Part]:
    known = {part.digest for part in others}
    return [part for part in parts if part.digest not in known]


def _rows(parts: Sequence[Part]) -> dict[str, bytes]:
    return {name: row for part in parts for name, row in mailbox_rows(part).items()}
