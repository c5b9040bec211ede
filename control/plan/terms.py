"""A tenant's terms: each is written here once, with its bounds, its meaning and its default.

A request to change it, an option of the command, the row, the answer, the table shown and the audit
log follow from the field; a migration adds its column, `compile` says what it does. Bounds are kept
where a term is asked for: a row is what is there.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from control.values.host import DomainText
from control.values.mailbox import SenderText
from control.values.wanted import BY_DEFAULT, BY_PROFILE, DURATION, NONE, meant
from policy.model import Count, Unknown

Octets = Annotated[int, msgspec.Meta(ge=0, le=1 << 50)]
Age = Annotated[float, msgspec.Meta(ge=60, le=315_360_000)]
Pattern = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
Weight = Annotated[float, msgspec.Meta(ge=0.01, le=100)]
Spacing = Annotated[float, msgspec.Meta(ge=0, le=86_400)]

MailboxRamp = Annotated[
    tuple[Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)], ...], msgspec.Meta(max_length=52)
]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Who may send what, and how much of it."""

    profile: Annotated[
        Literal["mailwizz", "mta"], meant("What its client is; mta for one that queues by itself.")
    ] = "mailwizz"
    strict: Annotated[bool, meant("Refuse sending domains that were not added.")] = False
    senders: Annotated[
        tuple[SenderText, ...],
        meant("Allowed senders, user@domain or domain, replacing all; without one, every sender."),
    ] = ()
    max_recipients: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=10_000)], meant("Most recipients of one message.")
    ] = 100
    mailbox: Annotated[
        Literal["from", "envelope"], meant("Which address is the mailbox that limits count.")
    ] = "from"
    unreadable_from: Annotated[
        Literal["refuse", "shared"],
        meant(
            "Mail whose From: names nobody for certain: refuse it, or count it for one shared "
            "mailbox."
        ),
    ] = "refuse"
    mailbox_unknown: Annotated[
        Unknown,
        meant(
            "A mailbox that nobody added: discover it with its first message, refuse its mail "
            "(550), or count it for one shared mailbox."
        ),
    ] = "discover"
    mailbox_max: Annotated[
        Count | None,
        meant(
            "Recipients a day of each mailbox without a limit of its own; 0 sends nothing, null is "
            "off."
        ),
    ] = None
    mailbox_min: Annotated[
        Count | None,
        meant(
            "What each should send a day: waiting mail of one behind it goes first; 0 is off, null "
            "takes the setting warmup.min_daily_quota."
        ),
        BY_DEFAULT,
    ] = None
    mailbox_spacing: Annotated[
        Spacing | None,
        meant(
            "Seconds between two messages of one mailbox, at least; 0 is off, null takes "
            "warmup.stagger_min_ms."
        ),
        BY_DEFAULT,
    ] = None
    mailbox_spacing_max: Annotated[
        Spacing | None,
        meant(
            "And at most: each gap is drawn between the two; null draws none, or takes "
            "warmup.stagger_max_ms with the other."
        ),
        BY_DEFAULT,
    ] = None
    mailbox_ramp: Annotated[
        MailboxRamp,
        meant(
            "Recipients a day of each mailbox, stage by stage from its first message on, "
            "replacing all; without one, none."
        ),
        NONE,
    ] = ()
    mailbox_ramp_days: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=365)], meant("Days a stage of that ramp lasts.")
    ] = 7
    mailbox_minute: Annotated[
        Count | None, meant("Most recipients of each mailbox in any 60 seconds; null is off.")
    ] = None
    mailbox_hour: Annotated[
        Count | None, meant("Most recipients of each mailbox in any 3,600 seconds; null is off.")
    ] = None
    per_minute: Annotated[
        Count | None, meant("Most recipients in any 60 seconds; 0 sends nothing, null is off.")
    ] = None
    per_hour: Annotated[
        Count | None,
        meant(
            "Most recipients in any 3,600 seconds; 0 sends nothing, null takes the setting "
            "warmup.user_hourly_limit."
        ),
    ] = None
    weight: Annotated[
        Weight,
        meant("Its turns in the release of held mail: one of 2 has two where one of 1 has one."),
    ] = 1.0


class Terms(Limits, frozen=True, kw_only=True):
    """All of them: beside the limits, how much may wait, what counts as a repeat, who is told,
    what nobody sends from."""

    hold_messages: Annotated[
        Count | None,
        meant("Most messages that may wait; null takes the setting hold.messages."),
        BY_DEFAULT,
    ] = None
    hold_bytes: Annotated[
        Octets | None, meant("Most octets that may wait; null takes hold.bytes."), BY_DEFAULT
    ] = None
    hold_age: Annotated[
        Age | None,
        meant("The longest that mail may wait, in seconds; null takes hold.age."),
        BY_DEFAULT,
        DURATION,
    ] = None
    hold_past: Annotated[
        Literal["defer", "accept"] | None,
        meant(
            "Beyond a bound: tell the client to come back, or hold on; null takes hold.past_bound."
        ),
        BY_DEFAULT,
    ] = None
    duplicates: Annotated[
        Literal["campaign", "message-id", "content", "off"] | None,
        meant(
            "Which messages count as the same one sent again; null: campaign, or message-id for "
            "profile mta."
        ),
        BY_DEFAULT,
    ] = None
    feedback_id: Annotated[
        Pattern | None,
        meant(
            "Regular expression of the whole Feedback-ID with groups campaign and subscriber; null "
            "is MailWizz's."
        ),
        BY_DEFAULT,
    ] = None
    list_unsubscribe: Annotated[
        Pattern | None,
        meant(
            "Regular expression found anywhere in List-Unsubscribe, with the same groups; null is "
            "MailWizz's."
        ),
        BY_DEFAULT,
    ] = None
    suppressed: Annotated[
        Literal["refuse", "accept"],
        meant(
            "A recipient that is suppressed: refuse it, or take it and send nothing (profile mta "
            "always refuses)."
        ),
    ] = "refuse"
    dsn: Annotated[
        bool | None,
        meant(
            "Also report expiry and late refusals by mail to MAIL FROM (RFC 3464); null: for "
            "profile mta only."
        ),
        BY_PROFILE,
    ] = None
    brand_domains: Annotated[
        tuple[DomainText, ...],
        meant(
            "Domains of the brand itself, replacing all: `domain add` refuses them, each as it is; "
            "one below it (mail.brand.example) is another domain."
        ),
        NONE,
    ] = ()


TERMS = Terms.__struct_fields__


class _Column(msgspec.Struct, frozen=True):
    """How a term is read from its column and written to it; `{}` is its parameter."""

    read: str
    write: str


_COLUMNS = {
    "per_minute": _Column("t.rate_minute", "rate_minute = {}"),
    "per_hour": _Column("t.rate_hour", "rate_hour = {}"),
    "dsn": _Column(
        "CASE WHEN t.dsn_set THEN t.dsn END",
        "dsn = coalesce({0}, false), dsn_set = {0}::boolean IS NOT NULL",
    ),
}
"""Those that are not simply the column of their name."""


def _columns() -> Iterator[tuple[str, _Column]]:
    for field in Terms.__struct_fields__:
        yield field, _COLUMNS.get(field, _Column(f"t.{field}", f"{field} = {{}}"))


def with_terms(statement: str, first: int = 0) -> str:
    """A statement with `{terms}` filled in: read from `tenant t` or, from parameter `first` on,
    written. The names are those of our own fields, never a client's."""
    if first:
        numbered = enumerate(_columns(), first)
        text = ", ".join(column.write.format(f"${number}") for number, (_, column) in numbered)
    else:
        text = ", ".join(f"{column.read} AS {field}" for field, column in _columns())
    return statement.replace("{terms}", text)


def terms_of(row: Terms) -> dict[str, Any]:
    """All terms of what has them, by name."""
    return {field: getattr(row, field) for field in Terms.__struct_fields__}
