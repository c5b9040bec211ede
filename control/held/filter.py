"""Which held messages are meant: every filter that is given must match."""

from typing import Annotated, Any

import msgspec

from control.problem import FieldProblem, RefusedError, bad
from control.values.mailbox import RecipientFilter
from control.values.name import UNPRINTABLE
from control.values.wanted import meant
from policy.address import recipient_spellings, split_address
from policy.identity import PROBE, parse_envelope

LONGEST = 1_000
"""Characters of a filter; an address has at most 320, a campaign id fewer."""

FilterText = Annotated[
    str,
    msgspec.Meta(
        extra_json_schema={
            "minLength": 1,
            "maxLength": LONGEST,
            "pattern": f"^[^{UNPRINTABLE}]+$",
        }
    ),
]


class HoldFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At least one, where something is to be changed."""

    tenant: FilterText | None = None
    campaign: FilterText | None = None
    recipient: Annotated[
        RecipientFilter | None,
        meant("An address in any language; its local part exactly, its domain however spelt."),
    ] = None
    reason: Annotated[
        FilterText | None, meant("Why it waits: a limit's name, failed, unknown, …")
    ] = None
    message: Annotated[
        FilterText | None,
        meant(
            "A message id (all its recipients), the id of one recipient's row, or an envelope id."
        ),
    ] = None


FIELDS = HoldFilter.__struct_fields__


def checked(wanted: HoldFilter) -> HoldFilter:
    """The filters with addresses and ids in their one spelling. Raises RefusedError."""
    for field in FIELDS:
        value = getattr(wanted, field)
        if value is not None and not 0 < len(value) <= LONGEST:
            raise bad(field, f"expected 1 to {LONGEST} characters; leave it out to match any")
        if value is not None and not (value.isprintable() or field == "recipient"):
            raise bad(field, "control characters cannot be used")
    return HoldFilter(
        tenant=wanted.tenant,
        campaign=wanted.campaign,
        recipient=None if wanted.recipient is None else address(wanted.recipient, "recipient"),
        reason=wanted.reason,
        message=None if wanted.message is None else message_id(wanted.message),
    )


def some(wanted: HoldFilter) -> HoldFilter:
    """As `checked`, for a change: never everything by leaving all out. Raises RefusedError."""
    found = checked(wanted)
    if not any(getattr(found, field) is not None for field in FIELDS):
        problems = [FieldProblem(field, "one of these is needed") for field in FIELDS]
        raise RefusedError(
            f"name what is meant: at least one of {', '.join(FIELDS)}", status=400, errors=problems
        )
    return found


def address(text: str, field: str) -> str:
    """`local@domain` with the domain in A-labels, as requests keep it. Raises RefusedError."""
    parts = split_address(text.strip())
    if parts is None or recipient_spellings(text.strip()) is None or "\0" in text:
        raise bad(field, f"{text!r} is not a mail address")
    return f"{parts[0]}@{parts[1]}"


def message_id(text: str) -> str:
    """The message's id; of an envelope id the part that is the message. Raises RefusedError."""
    if text.startswith(PROBE):
        raise bad("message", f"{text} is a probe of ours, not a message")
    envelope = parse_envelope(text)
    return text if envelope is None else envelope.message


def arguments(wanted: HoldFilter) -> tuple[Any, ...]:
    """The first six arguments of the statements in `hold.sql`."""
    spelt = None if wanted.recipient is None else recipient_spellings(wanted.recipient)
    local, domains = (None, None) if spelt is None else (spelt[0], list(spelt[1]))
    return wanted.tenant, wanted.campaign, wanted.reason, wanted.message, local, domains
