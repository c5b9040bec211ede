"""The control process, put together: database, ledger, publisher, API. Reads top to bottom.

Owns lifetimes: parts are closed in the opposite order of opening, whatever fails between.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web

from control.accounting.feed import Feed
from control.accounting.ledgertime import LedgerTime
from control.accounting.status import StreamView, streams
from control.api.accounting import AccountingApi
from control.api.application import Application
from control.api.domains import DomainsApi
from control.api.explain import ExplainApi
from control.api.health import HealthApi
from control.api.hold import HoldApi
from control.api.holdrequests import HoldRequestsApi
from control.api.ips import IpsApi
from control.api.ledger import LedgerApi
from control.api.logins import LoginsApi
from control.api.look import LookApi
from control.api.messages import MessagesApi
from control.api.metrics import MetricsApi
from control.api.plan import PlanApi
from control.api.pmta import PmtaApi
from control.api.pools import PoolsApi
from control.api.route import Route
from control.api.tenants import TenantsApi
from control.explain import look as status
from control.explain.answer import Answers
from control.held.look import Hold
from control.held.orders import Orders
from control.ledger.charged import Charged
from control.ledger.clock import Clock, Follower
from control.ledger.failover import judge
from control.ledger.opening import Opening
from control.messages.forgetting import forget
from control.messages.loss import loss
from control.messages.reader import OutcomeReader
from control.messages.search import search
from control.plan.names import by_name
from control.plan.publish import Publisher
from control.plan.rows import servers, tenants
from control.plan.view import View
from control.pmta.dkim import Seal
from control.problem import RefusedError
from control.store.database import open_pool
from control.store.migrate import newest, revision
from control.store.refusal import UNREACHABLE, refusal
from control.tenants.lastuse import LastUse
from control.tenants.leaving import Leaving
from control.tenants.login import logins
from control.tenants.network import networks
from control.tenants.removal import held
from control.tenants.view import must_be_known, must_exist
from control.users.audit import audit_page
from control.users.token import Tokens
from control.watch import look as figures
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.ledger.ledger import RedisLedger
from settings.model import Settings
from settings.secret import masked

log = logging.getLogger(__name__)

RECONCILE_EVERY = 5.0
"""Seconds between two looks whether the ledger runs what PostgreSQL says."""


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
    leaving: Leaving
    clock: Clock
    calendar: LedgerTime
    seal: Seal
    tokens: Tokens
    view: View


def no_database(url: str, error: Exception) -> RefusedError:
    """What to do about a PostgreSQL that does not answer; no password in it."""
    return RefusedError(
        f"PostgreSQL at {masked(url)} does not answer ({error or 'timed out'}): start it, or "
        "give its address in database.url (DATABASE_URL)",
        status=503,
    )


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
        charged = Charged(admin, settings.control.pmta_bounce_after)
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
            opening=Opening(pool, admin, publisher, settings),
            charged=charged,
            leaving=Leaving(
                *(pool, publisher, charged, admin.workers),
                answered=settings.gateway.answer_budget,
            ),
            clock=Clock(admin, movable=movable_clock, followers=followers or []),
            calendar=LedgerTime(admin),
            seal=Seal(settings.control.secret),
            tokens=Tokens(pool),
            view=View(pool),
        )


def routes(parts: Parts) -> list[Route]:
    """Everything the API answers, each file of it with what it needs."""
    settings, publisher, view = parts.settings, parts.publisher, parts.view
    known, left = partial(must_exist, parts.pool), partial(must_be_known, parts.pool)
    found = partial(search, parts.pool, log=settings.log)
    hold = Hold(parts.pool, publisher, settings.hold.keys)
    answers = Answers(
        publisher,
        partial(tenants, parts.pool),
        hold,
        parts.opening,
        parts.admin,
        parts.ledger,
        found,
        largest=settings.gateway.max_message_size,
    )

    async def read_so_far() -> list[StreamView]:
        return await streams(parts.pool, settings.accounting, await parts.calendar())

    secret = settings.control.secret
    elsewhere = partial(forget, log=settings.log, secret=secret)
    orders = Orders(parts.pool, publisher, secret, elsewhere)
    lost = partial(loss, parts.pool, settings.ledger.name)
    apis = (
        TenantsApi(publisher, view, parts.leaving, partial(held, parts.pool)),
        LoginsApi(publisher, known, partial(logins, parts.pool), partial(networks, parts.pool)),
        DomainsApi(publisher, view, parts.seal, settings),
        IpsApi(publisher, view, parts.opening, parts.admin, parts.charged, settings.warmup),
        PoolsApi(publisher, view),
        HoldApi(hold, left),
        HoldRequestsApi(orders, left),
        ExplainApi(answers),
        HealthApi(parts.opening),
        PlanApi(publisher, parts.admin),
        LedgerApi(parts.opening, publisher, parts.clock),
        PmtaApi(
            publisher, partial(servers, parts.pool), parts.admin, keys=settings.control.pmta_keys
        ),
        AccountingApi(read_so_far),
        MetricsApi(
            figures.Look(parts.opening, read_so_far, parts.admin, publisher, lost),
            settings.ledger.name,
        ),
        MessagesApi(found, known),
        LookApi(
            status.Look(parts.pool, hold, parts.opening, publisher, parts.admin, settings, lost),
            partial(audit_page, parts.pool),
        ),
    )
    return [route for api in apis for route in api.routes()]


def application(parts: Parts) -> web.Application:
    """The API over these parts."""
    door = Application(
        routes(parts),
        parts.tokens,
        parts.publisher,
        partial(by_name, parts.pool),
        refusal,
        max_body=parts.settings.control.max_body,
    )
    return door.build()


@asynccontextmanager
async def serve(parts: Parts) -> AsyncIterator[str]:
    """The API, listening; yields its URL. Raises RefusedError for a port that is taken."""
    host, port = parts.settings.control.host, parts.settings.control.port
    runner = web.AppRunner(application(parts), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise RefusedError(
            f"cannot listen on {host}:{port} ({error.strerror}); free the port or choose another "
            "(control.port, or --api-port)"
        ) from error
    settings = parts.settings
    feed = Feed(settings.database, parts.pool, settings.accounting, parts.calendar)
    outcomes = OutcomeReader(
        parts.pool,
        parts.admin.client,
        parts.admin.name,
        secret=settings.control.secret,
        kept=settings.control.outcomes_kept,
        calendar=parts.calendar,
    )
    work = (_reconcile(parts), feed.run(), outcomes.run())
    tasks = [asyncio.create_task(one) for one in work]
    try:
        address = runner.addresses[0]
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        yield f"http://{shown}:{address[1]}"
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await runner.cleanup()


async def run(settings: Settings) -> None:
    """`sendgate control`: serve until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with open_parts(settings) as parts:
        status = await parts.opening.open_first()
        if status.state.value != "open":
            log.error("ledger %s: %s", status.name, status.detail)
        async with serve(parts) as url:
            print(f"ready api={url}", flush=True)
            await ended.wait()


async def _reconcile(parts: Parts) -> None:
    last_use = LastUse(parts.pool, parts.admin)
    while True:
        try:
            # A name may lead elsewhere by now: every look is at whom it leads to.
            await parts.pool.expire_connections()
            await parts.admin.afresh()
            await judge(parts.pool, parts.admin, synchronous=parts.settings.database.synchronous)
            await parts.opening.attend()
            number = await parts.publisher.reconcile()
            if number is not None:
                log.warning("the ledger ran another plan: published generation %d", number)
            await parts.leaving.give_up(parts.settings.control.leaving)
            await last_use.note()
        except Exception as error:  # noqa: BLE001 - tried again, and said each time
            log.warning("cannot compare the ledger's plan with ours: %s", error)
        await asyncio.sleep(RECONCILE_EVERY)
