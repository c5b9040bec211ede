"""A row of the hold as the releaser sees it, and what an attempt of it ends in.

Plain decisions: from an outcome to the state the row moves to (policy/README.md: hold).
"""

from typing import Any

import msgspec

from policy.denial import Limit
from policy.outcome import Asked, Failed, Outcome, Refused, Relayed

REST = 1_000
"""Milliseconds that a row rests whose attempt was not begun: enough to be no busy loop."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient that waits. Times in ledger milliseconds."""

    bucket: int
    id: str
    body: str
    tenant: str
    pool: str
    provider: str
    mailbox: str
    bulk: bool
    recipient: bytes
    notify: bytes
    orcpt: bytes
    campaign: str
    key: str
    size: int
    arrived: int
    attempt: int
    failures: int
    """So many times it waited longer each time."""
    blamed: int
    """Failures among them that count against it."""
    failed_at: int
    """When the last one was written; 0: by the gateway that held it, or never."""
    reason: str
    until: int

    def blames(self, passed: int) -> bool:
        """Whether one more failure is its own: another message `passed` on the same path since the
        failure before. Without one before, nothing is known."""
        return bool(self.failures) and passed > (self.failed_at or self.arrived)


def held(row: Any) -> Held:
    """A record of the statements `heads` and `lock`."""
    return msgspec.convert(dict(row), Held)


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """A change of one row, from the attempt it names."""

    bucket: int
    id: str
    attempt: int
    state: str
    reason: str = ""
    detail: str = ""
    due: int = 0
    """Above 0: it waits by itself until then."""
    failed: int = 0
    """Failures to add."""
    blamed: int = 0
    """Of those that count against it."""
    ending: str = ""
    verdict: str = ""
    event: str = ""
    """Kind of event for the control plane; empty: none."""
    dsn: str = ""


class Backoff(msgspec.Struct, frozen=True):
    """How long a failed message waits by itself."""

    first: float
    """Seconds after the first failure; doubles."""
    most: float
    failures: int
    """Failures that count against a message, after which it is given up."""

    def due(self, now: int, failures: int) -> int:
        """`failures` so far, this one included."""
        wait = min(self.first * 2.0 ** min(failures - 1, 30), self.most)
        return now + round(wait * 1000)


WITHDRAWN = "withdrawn"
"""Ending of rows whose client has the message still: done, but nobody got it."""


def withdrawal(bucket: int, row: str, attempt: int, why: str) -> Settlement:
    """Its client was told that it was not sent, and has it still: a refusal or a deferral."""
    return Settlement(
        bucket=bucket, id=row, attempt=attempt, state="done", ending=WITHDRAWN,
        verdict=why.replace("\0", " "),
    )  # fmt: skip


def settlement(
    bucket: int,
    row: str,
    attempt: int,
    outcome: Outcome,
    *,
    now: int,
    failures: int,
    blamed: int,
    own: bool,
    backoff: Backoff,
    dsn: bool,
) -> Settlement:
    """What a row becomes. `failures` and `blamed` before this one; `own`: should it have failed,
    that counts against the message."""
    said = str(outcome.reply) if isinstance(outcome, Relayed | Refused) else outcome.why
    said = said.replace("\0", " ")  # PostgreSQL's text has none, PowerMTA's replies may
    if isinstance(outcome, Relayed):
        return Settlement(
            bucket=bucket, id=row, attempt=attempt, state="done", ending="relayed", verdict=said
        )
    wanted = "wanted" if dsn else ""
    if isinstance(outcome, Refused):
        # MailWizz was told 250 long ago: it hears of it as soft, for hard would blacklist.
        return Settlement(
            bucket=bucket, id=row, attempt=attempt, state="refused", ending="refused",
            verdict=said, event="refused", dsn=wanted,
        )  # fmt: skip
    if not isinstance(outcome, Failed):
        return Settlement(
            bucket=bucket, id=row, attempt=attempt, state="doubt", reason="unknown", detail=said
        )
    if outcome.rests:
        # Nothing was asked of PowerMTA: no failure, and nothing that grows.
        return Settlement(
            bucket=bucket, id=row, attempt=attempt, state="held", reason=Limit.SERVER_AWAY.value,
            detail=said, due=now + REST,
        )  # fmt: skip
    blame = int(own and outcome.asked is Asked.MESSAGE)
    if blame and blamed + 1 >= backoff.failures:
        return Settlement(
            bucket=bucket, id=row, attempt=attempt, state="refused", ending="failed",
            verdict=f"{blamed + 1} failures while others passed, the last: {said}",
            failed=1, blamed=1, event="failed", dsn=wanted,
        )  # fmt: skip
    return Settlement(
        bucket=bucket, id=row, attempt=attempt, state="held", reason="failed", detail=said,
        due=backoff.due(now, failures + 1), failed=1, blamed=blame,
    )  # fmt: skip
