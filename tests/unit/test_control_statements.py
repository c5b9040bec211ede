"""SQL by name: wrong files fail when they are loaded."""

import re
from pathlib import Path

import pytest

import control
from settings.statements import StatementError, parse, statements

HERE = Path(control.__file__).parent
MIGRATIONS = HERE / "store" / "migrations" / "sql"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-- name: a\nSELECT 1\n-- name: a\nSELECT 2", "twice"),
        ("-- name: a\n-- only a comment\n", "empty"),
        ("-- name:\nSELECT 1", "not a statement name"),
        ("SELECT 1\n-- name: a\nSELECT 1", "before the first"),
    ],
)
def test_a_wrong_file_is_refused(text: str, why: str) -> None:
    with pytest.raises(StatementError, match=why):
        parse(text, "x.sql")


def test_a_missing_name_or_file_is_refused() -> None:
    with pytest.raises(StatementError, match="no statement nothing"):
        statements("control.tenants", "tenant")["nothing"]
    with pytest.raises(StatementError, match=r"no nothing\.sql in control\.tenants"):
        statements("control.tenants", "nothing")


ELAPSED = {
    ("accounting.sql", name)
    for name in ("stream", "forget_files", "forget_ips", "advance", "put_files")
}
"""Whether a folder was watched is a matter of real seconds, by one clock for all control nodes,
whatever the calendar says (policy/README.md: doubt, time). When a VirtualMTA was removed a trigger
writes, which has nobody to tell it the calendar: it is kept three real days at least."""

LEASES = {
    *(("run.sql", name) for name in ("again", "alive", "claim", "end")),
    *(("outbox.sql", name) for name in ("claim", "failed", "rest")),
}
"""Who has a job or a message, and when it is tried again, is a matter of real seconds too: moving
the calendar neither ends a lease nor lets a channel rest for less than it asked."""

SIGNING_IN = {
    *(("browser.sql", n) for n in ("holder", "open", "own", "seen")),
    *(("attempt.sql", n) for n in ("begin", "failures", "forget", "left", "right", "sweep")),
    *(("person.sql", name) for name in ("link", "linked", "own", "shown", "taken")),
    *(
        ("session.sql", n)
        for n in ("holder", "issue", "open", "refresh", "signed_in", "sweep", "use")
    ),
    *(("signing.sql", name) for name in ("add", "drop", "one", "retire", "signs")),
    *(("token.sql", n) for n in ("page", "shown")),
    ("audit.sql", "forget"),
    ("lastused.sql", "used"),
}
"""When a session, a link, a key or a token ends, and how long who guessed is shut out, is a matter
of real seconds by one clock for all control nodes: who may move the calendar prolongs none of them,
and has no audit rows let go before their time."""

REPEATED = {("once.sql", name) for name in ("claim", "kept", "one", "sweep")}
"""For how long a repeated request is answered as the first is a matter of real seconds: a client
that tries again knows no calendar of ours, and moving it must make nothing twice."""

ONCE = {
    *("0010_pre_accounting_files.sql", "0020_pre_vmta_ips.sql", "0028_pre_statistics.sql"),
    *("0038_pre_alerts.sql", "0065_pre_audit_kept.sql"),
}
"""A migration has nobody to tell it the calendar: one calls all before it a gap, the others'
trigger notes when a VirtualMTA went, a message goes from when it is written, and a trigger keeps
audit rows of the last days."""


def test_every_file_loads_and_none_asks_the_server_for_the_time() -> None:
    clock = re.compile(r"\b(now\(|current_timestamp|current_date|clock_timestamp|localtime)", re.I)
    files = sorted(f for f in HERE.rglob("*.sql") if f.parent != MIGRATIONS)
    assert len(files) > 10
    asking = {
        (file.name, name)
        for file in files
        for name, text in parse(file.read_text(), file.name).items()
        if clock.search(text)
    }
    assert asking == ELAPSED | LEASES | REPEATED | SIGNING_IN
    migrations = MIGRATIONS.glob("*.sql")
    assert {file.name for file in migrations if clock.search(file.read_text())} == ONCE
