"""The demo's tables and progress, for people; with --json one value at the end."""

from collections import Counter
from typing import Any

from control.cli.show import as_json, say, table
from control.demo.expect import Expected
from control.demo.mail import Mail
from control.demo.send import Reply
from control.demo.table import IPS


class Report:
    """Shows as it comes, or keeps for the end."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._days: list[dict[str, Any]] = []

    def step(self, text: str) -> None:
        """Progress."""
        if not self._json:
            say(f"… {text}")

    def day(
        self,
        title: str,
        mails: list[Mail],
        policy: dict[int, Expected],
        replies: list[Reply],
        taken: Counter[str],
        ledger: dict[str, int],
    ) -> None:
        """One day: per IP what the policy, the ledger and PowerMTA say; then what waits."""
        counts = Counter(e.vmta for e in policy.values() if e.vmta)
        rows = [
            (
                r.tenant,
                r.domain,
                r.vmta,
                _limits(r.quota, r.ceilings, r.burst),
                counts[r.vmta],
                ledger.get(r.ip, 0),
                taken[r.vmta],
            )
            for r in IPS
        ]
        waiting = [r for r in replies if r.code != 250]
        self._days.append(
            {
                "day": title,
                "sent": len(mails),
                "relayed": [
                    {"vmta": row[2], "policy": row[4], "ledger": row[5], "pmta": row[6]}
                    for row in rows
                ],
                "deferred": [{"to": r.mail.to, "code": r.code, "text": r.text} for r in waiting],
            }
        )
        if self._json:
            return
        columns = ("tenant", "sending domain", "VirtualMTA", "limits a day")
        table((*columns, "policy", "ledger", "PowerMTA"), rows, title=f"{title}: relayed")
        if waiting:
            table(
                ("tenant", "recipient", "answer"),
                ((r.mail.tenant, r.mail.to, f"{r.code} {r.text}") for r in waiting),
                title=f"{title}: deferred",
            )
        else:
            say(f"{title}: nothing was deferred")

    def verdict(self, differences: list[str]) -> None:
        """The last word."""
        if self._json:
            as_json({"ok": not differences, "differences": differences, "days": self._days})
        elif not differences:
            say("What PowerMTA received is exactly what the policy says.")


def _limits(quota: int, ceilings: dict[str, int], burst: float) -> str:
    parts = [str(quota)] + [f"{provider} {n}" for provider, n in ceilings.items()]
    if burst < 1:
        parts.append(f"at most {burst:.0%} at once")
    return ", ".join(parts)
