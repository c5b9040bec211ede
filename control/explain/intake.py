"""What is wrong with the accounting that comes in: files, posted batches, records. Pure."""

from control.accounting.lacking import Lacking
from control.accounting.setaside import Backlog
from control.accounting.status import StreamView, unwritten
from control.explain.trouble import Trouble
from control.held.held import moment
from policy.limits import DAY
from policy.number import agree, count

LAG = 900.0
"""Seconds: accounting older than that keeps doubt open and proves no absence."""
BATCH_LAG = 900.0
"""Seconds a posted batch may wait: PowerMTA posts every minute, and one is taken in within a
second."""
FULL = 0.8
"""Share of `accounting.inbox` from which it is said: PowerMTA is turned away at all of it."""

_AGAIN = "sendgate accounting rejected --again, after a mend"


def files(streams: list[StreamView], *, sent: bool) -> list[Trouble]:
    """Of the files that are read. `sent`: whether mail went more than `LAG` ago, so that PowerMTA
    has written of it by now."""
    found = []
    for stream in streams:
        if not sent and unwritten(stream):
            continue
        why = stream.problem
        if not why and stream.age is not None and stream.age > LAG:
            why = f"nothing was read to the end for {stream.age / 60:.0f} minutes"
        if why:
            what = f"accounting of {stream.server}: {why}"
            key = f"accounting:{stream.server}"
            found.append(Trouble(what=what, next="sendgate accounting status", key=key))
    return found


def lacks(several: list[Lacking]) -> list[Trouble]:
    """Of servers whose records lack a type."""
    return [
        Trouble(
            what=one.what,
            next="PowerMTA's <acct-file>: records r,d,b,t,f (deploy/runbook/accounting.md)",
            key=f"accounting-lacks:{one.server}:{one.kind}",
        )
        for one in several
    ]


def posted(backlog: Backlog, now: int) -> list[Trouble]:
    """Of the batches that were posted, and of records whatever brought them. `now` in calendar
    milliseconds."""
    inbox, found = backlog.inbox, []
    if inbox.age > BATCH_LAG:
        what = f"posted accounting has waited for {inbox.age / 60:.0f} minutes to be taken in"
        command = "journalctl -u sendgate-control"
        found.append(Trouble(what=what, next=command, key="accounting-posted"))
    if inbox.octets > FULL * inbox.most:
        what = (
            f"{inbox.octets / inbox.most:.0%} of accounting.inbox are taken by "
            f"{count(inbox.waiting, 'posted batch')}: at 100% PowerMTA is turned away, and "
            f"keeps its own"
        )
        found.append(Trouble(what=what, next="sendgate accounting inbox", key="accounting-inbox"))
    if inbox.stuck:
        what = (
            f"{count(inbox.stuck, 'posted batch')} could not be taken in, and nothing in "
            f"them counts"
        )
        found.append(Trouble(what=what, next=_AGAIN, key="accounting-given-up"))
    if backlog.set_aside and now - backlog.set_aside_at <= DAY:
        what = (
            f"{count(backlog.set_aside, 'accounting record')} could not be read and "
            f"{agree(backlog.set_aside, 'does', 'do')} not count, the last "
            f"of {moment(backlog.set_aside_at)}"
        )
        found.append(
            Trouble(what=what, next="sendgate accounting rejected", key="accounting-set-aside")
        )
    return found
