"""Orders for held mail, asked of the releasers and watched."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from control.held import request
from control.held.filter import address
from control.held.request import Forget, HoldOrder
from control.held.requestview import SETTLED, HoldAnswer, HoldRequest, request_view
from control.plan.changed import sure
from control.plan.done import Done
from control.plan.publish import Publisher
from control.problem import missing
from control.store.change import Act, Still
from control.store.once import settle, shaped
from settings.statements import statements

_SQL = statements(__package__, "hold")

LOOK_EVERY = 0.2
"""Seconds between two looks at a request that is waited for."""


Elsewhere = Callable[[Act, str, str | None], Awaitable[int]]
"""Takes an address, in its one spelling, out of what else is known of it (of one tenant's); the
number by which what takes its time is watched."""


class Orders:
    """`key`: with which forgotten addresses are told apart (control.store.naming); `undo`: seconds
    for which a drop or a release can be undone that does not say it (`hold.undo`)."""

    def __init__(
        self, pool: Any, publisher: Publisher, key: bytes, elsewhere: Elsewhere, undo: int
    ) -> None:
        self._pool = pool
        self._publisher = publisher
        self._key = key
        self._elsewhere = elsewhere
        self._undo = undo

    async def order(
        self, who: str, wanted: HoldOrder, *, dry: bool, still: Still | None = None
    ) -> HoldAnswer:
        """`wanted` as `request.order` gives it; `still` is asked in the act's own transaction.
        Raises RefusedError."""

        async def act(a: Act) -> HoldAnswer:
            return await request.ask(a, wanted, dry=dry, undo=self._undo)

        if not request.concerns_campaign(wanted):
            return await self._alone(who, sure(act, still), dry=dry)
        # In one transaction with the plan by which new mail of the campaign is held.
        shaped(_published)
        return _published(await self._publisher.change(who, sure(act, still), dry=dry))

    async def undo(self, who: str, number: int, tenant: str | None) -> HoldRequest:
        """Asks for what request `number` did to be undone. Raises RefusedError."""
        now = await self._publisher.now()
        async with self._pool.acquire() as connection, connection.transaction():
            return await request.undo(Act(connection, now, who), number, tenant)

    async def forget(
        self, who: str, wanted: Forget, *, dry: bool, still: Still | None = None
    ) -> HoldAnswer:
        """`wanted` names somebody; `still` as in `order`. Raises RefusedError."""

        async def act(a: Act) -> HoldAnswer:
            answer = await request.forget(a, wanted, key=self._key, dry=dry)
            whom = address(wanted.recipient or "", "recipient")
            number = await self._elsewhere(a, whom, wanted.tenant)
            return msgspec.structs.replace(
                answer, accounting=0 if dry else number, notes=[*answer.notes, *a.notes]
            )

        return await self._alone(who, sure(act, still), dry=dry)

    async def listed(self, tenant: str | None, before: int | None, limit: int) -> list[HoldRequest]:
        """The newest first, those before number `before`."""
        records = await self._pool.fetch(_SQL["requests"], tenant, before, limit)
        return [request_view(r) for r in records]

    async def one(self, number: int, tenant: str | None, *, seen: int, wait: float) -> HoldRequest:
        """As it is when it is over, when it changed after `seen`, or after `wait` seconds. Raises
        RefusedError."""
        ends = asyncio.get_running_loop().time() + wait
        while True:
            record = await self._pool.fetchrow(_SQL["request"], number, tenant)
            if record is None:
                raise missing("request", str(number))
            over = record["state"] in SETTLED or record["changed"] != seen
            if over or asyncio.get_running_loop().time() >= ends:
                return request_view(record)
            await asyncio.sleep(LOOK_EVERY)

    async def _alone(
        self, who: str, act: Callable[[Act], Awaitable[HoldAnswer]], *, dry: bool
    ) -> HoldAnswer:
        """A request that changes no plan: nothing is published."""
        now = await self._publisher.now()
        async with self._pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            kept = False
            try:
                answer = await act(Act(connection, now, who))
                if not dry:
                    await settle(connection, answer)
                    await transaction.commit()
                    kept = True
            finally:
                if not kept:
                    await transaction.rollback()
        return _tried(answer) if dry else answer


def _published(done: Done[HoldAnswer]) -> HoldAnswer:
    return msgspec.structs.replace(
        _tried(done.result) if done.dry else done.result,
        generation=done.generation,
        late=done.late,
        notes=[*done.result.notes, *done.notes],
    )


def _tried(answer: HoldAnswer) -> HoldAnswer:
    """Without the number of a request that was rolled back."""
    return msgspec.structs.replace(answer, request=msgspec.structs.replace(answer.request, id=0))
