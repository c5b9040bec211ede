"""The console, put together over the parts of a control process."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from aiohttp import web
from yarl import URL

from control.api.asking import Asking, Within
from control.api.refused import Refusal
from control.api.route import Route
from control.console.account import Account
from control.console.console import Console
from control.console.live import Live
from control.console.sampler import Sampler
from control.console.views import now
from control.console.views.account import Own
from control.console.views.pages import PAGES
from control.console.visit import Visit
from control.parts import Parts
from policy.node import network

EVERY = 1.0
"""Seconds between two looks for who watches."""


def add_console(
    app: web.Application, parts: Parts, routes: Iterable[Route], asking: Asking, refusal: Refusal
) -> Console:
    """Its pages beside the API's paths."""
    settings, gate = parts.settings, parts.gate
    within = Within(routes, asking)
    looks = now.Now(within)
    sampler = Sampler(looks.take, every=EVERY, most=settings.control.console_viewers)

    async def seen(visit: Visit) -> Mapping[str, Any]:
        return now.shown(visit, await sampler.now())

    first = now.page(seen)
    console = Console(
        [first, *PAGES, Own(gate.browsers, gate.credentials).page()],
        *(within, gate.browsers, gate.rates, refusal),
        proxies=tuple(map(network, settings.control.proxy_networks)),
        url=settings.people.url,
    )
    console.mount(app)
    session = settings.people.console_session
    Account(console, gate.browsers, gate.credentials, session).mount(app)
    live = Live(console, sampler)
    live.mount(app, now.STREAM, first, partial(_part, console))
    app.on_shutdown.append(live.close)
    app.on_cleanup.append(console.close)
    return console


def _part(console: Console, visit: Visit, sample: now.Sample) -> str:
    """What a reload would show: its links lead to the page, not to the stream."""
    here = URL(visit.path).with_path(now.PATH, keep_query=True)
    visit = replace(visit, path=str(here))
    return console.screen.part("now_part.html", {"visit": visit, **now.shown(visit, sample)})
