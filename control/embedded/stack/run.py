"""`sendgate up`: the stack until SIGTERM or SIGINT."""

import asyncio
import contextlib
import shlex
import signal
from collections.abc import Coroutine
from typing import Any

import msgspec

from control.embedded.servers.datadir import DEFAULT
from control.embedded.stack.child import warn
from control.embedded.stack.options import Options
from control.embedded.stack.stack import Running, stack
from control.ledger.status import LedgerState
from control.store.refusal import UNREACHABLE


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
            print("\n".join(about(running, options)), flush=True)
        await asyncio.Event().wait()
    return 0


def about(running: Running, options: Options) -> list[str]:
    """Where everything is, and what to type next."""
    where = running.addresses
    root = options.data_dir.absolute()
    command = "sendgate"
    if root != DEFAULT.absolute():
        command += f" --data-dir {shlex.quote(str(options.data_dir))}"
    kind = "its stand-in" if running.standin else "yours"
    found = [
        f"  SMTP      {where.smtp}",
        f"  API       {where.api}, token in {where.token_file}",
        f"  console   {where.api}/ in a browser, for users",
        f"  PowerMTA  {where.pmta} ({kind})",
        f"  data      {root}",
        f"  log       {root / 'log'} and here",
        f"next: {command} status",
        f"      {command} user add NAME --role admin   # then `user accept`: who signs in there",
    ]
    if running.standin and options.demo_tenants:
        return [*found, f"      {command} tenant list", f"      {command} quota"]
    return [
        *found,
        f"      {command} tenant add NAME --login L --password-stdin",
        f"      {command} domain add --tenant NAME --domain D --ip IP",
    ]


async def _mail_can_be_sent(running: Running) -> None:
    """Wait; a closed ledger is said once, for an operator may open it sooner."""
    said = False
    while not await running.can_send():
        # PostgreSQL away is said, and mended, by whoever keeps it running.
        with contextlib.suppress(*UNREACHABLE):
            status = await running.core.opening.status()
            if status.state is LedgerState.REBUILDING and not said:
                said = True
                warn(f"not ready: ledger {status.name} is rebuilding: {status.detail}")
        await asyncio.sleep(0.1)
    with contextlib.suppress(*UNREACHABLE):
        status = await running.core.opening.status()
        if status.closed:
            warn(f"ledger {status.name} is {status.detail}")
