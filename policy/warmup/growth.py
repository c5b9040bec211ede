"""The same rule on sums: what a tenant's pool shows at one provider stops the tenant's growth.

A pool of many small IPs can burn where none of them has mail enough to prove it. It pauses no IP:
which of them is to blame is what nobody knows.
"""

from collections.abc import Iterable

import msgspec

from policy.warmup.decision import Decision, said
from policy.warmup.evidence import Day, sums
from policy.warmup.rule import Rule, verdict

DAYS = 7
"""The last ones, the present one with them."""


def growth_stop(
    tenant: str, pool: str, provider: str, days: Iterable[Day], rule: Rule, *, measured: bool
) -> Decision | None:
    """Why the tenant's IPs take no further stage; None: nothing is proven. `measured`: whether the
    provider reports complaints."""
    seen = sums(days)
    rates = [("bounces", seen.bounced, seen.relayed, rule.bounces)]
    if measured:
        rates.insert(0, ("complaints", seen.complaints, seen.delivered, rule.complaints))
    for name, count, of, limit in rates:
        if verdict(count, of, limit, rule) == "proven":
            text = (
                f"no IP of tenant {tenant} takes a further stage: {provider} saw of pool {pool} "
                f"{said(name, count, of, limit)} in {DAYS} days."
            )
            grave = "critical" if name == "complaints" else "warning"
            return Decision(
                act="hold",
                rule=f"pool_{name}",
                sentence=text,
                stage=0,
                watched=seen,
                severity=grave,  # type: ignore[arg-type]
            )
    return None


REPORTING = frozenset(
    {
        *("yahoo", "microsoft", "comcast", "laposte", "libero", "mailru", "seznam", "orange"),
    }
)
"""Providers that send complaints: Yahoo's and Comcast's feedback loops, Microsoft's JMRP, La Poste,
Libero, Mail.ru, Seznam, and Orange through Signal Spam. Gmail and Apple send none."""


def measures(provider: str, complaints: int) -> bool:
    """Whether complaints of a provider say anything; one that sent some evidently reports them."""
    return provider in REPORTING or complaints > 0


def later(decision: Decision, why: Decision) -> Decision:
    """A step that is not taken since the tenant's growth is stopped."""
    return msgspec.structs.replace(
        decision,
        act="hold",
        rule=why.rule,
        sentence=f"{decision.sentence[:-1]}, but not now: {why.sentence}",
        severity="",
        quota=None,
    )
