"""The control process, put together: database, ledger, publisher, API. Reads top to bottom.

Owns lifetimes: parts are closed in the opposite order of opening, whatever fails between.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
from aiohttp import web

from control.accounting.calendar import Calendar
from control.accounting.feed import Feed
from control.api.application import application
from control.core import Core
from control.ledger.clock import Clock, Follower
from control.ledger.failover import judge
from control.ledger.opening import Opening
from control.messages.reader import OutcomeReader
from control.plan.publish import Publisher
from control.pmta.dkim import Seal
from control.problem import RefusedError
from control.store.database import open_pool
from control.store.migrate import newest, revision
from control.tenants.lastuse import LastUse
from control.users.token import Tokens
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.ledger.ledger import RedisLedger
from settings.model import Settings
from settings.secret import masked

log = logging.getLogger(__name__)

RECONCILE_EVERY = 5.0
"""Seconds between two looks whether the ledger runs what PostgreSQL says."""


def no_database(url: str, error: Exception) -> RefusedError:
    """What to do about a PostgreSQL that does not answer; no password in it."""
    return RefusedError(
        f"PostgreSQL at {masked(url)} does not answer ({error or 'timed out'}): start it, or "
        "give its address in database.url (DATABASE_URL)",
        status=503,
    )


@asynccontextmanager
async def open_core(
    settings: Settings, *, movable_clock: bool = False, followers: list[Follower] | None = None
) -> AsyncIterator[Core]:
    """The parts, connected. Raises RefusedError and DatabaseRefusedError."""
    async with AsyncExitStack() as stack:
        try:
            at = await revision(settings.database.url)
        except (OSError, asyncpg.PostgresError) as error:
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
        yield Core(
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
            clock=Clock(admin, movable=movable_clock, followers=followers or []),
            calendar=Calendar(admin),
            seal=Seal(settings.control.secret),
            tokens=Tokens(pool),
        )


@asynccontextmanager
async def serve(core: Core) -> AsyncIterator[str]:
    """The API, listening; yields its URL. Raises RefusedError for a port that is taken."""
    host, port = core.settings.control.host, core.settings.control.port
    runner = web.AppRunner(application(core), access_log=None)
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
    settings = core.settings
    feed = Feed(settings.database, core.pool, settings.accounting, core.calendar)
    outcomes = OutcomeReader(
        core.pool,
        core.admin.client,
        core.admin.name,
        kept=settings.control.outcomes_kept,
        calendar=core.calendar,
    )
    work = (_reconcile(core), feed.run(), outcomes.run())
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
    async with open_core(settings) as core:
        status = await core.opening.open_first()
        if status.state.value != "open":
            log.error("ledger %s: %s", status.name, status.detail)
        async with serve(core) as url:
            print(f"ready api={url}", flush=True)
            await ended.wait()


async def _reconcile(core: Core) -> None:
    last_use = LastUse(core.pool, core.admin)
    while True:
        try:
            # A name may lead elsewhere by now: every look is at whom it leads to.
            await core.pool.expire_connections()
            await core.admin.afresh()
            await judge(core.pool, core.admin, synchronous=core.settings.database.synchronous)
            await core.opening.attend()
            number = await core.publisher.reconcile()
            if number is not None:
                log.warning("the ledger ran another plan: published generation %d", number)
            await last_use.note()
        except Exception as error:  # noqa: BLE001 - tried again, and said each time
            log.warning("cannot compare the ledger's plan with ours: %s", error)
        await asyncio.sleep(RECONCILE_EVERY)
