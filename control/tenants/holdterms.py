"""A tenant's terms of the hold queue: how much may wait, what counts as a repeat, who is told."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from control.plan.rows import TenantRow
from control.problem import bad
from control.store.change import Act
from policy.model import Count
from policy.pattern import pattern_problem
from settings.statements import statements

_SQL = statements(__package__, "tenant")

Octets = Annotated[int, msgspec.Meta(ge=0, le=1 << 50)]
Age = Annotated[float, msgspec.Meta(ge=60, le=315_360_000)]
Pattern = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class HoldTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field left out stays as it is; null takes the default."""

    hold_messages: Count | UnsetType | None = UNSET
    """Most messages that may wait; null takes the setting hold.messages."""
    hold_bytes: Octets | UnsetType | None = UNSET
    """Most octets that may wait; null takes hold.bytes."""
    hold_age: Age | UnsetType | None = UNSET
    """Seconds after which waiting mail expires; null takes hold.age."""
    hold_past: Literal["defer", "accept"] | UnsetType | None = UNSET
    """Beyond a bound: tell the client to come back, or hold on; null takes hold.past_bound."""
    duplicates: Literal["campaign", "message-id", "content", "off"] | UnsetType | None = UNSET
    """Which messages count as the same one sent again; null: `campaign`, or `message-id` for
    profile mta."""
    feedback_id: Pattern | UnsetType | None = UNSET
    """Regular expression of the whole Feedback-ID with groups `campaign` and `subscriber`; null
    is MailWizz's."""
    list_unsubscribe: Pattern | UnsetType | None = UNSET
    """Regular expression found anywhere in List-Unsubscribe, with the same groups; null is
    MailWizz's."""
    dsn: bool | UnsetType | None = UNSET
    """Also report expiry and late refusals by a message to MAIL FROM (RFC 3464); null: for profile
    mta only."""


def given(terms: HoldTerms) -> dict[str, Any]:
    """Column to value of what is to change. Raises RefusedError for a pattern that cannot be
    used."""
    columns = {
        field: value
        for field in HoldTerms.__struct_fields__
        if (value := getattr(terms, field)) is not UNSET
    }
    for field in ("feedback_id", "list_unsubscribe"):
        if (text := columns.get(field)) and (problem := pattern_problem(text)):
            raise bad(field, problem)
    return columns


async def set_hold(act: Act, row: TenantRow) -> None:
    """Write the terms of a tenant that is there."""
    await act.connection.execute(
        _SQL["set_hold"],
        *(row.name, row.hold_messages, row.hold_bytes, row.hold_age, row.hold_past),
        *(row.duplicates, row.feedback_id, row.list_unsubscribe, row.dsn),
    )
