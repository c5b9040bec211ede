"""What `sendgate demo` shows: tables and progress, for people; with --json one value at the end."""

from collections import Counter
from typing import Any

from control.embedded.demo import aftermath
from control.embedded.demo.aftermath import Aftermath
from control.embedded.demo.expect import provider_of
from control.embedded.demo.judge import Day, Taken
from control.embedded.demo.send import Reply
from control.embedded.demo.warming import Decided
from control.embedded.stack.demotenants import IPS
from control.terminal.show import as_json, say, table


class Report:
    """Shows as it comes, or keeps for the end."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._answers: Counter[int] = Counter()
        self._days: list[dict[str, Any]] = []
        self._aftermath: Aftermath | None = None
        self._warmup: list[Decided] = []

    def step(self, text: str) -> None:
        """Progress."""
        if not self._json:
            say(f"… {text}")

    def answers(self, replies: list[Reply]) -> None:
        """What the client was told."""
        self._answers.update(reply.code for reply in replies)
        if self._json:
            return
        for code, number in sorted(self._answers.items()):
            say(f"{number} answers {code}")
        for reply in replies:
            if reply.code != 250:
                say(f"{reply.mail.to}: {reply.code} {reply.text}")

    def day(self, day: Day, taken: list[Taken]) -> None:
        """One day: per IP what the policy, the ledger and PowerMTA say; then what waits, and
        why. `taken`: the day's messages."""
        counts = Counter(e.vmta for e in day.policy.values() if e.vmta)
        received = Counter(message.vmta for message in taken for _ in message.rcpts)
        rows = [
            (
                r.tenant,
                r.domain,
                r.vmta,
                _limits(r.quota, r.ceilings, r.burst),
                counts[r.vmta],
                day.ledger.get(r.ip, 0),
                received[r.vmta],
            )
            for r in IPS
        ]
        mails = {mail.to: mail for mail in day.mails}
        waiting: dict[tuple[str, str, str], list[str]] = {}
        for held in day.held:
            if (mail := mails.get(held.recipient)) is not None:
                key = (mail.tenant, provider_of(mail), held.reason)
                # A reason is written once: on later days its "until" is over.
                words, _, _ = held.detail.partition(", until ")
                waiting.setdefault(key, []).append(words)
        held_rows = [(*key, len(texts), texts[0]) for key, texts in sorted(waiting.items())]
        self._days.append(
            {
                "day": day.title,
                "date": day.date.isoformat(),
                "waited_or_came": len(day.mails),
                "relayed": [
                    {"vmta": row[2], "policy": row[4], "ledger": row[5], "pmta": row[6]}
                    for row in rows
                ],
                "held": [
                    {"tenant": t, "provider": p, "reason": why, "count": n, "detail": text}
                    for t, p, why, n, text in held_rows
                ],
            }
        )
        if self._json:
            return
        columns = ("tenant", "sending domain", "VirtualMTA", "limits a day")
        table((*columns, "policy", "ledger", "PowerMTA"), rows, title=f"{day.title}: relayed")
        if held_rows:
            table(
                ("tenant", "provider", "reason", "waiting", "in words"),
                held_rows,
                title=f"{day.title}: held",
            )
        else:
            say(f"{day.title}: nothing waits")

    def aftermath(self, found: Aftermath) -> None:
        """What bounces led to."""
        self._aftermath = found
        if self._json:
            return
        counted = found.counted
        table(
            ("IP", "relayed", "delivered", "bounced", "of them addresses", "put off"),
            [
                (
                    *(aftermath.IP, counted.relayed, counted.delivered, counted.bounced),
                    *(counted.bounced_address, counted.deferred),
                )
            ],
            title="what PowerMTA told",
        )
        for to, text in found.refused.items():
            say(f"{to} bounced, and from now on is refused: 550 {text}")

    def warmup(self, decided: list[Decided]) -> None:
        """What an IP's week led to."""
        self._warmup = decided
        if self._json:
            return
        table(
            ("at", "stage", "recipients a day", "state", "why"),
            [(d.at, d.stage_after, d.quota_after, d.state_after, d.sentence) for d in decided],
            title="warm-up, decided by itself",
        )

    def verdict(self, differences: list[str]) -> None:
        """The last word."""
        if self._json:
            answers = {str(code): number for code, number in sorted(self._answers.items())}
            as_json(
                {
                    "ok": not differences,
                    "differences": differences,
                    "answers": answers,
                    "days": self._days,
                    "aftermath": self._aftermath,
                    "warmup": self._warmup,
                }
            )
        elif not differences:
            say("What PowerMTA received is exactly what the policy says, each message once.")
            say("What it told of them was counted, and no bounced address is taken again.")
            say("A week of good mail earned an IP its next stage, and a day of bounces paused it.")


def _limits(quota: int, ceilings: dict[str, int], burst: float) -> str:
    parts = [str(quota)] + [f"{provider} {n}" for provider, n in ceilings.items()]
    if burst < 1:
        parts.append(f"at most {burst:.0%} at once")
    return ", ".join(parts)
