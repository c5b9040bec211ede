"""Entry point: options that stand anywhere, the commands, and the exit codes.

0 done · 1 refused or failed, one clear line on standard error (with --json the problem as JSON
on standard output too) · 2 usage (also a value that the API says cannot be right) or a
configuration that cannot be used, said in the same way; so does `python -m gateway` end, which
systemd then does not start again.
"""

import os
import sys
from typing import Annotated, Any

import msgspec
import typer
from redis.exceptions import RedisError

from control.cli import (
    accounting,
    alert,
    api,
    asking,
    audit,
    backup,
    blocklist,
    check,
    demo,
    domain,
    explain,
    hold,
    holdorder,
    init,
    ip,
    job,
    login,
    mailboxlist,
    message,
    network,
    plan,
    pmtaimport,
    pmtaown,
    pmtaversions,
    pool,
    process,
    provider,
    restore,
    secret,
    seed,
    server,
    stats,
    status,
    suppressionlist,
    tenant,
    token,
    top,
    user,
    warmup,
)
from control.embedded.servers.error import LocalPartError
from control.pmta.generator.text import ConfigValueError
from control.problem import Problem, RefusedError
from control.store.database import DatabaseRefusedError
from control.store.refusal import DatabaseError
from control.terminal.invocation import Invocation, InvocationError, take
from control.terminal.show import say
from control.terminal.usage import UsageError, called, sentence
from control.values.inert import inert
from control.version import VERSION
from settings.load import SettingsError

NoArgs: Any = getattr(sys.modules[UsageError.__module__], "NoArgsIsHelpError", UsageError)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    # Tables of help cut the names of options and settings short on a terminal of 80 columns.
    rich_markup_mode=None,
    help="SMTP send gateway between MailWizz and PowerMTA. "
    "--json, --url URL, --ca FILE and --data-dir DIR may stand anywhere in the line. Commands ask "
    "the API of the stack in the data dir, or that of --url (SENDGATE_URL) with the token in "
    "SENDGATE_TOKEN; --ca (SENDGATE_CA) has the certificates that vouch for its own, where this "
    "machine does not know who does.",
)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"sendgate {VERSION}")
        raise typer.Exit


@app.callback()
def every(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Say it, and end.")
    ] = False,
) -> None:
    """Has the options of every command."""


for name, group in {
    "tenant": tenant.app,
    "login": login.app,
    "network": network.app,
    "domain": domain.app,
    "ip": ip.app,
    "pool": pool.app,
    "mailbox": mailboxlist.app,
    "server": server.app,
    "hold": hold.app,
    "clock": asking.clock,
    "ledger": asking.ledger,
    "pmta": asking.pmta,
    "accounting": accounting.app,
    "token": token.app,
    "secret": secret.app,
    "user": user.app,
    "audit": audit.app,
    "backup": backup.app,
    "message": message.app,
    "plan": plan.app,
    "warmup": warmup.app,
    "blocklist": blocklist.app,
    "provider": provider.app,
    "suppression": suppressionlist.app,
    "explain": explain.app,
    "job": job.app,
    "alert": alert.app,
    "api": api.app,
}.items():
    app.add_typer(group, name=name)
asking.pmta.command("import")(pmtaimport.import_)
for of_versions in (
    *(pmtaversions.diff, pmtaversions.validate, pmtaversions.versions),
    *(pmtaversions.status, pmtaversions.apply, pmtaversions.rollback),
):
    asking.pmta.command()(of_versions)
asking.pmta.add_typer(pmtaown.app, name="own")
for command in (
    *(process.up, demo.demo, process.gateway, process.control, process.load),
    *(init.init, check.check, check.migrate, restore.restore, ip.quota, holdorder.forget),
    *(status.status, stats.stats, top.top, seed.seed),
):
    app.command()(command)


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """The exit code of one command line."""
    try:
        line, rest = take(arguments)
    except InvocationError as error:
        return _usage(str(error), as_json="--json" in arguments)
    try:
        code = typer.main.get_command(app).main(
            args=rest, prog_name="sendgate", standalone_mode=False, obj=line
        )
    except NoArgs as error:
        print(error.format_message() if NoArgs is UsageError else "", end="", file=sys.stderr)
        return 2
    except UsageError as error:
        hint = f" (see `{error.ctx.command_path} --help`)" if error.ctx else ""
        return _usage(sentence(error) + hint, as_json=line.json)
    except BrokenPipeError:
        # `sendgate … | head`: the reader has what it wanted.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except RefusedError as error:
        error.called = {**called(typer.main.get_command(app), rest), **error.called}
        # What cannot be right whatever is there is the line's fault, whoever found it out.
        misused = error.status == 400 and error.errors
        return _failed(line, error, code=2 if misused else 1)
    except SettingsError as error:
        return _failed(line, RefusedError("; ".join(error.problems), status=400), code=2)
    except (LocalPartError, DatabaseRefusedError, ConfigValueError) as error:
        return _failed(line, RefusedError(str(error)))
    except DatabaseError as error:
        return _failed(line, RefusedError(f"PostgreSQL: {error}", status=503))
    except RedisError as error:
        return _failed(line, RefusedError(f"the ledger: {error}", status=503))
    except OSError as error:
        return _failed(line, RefusedError(str(error), status=503))
    return code if isinstance(code, int) else 0


def _usage(text: str, *, as_json: bool) -> int:
    print(f"sendgate: {inert(text)}", file=sys.stderr)
    if as_json:
        _problem(RefusedError(text, status=400).problem())
    return 2


def _problem(problem: Problem) -> None:
    print(msgspec.json.encode(problem).decode(), flush=True)


def _failed(line: Invocation, error: RefusedError, code: int = 1) -> int:
    print(f"sendgate: {inert(error.line())}", file=sys.stderr)
    if error.advice:
        print(f"fix: {inert(error.advice)}", file=sys.stderr)
    if line.json:
        _problem(error.problem())
    return code
