"""The control process, put together: database, ledger, publisher, API, console. Top to bottom.

Owns lifetimes: parts are closed in the opposite order of opening, whatever fails between.
"""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web

from control.accounting.status import StreamView, streams
from control.api.accounting import AccountingApi
from control.api.application import Application
from control.api.asking import Asking
from control.api.coding import Coding
from control.api.domains import DomainsApi
from control.api.explain import ExplainApi
from control.api.forgetting import ForgettingApi
from control.api.health import HealthApi
from control.api.hold import HoldApi
from control.api.holdrequests import HoldRequestsApi
from control.api.imports import ImportsApi
from control.api.ips import IpsApi
from control.api.ledger import LedgerApi
from control.api.logins import LoginsApi
from control.api.look import LookApi
from control.api.mailboxes import MailboxesApi
from control.api.mailboxprogress import MailboxProgressApi
from control.api.messages import MessagesApi
from control.api.metrics import MetricsApi
from control.api.ownlines import OwnLinesApi
from control.api.plan import PlanApi
from control.api.pmta import PmtaApi
from control.api.pools import PoolsApi
from control.api.providers import ProvidersApi
from control.api.publication import PublicationApi
from control.api.rotation import RotationApi
from control.api.route import Route
from control.api.shared import reads_of
from control.api.statistics import StatisticsApi
from control.api.suppressions import SuppressionsApi
from control.api.takeover import TakeoverApi
from control.api.tenants import TenantsApi
from control.api.traffic import TrafficApi
from control.api.warmup import WarmupApi
from control.api.webhook import PATHS, Webhook
from control.bypass.charging import Charging
from control.bypass.view import BypassView, bypass_list
from control.console.open import add_console
from control.duty import duties, duty_routes, learning, reconciling
from control.explain import look as status
from control.explain.answer import Answers
from control.held.look import Hold
from control.held.orders import Orders
from control.hosts import doors, version_routes
from control.listening import Listening
from control.messages.forgetting import forget
from control.messages.loss import loss
from control.messages.reader import OutcomeReader
from control.messages.search import search
from control.parts import Parts, open_parts
from control.people import people_routes
from control.plan.history import Plans
from control.plan.names import by_name, of_which
from control.plan.rows import servers, tenants
from control.pmta import telling
from control.pmta.server import was_there
from control.pmta.told import ToldView
from control.problem import RefusedError
from control.progress.view import Views
from control.provider.view import provider_page, provider_view
from control.published.asking import Servers
from control.published.daily import read_by_powermta
from control.statistics.question import answer as statistics_of
from control.store.change import Act
from control.store.lastused import WEBHOOK_KEY, note
from control.store.refusal import refusal
from control.store.sealed import must_open
from control.suppressions import forgetting as suppressed
from control.tenants.removal import held
from control.tenants.view import must_be_known, must_exist
from control.traffic.look import Looks
from control.users.audit import audit_page
from control.users.repeated import Repeated
from control.warmup import guard
from control.warmup.whatif import WhatIf
from policy.node import network
from settings.model import Settings
from settings.notify import READY, STOPPING, Notifier
from settings.tasks import cancel

log = logging.getLogger(__name__)


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

    async def went_around(days: int) -> list[BypassView]:
        return await bypass_list(parts.pool, await parts.calendar(), days)

    async def told() -> list[ToldView]:
        return await telling.told(parts.pool, await parts.calendar())

    async def elsewhere(act: Act, recipient: str, tenant: str | None) -> int:
        await forget(act, recipient, tenant, log=settings.log, key=parts.naming_key)
        if kept := await suppressed.forget(act, recipient, tenant):
            act.note(
                f"{kept} suppressions of it stay, without the address: it gets no mail "
                "(`sendgate suppression remove` lets it)"
            )
        return await parts.intake.forgetting.ask(act, recipient, tenant)

    orders = Orders(parts.pool, publisher, parts.naming_key, elsewhere, settings.hold.undo)
    backlog = parts.intake.rejected.backlog
    lost = partial(loss, parts.pool, settings.ledger.name)
    apis = (
        TenantsApi(publisher, view, parts.leaving, partial(held, parts.pool)),
        MailboxesApi(publisher, view, parts.admin),
        LoginsApi(publisher, view, former=settings.control.former_valid),
        DomainsApi(publisher, view, parts.seal, settings),
        PublicationApi(view, Servers(settings.dns), read_by_powermta(settings)),
        RotationApi(publisher, parts.seal, settings),
        IpsApi(publisher, view, parts.opening, parts.admin, parts.charged, settings.warmup),
        TrafficApi(Looks(parts.pool, publisher, parts.opening, parts.admin, settings), known),
        PoolsApi(publisher, view),
        WarmupApi(
            *(publisher, view, parts.warmup, settings.warmup),
            WhatIf(parts.warmup.calendar, parts.admin, settings.warmup),
            parts.seal,
        ),
        HoldApi(hold, left),
        HoldRequestsApi(orders, left),
        ExplainApi(answers),
        HealthApi(parts.opening),
        PlanApi(publisher, parts.admin, Plans(parts.pool), settings.warmup),
        LedgerApi(parts.opening, publisher, parts.clock),
        TakeoverApi(
            *(publisher, parts.seal, settings.warmup),
            signs=bool(settings.control.pmta_keys),
            rollups=settings.control.pmta_rollups,
        ),
        OwnLinesApi(parts.pool, publisher, rollups=settings.control.pmta_rollups),
        PmtaApi(
            *(publisher, partial(servers, parts.pool), parts.admin, told),
            keys=settings.control.pmta_keys,
            silent=settings.control.pmta_agent_silent,
        ),
        ImportsApi(parts.intake.imports),
        ForgettingApi(parts.intake.forgetting, left),
        AccountingApi(read_so_far, parts.intake.inbox.state, parts.intake.rejected, went_around),
        MetricsApi(parts.look, parts.called, parts.gate, parts.done, settings),
        MailboxProgressApi(Views(parts.pool, parts.admin, parts.progress), parts.called, known),
        MessagesApi(found, known),
        ProvidersApi(partial(provider_view, parts.pool), partial(provider_page, parts.pool)),
        SuppressionsApi(parts.suppressions, known),
        StatisticsApi(
            partial(statistics_of, parts.pool), left, parts.calendar, settings.statistics.rows
        ),
        LookApi(
            status.Look(
                *(parts.pool, hold, parts.opening, publisher, parts.admin, settings),
                *(lost, backlog, lambda: parts.carry_over.figures),
            ),
            partial(audit_page, parts.pool),
        ),
    )
    beside = [*people_routes(parts), *duty_routes(parts), *version_routes(parts)]
    return [*(route for api in apis for route in api.routes()), *beside]


def application(parts: Parts, *, console: bool = False) -> web.Application:
    """The API over these parts, and the console over the API, where that is wanted."""
    webhook = Webhook(
        *(parts.intake.inbox, parts.gate.tokens.holder_of, parts.settings.accounting),
        proxies=(proxies := tuple(map(network, parts.settings.control.proxy_networks))),
        clock=time.time,
        check_server=partial(was_there, parts.pool),
        note_key=partial(note, parts.pool, WEBHOOK_KEY),
    )
    agents = doors(parts, webhook)
    asked = routes(parts)
    asking = Asking(partial(by_name, parts.pool), partial(of_which, parts.pool))
    door = Application(
        asked,
        parts.gate.bearers.holder_of,
        asking,
        refusal,
        used=parts.gate.used,
        rates=parts.gate.rates,
        coding=Coding(parts.settings.control),
        repeated=Repeated(parts.pool, parts.settings.control, parts.naming_key),
        reads=reads_of(parts.pool, parts.settings.control),
        max_body=parts.settings.control.max_body,
        raw=dict.fromkeys(PATHS, webhook.post),
        agents=agents.posted,
        asked=agents.asked,
        scrapers=tuple(network(text) for text in parts.settings.control.metrics_networks),
        proxies=proxies,
        origins=parts.settings.control.allowed_origins,
    )
    built = door.build()
    built.on_shutdown.append(agents.close)
    if console:
        add_console(built, parts, asked, asking, refusal)
    return built


def runner_of(parts: Parts) -> web.AppRunner:
    """What serves it. Bodies come as they were sent: what unpacks them knows how much is too
    much."""
    return web.AppRunner(application(parts, console=True), access_log=None, auto_decompress=False)


@asynccontextmanager
async def serve(parts: Parts, listening: Listening | None = None) -> AsyncIterator[str]:
    """The API, listening; yields its URL. Raises RefusedError for a port that is taken."""
    listening = listening or Listening(parts.settings.control)
    runner = runner_of(parts)
    listening.strict(runner.app)
    await runner.setup()
    try:
        url = await listening.start(runner)
    except RefusedError:
        await runner.cleanup()
        raise
    outcomes = OutcomeReader(
        parts.pool,
        parts.admin.client,
        parts.admin.name,
        key=parts.naming_key,
        calendar=parts.calendar,
        names_most=parts.settings.statistics.names,
    )
    charging = Charging(parts.pool, parts.admin, calendar=parts.calendar)
    work = (
        reconciling(parts),
        *parts.intake.feed.work(),
        outcomes.run(),
        charging.run(),
        learning(parts).run(),
        parts.carry_over.run(),
        *duties(parts),
        guard.watch(parts.warmup),
        parts.progress.run(),
        parts.called.run(),
    )
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield url
    finally:
        await cancel(tasks)
        await runner.cleanup()


async def run(settings: Settings) -> None:
    """`sendgate control`: serve until SIGTERM or SIGINT; SIGHUP takes a new certificate."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    listening, notifier = Listening(settings.control), Notifier()

    def renew() -> None:
        notifier.reloading()
        listening.renew()
        notifier.tell(READY)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, renew)
    async with notifier.watched(), open_parts(settings) as parts:
        await must_open(parts.pool, settings.control)
        status = await parts.opening.open_first()
        if status.state.value != "open":
            log.error("ledger %s: %s", status.name, status.detail)
        async with serve(parts, listening) as url:
            print(f"ready api={url}", flush=True)
            notifier.tell(READY, f"STATUS=serving {url}")
            await ended.wait()
            notifier.tell(STOPPING)
