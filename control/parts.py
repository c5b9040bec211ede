"""The parts of one control process, connected: database, ledger, publisher, and what stands on
them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from control.accounting.ledgertime import LedgerTime
from control.accounting.status import StreamView, streams
from control.intake import Intake, open_intake
from control.ledger.carryover import CarryOver
from control.ledger.charged import Charged
from control.ledger.clock import Clock, Follower
from control.ledger.opening import Opening
from control.plan.publish import Publisher
from control.plan.view import View
from control.pmta.dkim import Seal
from control.problem import RefusedError
from control.store.database import Connection, open_pool
from control.store.migrate import newest, revision
from control.store.refusal import UNREACHABLE, no_database
from control.suppressions.suppressions import Suppressions
from control.tenants.leaving import Leaving
from control.users.token import Tokens
from control.warmup.engine import Engine
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.ledger.ledger import RedisLedger
from settings.model import Settings


@dataclass(frozen=True)
class Parts:
    """The parts of one control process."""

    settings: Settings
    pool: Any
    admin: LedgerAdmin
    ledger: RedisLedger
    publisher: Publisher
    opening: Opening
    charged: Charged
    carry_over: CarryOver
    leaving: Leaving
    clock: Clock
    calendar: LedgerTime
    seal: Seal
    tokens: Tokens
    view: View
    intake: Intake
    suppressions: Suppressions
    warmup: Engine


@asynccontextmanager
async def open_parts(
    settings: Settings, *, movable_clock: bool = False, followers: list[Follower] | None = None
) -> AsyncIterator[Parts]:
    """The parts, connected. Raises RefusedError and DatabaseRefusedError."""
    async with AsyncExitStack() as stack:
        try:
            at = await revision(settings.database.url)
        except UNREACHABLE as error:
            raise no_database(settings.database.url, error) from error
        if at != newest():
            raise RefusedError(
                f"the database is at schema {at or 'none'}, this version needs {newest()}: "
                "run `sendgate migrate`"
            )
        pool = await open_pool(settings.database)
        stack.push_async_callback(pool.close)
        # Once more: a connection that a restarted server closed is found out by using it, and
        # every script control runs answers the same when it is repeated.
        client = connect(settings.ledger.url, timeout=settings.ledger.timeout, repeats=1)
        stack.push_async_callback(client.aclose)
        admin = LedgerAdmin(client, settings.ledger.name)
        publisher = Publisher(pool, admin, settings)
        charged = Charged(admin, settings.control)
        calendar = LedgerTime(admin)

        async def read_so_far(connection: Connection) -> list[StreamView]:
            return await streams(connection, settings.accounting, await calendar())

        carry_over = CarryOver(
            *(pool, admin, settings.accounting, read_so_far, calendar),
            bounce_after=settings.control.pmta_bounce_after,
        )
        yield Parts(
            settings=settings,
            pool=pool,
            admin=admin,
            ledger=RedisLedger(
                client,
                settings.ledger.name,
                budget=settings.ledger.budget,
                single=settings.ledger.single,
            ),
            publisher=publisher,
            opening=Opening(pool, admin, publisher, carry_over, settings),
            charged=charged,
            carry_over=carry_over,
            leaving=Leaving(
                *(pool, publisher, charged, admin.workers),
                answered=settings.gateway.answer_budget,
            ),
            clock=Clock(
                admin,
                movable=movable_clock,
                followers=followers or [],
                before_move=carry_over.before_move,
            ),
            calendar=calendar,
            seal=Seal(settings.control.secret),
            tokens=Tokens(pool),
            view=View(pool),
            intake=open_intake(settings, pool, calendar),
            suppressions=Suppressions(
                pool, publisher.now, settings.suppressions, settings.control.secret
            ),
            warmup=Engine(pool, admin, publisher, settings.warmup, calendar),
        )
