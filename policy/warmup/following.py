"""A provider at an IP beside the IP itself: when it goes where its IP goes, and when its own way.

Rule: a provider that evidence holds stays below while its IP goes on; one whose evidence is thin
follows, since mail to it is what is thin. What it has of its own ends when it is where its IP is.
"""

import msgspec

from policy.warmup.decision import Decision
from policy.warmup.plan import Plan, Stage

STEPS = frozenset({"advance", "finish", "grow"})
_FOLLOWS = frozenset({"thin", "earned", "good", "active", "unheard"})
"""Rules by which a provider goes where its IP goes."""


def at_provider(plan: Plan, provider: str) -> Plan:
    """The plan as one provider sees it: its ceiling of each stage is its quota there."""
    stages = tuple(Stage(quota=one.ceilings.get(provider, one.quota)) for one in plan.stages)
    return msgspec.structs.replace(plan, stages=stages, growth=1.0)


def follows(found: Decision, of_ip: Decision, *, below: bool) -> bool:
    """Whether a provider goes where its IP goes, whatever was found of it by itself. `below`: it
    is at a lower stage of its own."""
    if found.act in ("finish", "grow", "nothing"):
        return True
    if below or found.act not in ("advance", "hold"):
        return False
    if found.act == "advance" or found.rule in _FOLLOWS:
        return True
    return not found.severity and of_ip.act not in STEPS


def stays_behind(found: Decision, of_ip: Decision, own: int | None) -> bool:
    """Whether a hold gives a provider a stage of its own: its IP goes on without it."""
    return found.act == "hold" and own is None and of_ip.act == "advance"


def stage_after(found: Decision, *, own: int | None, stage: int, of_ip: int) -> int | None:
    """Its own stage after a decision; None: its IP's. `own`: before it, of which `stage` is what
    counted; `of_ip`: where its IP is by now, so that one that steps beside it stays behind."""
    if found.act == "pause":
        return own
    if found.act == "hold":
        return stage
    return None if found.stage >= of_ip else found.stage
