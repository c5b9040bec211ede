"""`sendgate up`: the stack until SIGTERM or SIGINT."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any

import asyncpg
import msgspec

from control.embedded.stack.child import warn
from control.embedded.stack.options import Options
from control.embedded.stack.stack import Running, stack
from control.ledger.status import LedgerState


async def until_told(work: Coroutine[Any, Any, int], told: int) -> int:
    """Run `work`; SIGTERM or SIGINT ends it cleanly, and then the exit code is `told`."""
    task = asyncio.ensure_future(work)
    asked = False

    def end() -> None:
        nonlocal asked
        # Once: a second signal must not cut the drain short and leave children behind.
        if not asked:
            asked = True
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end)
    try:
        return await task
    except asyncio.CancelledError:
        if not asked:
            raise
        return told


async def up(options: Options) -> int:
    """Serve for ever; prints one line beginning `ready` when mail can be sent."""
    async with stack(options) as running:
        where = running.addresses
        await _mail_can_be_sent(running)
        if options.json:
            public = {"smtp": where.smtp, "api": where.api, "pmta": where.pmta}
            print(msgspec.json.encode({"ready": True, **public}).decode(), flush=True)
        else:
            print(f"ready smtp={where.smtp} api={where.api} pmta={where.pmta}", flush=True)
        await asyncio.Event().wait()
    return 0


async def _mail_can_be_sent(running: Running) -> None:
    """Wait; a closed ledger is said once, for an operator may open it sooner."""
    said = False
    while not await running.can_send():
        # PostgreSQL away is said, and mended, by whoever keeps it running.
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            status = await running.core.opening.status()
            if status.state is LedgerState.REBUILDING and not said:
                said = True
                warn(f"not ready: ledger {status.name} is rebuilding: {status.detail}")
        await asyncio.sleep(0.1)
    with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        status = await running.core.opening.status()
        if status.closed:
            warn(f"ledger {status.name} is {status.detail}")
