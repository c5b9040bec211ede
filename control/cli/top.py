"""`sendgate top`: what goes through each IP now, as long as somebody looks.

Rule: one question a turn, and one more for alerts every few turns. While control is away what was
seen last stays, with why nothing newer comes; it is asked again after twice the time each time. A
token that is not taken, or a question that is refused, ends it: asking again would change nothing.
"""

import time
from typing import Annotated, Any

import msgspec
import typer

from control.alerts.desk import Alerts
from control.cli.topkeys import Shown, pressed
from control.cli.topscreen import Screen, usable
from control.cli.topview import Picture, body, head, lines
from control.problem import RefusedError
from control.terminal.client import Client
from control.terminal.options import Body, filters
from control.terminal.show import console, line_of
from control.terminal.waiting import pause
from control.traffic.traffic import SHOWN, Traffic, TrafficQuery
from control.values.query import MOST

_PATH = "/api/v2/traffic"
_ALERTS = "/api/v2/alerts"
TIMEOUT = 5.0
"""Seconds of one question; a key waits for it meanwhile."""
ALERTS_EVERY = 5.0
"""Seconds."""
LONGEST = 30.0
"""Seconds between two tries while control is away."""
FINAL = (400, 401, 403, 404, 422)
"""What is not answered otherwise a second later."""
PLAIN = 200
"""Lines of a picture that goes into a file or a pipe."""


class Asker:
    """Asks control, and knows when to ask next."""

    def __init__(self, client: Client, every: float) -> None:
        self._client = client
        self._every = every
        self._failed = 0
        self._asked_alerts = float("-inf")
        self._for_all = True
        """Whether the token may see alerts: those are of all tenants."""
        self.picture = Picture()
        self.wait = every
        """Seconds until the next question."""

    def ask(self, shown: Shown, limit: int) -> Picture:
        """A picture of now, or the last one with why there is none. Raises RefusedError for what
        stays refused."""
        query = {
            "sort": shown.sort,
            "tenant": shown.tenant or None,
            "state": shown.state or None,
            "containing": shown.containing or None,
            "limit": min(max(1, limit), MOST),
        }
        try:
            traffic = self._client.get(_PATH, Traffic, **query)
            alerts = self._alerts()
        except RefusedError as error:
            if error.status in FINAL:
                raise
            self._failed += 1
            least = float(error.after) if error.after else 0.0
            self.wait = max(min(self._every * 2**self._failed, LONGEST), self._every, least)
            why = f"asked again in {self.wait:.0f} s: {error.line()}"
            self.picture = msgspec.structs.replace(self.picture, away=why)
        else:
            self._failed, self.wait = 0, self._every
            self.picture = Picture(traffic=traffic, alerts=alerts)
        return self.picture

    def _alerts(self) -> Any:
        now = time.monotonic()
        if not self._for_all:
            return None
        if now - self._asked_alerts < ALERTS_EVERY:
            return self.picture.alerts
        try:
            found = self._client.get(_ALERTS, Alerts, limit=20).alerts
        except RefusedError as error:
            if error.status != 403:
                raise
            self._for_all = False
            return None
        self._asked_alerts = now
        return found


@filters(TrafficQuery)
def top(
    context: typer.Context,
    query: Body,
    every: Annotated[
        float, typer.Option("--every", min=0.5, max=3600, help="Seconds between two looks.")
    ] = 1.0,
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="End after so many looks.")
    ] = None,
) -> None:
    """What goes through each IP now: mail in, out and held, what today still allows, what binds,
    alerts. On a terminal it goes on until q or Ctrl-C, ? shows its keys; in a file or a pipe it is
    one picture; with --json a line of JSON for each look, without an end unless --count says so.
    What it shows at first is set by the options."""
    line = line_of(context)
    shown = Shown(
        sort=query.get("sort", "-used"),
        containing=query.get("containing", ""),
        tenant=query.get("tenant", ""),
        state=query.get("state", ""),
        limit=query.get("limit"),
    )
    asker = Asker(Client(line, timeout=TIMEOUT, waits=0), every)
    if line.json:
        _json(asker, shown, count)
    elif usable():
        _live(asker, shown, count)
    else:
        _plain(asker, shown, count or 1)


def _live(asker: Asker, shown: Shown, count: int | None) -> None:
    left = count
    with Screen() as screen:
        due, picture = 0.0, asker.picture
        while True:
            width, height = screen.size
            if time.monotonic() >= due:
                if left == 0:
                    return
                if picture.traffic is None:
                    screen.show(lines(picture, shown, width, height))
                picture = asker.ask(shown, min(shown.limit or MOST, shown.offset + height))
                due = time.monotonic() + asker.wait
                left = None if left is None else left - 1
            screen.show(lines(picture, shown, width, height))
            for key in screen.wait(due - time.monotonic()):
                after = pressed(shown, key, max(1, height - 10))
                if after is None:
                    return
                asked = ("sort", "containing", "state", "offset")
                if any(getattr(after, name) != getattr(shown, name) for name in asked):
                    due = 0.0
                shown = after


def _json(asker: Asker, shown: Shown, count: int | None) -> None:
    while True:
        picture = asker.ask(shown, shown.limit or SHOWN)
        if picture.away:
            # What was before was said before.
            picture = Picture(away=picture.away)
        print(msgspec.json.encode(picture).decode(), flush=True)
        count = None if count is None else count - 1
        if count == 0:
            break
        pause(asker.wait)
    if picture.away:
        raise typer.Exit(1)


def _plain(asker: Asker, shown: Shown, count: int) -> None:
    out = console()
    for left in range(count, 0, -1):
        picture = asker.ask(shown, shown.limit or SHOWN)
        for one in (
            *head(picture, shown, out.width),
            *body(picture, shown, out.width, PLAIN if picture.traffic else 0),
        ):
            out.print(one, soft_wrap=True)
        if left > 1:
            pause(asker.wait)
    if picture.away:
        raise typer.Exit(1)
