"""The parts of one control process, connected: database, ledger, publisher, and what stands on
them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from control.accounting.ledgertime import LedgerTime
from control.accounting.status import StreamView, streams
from control.bypass.view import Standing, standing
from control.intake import Intake, open_intake
from control.ledger.carryover import CarryOver
from control.ledger.charged import Charged
from control.ledger.clock import Clock, Follower
from control.ledger.opening import Opening
from control.messages.loss import loss
from control.plan.publish import Publisher
from control.plan.view import View
from control.pmta import telling
from control.pmta.dkim import Seal
from control.pmta.told import ToldView
from control.problem import RefusedError
from control.progress.progress import Progress
from control.store.database import Connection, open_pool
from control.store.naming import first, naming
from control.store.pool import must_be_enough
from control.store.refusal import UNREACHABLE, no_database
from control.store.schema import schema
from control.suppressions.listed import listed
from control.suppressions.suppressions import Suppressions
from control.tenants.leaving import Leaving
from control.users.gate import Gate, open_gate
from control.warmup.engine import Engine
from control.watch.called import Called
from control.watch.done import Done
from control.watch.look import Look
from control.watch.named import named
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.ledger.ledger import RedisLedger
from settings.model import Settings

LEDGER_CONNECTIONS = 64
"""Most of one control process: jobs, looks and requests that ask at once, as they do behind a plan
of 100,000 mailboxes that was compiled meanwhile, are some thirty."""


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
    naming_key: bytes
    """Of digests that stand for addresses."""
    gate: Gate
    view: View
    intake: Intake
    suppressions: Suppressions
    warmup: Engine
    look: Look
    progress: Progress
    called: Called
    done: Done


@asynccontextmanager
async def open_parts(
    settings: Settings, *, movable_clock: bool = False, followers: list[Follower] | None = None
) -> AsyncIterator[Parts]:
    """The parts, connected. Raises RefusedError and DatabaseRefusedError."""
    must_be_enough(settings.database.connections)
    async with AsyncExitStack() as stack:
        try:
            stands = await schema(settings.database.url)
        except UNREACHABLE as error:
            raise no_database(settings.database.url, error) from error
        if stands.problem:
            raise RefusedError(stands.problem)
        pool = await open_pool(settings.database)
        stack.push_async_callback(pool.close)
        # Once more: a connection that a restarted server closed is found out by using it, and
        # every script control runs answers the same when it is repeated.
        client = connect(
            settings.ledger.url,
            timeout=settings.ledger.timeout,
            repeats=1,
            connections=LEDGER_CONNECTIONS,
        )
        stack.push_async_callback(client.aclose)
        of = settings.control
        try:
            key = await naming(pool, of.secret, of.secrets_before)
        except RefusedError:
            if not of.start_unopened:
                raise
            key = first(of.secret)
        yield put_together(
            *(settings, pool, client),
            movable_clock=movable_clock,
            followers=followers,
            naming_key=key,
        )


def put_together(
    settings: Settings,
    pool: Any,
    client: Any,
    *,
    movable_clock: bool = False,
    followers: list[Follower] | None = None,
    naming_key: bytes | None = None,
) -> Parts:
    """The parts over a database and a ledger; neither is asked anything. `naming_key`: of digests
    of addresses, as the database has it."""
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
    key = first(settings.control.secret) if naming_key is None else naming_key
    intake = open_intake(settings, pool, calendar, key)
    opening = Opening(pool, admin, publisher, carry_over, settings)
    look = look_of(settings, pool, admin, publisher, opening, carry_over, intake, calendar)
    progress = Progress(pool, admin, publisher.current, calendar, settings.statistics)
    return Parts(
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
        opening=opening,
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
        seal=Seal(settings.control.secret, settings.control.secrets_before),
        naming_key=key,
        gate=open_gate(pool, settings, publisher.now),
        view=View(pool),
        intake=intake,
        suppressions=Suppressions(pool, publisher.now, settings.suppressions, key),
        warmup=Engine(pool, admin, publisher, settings.warmup, calendar),
        look=look,
        progress=progress,
        called=Called(pool, progress, look, settings.statistics),
        done=Done(),
    )


def look_of(
    settings: Settings,
    pool: Any,
    admin: LedgerAdmin,
    publisher: Publisher,
    opening: Opening,
    carry_over: CarryOver,
    intake: Intake,
    calendar: LedgerTime,
) -> Look:
    """What control's metrics are made from."""

    async def read_so_far() -> list[StreamView]:
        return await streams(pool, settings.accounting, await calendar())

    async def around() -> list[Standing]:
        return await standing(pool, await calendar())

    async def told() -> list[ToldView]:
        return await telling.told(pool, await calendar())

    return Look(
        *(opening, read_so_far, admin, publisher, partial(loss, pool, settings.ledger.name)),
        *(intake.rejected.backlog, around),
        lambda: carry_over.figures,
        told,
        partial(named, pool, publisher, admin),
        partial(listed, pool, settings.suppressions.most),
    )
