"""What is wrong with what follows from accounting, carry-over, suppressions, by-pass, and from the
plan: PowerMTA's configuration. Pure."""

from control.bypass.view import Around
from control.explain.trouble import Trouble
from control.held.held import moment
from control.ledger.carryover import Figure
from control.messages.loss import Loss
from control.pmta.standing import Wrong
from control.stop.stop import Stop
from control.suppressions.listed import Listed
from policy.number import agree, count

LOSS_SHOWN = 86_400_000
"""Milliseconds for which outcomes that nobody read are something wrong."""


def carried(figures: list[Figure]) -> list[Trouble]:
    """What earlier days carry over."""
    return [
        Trouble(
            what=f"records of {one.server} stopped: the {count(one.recipients, 'recipient')} that "
            f"earlier days carry over into today's quotas {agree(one.recipients, 'is', 'are')} the "
            "last known figure",
            next="sendgate accounting status",
            key=f"carry-over:{one.server}",
        )
        for one in figures
        if one.late
    ]


def suppressions(listed: Listed) -> list[Trouble]:
    """How much room there is."""
    if not listed.full:
        return []
    what = (
        f"{listed.entries} of {listed.most} suppressions (suppressions.most) are taken: beyond, "
        "hard bounces and complaints suppress nobody"
    )
    return [
        Trouble(
            what=what,
            next="sendgate suppression list, and raise suppressions.most",
            key="suppressions-full",
        )
    ]


def bypass(around: Around) -> list[Trouble]:
    """Mail that went around the gateways."""
    if not around.recipients:
        return []
    what = (
        f"{count(around.recipients, 'recipient')} got mail that went around the "
        f"gateways, the last at "
        f"{moment(around.newest)}, most of it on {around.vmta} from {around.whose()}: it counts "
        "for its IPs"
    )
    return [Trouble(what=what, next="sendgate accounting bypass", key="bypass")]


def configured(servers: list[Wrong]) -> list[Trouble]:
    """Servers that do not run what the plan says, or whose files were changed by hand."""
    return [
        Trouble(
            what=text,
            next="sendgate pmta status, sendgate pmta diff"
            + ("" if one.alone else f" --server {one.server}"),
            key=f"pmta-configuration:{one.server}",
        )
        for one in servers
        for text in one.sentences
    ]


def stopped(found: Stop | None) -> list[Trouble]:
    """By an operator: also one who forgot it."""
    if found is None:
        return []
    return [Trouble(what=found.sentence(), next="sendgate warmup start", key="stopped")]


def outcomes(lost: Loss, now: int) -> list[Trouble]:
    """What became of messages and nobody read. `now` in calendar milliseconds."""
    if not lost.at or now - lost.at > LOSS_SHOWN:
        return []
    what = (
        f"{count(lost.recipients, 'recipient')} so far "
        f"{agree(lost.recipients, 'is', 'are')} missing in the list of messages, the last found "
        f"{moment(lost.at)}: control did not read for longer than the ledger keeps them; the "
        "gateways' logs have them"
    )
    return [Trouble(what=what, next="journalctl -u sendgate-control", key="outcomes")]
