"""`sendgate hold pause|resume|release|drop|undo|settle`, `sendgate forget`: ask, then watch it
done."""

import math
import time
from typing import Annotated, Any

import msgspec
import typer

from control.cli import forgotten
from control.cli.hold import app
from control.cli.removal import Dry
from control.held.filter import HoldFilter
from control.held.requestview import SETTLED, HoldAnswer, HoldRequest
from control.problem import RefusedError
from control.terminal.client import Client
from control.terminal.options import Body, filters
from control.terminal.options import of as options_of
from control.terminal.show import as_json, line_of, say
from control.terminal.usage import finite, misused, readable
from policy.number import agree, count
from settings.hold import LONGEST_UNDO

LOOK = 5
"""Seconds one question for news stays open."""

Force = Annotated[bool, typer.Option("--force", hidden=True, help="Refused: see `hold settle`.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Ask, and return at once.")]
Undo = Annotated[
    int | None,
    typer.Option(min=0, max=LONGEST_UNDO, help="Seconds for which it can be undone; hold.undo."),
]
Timeout = Annotated[float, typer.Option(min=0, help="Longest wait, in seconds.")]
WAIT = 600.0

_DONE = {
    "pause": "paused",
    "resume": "resumed",
    "release": "released",
    "drop": "dropped",
    "settle": "settled",
    "forget": "forgotten",
}


@app.command()
@filters(HoldFilter)
def pause(
    context: typer.Context,
    named: Body,
    dry_run: Dry = False,
    no_wait: NoWait = False,
    timeout: Timeout = WAIT,
) -> None:
    """Stop waiting mail; of a campaign (with --tenant) new mail is held, too."""
    body = _body("pause", named)
    _order(context, body, dry_run, no_wait, timeout)


@app.command()
@filters(HoldFilter)
def resume(
    context: typer.Context,
    named: Body,
    dry_run: Dry = False,
    no_wait: NoWait = False,
    timeout: Timeout = WAIT,
) -> None:
    """Let paused mail go on, as its limits allow."""
    body = _body("resume", named)
    _order(context, body, dry_run, no_wait, timeout)


@app.command()
@filters(HoldFilter)
def release(
    context: typer.Context,
    named: Body,
    undo: Undo = None,
    force: Force = False,
    dry_run: Dry = False,
    no_wait: NoWait = False,
    timeout: Timeout = WAIT,
) -> None:
    """Try again now what waits by itself; no quota is passed by it. For a while `hold undo` stops
    what has not gone."""
    body = _body("release", named) | _given(undo)
    _order(context, body | {"force": force}, dry_run, no_wait, timeout)


@app.command()
@filters(HoldFilter)
def drop(
    context: typer.Context,
    named: Body,
    yes: Annotated[bool, typer.Option("--yes", help="They are gone for good.")] = False,
    undo: Undo = None,
    force: Force = False,
    dry_run: Dry = False,
    no_wait: NoWait = False,
    timeout: Timeout = WAIT,
) -> None:
    """Remove waiting mail: it is not sent, and its sender is not told. It stops at once and is gone
    after a while; until then `hold undo` puts it back as it was."""
    body = _body("drop", named) | _given(undo) | {"force": force}
    if not yes and not dry_run:
        found = _send(context, "/api/v2/hold/requests", body, True)
        raise RefusedError(f"{count(found.matching, 'message')} would be gone for good: say --yes")
    _order(context, body | {"confirm": yes}, dry_run, no_wait, timeout)


@app.command()
def undo(
    context: typer.Context,
    request: Annotated[int, typer.Argument(min=1, help="Its number: `hold requests`.")],
    no_wait: NoWait = False,
    timeout: Timeout = WAIT,
) -> None:
    """Undo a drop or a release while that goes: what has not gone waits as it did."""
    finite("--timeout", timeout)
    line = line_of(context)
    client = Client(line)
    found = client.send("POST", f"/api/v2/hold/requests/{request}/undo", None, HoldRequest)
    if not no_wait:
        found = _watched(client, found, timeout, quiet=line.json)
    if line.json:
        as_json(found)
    elif found.state == "undone":
        say(f"request {found.id}, {found.action}: {_put_back(found)}")
    else:
        say(f"request {found.id}, {found.action}, is being undone")


@app.command()
@filters(HoldFilter)
def settle(
    context: typer.Context,
    named: Body,
    delivered: Annotated[
        bool, typer.Option("--delivered", help="PowerMTA has it: it ends, and so do its copies.")
    ] = False,
    absent: Annotated[
        bool, typer.Option("--absent", help="PowerMTA never got it: it goes again.")
    ] = False,
    dry_run: Dry = False,
    no_wait: NoWait = False,
    timeout: Timeout = WAIT,
) -> None:
    """End doubt by your word, where accounting does not: what PowerMTA has, delivered, would come
    twice as absent; what it has not, absent, is lost as delivered. A charge stays."""
    if delivered == absent:
        raise misused("hold settle: say what became of it, --delivered or --absent")
    body = _body("settle", named)
    outcome = "delivered" if delivered else "absent"
    _order(context, body | {"outcome": outcome}, dry_run, no_wait, timeout)


def forget(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="Of a recipient, in any language.")],
    tenant: Annotated[str | None, typer.Option(help="Of this tenant only; else of all.")] = None,
    dry_run: Dry = False,
    no_wait: NoWait = False,
    timeout: Timeout = WAIT,
) -> None:
    """Forget a recipient: its waiting mail is removed, also mail in doubt, and the address is
    taken out of the history of the hold and of what is kept of accounting. What PowerMTA has, logs
    and MailWizz are not touched."""
    readable("ADDRESS", address)
    readable("--tenant", tenant)
    body = {"recipient": address, "tenant": tenant}
    _follow(context, "/api/v2/hold/forget", body, dry_run, no_wait, timeout)


def _body(action: str, named: Body) -> dict[str, Any]:
    if not named:
        options = [option.name for option in options_of(HoldFilter).values()]
        raise misused(
            f"hold {action}: name what is meant with {', '.join(options[:-1])} or {options[-1]}"
        )
    return {"action": action, **named}


def _given(undo: int | None) -> dict[str, Any]:
    return {} if undo is None else {"undo": undo}


def _put_back(request: HoldRequest) -> str:
    """What of it could be undone."""
    many = count(request.undone, "message")
    gone = request.changed - request.undone
    return f"{many} put back" + (f"; {gone:,} went, or ended otherwise, before" if gone > 0 else "")


def _order(
    context: typer.Context, body: dict[str, Any], dry_run: bool, no_wait: bool, timeout: float
) -> None:
    _follow(context, "/api/v2/hold/requests", body, dry_run, no_wait, timeout)


def _send(context: typer.Context, path: str, body: dict[str, Any], dry: bool) -> HoldAnswer:
    return Client(line_of(context)).send("POST", path, body, HoldAnswer, dry_run=dry)


def _follow(
    context: typer.Context,
    path: str,
    body: dict[str, Any],
    dry_run: bool,
    no_wait: bool,
    timeout: float,
) -> None:
    finite("--timeout", timeout)
    line = line_of(context)
    answer = _send(context, path, body, dry_run)
    request = answer.request
    if not line.json:
        _said(answer)
    if not dry_run and not no_wait:
        ends = time.monotonic() + timeout
        request = _watched(Client(line), request, timeout, quiet=line.json)
        answer = msgspec.structs.replace(answer, request=request)
        if answer.accounting:
            left = max(0.0, ends - time.monotonic())
            forgotten.watched(Client(line), answer.accounting, left, quiet=line.json)
    if line.json:
        as_json(answer)
    elif request.state in ("done", "open"):
        say(f"{count(request.changed, 'message')} {_DONE[request.action]}")
        if request.until:
            say(f"until {request.until} `sendgate hold undo {request.id}` puts back what is here")
    elif request.state == "undone":
        say(f"undone meanwhile: {_put_back(request)}")
    if _nothing(answer):
        raise RefusedError(f"nothing matches: no message was {_DONE[request.action]}", status=404)


def _nothing(answer: HoldAnswer) -> bool:
    """Whether an order met nothing, now and until it ended. To forget somebody, and to pause or
    resume a campaign, is something where nothing waits; so is what a note explains."""
    request = answer.request
    campaign = request.action in ("pause", "resume") and request.campaign and request.tenant
    return not (
        answer.matching or request.changed or campaign or answer.notes or request.action == "forget"
    )


def _said(answer: HoldAnswer) -> None:
    request = answer.request
    if answer.dry_run:
        say(f"{request.action}: {count(answer.matching, 'message')} (dry run, nothing was changed)")
    else:
        say(
            f"{request.action}: request {request.id}, {count(answer.matching, 'message')} "
            f"{agree(answer.matching, 'matches', 'match')} now"
        )
    if answer.late:
        say(f"not yet run by: {', '.join(answer.late)}")
    for text in answer.notes:
        say(f"note: {text}")


def _watched(client: Client, request: HoldRequest, timeout: float, *, quiet: bool) -> HoldRequest:
    """The request when it is over. Raises RefusedError when it failed, or takes longer."""
    ends = time.monotonic() + timeout
    while request.state not in SETTLED:
        left = ends - time.monotonic()
        if left <= 0:
            raise RefusedError(
                f"request {request.id} is {request.state} after {timeout:g} s, {request.changed} "
                "messages changed so far; it goes on by itself while a releaser runs "
                "(`sendgate hold requests`)"
            )
        seen = request.changed
        request = client.get(
            f"/api/v2/hold/requests/{request.id}",
            HoldRequest,
            wait=str(min(LOOK, math.ceil(left))),
            seen=str(seen),
        )
        if not quiet and request.changed != seen:
            say(f"{request.changed} so far")
    if request.state == "failed":
        raise RefusedError(
            f"request {request.id} failed after {count(request.changed, 'message')}: "
            f"{request.error}"
        )
    return request
