"""`sendgate alert …`: what somebody should know of."""

from typing import Annotated

import typer

from control.alerts.alert import AlertView
from control.alerts.desk import AlertQuery, Alerts, Mute, MuteView
from control.alerts.sender import Delivered
from control.terminal.client import Client
from control.terminal.options import Body, filters, options
from control.terminal.parts import All, part_of, say_more
from control.terminal.show import as_json, line_of, say, table
from policy.number import count

app = typer.Typer(no_args_is_help=True, help="What is wrong, since when, and who is told.")

PATH = "/api/v2/alerts"
NOBODY = "nobody is told: set [alerts] (TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID, webhook, mail)"


@app.command("list")
@filters(AlertQuery)
def list_(context: typer.Context, query: Body, every: All = False) -> None:
    """What is wrong now, the latest first."""
    line = line_of(context)
    client = Client(line)
    found = part_of(client, PATH, Alerts, query, every=every, rows="alerts")
    if line.json:
        as_json(found)
        return
    if found.alerts:
        table(
            ("id", "severity", "key", "what", "since", "seen", "told", "acknowledged", "over"),
            (
                (
                    *(a.id, a.severity, a.key, a.what, a.first_seen, _seen(a)),
                    a.told if found.channels else None,
                    *(f"{a.acknowledged} {a.acknowledged_by}" if a.acknowledged else None,),
                    a.recovered or (f"gone since {a.absent}" if a.absent else None),
                )
                for a in found.alerts
            ),
        )
    else:
        say("no alert")
    for alert in found.alerts:
        if not alert.recovered and not alert.absent:
            say(f"{alert.key}: next: {alert.next}")
        if alert.trouble:
            say(f"{alert.key}: not told: {alert.trouble} ({alert.waiting} still tried)")
    for one in found.mutes:
        say(f"muted until {one.until}: {one.key} ({one.who}) {one.reason}".rstrip())
    say_more(client)
    if not found.channels:
        say(NOBODY)


def _seen(alert: AlertView) -> str:
    back = f", back {count(alert.returned, 'time')}" if alert.returned else ""
    return f"{alert.count}{back}"


@app.command()
def ack(
    context: typer.Context,
    alert: Annotated[int, typer.Argument(min=1, help="Its id.")],
    reason: Annotated[str, typer.Option(help="For the audit log.")] = "",
) -> None:
    """It is known: nothing more is told of it but its end."""
    line = line_of(context)
    path = f"{PATH}/{alert}/ack"
    done = Client(line).send("POST", path, None, AlertView, reason=reason or None)
    as_json(done) if line.json else say(f"alert {done.id} ({done.key}): acknowledged")


@app.command()
@options(Mute, but=("key",), named={"seconds": "--for"})
def mute(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="As `alert list` shows it.")],
    body: Body,
) -> None:
    """Tell nothing of a key for a while (4h); `--for 0s` ends that."""
    line = line_of(context)
    whole = {**body, "key": key}
    done = Client(line).send("POST", f"{PATH}/mute", whole, MuteView)
    if line.json:
        as_json(done)
        return
    say(f"{done.key}: muted until {done.until}")
    if done.note:
        say(f"note: {done.note}")


@app.command()
def test(context: typer.Context) -> None:
    """Send a test by every way that is set. Exit code 1 where one fails, or none is set."""
    line = line_of(context)
    found = Client(line).send("POST", f"{PATH}/test", None, list[Delivered])
    if line.json:
        as_json(found)
    elif not found:
        say(NOBODY)
    for one in found if not line.json else []:
        say(f"{one.channel}: {'delivered' if one.delivered else one.error}")
    if not found or not all(one.delivered for one in found):
        raise typer.Exit(1)
