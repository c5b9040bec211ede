"""`sendgate secret …`: which secrets seal and sign what, and sealing anew; straight at the
database, on the host that has the secrets."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from control.cli.onhost import run_in_steps
from control.problem import RefusedError
from control.store.change import Act
from control.store.database import Connection
from control.store.keyring import Keyring
from control.store.lastused import WEBHOOK_KEY, fingerprint, held_with, last_used
from control.store.sealed import Sealing, again, counted
from control.terminal.configuration import Config, configuration
from control.terminal.parts import All, Limit, first, one_of_both
from control.terminal.show import as_json, line_of, say, table
from settings.model import Settings

app = typer.Typer(no_args_is_help=True, help="Secrets: what still needs a former one.")


class SecretView(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a setting, never the value."""

    setting: str
    number: int
    """0: in force; from 1: former ones, in their order."""
    fingerprint: str
    """Of hold.keys the ID."""
    things: int | None
    """What it seals; null: it seals nothing, others sign with it."""
    used: str | None
    """When it was used last, of one that others sign with."""
    until: str | None = None
    """From when on it is refused, of a former one with an end."""


@app.command("list")
def list_(
    context: typer.Context, limit: Limit = None, every: All = False, config: Config = None
) -> None:
    """Those that may have former values beside them: what each seals, when it was used."""
    one_of_both(limit, every)
    settings = configuration(line_of(context), config)

    async def do(connection: Connection) -> tuple[list[SecretView], list[str]]:
        return await _views(connection, settings)

    found, lost = run_in_steps(settings, do)
    found = first(found, limit)
    if line_of(context).json:
        as_json({"secrets": found, "unopened": lost})
        return
    table(
        ("setting", "value", "fingerprint", "seals", "last used", "until"),
        (
            (
                *(one.setting, "in force" if one.number == 0 else f"former {one.number}"),
                *(one.fingerprint, "" if one.things is None else one.things, one.used or ""),
                one.until or "",
            )
            for one in found
        ),
    )
    for what in lost:
        say(f"opened by none: {what}")


async def _views(connection: Connection, settings: Settings) -> tuple[list[SecretView], list[str]]:
    control, accounting = settings.control, settings.accounting
    found: list[SecretView] = []
    secrets = (control.secret, *control.secrets_before) if control.secret else ()
    sealing = await counted(connection, Keyring(control.secret, control.secrets_before))
    for number, (secret, things) in enumerate(
        zip(secrets, (sealing.newest, *sealing.before), strict=True)
    ):
        found.append(
            SecretView(
                setting="control.secret" if number == 0 else "control.secrets_before",
                number=number,
                fingerprint=fingerprint(secret),
                things=things,
                used=None,
            )
        )
    used = await last_used(connection, WEBHOOK_KEY)
    keys = (accounting.webhook_key, *accounting.webhook_keys_before)
    for number, key in enumerate(keys if accounting.webhook_key else ()):
        when = used.get(fingerprint(key))
        found.append(
            SecretView(
                setting=WEBHOOK_KEY if number == 0 else "accounting.webhook_keys_before",
                number=number,
                fingerprint=fingerprint(key),
                things=None,
                used="never" if when is None else when.isoformat(timespec="seconds"),
                until=(number and accounting.webhook_former_until) or None,
            )
        )
    held = await held_with(connection)
    for number, text in enumerate(settings.hold.keys):
        name = text.partition(":")[0]
        found.append(
            SecretView(
                setting="hold.keys",
                number=number,
                fingerprint=name,
                things=held.pop(name, 0),
                used=None,
            )
        )
    lost = [f"{count} held messages: hold.keys lacks key {name}" for name, count in held.items()]
    return found, [*sealing.unopened, *lost]


@app.command()
def reseal(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and change nothing.")] = False,
    config: Config = None,
) -> None:
    """Seal with control.secret what one of control.secrets_before sealed; begun anew it goes on."""
    line = line_of(context)
    settings = configuration(line, config)
    control = settings.control
    if not control.secret:
        raise RefusedError("control.secret is not set: there is nothing to seal with", status=400)
    ring = Keyring(control.secret, control.secrets_before)

    def told(done: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} sealed anew", end="", file=sys.stderr, flush=True)

    async def do(connection: Connection) -> tuple[int, Sealing]:
        if dry_run:
            found = await counted(connection, ring)
            return found.stale, found
        done = await again(connection, ring, told)
        if done:
            act = Act(connection, datetime.now(UTC), "command line")
            await act.audit("secret.reseal", "control.secret", None, {"sealed_anew": done})
        return done, await counted(connection, ring)

    done, now = run_in_steps(settings, do)
    if line.json:
        as_json({"resealed": done, "dry_run": dry_run, "now": now})
    else:
        _say(done, now, dry_run)
    if now.unopened:
        raise typer.Exit(1)


def _say(done: int, now: Sealing, dry: bool) -> None:
    say(f"{done} {'would be ' if dry else ''}sealed anew with control.secret")
    for number, things in enumerate(now.before, start=1):
        if things:
            say(f"former secret {number} still opens {things}: keep it")
        else:
            say(f"former secret {number} opens nothing any more: it may go")
    for what in now.unopened:
        say(f"opened by none: {what}")
