"""What a change is given: its transaction, the calendar time, and who asks."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import msgspec

from control.store.database import Connection
from control.store.masked import without_secrets
from control.store.origin import origin
from policy.isotime import milliseconds_of
from settings.statements import statements

_AUDIT = statements(__package__, "audit")
_TENANTS = ("tenant", "login", "network")
"""Nouns of actions whose subject is a tenant."""


class Difference(msgspec.Struct, frozen=True):
    """A field that a change set, as its audit row has it."""

    subject: str
    field: str
    before: Any
    """null: nothing was there, or null was."""
    after: Any


def differences(subject: str, before: Any, after: Any) -> list[Difference]:
    """Field by field, those that are not what they were; pure."""
    old, new = msgspec.to_builtins(before), msgspec.to_builtins(after)
    if not isinstance(new, dict):
        return []
    was = old if isinstance(old, dict) else {}
    return [
        Difference(subject, field, was.get(field), value)
        for field, value in new.items()
        if was.get(field) != value
    ]


Still = Callable[[Connection], Awaitable[None]]
"""Raises RefusedError where what was asked for is not who asks' any more, or not what it saw. Asked
in the transaction of a change, under its lock."""


class Act(msgspec.Struct, frozen=True):
    """What a change function gets: its transaction, the calendar time, and who asks."""

    connection: Connection
    now: datetime
    who: str
    notes: list[str] = []
    """What the person who asked should know besides; filled by `note`."""

    unchanged: list[str] = []
    """Why there was nothing to do; filled by `no_change`."""
    audited: list[str] = []
    """The actions that were written down."""

    differences: list[Difference] = []
    """What changed, field by field; filled by `audit`."""

    def no_change(self, text: str) -> None:
        """Everything is as it was asked for; unless another change is made besides, nothing is
        published."""
        self.unchanged.append(text)

    @property
    def milliseconds(self) -> int:
        """`now` as calendar milliseconds."""
        return milliseconds_of(self.now)

    def note(self, text: str) -> None:
        """Tell the person who asked something the change did besides."""
        self.notes.append(text)

    async def audit(
        self,
        action: str,
        subject: str,
        before: Any = None,
        after: Any = None,
        reason: str = "",
        *,
        tenant: str | None = None,
    ) -> None:
        """Write the audit row of this change; in the same transaction, so one never lies. Secrets
        are masked in it. `tenant`: whose it is; None: the subject's, where that is a tenant, or
        nobody's alone."""
        if tenant is None and action.partition(".")[0] in _TENANTS:
            tenant = subject
        if not self.who:
            raise ValueError(f"nobody is said to do {action}")
        before, after = without_secrets(before), without_secrets(after)
        self.audited.append(action)
        self.differences.extend(differences(subject, before, after))
        of = origin(self.who)
        await self.connection.execute(
            *(_AUDIT["add"], self.now, self.who, action, subject, before, after, reason),
            *(of.kind, of.address, tenant),
        )
