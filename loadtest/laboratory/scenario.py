"""A scenario: who sends how much to whom in which days, and what has to come of it. TOML, strict.

Each field says what is wanted of it: whoever reads a file of his own is told so
(`loadtest.laboratory.reading`).
"""

from typing import Annotated

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(ge=0, le=1)]
Domain = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,60}(\.[a-z0-9-]{1,60})+$", max_length=200)]


Most = Annotated[int, Meta(ge=1, le=1_000_000_000)]


class Tenants(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tenants that are alike: each has a login, a sending domain and a pool of its own."""

    name: Annotated[
        str,
        Meta(
            pattern="^[a-z][a-z0-9-]{0,20}$",
            description="a name such as acme: lower case, digits, hyphens",
        ),
    ]
    count: Annotated[int, Meta(ge=1, le=10_000, description="how many of them")] = 1
    mailboxes: Annotated[int, Meta(ge=1, le=100_000, description="how many each tenant has")]
    ips: Annotated[int, Meta(ge=1, le=1_000, description="how many each tenant has")] = 1
    stages: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=520)], ...],
        Meta(
            min_length=1, max_length=1_000, description="stages of its IPs, in turn, from 1: [1, 2]"
        ),
    ] = (1,)
    per_mailbox: Annotated[
        float, Meta(ge=0, le=1_000_000, description="messages of each mailbox a day, such as 3.3")
    ]
    mailbox_max: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None,
        Meta(description="recipients a day of each mailbox, or left out"),
    ] = None
    mailbox_min: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None,
        Meta(description="what each mailbox should send a day, or left out"),
    ] = None
    per_minute: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000_000)] | None,
        Meta(description="recipients a minute of each tenant, or left out"),
    ] = None
    per_hour: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000_000)] | None,
        Meta(description="recipients an hour of each tenant, or left out"),
    ] = None
    pool_minute: Annotated[
        Most | None, Meta(description="recipients a minute of each tenant's pool, or left out")
    ] = None
    pool_hour: Annotated[
        Most | None, Meta(description="recipients an hour of each tenant's pool, or left out")
    ] = None
    ip_minute: Annotated[
        Most | None, Meta(description="recipients a minute of each IP, or left out")
    ] = None
    ip_hour: Annotated[
        Most | None, Meta(description="recipients an hour of each IP, or left out")
    ] = None
    mailbox_minute: Annotated[
        Most | None, Meta(description="recipients a minute of each mailbox, or left out")
    ] = None
    mailbox_hour: Annotated[
        Most | None, Meta(description="recipients an hour of each mailbox, or left out")
    ] = None


class Provider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mailbox provider: its part of the mail, and of an IP's day."""

    share: Annotated[float, Meta(gt=0, le=1_000, description="its weight in the mix")]
    domains: Annotated[
        list[Domain],
        Meta(min_length=1, max_length=1_000, description="domains of recipients, in lower case"),
    ]
    ceiling: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | None,
        Meta(description="the most of an IP's day that it gets, from 0 to 1, or left out"),
    ] = None
    per_minute: Annotated[
        Most | None, Meta(description="recipients a minute over all tenants, or left out")
    ] = None
    per_hour: Annotated[
        Most | None, Meta(description="recipients an hour over all tenants, or left out")
    ] = None


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The warm-up plan of all IPs."""

    quotas: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=1_000_000_000)], ...],
        Meta(min_length=1, max_length=520, description="recipients a day of each stage, rising"),
    ] = (50, 200, 500, 1_500, 5_000, 10_000)
    hourly_share: Annotated[
        float, Meta(gt=0, le=1, description="the largest burst as a share of the day; 1: no pace")
    ] = 0.2


class Days(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The calendar, and how fast it goes."""

    days: Annotated[
        int,
        Meta(ge=1, le=7, description="1 to 7: after seven an IP takes a stage of its own accord"),
    ] = 1
    steps: Annotated[int, Meta(ge=1, le=1_440, description="moves of the clock in a day")] = 24
    seconds: Annotated[
        float, Meta(ge=1, le=604_800, description="of real time that a day takes at the least")
    ] = 60.0
    settle: Annotated[
        float, Meta(ge=1, le=3_600, description="seconds to wait for calm before each midnight")
    ] = 30.0
    curve: Annotated[
        tuple[Annotated[float, Meta(ge=0, le=1_000)], ...],
        Meta(min_length=24, max_length=24, description="24 weights, an hour each: night and day"),
    ] = (1.0,) * 24


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of mail, as shares of it."""

    bounces: Annotated[Share, Meta(description="taken, then no such address; 0 to 1")] = 0.02
    deferrals: Annotated[Share, Meta(description="taken, and tried twice; 0 to 1")] = 0.03
    refusals: Annotated[Share, Meta(description="refused by PowerMTA at RCPT; 0 to 1")] = 0.0
    complaints: Annotated[Share, Meta(description="delivered, then complained of; 0 to 1")] = 0.0


class Clients(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """MailWizz's connections."""

    workers: Annotated[int, Meta(ge=1, le=1_000, description="connections at a time")] = 24
    connection_messages: Annotated[
        int, Meta(ge=1, le=1_000_000, description="messages of one connection; MailWizz's is 1")
    ] = 1
    size: Annotated[int, Meta(ge=1_000, le=1_000_000, description="octets of a message")] = 4_096


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of all tenants together."""

    per_minute: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000_000)] | None,
        Meta(description="recipients a minute, or left out"),
    ] = None
    per_hour: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000_000)] | None,
        Meta(description="recipients an hour, or left out"),
    ] = None


class Product(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the stack runs. Times that the compressed day makes shorter are seconds of real time."""

    workers: Annotated[int, Meta(ge=1, le=256, description="processes of the gateway")] = 1
    releasers: Annotated[
        int, Meta(ge=1, le=256, description="processes that release held mail")
    ] = 1
    poll: Annotated[float, Meta(ge=0.05, le=60, description="the setting hold.poll")] = 0.2
    sweep: Annotated[float, Meta(ge=0.5, le=3_600, description="the setting hold.sweep")] = 2.0


class Expect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What has to come of it, besides what no run may break."""

    completion: Annotated[
        Share | None,
        Meta(description="mailboxes that reach their minimum, 0 to 1, or left out"),
    ] = None
    spread: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None,
        Meta(description="recipients a mailbox may be from its fair share, or left out"),
    ] = None
    failures: Annotated[
        Share, Meta(description="bounced or refused of what was offered, at most; 0 to 1")
    ] = 0.05


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    name: Annotated[str, Meta(min_length=1, max_length=60, description="a name for the report")]
    seed: Annotated[int, Meta(ge=0, le=2**32, description="the same one makes the same mail")] = 1
    tenants: Annotated[
        list[Tenants], Meta(min_length=1, max_length=100, description="[[tenants]], one or more")
    ]
    providers: Annotated[
        dict[str, Provider],
        Meta(min_length=1, max_length=100, description="[providers.NAME], one or more"),
    ]
    plan: Plan = Plan()
    days: Days = Days()
    rates: Rates = Rates()
    clients: Clients = Clients()
    limits: Limits = Limits()
    product: Product = Product()
    expect: Expect = Expect()

    @property
    def messages(self) -> int:
        """In all days, rounded up."""
        a_day = sum(g.count * (int(g.mailboxes * g.per_mailbox) + 1) for g in self.tenants)
        return a_day * self.days.days
