"""The nouns of a send decision: servers, VirtualMTAs, pools, tenants, mailboxes.

All are frozen values. Together they make a generation (`policy.plan`), which control
compiles from its rows and gateways and the ledger read. Units: counts are recipients,
times are seconds unless a name says otherwise, days are UTC days.
"""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

Unlimited = Literal["unlimited"]
"""Written out on purpose: "no number" must never be read as "no limit"."""

UNLIMITED: Unlimited = "unlimited"

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""Tenants, pools, VirtualMTAs and servers: safe as a PowerMTA name, a metric label and a key.

PowerMTA starts a comment at any `#` and quotes blanks, so neither may occur."""

Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


Ramp = Annotated[
    tuple[Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)], ...], msgspec.Meta(max_length=52)
]
"""Recipients a day, stage by stage."""

Day = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
"""Days since 1970-01-01 UTC."""

Unknown = Literal["discover", "refuse", "shared"]
"""A mailbox that nobody added: counts by itself from its first message on, is refused, or counts
for the one that all such share."""


class IpState(StrEnum):
    """Where an IP stands in its life. Only `warming` and `active` send."""

    NEW = "new"
    WARMING = "warming"
    ACTIVE = "active"
    PAUSED = "paused"
    RETIRING = "retiring"

    @property
    def sends(self) -> bool:
        return self in (IpState.WARMING, IpState.ACTIVE)


class Profile(StrEnum):
    """How a tenant's client takes a refusal.

    MailWizz gives a recipient up at any 4xx or 5xx; an `mta` queues by itself."""

    MAILWIZZ = "mailwizz"
    MTA = "mta"


class Address(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `host:port` at which a PowerMTA server takes mail."""

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Server(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A PowerMTA server. Its addresses are alternatives; failover never leaves the server, because
    a VirtualMTA's queues belong to exactly one (policy/README.md: one server per IP)."""

    name: Name
    addresses: Annotated[tuple[Address, ...], msgspec.Meta(min_length=1)]
    sessions: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 80
    """Sessions all gateways together may hold; PowerMTA's `total-max-smtp-in` is 100."""


class Rate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Most recipients in any 60 and any 3,600 seconds (`policy.rolling`); None is off."""

    minute: Count | None = None
    hour: Count | None = None


OFF = Rate()
"""Neither."""


class VirtualMta(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source IP with its host name, on one PowerMTA server."""

    name: Name
    ip: str
    host_name: str
    server: Name
    state: IpState
    daily: Count | Unlimited
    """Recipients a UTC day."""
    hourly_share: Share = 0.2
    """Largest burst as a share of the day; 1.0 switches pacing off."""
    weight: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 1.0
    ceilings: dict[str, Count] = {}
    """Provider to recipients a day, under `daily`; one not named has none of its own."""
    rate: Rate = OFF


class Pool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """VirtualMTAs of one tenant that share traffic."""

    name: Name
    tenant: Name
    members: tuple[Name, ...] = ()
    overflow: Name | None = None
    """Pool that takes what this one may not send now."""
    paused: bool = False
    rate: Rate = OFF
    """Of what leaves by its own IPs: its overflow has limits of its own."""


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tenant's sending hours in local time; `start == end` is not allowed, wrapping is.

    `offsets` are (UTC second from which it holds, seconds east of UTC), ascending: control
    resolves the zone so that neither the ledger nor the gateway needs a zone database."""

    start: Annotated[int, msgspec.Meta(ge=0, lt=86400)]
    length: Annotated[int, msgspec.Meta(ge=60, lt=86400)]
    offsets: Annotated[tuple[tuple[int, int], ...], msgspec.Meta(min_length=1)]


SHARED_MAILBOX = "*"
"""Counts for all that are not counted one by one; no address is spelt like it."""


class MailboxLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of one sender address; None takes the tenant's, and is none in the tenant's own."""

    daily_max: Count | None = None
    daily_min: Count | None = None
    """What it should send a day: the releaser's order (`policy.fairness`), not a limit."""
    spacing: Annotated[float, msgspec.Meta(ge=0, le=86400)] | None = None
    """Seconds from one message to the next, at least."""
    spacing_max: Annotated[float, msgspec.Meta(ge=0, le=86400)] | None = None
    """And at most; above `spacing` each gap is drawn between the two (`policy.mailbox`). Goes with
    `spacing`: it is the tenant's only where that is."""
    ramp: Ramp | None = None
    """Empty: none. The tenant's own is `Tenant.mailbox_ramp`."""
    ramp_from: Day | None = None
    """First day of its ramp; None: the day it sent first."""
    rate: Rate = OFF
    """None takes the tenant's default."""


class FormerPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a login's clients may say besides, while they are changed one by one."""

    hash: str
    until: Annotated[int, msgspec.Meta(ge=0)]
    """Calendar milliseconds; from then on it is wrong, whatever else the generation says."""


class Login(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """An SMTP login. `hash` is an argon2id PHC string; the password itself is nowhere.

    Without a former password it is written as versions read it that know of none."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    hash: str
    former: FormerPassword | None = None

    def accepted(self, now: int) -> tuple[str, ...]:
        """The hashes of its passwords at calendar milliseconds `now`, the newest first."""
        former = self.former
        return (self.hash, former.hash) if former and now < former.until else (self.hash,)


class HoldBounds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a tenant's mail may wait, and for how long."""

    messages: Count = 5_000_000
    octets: Annotated[int, msgspec.Meta(ge=0)] = 100 * 1024**3
    age: Annotated[float, msgspec.Meta(gt=0)] = 30 * 86_400.0
    """Seconds of calendar time after which a held message expires."""
    past: Literal["defer", "accept"] = "defer"
    """Beyond a bound: tell the client to come back, or hold on."""


DEFAULT_FEEDBACK_ID = (
    r"\s*(?P<campaign>[A-Za-z0-9]{6,40}):(?P<subscriber>[A-Za-z0-9]{6,40})"
    r":[^:\s]{1,64}:[^:\s]{1,64}\s*"
)
"""MailWizz 2.x: `CAMPAIGN:SUBSCRIBER:LIST:CUSTOMER`; a setting of its customer groups."""

DEFAULT_LIST_UNSUBSCRIBE = (
    r"/lists/[A-Za-z0-9]{6,40}/unsubscribe/"
    r"(?P<subscriber>[A-Za-z0-9]{6,40})/(?P<campaign>[A-Za-z0-9]{6,40})"
)
"""MailWizz: `…/lists/LIST/unsubscribe/SUBSCRIBER/CAMPAIGN…`."""


class Duplicates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which messages count as the same one sent again (policy/README.md: identity)."""

    mode: Literal["campaign", "message-id", "content", "off"] = "campaign"
    """`campaign`: both ids of a campaign mail; mail without them has no key. `message-id`: for
    clients that queue by themselves. `content`: a digest of body and subject; eats legitimate
    repeats, so only where asked for."""
    feedback_id: str = DEFAULT_FEEDBACK_ID
    """Pattern of the whole `Feedback-ID` value with groups `campaign` and `subscriber`."""
    list_unsubscribe: str = DEFAULT_LIST_UNSUBSCRIBE
    """Pattern found anywhere in `List-Unsubscribe`, with the same groups."""


class Tenant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A customer: logins, senders, limits, and which pool each sending domain uses."""

    name: Name
    profile: Profile = Profile.MAILWIZZ
    paused: bool = False
    logins: tuple[Login, ...] = ()
    networks: tuple[str, ...] = ()
    """Source networks that name this tenant without a login."""
    default_pool: Name
    domains: dict[str, Name] = {}
    """Sending domain (lower case, A-labels) to pool."""
    strict: bool = False
    """Refuse sending domains that were not added, instead of using the default pool."""
    senders: tuple[str, ...] = ()
    """Allowed senders, `user@domain` or `domain`; empty allows every sender."""
    mailbox: Literal["from", "envelope"] = "from"
    unreadable_from: Literal["refuse", "shared"] = "refuse"
    """A `From:` that names nobody for certain: refuse it, or count it for the mailbox that all
    beyond `mailbox_bound` share. Always refused for a tenant with a list of senders, or strict."""
    mailbox_default: MailboxLimits = MailboxLimits()
    mailboxes: dict[str, MailboxLimits] = {}
    mailbox_unknown: Unknown = "discover"
    """What becomes of mail of a mailbox that is not in `mailboxes`."""
    mailbox_ramp: Ramp = ()
    """Of each mailbox without one of its own; empty: none."""
    mailbox_ramp_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 7
    """Days a stage of any mailbox's ramp lasts."""
    mailbox_bound: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 100_000
    """Discovered mailboxes counted one by one; beyond, they share one."""
    rate: Rate = OFF
    weight: Annotated[float, msgspec.Meta(ge=0.01, le=100)] = 1.0
    """Of its turns when held mail of several tenants may go: `policy.turns`."""
    window: Window | None = None
    max_recipients: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    hold: HoldBounds = HoldBounds()
    duplicates: Duplicates = Duplicates()
    dsn: bool = False
    """Also report expiry and late refusals by an RFC 3464 message to MAIL FROM."""
    suppressed: Literal["refuse", "accept"] = "refuse"
    """A recipient that is suppressed: refuse it, or take it and send nothing. Profile `mta` always
    refuses: its client tells the sender."""
    paused_campaigns: tuple[str, ...] = ()
    """Their mail is held until an operator resumes them."""
    id: int = 0
    """Control never gives a number twice: it tells a tenant from a former one of its name. 0: made
    by a control that did not say."""
    keyed_by_id: bool = False
    """Its duplicate keys are of its id, too: what a former tenant of its name sent is no copy of
    its mail. Not of tenants that were there before keys had it: theirs would be forgotten."""

    @property
    def key_scope(self) -> str:
        """What its duplicate keys begin with. A name has no slash: no two tenants share one."""
        return f"{self.name}/{self.id}" if self.keyed_by_id else self.name
