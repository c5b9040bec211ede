"""The HTTP side: reports for tests, PowerMTA's web command, and the switches.

GET  /healthz /report[?by=envid] /messages[?vmta=&rcpt=&offset=&limit=] /fault /clock
POST /command (form ``command``, optional ``format=json``) /fault /clock (JSON)
POST /release /reset (no body)

Errors are one line of text with status 400. Bodies are JSON unless said otherwise.
"""

import msgspec
from aiohttp import web

from loadtest.pmta.accounting import Accounting
from loadtest.pmta.clock import LARGEST_OFFSET, Clock
from loadtest.pmta.command import CommandError, Commands
from loadtest.pmta.delivery import Delivery
from loadtest.pmta.faults import Faults
from loadtest.pmta.intake import Intake
from loadtest.pmta.server import Server
from loadtest.pmta.spool import Spool


class ClockSetting(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``/clock``: seconds added to the machine's time."""

    offset_seconds: float


class Report:
    """The handlers; each reads or changes the parts it is given, and keeps nothing itself."""

    def __init__(
        self,
        intake: Intake,
        server: Server,
        spool: Spool,
        delivery: Delivery,
        commands: Commands,
        clock: Clock,
        accounting: Accounting | None,
    ) -> None:
        self._intake = intake
        self._server = server
        self._spool = spool
        self._delivery = delivery
        self._commands = commands
        self._clock = clock
        self._accounting = accounting

    def application(self) -> web.Application:
        """The aiohttp application with every route."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/report", self._report),
                web.get("/messages", self._messages),
                web.get("/fault", self._get_fault),
                web.post("/fault", self._set_fault),
                web.get("/clock", self._get_clock),
                web.post("/clock", self._set_clock),
                web.post("/command", self._command),
                web.post("/release", self._release),
                web.post("/reset", self._reset),
            ]
        )
        return app

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _report(self, request: web.Request) -> web.Response:
        counts = self._intake.counts
        by = request.query.get("by")
        if by == "envid":
            return _json({"by_envid": counts.by_envid})
        if by is not None:
            return _wrong(f"by={by}: only envid is known")
        return _json(counts.report(len(self._server.sessions), self._delivery.waiting))

    async def _messages(self, request: web.Request) -> web.Response:
        query = request.query
        try:
            offset, limit = int(query.get("offset", 0)), int(query.get("limit", 1000))
        except ValueError:
            return _wrong("offset and limit are whole numbers")
        if offset < 0 or limit < 0:
            return _wrong("offset and limit are not negative")
        return _json(
            self._spool.select(query.get("vmta", ""), query.get("rcpt", ""), offset, limit)
        )

    async def _get_fault(self, _: web.Request) -> web.Response:
        return _json(self._intake.faults)

    async def _set_fault(self, request: web.Request) -> web.Response:
        old = self._intake.faults
        try:
            new: Faults = old.changed(await request.read())
        except (ValueError, msgspec.MsgspecError) as problem:
            return _wrong(str(problem))
        self._intake.faults = new
        if new.freeze != old.freeze:
            self._server.freeze(new.freeze)
        return _json(new)

    async def _get_clock(self, _: web.Request) -> web.Response:
        return _json({"offset_seconds": self._clock.offset_seconds, "now": self._clock.now()})

    async def _set_clock(self, request: web.Request) -> web.Response:
        try:
            setting = msgspec.json.decode(await request.read(), type=ClockSetting)
        except (ValueError, msgspec.MsgspecError) as problem:
            return _wrong(str(problem))
        if abs(setting.offset_seconds) > LARGEST_OFFSET:
            return _wrong("offset_seconds: at most 50 years either way")
        if self._accounting is not None:
            # What has happened is written under the old day before the calendar moves.
            self._accounting.flush()
        self._clock.offset_seconds = setting.offset_seconds
        if self._accounting is not None:
            self._accounting.flush()
        return await self._get_clock(request)

    async def _command(self, request: web.Request) -> web.Response:
        form = await request.post()
        structured = form.get("format") == "json"
        try:
            data = self._commands.run(str(form.get("command", "")))
        except CommandError as problem:
            if structured:
                return _json({"status": "error", "data": str(problem)}, status=400)
            return _wrong(str(problem))
        if structured:
            return _json({"status": "success", "data": data})
        return web.Response(text=f"{data}\n") if isinstance(data, str) else _json(data)

    async def _release(self, _: web.Request) -> web.Response:
        return _json({"released": self._delivery.release()})

    async def _reset(self, _: web.Request) -> web.Response:
        self._intake.counts.clear()
        self._spool.clear()
        self._delivery.forget()
        return _json({"reset": True})


def _json(value: object, status: int = 200) -> web.Response:
    body = msgspec.json.encode(value)
    return web.Response(body=body, status=status, content_type="application/json")


def _wrong(problem: str) -> web.Response:
    return web.Response(text=problem + "\n", status=400)
