"""One look: what is wrong first, each with the command that comes next, then how everything stands.

Owns: what counts as wrong, and its words. Not here: whether one part is well, which each part says.
What an operator asked for (a pause, a quota) and what warm-up does by itself is not wrong.
"""

from collections.abc import Mapping

import msgspec

from control.accounting.inbox import InboxState
from control.accounting.lacking import Lacking
from control.accounting.setaside import Backlog
from control.accounting.status import StreamView
from control.bypass.view import Around
from control.explain import follows, intake
from control.explain.standing import Mail, Process, Waiting, mail_of
from control.explain.trouble import Trouble
from control.health.health import HealthView
from control.held.held import moment
from control.ledger.carryover import Figure
from control.ledger.status import CLOSED, LedgerState, LedgerStatus
from control.messages.loss import Loss
from control.pmta.circuit import CircuitView, circuits_view, next_of, sentences
from control.pmta.standing import Wrong
from control.pmta.told import ToldView
from control.stop.stop import Stop
from control.suppressions.listed import Listed
from policy.ledger.bulletin import Figures, OpenCircuit
from policy.number import agree, count
from policy.plan import Generation

DOUBT = 900_000
"""Milliseconds a doubt may last; accounting and probes end it within minutes."""


NEARLY_FULL = 0.9
"""Share of a bound of the hold at which it is grave."""
_NO_WORKER = "no gateway worker is heard of: no mail is taken"


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How everything stands; `troubles` is empty when nothing is wrong."""

    now: str
    version: str
    """Of control."""
    troubles: list[Trouble]
    generation: int
    processes: list[Process]
    minute: Mail
    """Of the last 60 s."""
    since_start: Mail
    """Of the processes that live now."""
    circuits: list[CircuitView]
    hold: list[Waiting]
    ledger: LedgerStatus
    accounting: list[StreamView]
    inbox: InboxState
    """Posted batches that wait."""
    set_aside: int
    """Records that could not be taken in."""
    carried_over: int
    """Recipients of earlier days that PowerMTA has not done with: they count against today's
    quotas."""
    suppressions: int
    """Addresses that get no mail, those that ended lately among them."""
    certificate: str
    """When the listeners' certificate ends; empty: none, or not on this node."""
    outcomes_lost: int
    """Recipients that are missing in the list of messages because control did not read, ever."""
    outcomes_lost_at: str
    """When the last of them were missed; empty: never."""
    health: list[HealthView]
    """Parts as they were found by the look of every five minutes."""
    stopped: Stop | None
    """That all sending is stopped; null: it is not."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What `status` is made from; what a ledger that is away does not say is empty."""

    now: int
    version: str
    generation: Generation | None
    workers: Mapping[str, int]
    figures: Mapping[str, Figures]
    circuits: Mapping[str, list[OpenCircuit]]
    held: list[dict[str, int | str]]
    slow_from: float
    """Share of a bound from which clients are slowed down."""
    ledger: LedgerStatus
    accounting: list[StreamView]
    sent: bool
    """Whether mail went more than `intake.LAG` ago."""
    backlog: Backlog
    certificate: str
    certificate_problems: list[str]
    lost: Loss
    lacking: list[Lacking] = []
    """Servers whose accounting lacks a type."""
    carried: list[Figure] = []
    """What earlier days carry over into today."""
    listed: Listed = Listed()
    """Suppressions."""
    around: Around = Around()
    """Mail that went around the gateways."""
    told: list[ToldView] = []
    """What PowerMTA servers say of themselves."""
    configured: list[Wrong] = []
    """PowerMTA servers with something wrong about their configuration."""
    health: list[HealthView] = []
    stopped: Stop | None = None
    """That all sending is stopped."""


def status(facts: Facts) -> Status:
    """Pure."""
    number = facts.generation.number if facts.generation else 0
    processes = [_process(name, n, number, facts) for name, n in sorted(facts.workers.items())]
    waiting = [_waiting(row, facts.generation) for row in facts.held]
    circuits = circuits_view(facts.circuits)
    lines = [
        *follows.stopped(facts.stopped),
        *_ledger(facts.ledger),
        *_processes(facts, processes, waiting),
        *[
            Trouble(
                what=text,
                next=next_of(circuits, name),
                key=f"{'pmta' if name[0] == 'server' else 'vmta'}:{name[1]}",
                severity="critical" if name[0] == "server" else "warning",
            )
            for name, text in sentences(circuits).items()
        ],
        *_hold(facts, waiting),
        *intake.files(facts.accounting, sent=facts.sent),
        *intake.posted(facts.backlog, facts.now),
        *intake.lacks(facts.lacking),
        *follows.carried(facts.carried),
        *follows.suppressions(facts.listed),
        *follows.bypass(facts.around),
        *follows.configured(facts.configured),
        *[
            Trouble(
                what=text, next=f"sendgate server show {one.server}", key=f"pmta-told:{one.server}"
            )
            for one in facts.told
            for text in one.troubles
        ],
        *follows.outcomes(facts.lost, facts.now),
        *[
            Trouble(
                what=text,
                next="systemctl reload sendgate-gateway, when it is renewed",
                key="certificate",
            )
            for text in facts.certificate_problems
        ],
    ]
    return Status(
        now=moment(facts.now),
        version=facts.version,
        troubles=lines,
        generation=number,
        processes=processes,
        minute=mail_of([f.minute for f in facts.figures.values()]),
        since_start=mail_of([f.outcomes for f in facts.figures.values()]),
        circuits=circuits.circuits,
        hold=waiting,
        ledger=facts.ledger,
        accounting=facts.accounting,
        inbox=facts.backlog.inbox,
        set_aside=facts.backlog.set_aside,
        carried_over=sum(one.recipients for one in facts.carried),
        suppressions=facts.listed.entries,
        certificate=facts.certificate,
        outcomes_lost=facts.lost.recipients,
        outcomes_lost_at=moment(facts.lost.at),
        health=facts.health,
        stopped=facts.stopped,
    )


def _process(name: str, runs: int, number: int, facts: Facts) -> Process:
    figures = facts.figures.get(name, Figures())
    return Process(
        name=name,
        kind="releaser" if figures.sessions is None else "worker",
        generation=runs,
        late=runs < number,
        sessions=figures.sessions or 0,
        since=moment(figures.began),
    )


def _waiting(row: Mapping[str, int | str], plan: Generation | None) -> Waiting:
    name, messages, octets = str(row["tenant"]), int(row["messages"]), int(row["octets"])
    tenant = plan.tenant.get(name) if plan else None
    most = (tenant.hold.messages, tenant.hold.octets) if tenant else (0, 0)
    shares = [n / of for n, of in zip((messages, octets), most, strict=True) if of]
    return Waiting(
        tenant=name,
        messages=messages,
        octets=octets,
        most_messages=most[0],
        most_octets=most[1],
        share=round(max(shares, default=0.0), 4),
        oldest=moment(int(row["oldest"])),
        paused=int(row["paused"]),
        doubt=int(row["doubt"]),
    )


def _ledger(ledger: LedgerStatus) -> list[Trouble]:
    found = []
    if ledger.state is not LedgerState.OPEN:
        what = f"ledger {ledger.name} is {ledger.state.value}, nothing is sent: {ledger.detail}"
        found.append(
            Trouble(what=what, next="sendgate ledger status", key="ledger", severity="critical")
        )
    if ledger.closed:
        named = ", ".join(ledger.closed[:5]) + (" …" if len(ledger.closed) > 5 else "")
        what = (
            f"{count(len(ledger.closed), 'IP')} {agree(len(ledger.closed), 'is', 'are')} {CLOSED}: "
            f"{named}"
        )
        found.append(Trouble(what=what, next="sendgate ledger open --yes", key="ledger-ips"))
    found += [
        Trouble(what=f"ledger: {text}", next="sendgate check", key="ledger-server")
        for text in ledger.problems
    ]
    return found


def _processes(facts: Facts, processes: list[Process], waiting: list[Waiting]) -> list[Trouble]:
    if facts.ledger.state is LedgerState.AWAY:
        return []  # nobody can be heard of, which is said already
    found = []
    if not any(p.kind == "worker" for p in processes):
        what, command = _NO_WORKER, "systemctl status sendgate-gateway"
        found.append(Trouble(what=what, next=command, key="gateway", severity="critical"))
    if waiting and not any(p.kind == "releaser" for p in processes):
        what = "no releaser is heard of: held mail stays (hold.releasers)"
        command = "systemctl status sendgate-gateway"
        found.append(Trouble(what=what, next=command, key="releaser", severity="critical"))
    if late := [p.name for p in processes if p.late]:
        what = (
            f"{count(len(late), 'process')} {agree(len(late), 'does', 'do')} not run the plan in "
            f"force: {', '.join(late)}"
        )
        found.append(Trouble(what=what, next="journalctl -u sendgate-gateway", key="plan-late"))
    return found


def _hold(facts: Facts, waiting: list[Waiting]) -> list[Trouble]:
    found = []
    if stuck := sum(int(row["stuck"]) for row in facts.held):
        what = (
            f"{count(stuck, 'message')} {agree(stuck, 'is', 'are')} in doubt for more than "
            f"{DOUBT // 60_000} minutes"
        )
        command = "sendgate hold list --state doubt --messages"
        found.append(Trouble(what=what, next=command, key="doubt"))
    for one in waiting:
        if one.share >= facts.slow_from:
            what = (
                f"the hold of tenant {one.tenant} is {one.share:.0%} full: its clients are slowed"
            )
            command = f"sendgate hold forecast --tenant {one.tenant}"
            grave = one.share >= NEARLY_FULL
            found.append(
                Trouble(
                    what=what,
                    next=command,
                    key=f"hold:{one.tenant}",
                    severity="critical" if grave else "warning",
                )
            )
    return found
