"""The composition root: builds the parts of one stand-in, owns their lifetimes."""

import ssl
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from aiohttp import web

from loadtest.pmta.accounting import Accounting
from loadtest.pmta.clock import Clock
from loadtest.pmta.command import Commands, routing_from
from loadtest.pmta.counts import Counts
from loadtest.pmta.delivery import Delivery
from loadtest.pmta.dialogue import Offer
from loadtest.pmta.intake import Intake
from loadtest.pmta.options import Address, Options
from loadtest.pmta.report import Report
from loadtest.pmta.server import Server
from loadtest.pmta.spool import Spool


class Standin:
    """One stand-in, running between entering and leaving it as an async context manager.

    Entering raises ConfigError for a bad configuration and OSError for a port, directory or
    certificate that cannot be used; nothing stays open then.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._stack = AsyncExitStack()
        self.smtp: list[Address] = []
        """Addresses bound, in the order of `Options.listen`."""
        self.http = Address("", 0)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        options = self._options
        clock, counts, spool = Clock(), Counts(), Spool(options.store)
        routing = routing_from(options.config, options.source)
        accounting = None
        if options.accounting is not None:
            block = routing.config.acct
            if options.accounting_max_size:
                block = block._replace(max_size=options.accounting_max_size)
            accounting = Accounting(options.accounting, clock, block)
            stack.callback(accounting.close)
        delivery = Delivery(routing, accounting, clock, counts, options.retry_after)
        stack.callback(delivery.forget)
        intake = Intake(routing, clock, counts, spool, delivery)
        tls = _context(options)
        offer = Offer(login=options.login, tls=tls is not None, max_size=options.max_size)
        server = Server(intake, offer, tls, options.max_sessions)
        stack.push_async_callback(server.close)
        for host, port in options.listen:
            self.smtp.append(Address(*await server.listen(host, port)))
        commands = Commands(options.config, options.source, intake, delivery, accounting)
        report = Report(intake, server, spool, delivery, commands, clock, accounting)
        runner = web.AppRunner(report.application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, *options.http).start()
        self.http = Address(*runner.addresses[0][:2])


def _context(options: Options) -> ssl.SSLContext | None:
    if options.tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*options.tls)
    return context
