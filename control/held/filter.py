"""Which held messages are meant: every filter that is given must match."""

import re
from typing import Annotated, Any

import msgspec

from control.held.held import OPEN, STATES
from control.held.reason import WaitReason
from control.problem import FieldProblem, RefusedError, bad, quoted
from control.values.mailbox import RecipientFilter
from control.values.name import UNPRINTABLE, printable
from control.values.query import Limit, Seen
from control.values.wanted import meant
from policy.address import recipient_spellings, split_address
from policy.identity import PROBE, parse_envelope
from policy.model import Name

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
_STATE = f"(?:{'|'.join(STATES)})"
StateText = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{_STATE}(?:,{_STATE})*$"})]
AFTER = re.compile(r"([0-9]{1,15})\.([0-9a-z]{1,80})")
"""Arrival and row of the last one of a page."""
AfterText = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{AFTER.pattern}$"})]


class HoldFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At least one, where something is to be changed."""

    tenant: Annotated[FilterText | None, meant("Of this tenant.")] = None
    campaign: Annotated[FilterText | None, meant("Of this campaign.")] = None
    recipient: Annotated[
        RecipientFilter | None,
        meant("To this address, in any language: its local part as is, its domain however spelt."),
    ] = None
    reason: Annotated[WaitReason | None, meant("That wait for this.")] = None
    message: Annotated[
        FilterText | None,
        meant(
            "A message id (all its recipients), the id of one recipient's row, or an envelope id."
        ),
    ] = None


FIELDS = HoldFilter.__struct_fields__


class HoldQuery(HoldFilter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What waits, or all there is."""

    state: Annotated[
        StateText | None,
        meant(f"Of {', '.join(STATES)}, with commas between; {', '.join(OPEN)} by default."),
    ] = None

    @property
    def states(self) -> list[str]:
        """Those that are asked for. Raises RefusedError."""
        if self.state is None:
            return list(OPEN)
        found = self.state.split(",")
        if wrong := [s for s in found if s not in STATES]:
            raise bad("state", f"{quoted(wrong[0])} is none of {', '.join(STATES)}")
        return found


class HeldQuery(HoldQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of them, one by one."""

    limit: Annotated[Limit, meant("Messages of one page, 1 to 1000; 100.")] = 100
    after: Annotated[AfterText | None, meant("The `after` of the page before.")] = None


class HoldEventQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Recipients that were given up, oldest first."""

    tenant: Annotated[Name | None, meant("Of this tenant.")] = None
    after: Annotated[Seen, meant("Id of the last one seen.")] = 0
    limit: Annotated[Limit, meant("At most so many, 1 to 1000; 100.")] = 100


class HoldRequestQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was asked for, newest first."""

    tenant: Annotated[Name | None, meant("Of this tenant.")] = None
    before: Annotated[Seen | None, meant("Id of the last one seen.")] = None
    limit: Annotated[Limit, meant("At most so many, 1 to 1000; 50.")] = 50


def checked(wanted: HoldFilter) -> HoldFilter:
    """The filters with addresses and ids in their one spelling. Raises RefusedError."""
    for field in FIELDS:
        value = getattr(wanted, field)
        if value is not None and field != "message":
            _wording(field, value)
    return HoldFilter(
        tenant=wanted.tenant,
        campaign=wanted.campaign,
        recipient=None if wanted.recipient is None else address(wanted.recipient, "recipient"),
        reason=wanted.reason,
        message=None if wanted.message is None else message_id(wanted.message),
    )


def _wording(field: str, value: str) -> None:
    """Raises RefusedError for what `FilterText` does not take."""
    if not 0 < len(value) <= LONGEST:
        raise bad(field, f"expected 1 to {LONGEST} characters; leave it out to match any")
    if not (printable(value) or field == "recipient"):
        raise bad(field, "control characters cannot be used")


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
        raise bad(field, f"{quoted(text)} is not a mail address")
    return f"{parts[0]}@{parts[1]}"


def message_id(text: str) -> str:
    """The message's id; of an envelope id the part that is the message. Raises RefusedError."""
    _wording("message", text)
    if text.startswith(PROBE):
        raise bad("message", f"{text} is a probe of ours, not a message")
    envelope = parse_envelope(text)
    return text if envelope is None else envelope.message


def arguments(wanted: HoldFilter) -> tuple[Any, ...]:
    """The first six arguments of the statements in `hold.sql`."""
    spelt = None if wanted.recipient is None else recipient_spellings(wanted.recipient)
    local, domains = (None, None) if spelt is None else (spelt[0], list(spelt[1]))
    return wanted.tenant, wanted.campaign, wanted.reason, wanted.message, local, domains
