"""`sendgate explain`: why a message would go where it goes, what became of one, and what a
provider's reply means."""

import difflib
from typing import Annotated

import typer

from control.explain.explanation import Explanation
from control.explain.fate import Fate
from control.explain.reply import reply_explained
from control.terminal.client import Client
from control.terminal.invocation import Invocation
from control.terminal.show import as_json, line_of, say, table
from control.terminal.usage import misused, readable
from policy.provider import OTHER, PROVIDERS

app = typer.Typer(no_args_is_help=False, help="Why mail goes where it goes, or does not.")


@app.callback(invoke_without_command=True)
def explain(
    context: typer.Context,
    tenant: Annotated[str | None, typer.Option()] = None,
    sender: Annotated[str | None, typer.Option("--from", help="Address in From:.")] = None,
    to: Annotated[str | None, typer.Option(help="Recipient.")] = None,
    size: Annotated[int | None, typer.Option(help="Octets.")] = None,
    message: Annotated[
        str | None, typer.Option(help="Message id or envelope id: what became of it.")
    ] = None,
) -> None:
    """Why would a message go where it goes, or why did it? Charges nothing; exit 1 where nobody
    knows the message."""
    if context.invoked_subcommand is not None:
        if any(given is not None for given in (tenant, sender, to, size, message)):
            raise misused(f"explain {context.invoked_subcommand}: its options stand after it")
        return
    line = line_of(context)
    if message is not None:
        if sender is not None or to is not None or size is not None:
            raise misused("explain: --message stands alone, or with --tenant")
        readable("--message", message)
        _fate(line, message, tenant)
        return
    if tenant is None or sender is None or to is None:
        raise misused("explain: give --tenant, --from and --to, or --message")
    _would(line, {"tenant": tenant, "from": sender, "to": to, "size": size})


@app.command("reply")
def reply(
    context: typer.Context,
    text: Annotated[
        str, typer.Argument(help="What the provider said, as dsnDiag has it: 'smtp;550 5.7.1 …'.")
    ],
    provider: Annotated[
        str, typer.Option(help="Who said it: gmail, microsoft, … (providers.toml).")
    ] = OTHER,
    status: Annotated[str, typer.Option(help="dsnStatus, where TEXT has none.")] = "",
) -> None:
    """Which rule knows a provider's reply, where it is written, and what follows. Asks no server;
    exit 1 where no rule knows it."""
    if provider not in PROVIDERS:
        near = difflib.get_close_matches(provider, PROVIDERS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise misused(f"--provider: {provider!r} is none of {', '.join(PROVIDERS)}{hint}")
    found = reply_explained(provider, status, text)
    if line_of(context).json:
        as_json(found)
    elif found.rule is None:
        say(found.sentence)
    else:
        say(f"{found.rule}: {found.sentence}")
        say(f"scope {found.scope}, kind {found.kind}, action {found.action}")
        say(f"source: {found.source} ({found.seen})")
        say(f"there: {found.golden}")
    if found.rule is None:
        raise typer.Exit(1)


def _would(line: Invocation, body: dict[str, str | int | None]) -> None:
    found = Client(line).send("POST", "/api/v2/explain", body, Explanation)
    if line.json:
        as_json(found)
        return
    say(f"{found.decision}: {found.sentence}")
    say(f"pool {found.pool}: {found.pool_why}; provider {found.provider}")
    if found.change:
        say(f"to change that: {found.change}")
    table(
        ("VirtualMTA", "pool", "quota", "used", f"{found.provider}", "ceiling", "skipped because"),
        (
            (c.vmta, c.pool, c.quota, c.used, c.used_by_provider, c.ceiling, c.skipped or "-")
            for c in found.candidates
        ),
    )


def _fate(line: Invocation, message: str, tenant: str | None) -> None:
    found = Client(line).get(f"/api/v2/explain/{message}", Fate, tenant=tenant)
    if line.json:
        as_json(found)
    else:
        _said(found)
    if found.found == "unknown":
        raise typer.Exit(1)


def _said(found: Fate) -> None:
    say(found.sentence)
    if found.held is not None:
        held = found.held
        say(f"{held.id}: to {held.recipient} by pool {held.pool}, provider {held.provider}")
    if found.change:
        say(f"to change that: {found.change}")
    if found.before is not None:
        say(f"{found.before} of its pool and provider go first")
    if found.forecast:
        say(f"forecast: {found.forecast}")
    for proof in found.proofs:
        say(
            f"PowerMTA {proof.server}, attempt {proof.attempt} of {proof.day}: {proof.kinds} "
            f"({proof.means}), {proof.at}"
        )
