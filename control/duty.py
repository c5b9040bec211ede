"""What control does by the clock, for its API and its tasks: jobs, days that are over, alerts, and
the looks whether the ledger runs what it should."""

import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from control.again import again
from control.alerts import desk
from control.alerts.alert import AlertView
from control.alerts.channels import channels_of
from control.alerts.desk import AlertQuery, Alerts, Mute, MuteView
from control.alerts.sender import Delivered, Sender
from control.api.alerts import AlertsApi
from control.api.blocklists import BlocklistsApi
from control.api.consolidation import ConsolidationApi
from control.api.jobs import JobsApi
from control.api.route import Route
from control.api.warmupcontrol import WarmupControlApi
from control.blocklists.view import BlocklistViews
from control.consolidation.view import DayView, day_rows, day_view, day_views
from control.explain.look import Look
from control.explain.watching import Watch
from control.held.look import Hold
from control.jobs.run import JobView, job_views, runs
from control.ledger.failover import judge
from control.messages.loss import loss
from control.parts import Parts
from control.provider.learning import Learning
from control.provider.lookup import resolver
from control.stop.control import Control
from control.store.change import Act
from control.tenants.lastuse import LastUse
from control.timetable import blocklist_look, consolidation, timetable
from policy.ledger.learnt import LearntTable
from policy.limits import day_of

T = TypeVar("T")

log = logging.getLogger(__name__)

RECONCILE_EVERY = 5.0
"""Seconds between two looks whether the ledger runs what PostgreSQL says."""


def duty_routes(parts: Parts) -> list[Route]:
    """What the API answers of it."""
    runner, days, pool = timetable(parts), consolidation(parts), parts.pool

    async def jobs() -> list[JobView]:
        return await job_views(pool, runner.jobs, await parts.calendar())

    async def consolidate(day: int | None) -> DayView:
        now = await parts.calendar()
        done = await days.day(day_of(now) - 1 if day is None else day, now)
        return await day_view(pool, done.day)

    sender = sender_of(parts)

    async def acting(who: str, do: Callable[[Act], Awaitable[T]]) -> T:
        now = datetime.fromtimestamp(await parts.calendar() / 1000, UTC)
        async with pool.acquire() as connection, connection.transaction():
            return await do(Act(connection, now, who))

    async def alerts(wanted: AlertQuery) -> Alerts:
        return await desk.alerts(pool, await parts.calendar(), sender.names, wanted)

    async def acknowledge(who: str, number: int, reason: str) -> AlertView:
        return await acting(who, lambda act: desk.acknowledge(act, number, reason))

    async def mute(who: str, wanted: Mute) -> MuteView:
        return await acting(who, lambda act: desk.mute(act, wanted))

    async def test() -> list[Delivered]:
        return await sender.test(await parts.calendar())

    apis = (
        JobsApi(runner, jobs, partial(runs, pool)),
        AlertsApi(alerts, acknowledge, mute, test),
        BlocklistsApi(
            BlocklistViews(pool, partial(blocklist_look, parts), parts.settings.blocklists)
        ),
        ConsolidationApi(partial(day_views, pool), partial(day_rows, pool), consolidate),
        WarmupControlApi(Control(pool, parts.publisher, parts.admin, runner, parts.calendar)),
    )
    return [route for api in apis for route in api.routes()]


def duties(parts: Parts) -> list[Coroutine[Any, Any, None]]:
    """What has to run, each in a task of its own until it is cancelled."""
    return [*timetable(parts).work(), *sender_of(parts).work(), watch_of(parts).run()]


def sender_of(parts: Parts) -> Sender:
    """By the ways out that are set."""
    settings = parts.settings.alerts
    return Sender(parts.pool, channels_of(settings), settings.least, parts.done.alerted)


def watch_of(parts: Parts) -> Watch:
    """Over all parts."""
    look = Look(
        *(parts.pool, Hold(parts.pool, parts.publisher, parts.settings.hold.keys), parts.opening),
        *(parts.publisher, parts.admin, parts.settings),
        partial(loss, parts.pool, parts.settings.ledger.name),
        parts.intake.rejected.backlog,
        lambda: parts.carry_over.figures,
    )
    after = parts.settings.alerts.over_after
    return Watch(parts.pool, look, parts.publisher, parts.admin, parts.calendar, after)


def learning(parts: Parts) -> Learning:
    """What finds out whose servers take a domain's mail."""
    return Learning(
        parts.pool,
        LearntTable(parts.admin.client, parts.admin.name),
        resolver(parts.settings.providers),
        parts.settings.providers,
        parts.calendar,
    )


def reconciling(parts: Parts) -> Coroutine[Any, Any, None]:
    """The ledger runs the plan that was published last, and what is found out beside that."""
    last_use = LastUse(parts.pool, parts.admin)

    async def look() -> None:
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

    return again(look, RECONCILE_EVERY, log, "cannot compare the ledger's plan with ours")
