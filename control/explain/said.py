"""What providers say that somebody has to put right, as alerts. Pure.

One a tenant and thing to be done, whatever number of providers say it in whatever words: an SPF
record that is missing is one piece of work. It ends when nobody has said it for a day.
"""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, NamedTuple

from control.alerts.alert import Raised, Severity
from policy.number import count
from policy.replies.table import TABLE

SHOWN = 4
"""Rules in one sentence, those with most replies."""

_SOURCES = {rule.name: rule.source for rule in TABLE.rules}


class _Due(NamedTuple):
    what: str
    next: str
    severity: Severity


_STATS = "sendgate stats --by campaign --tenant {tenant}"
_DUE = {
    ("domain", "auth"): _Due(
        "mail of tenant {tenant} is not authenticated (SPF, DKIM, DMARC)",
        "publish what `sendgate domain show {domain} --tenant {tenant}` lists",
        "warning",
    ),
    ("ip", "auth"): _Due(
        "an IP of tenant {tenant} is not what its name says (PTR, HELO, TLS)",
        "let the PTR record of {ip} and its host name lead to each other: `sendgate ip show {ip}`",
        "warning",
    ),
    ("domain", "block"): _Due("a sending domain of tenant {tenant} is refused", _STATS, "warning"),
    ("domain", "rate"): _Due(
        "mail of a sending domain of tenant {tenant} is put off", _STATS, "warning"
    ),
    ("domain", "complaint"): _Due(
        "a sending domain of tenant {tenant} is complained about", _STATS, "warning"
    ),
    ("url", ""): _Due("links in mail of tenant {tenant} are refused", _STATS, "warning"),
    ("content", ""): _Due(
        "mail of tenant {tenant} is refused for what it has in it", _STATS, "info"
    ),
}


def of_replies(rows: Iterable[Mapping[str, Any]]) -> list[Raised]:
    """Of sums by tenant, scope, kind, provider and rule, in the order of the first three."""
    found = []
    for (tenant, scope, kind), several in groupby(
        rows, key=lambda row: (row["tenant"], row["scope"], row["kind"])
    ):
        its = sorted(several, key=lambda row: (-row["count"], row["provider"], row["rule"]))
        due = _DUE.get((scope, kind)) or _DUE[scope, ""]
        last = max(its, key=lambda row: row["last_at"])
        names = {"tenant": tenant, "domain": last["domain"] or "DOMAIN", "ip": last["ip"]}
        said = [
            f"{row['provider']} {count(row['count'], 'time')} ({row['rule']})"
            for row in its[:SHOWN]
        ]
        if len(its) > SHOWN:
            said.append(f"{len(its) - SHOWN} more")
        of = f", last of {last['domain']}" if last["domain"] else ""
        source = _SOURCES.get(its[0]["rule"])
        found.append(
            Raised(
                key=f"reply:{scope}-{kind}:{tenant}",
                severity=due.severity,
                what=f"{due.what.format(**names)}: {', '.join(said)}{of} by {last['ip']}; "
                "no IP is held up for it",
                next="; ".join(filter(None, (due.next.format(**names), source))),
            )
        )
    return found
