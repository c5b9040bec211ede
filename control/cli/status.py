"""`sendgate status`: one look."""

import typer

from control.explain.standing import Mail
from control.explain.status import Status
from control.terminal.client import Client
from control.terminal.show import as_json, line_of, say, table
from policy.number import agree, count


def status(context: typer.Context) -> None:
    """What is wrong, each with the command that comes next, then how everything stands. Exit code 0
    when nothing is wrong, else 1."""
    line = line_of(context)
    found = Client(line).get("/api/v2/status", Status)
    if line.json:
        as_json(found)
    else:
        _said(found)
    if found.troubles:
        raise typer.Exit(1)


def _said(found: Status) -> None:
    for trouble in found.troubles:
        say(f"WRONG: {trouble.what}")
        say(f"       next: {trouble.next}")
    if not found.troubles:
        say(f"all is well at {found.now}")
    sessions = sum(p.sessions for p in found.processes)
    say(f"gateway: {count(len(found.processes), 'process')}, {count(sessions, 'session')} open")
    table(
        ("process", "kind", "generation", "sessions", "since"),
        (
            (
                p.name,
                p.kind,
                f"{p.generation}, late" if p.late else p.generation,
                "-" if p.kind == "releaser" else p.sessions,
                p.since or "-",
            )
            for p in found.processes
        ),
    )
    table(
        ("mail", "came", "relayed", "held", "released", "refused", "other"),
        (_mail("last minute", found.minute), _mail("since start", found.since_start)),
    )
    if found.hold:
        table(
            ("hold of", "messages", "octets", "of its bound", "oldest", "paused", "in doubt"),
            (
                (w.tenant, w.messages, w.octets, f"{w.share:.1%}", w.oldest, w.paused, w.doubt)
                for w in found.hold
            ),
        )
    else:
        say("hold: nothing waits")
    say(f"ledger {found.ledger.name}: {found.ledger.state.value}")
    for stream in found.accounting:
        age = "none was read yet" if stream.age is None else f"{stream.age:.0f} s behind"
        say(f"accounting of {stream.server}: {age}")
    if not found.accounting:
        say("accounting: none is read ([accounting] streams)")
    if found.inbox.waiting:
        say(
            f"posted accounting: {count(found.inbox.waiting, 'batch')} "
            f"{agree(found.inbox.waiting, 'waits', 'wait')} ({found.inbox.octets} octets)"
        )
    if found.set_aside:
        say(f"accounting set aside: {count(found.set_aside, 'record')}")
    if found.carried_over:
        say(
            f"carried over: {count(found.carried_over, 'recipient')} of earlier days "
            f"{agree(found.carried_over, 'counts', 'count')} against today"
        )
    say(f"suppressions: {found.suppressions}")
    if found.outcomes_lost:
        say(
            f"list of messages: {count(found.outcomes_lost, 'recipient')} "
            f"{agree(found.outcomes_lost, 'is', 'are')} missing in it"
        )
    say(f"certificate: {f'ends {found.certificate}' if found.certificate else 'none here'}")
    if found.health:
        ill = [one for one in found.health if not one.healthy]
        last = max(one.at for one in found.health)
        say(f"health: {len(found.health) - len(ill)} of {len(found.health)} well, looked at {last}")
        for one in ill:
            say(f"  {one.service} {one.name} since {one.since}: {one.detail}")
    say(f"plan: generation {found.generation}; control {found.version}")


def _mail(name: str, mail: Mail) -> tuple[str | int, ...]:
    return (name, mail.came, mail.relayed, mail.held, mail.released, mail.refused, mail.other)
