"""When the gateway has started, and when it ends, as systemd is told.

Rule: started is serving with a plan, or without one after a while: a ledger that is away at the
start is no reason for systemd to end a gateway that waits for it, or to hold up other units.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from settings.notify import READY, STOPPING, Notifier

PATIENCE = 10.0
"""Seconds. A gateway listens after five without a ledger, and refuses logins until there is one."""
_EVERY = 0.02


class Serves(Protocol):
    """The supervisor, as seen from here."""

    stop: asyncio.Event
    on_reload: Callable[[asyncio.Task[None]], object]

    @property
    def ready(self) -> bool: ...

    @property
    def addresses(self) -> list[str]: ...


@asynccontextmanager
async def telling(gateway: Serves, notifier: Notifier) -> AsyncIterator[None]:
    """While it runs."""
    if not notifier.heard:
        yield
        return

    def reloading(task: asyncio.Task[None]) -> None:
        notifier.reloading()
        # Whatever comes of it, the gateway serves.
        task.add_done_callback(lambda _: notifier.tell(READY))

    gateway.on_reload = reloading
    task = asyncio.get_running_loop().create_task(_tell(gateway, notifier))
    try:
        yield
    finally:
        task.cancel()
        if not gateway.stop.is_set():
            # It ends by itself, with an error.
            notifier.tell(STOPPING)


async def _tell(gateway: Serves, notifier: Notifier) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not gateway.ready and not gateway.stop.is_set():
        if gateway.addresses and loop.time() - began > PATIENCE:
            notifier.tell(READY, "STATUS=waiting for the plan: no ledger, or no control")
            break
        await asyncio.sleep(_EVERY)
    while not gateway.ready and not gateway.stop.is_set():
        await asyncio.sleep(_EVERY)
    if gateway.ready:
        notifier.tell(READY, f"STATUS=serving {', '.join(gateway.addresses)}")
    await gateway.stop.wait()
    notifier.tell(STOPPING, "STATUS=draining")
